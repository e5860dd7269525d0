"""Which ladder a round climbs, and when its next step is due.

- The first ladder that matches wins. Until its first step is due the choice is made anew whenever who holds the round, or a
  tag, changes.
- A step is due at an instant counted from the start of the round's clock or from its deadline; a step with ``every`` is told
  again until the next one, or until it has been told ``times`` times more.
- While somebody has taken the round, or it is snoozed, no step is due. When the ladder goes on, of the steps that passed
  meanwhile only the last is told: one message, not one for each.
"""

from sanfen.core.days import NEVER, Calendar
from sanfen.core.facts import Conversation, Round
from sanfen.core.policy import Ladder, Step

__all__ = ["choose", "choose_again", "climb", "next_step_ms"]


def choose(ladders: tuple[Ladder, ...], one: Round, calendar: Calendar) -> int:
    """The index of the first ladder that takes the round; -1 if none does."""
    for index, ladder in enumerate(ladders):
        if _matches(ladder, one, calendar):
            return index
    return -1


def choose_again(state: Conversation, ladders: tuple[Ladder, ...], calendar: Calendar) -> None:
    """Something that ladders look at has changed: rounds that have climbed no step yet may belong to another."""
    for one in state.rounds:
        if one.step == 0:
            one.ladder = choose(ladders, one, calendar)


def next_step_ms(ladders: tuple[Ladder, ...], one: Round) -> int:
    """When the next step of a round's ladder is due; ``NEVER`` at its end or while the clock rests. It has a ladder."""
    if one.clock_ms == NEVER:
        return NEVER
    steps = ladders[one.ladder].steps
    due_ms = _instant(steps[one.step], one) if one.step < len(steps) else NEVER
    if one.step and one.turn < steps[one.step - 1].times:
        due_ms = min(due_ms, one.told_ms + steps[one.step - 1].every_ms)
    return max(due_ms, one.rests_ms)


def climb(ladders: tuple[Ladder, ...], one: Round, now_ms: int, *, by_hand: bool = False) -> Step | None:
    """Take the step that is due at ``now_ms``, or the next one ``by_hand``. None: there is no step to take."""
    steps = ladders[one.ladder].steps if one.ladder >= 0 else ()
    if not steps:
        return None
    if one.step < len(steps) and (by_hand or _instant(steps[one.step], one) <= now_ms):
        rested = one.rests_ms > _instant(steps[one.step], one)
        one.step, one.turn = one.step + 1, 0
        while rested and not by_hand and one.step < len(steps) and _instant(steps[one.step], one) <= now_ms:
            one.step += 1
    else:
        one.turn += 1
    one.told_ms, one.rests_ms = now_ms, 0
    return steps[one.step - 1]


def _instant(step: Step, one: Round) -> int:
    if step.since == "clock":
        return one.clock_ms + step.at_ms
    return NEVER if one.due_ms >= NEVER else one.due_ms + step.at_ms


def _matches(ladder: Ladder, one: Round, calendar: Calendar) -> bool:
    return (
        (not ladder.shops or one.key.shop in ladder.shops)
        and (not ladder.channels or one.key.channel in ladder.channels)
        and (not ladder.agents or one.agent in ladder.agents)
        and (not ladder.tags or not ladder.tags.isdisjoint(one.session.tags))
        and (ladder.hours is None or _inside(ladder.hours, calendar.minute(one.opened_ms)))
    )


def _inside(hours: tuple[int, int], minute: int) -> bool:
    start, end = hours
    return start <= minute < end if start < end else minute >= start or minute < end
