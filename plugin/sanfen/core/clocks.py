"""When a round's clock starts, and when something about a round is due next."""

from sanfen.core.days import NEVER
from sanfen.core.escalation import choose, next_step_ms
from sanfen.core.events import Store
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import Plan

__all__ = ["next_due", "place", "start_clock", "store_changed"]


def next_due(one: Round, plan: Plan) -> int:
    """When something about a round that is not final is due next: a step, its deadline passing, its day's end."""
    # Of a round left behind only the outcome matters.
    due = NEVER if one.ladder < 0 or one.left else next_step_ms(plan.policy.ladders, one)
    if not one.overdue_told and one.due_ms < due:
        due = one.due_ms + 1
    if plan.settles and one.day_end_ms <= due:
        due = one.day_end_ms
    return due


def place(one: Round, state: Conversation, clock_ms: int, plan: Plan) -> None:
    """Give a new round its day, its hours, its clock and its ladder."""
    calendar, policy = plan.calendar, plan.policy
    day = calendar.day(one.opened_ms)
    one.date, one.day_end_ms, one.holiday = day.date, day.end_ms, day.holiday
    if policy.hours is not None:
        one.inside = any(start <= one.opened_ms < end for start, end in day.spans)
    start_clock(one, state, clock_ms, plan)
    if policy.ladders:
        one.ladder = choose(policy.ladders, one, calendar)


def start_clock(one: Round, state: Conversation, clock_ms: int, plan: Plan) -> None:
    """Start a round's clock, or start it anew; the shop's state at that instant is the round's."""
    one.overdue_told = False
    one.base_ms = plan.calendar.next_opening(clock_ms) if plan.defer_hours else clock_ms
    one.heeds_ms = one.base_ms + (one.base_ms > clock_ms)  # at an opening's very instant too
    _begin(one, state, plan)


def _begin(one: Round, state: Conversation, plan: Plan) -> None:
    one.store = state.store
    if plan.away == "defer" and state.store == "away":
        one.clock_ms = one.due_ms = NEVER
        return
    one.clock_ms = one.base_ms
    if plan.due_after_ms is not None:
        one.due_ms = one.clock_ms + plan.due_after_ms
        return
    one.due_ms, one.open_wait = plan.calendar.due(plan.policy.due, one.clock_ms)


def store_changed(state: Conversation, event: Store, plan: Plan) -> None:
    """The shop's state changed; it is the state of the rounds whose clock has not started yet."""
    state.store = event.state
    for one in state.rounds:
        if event.at_ms < one.heeds_ms:
            _begin(one, state, plan)
        elif one.clock_ms == NEVER and event.state == "online":
            start_clock(one, state, event.at_ms, plan)
