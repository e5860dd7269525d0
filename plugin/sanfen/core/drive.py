"""Run a conversation's events through the machine and keep its rounds: what replay, refold and the tests use."""

from collections.abc import Iterable

from sanfen.core.days import NEVER
from sanfen.core.effects import Effect, Opened, Scored, Tagged
from sanfen.core.events import Event
from sanfen.core.facts import Conversation, Round, Session
from sanfen.core.plan import Plan
from sanfen.core.rounds import advance, tick
from sanfen.core.score import Score, score

__all__ = ["Fold", "fold"]


class Fold:
    """One conversation's rounds so far, in order of opening, each with the outcome last told."""

    __slots__ = ("plan", "scores", "state")

    def __init__(self, state: Conversation, plan: Plan) -> None:
        self.state = state
        self.plan = plan
        self.scores: dict[str, tuple[Round, Score | None]] = {}

    def feed(self, event: Event) -> list[Effect]:
        """Apply an event."""
        return self._take(advance(self.state, event, self.plan))

    def wait(self, now_ms: int) -> list[Effect]:
        """Let time pass up to and including ``now_ms``."""
        return self._take(tick(self.state, now_ms, self.plan))

    def rounds(self, now_ms: int = NEVER) -> list[tuple[Round, Score]]:
        """Every round with its outcome as seen at ``now_ms``."""
        return [(one, score(one, self.plan, now_ms)) for one, _ in self.scores.values()]

    def _take(self, effects: list[Effect]) -> list[Effect]:
        extra: list[Effect] = []
        for effect in effects:
            if type(effect) is Opened:
                self.scores[effect.round.id] = (effect.round, None)
            elif type(effect) is Scored:
                self.scores[effect.round.id] = (effect.round, effect.score)
            elif type(effect) is Tagged:
                extra += self._rescore(effect.session, effect.at_ms)
        return effects + extra if extra else effects

    def _rescore(self, session: Session, at_ms: int) -> list[Effect]:
        out: list[Effect] = []
        for one, before in self.scores.values():
            after = score(one, self.plan, at_ms)
            if one.session is session and before is not None and after != before:
                out.append(Scored(at_ms, one, after))
                self.scores[one.id] = (one, after)
        return out


def fold(state: Conversation, events: Iterable[Event], plan: Plan, until_ms: int | None = None) -> Fold:
    """Fold events (in order) into a conversation, then let time pass up to ``until_ms``."""
    folded = Fold(state, plan)
    for event in events:
        folded.feed(event)
    if until_ms is not None:
        folded.wait(until_ms)
    return folded
