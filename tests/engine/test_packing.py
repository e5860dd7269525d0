"""What is packed comes back as it was, and goes on as if it had never been away."""

from dataclasses import replace

import pytest
from tests.engine.shop import MINUTE, START

from sanfen.core.drive import fold
from sanfen.core.events import Event, Key, Snooze, Tag, Take, Transfer
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import DueRule, Ladder, Policy, Session, Step
from sanfen.core.rounds import advance, tick
from sanfen.engine.packing import packed, unpacked
from sanfen.testing import ask, reply

KEY = Key("default", "default", "A")
LADDER = Ladder("l", (Step(30_000, ("lead",)), Step(60_000, ("boss",))))
POLICY = Policy("p", due=(DueRule(after_ms=3 * MINUTE),), ladders=(LADDER,), session=Session(gap_ms=30 * MINUTE))
PLAN = plan_of(POLICY)

STORIES: dict[str, list[Event]] = {
    "asked": [ask(START)],
    "asked twice": [ask(START), ask(START + 1000)],
    "answered, and asked again": [ask(START), reply(START + 1000), ask(START + 2000)],
    "tagged": [ask(START), Tag(START + 1, KEY, "t", "spam")],
    "given on": [ask(START), Transfer(START + 1, KEY, "g", None, "a2")],
    "taken": [ask(START), Take(START + 1, KEY, "t", "a1")],
    "let rest": [ask(START), Snooze(START + 1, KEY, "s", "a1", START + 5 * MINUTE)],
}


def told(state: Conversation) -> list[object]:
    """All that a conversation is, in plain values."""
    own = [getattr(state, name) for name in state.__slots__ if name not in ("session", "rounds")]
    session = [getattr(state.session, name) for name in state.session.__slots__] if state.session else None
    rounds = [[getattr(one, name) for name in one.__slots__ if name != "session"] for one in state.rounds]
    return [own, session, rounds]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("passed_ms", [0, 45_000, 10 * MINUTE])
def test_it_comes_back_and_goes_on(story: str, passed_ms: int) -> None:
    state = fold(Conversation(KEY), STORIES[story], PLAN, START + passed_ms).state
    data = packed((1, 2, 3), [state])
    assert data is not None
    head, (back,) = unpacked(KEY, data)

    assert (head, told(back)) == ([1, 2, 3], told(state))
    assert all(one.session is back.session for one in back.rounds)
    for event in (ask(START + 11 * MINUTE), reply(START + 12 * MINUTE)):
        assert len(advance(back, event, PLAN)) == len(advance(state, event, PLAN))
        assert told(back) == told(state)
    assert len(tick(back, START + 90 * MINUTE, PLAN)) == len(tick(state, START + 90 * MINUTE, PLAN))
    assert told(back) == told(state)


@pytest.mark.parametrize(
    ("plan", "events"),
    [
        (plan_of(Policy("h", starts="handoff")), [ask(START)]),
        (plan_of(replace(POLICY, session=Session(gap_ms=MINUTE))), [ask(START), ask(START + 2 * MINUTE)]),
        (PLAN, []),
    ],
    ids=["a question that waits for the handoff", "a round left behind in a session before", "nothing at all"],
)
def test_what_is_more_is_folded_again(plan: Plan, events: list[Event]) -> None:
    state = Conversation(KEY)
    for event in events:
        advance(state, event, plan)

    assert packed((), [state]) is None
