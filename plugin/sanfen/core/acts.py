"""What people do about a waiting customer: take it, let it rest, hand it back, call for the next step.

An act moves the ladder of the conversation's open rounds. It never moves a clock and never changes an outcome.
"""

from sanfen.core.days import NEVER
from sanfen.core.effects import Effect, Escalated
from sanfen.core.escalation import climb
from sanfen.core.events import Escalate, Release, Snooze, Take
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import Plan
from sanfen.core.score import Outcome, score

__all__ = ["ACTS", "act", "escalate"]

ACTS = (Take, Snooze, Release, Escalate)


def act(state: Conversation, event: Take | Snooze | Release | Escalate, plan: Plan, out: list[Effect]) -> None:
    """Apply an act to every round that can still be answered."""
    for one in [one for one in state.rounds if not one.left]:
        one.taken_by = event.agent if type(event) is Take else None
        if type(event) is Take:
            one.rests_ms = NEVER
        elif type(event) is Snooze:
            one.rests_ms = event.until_ms
        elif type(event) is Escalate:
            escalate(one, event.at_ms, plan, out, by_hand=True)
        elif one.rests_ms:
            one.rests_ms = event.at_ms


def escalate(one: Round, now_ms: int, plan: Plan, out: list[Effect], *, by_hand: bool = False) -> None:
    """Climb a step; somebody is told unless the round is excluded: it can hurt nobody's rate."""
    ladders = plan.policy.ladders
    step = climb(ladders, one, now_ms, by_hand=by_hand)
    if step is not None and score(one, plan, now_ms).outcome in (Outcome.pending, Outcome.missed):
        ladder, number = ladders[one.ladder].name, one.step - 1
        out.append(Escalated(now_ms, one, ladder, number, step.notify, one.turn, step.reassign, step.condition))
