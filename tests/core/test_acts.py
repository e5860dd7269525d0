"""Taking, snoozing, handing back, calling for the next step; steps told again, and steps counted from the deadline."""

from collections.abc import Callable

import pytest

from sanfen.core.drive import Fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Escalate, Event, Key, Message, Release, Snooze, Tag, Take, Transfer
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import DueRule, Ladder, Policy, Step

KEY = Key("s", "c", "k")
START = 1_673_056_800_000  # 2023-01-07 10:00 in Shanghai
S = 1_000
STEPS = (Step(60 * S, ("agent",)), Step(120 * S, ("lead",)), Step(150 * S, ("boss",)))
LADDER = Ladder("default", STEPS)


def ask(at_s: int, name: str = "q") -> Message:
    return Message(START + at_s * S, KEY, name, "customer", "k")


def answer(at_s: int) -> Message:
    return Message(START + at_s * S, KEY, "a", "merchant", "k", "human", "lily")


def take(at_s: int) -> Take:
    return Take(START + at_s * S, KEY, "take", "boss")


def snooze(at_s: int, until_s: int) -> Snooze:
    return Snooze(START + at_s * S, KEY, "snooze", "boss", START + until_s * S)


def release(at_s: int) -> Release:
    return Release(START + at_s * S, KEY, "release", "boss")


def call(at_s: int, name: str = "call") -> Escalate:
    return Escalate(START + at_s * S, KEY, name, "boss")


def told(events: list[Event], *ladders: Ladder, until_s: int = 4_000, policy: str = "p") -> list[tuple[int, str, int]]:
    """Seconds, who, and how often the step was told before; the same whether time passes between events or not."""
    found = []
    for ticks in (False, True):
        fold = Fold(Conversation(KEY), plan_of(Policy(policy, ladders=ladders or (LADDER,))))
        effects = []
        for event in events:
            if ticks:
                effects += fold.wait(event.at_ms - 1)
            effects += fold.feed(event)
        effects += fold.wait(START + until_s * S)
        steps = [one for one in effects if isinstance(one, Escalated)]
        found.append([((one.at_ms - START) // S, one.notify[0], one.turn) for one in steps])

    assert found[0] == found[1]
    return found[0]


def test_without_an_act_each_step_is_told_once() -> None:
    assert told([ask(0)]) == [(60, "agent", 0), (120, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), answer(130)]) == [(60, "agent", 0), (120, "lead", 0)]


def test_taking_a_round_stops_its_ladder_and_not_its_clock() -> None:
    events: list[Event] = [ask(0), take(70), answer(400)]
    fold = Fold(Conversation(KEY), plan_of(Policy("p", ladders=(LADDER,))))
    for event in events:
        fold.feed(event)
    ((one, scored),) = fold.rounds()

    assert told(events) == [(60, "agent", 0)]
    assert (one.wait_ms, scored.outcome, one.taken_by) == (400 * S, "late", "boss")


def test_handed_back_the_last_step_that_passed_is_told_at_once_and_the_ladder_goes_on() -> None:
    assert told([ask(0), take(70), release(130)]) == [(60, "agent", 0), (130, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), take(10), release(160)]) == [(160, "boss", 0)]  # one message, not three
    assert told([ask(0), take(10), release(30)]) == [(60, "agent", 0), (120, "lead", 0), (150, "boss", 0)]


def test_handing_back_what_nobody_took_changes_nothing() -> None:
    assert told([ask(0), release(70)]) == told([ask(0)])


def test_a_snooze_ends_by_itself() -> None:
    assert told([ask(0), snooze(70, 140)]) == [(60, "agent", 0), (140, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), snooze(70, 100)]) == told([ask(0)])


def test_calling_by_hand_takes_the_next_step_and_whoever_took_it_has_it_no_more() -> None:
    assert told([ask(0), take(10), call(20)]) == [(20, "agent", 0), (120, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), call(5), call(6, "again")]) == [(5, "agent", 0), (6, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), call(200)])[-1] == (200, "boss", 1)  # there is no further step: the last one again


def test_an_act_with_nothing_open_is_harmless() -> None:
    assert told([take(0), ask(10)]) == [(70, "agent", 0), (130, "lead", 0), (160, "boss", 0)]
    assert told([ask(0), answer(10), call(20), ask(30, "q2"), answer(40)]) == []


def test_a_new_round_is_nobodys_until_it_is_taken() -> None:
    assert told([ask(0), take(1), answer(10), ask(20, "q2")]) == [(80, "agent", 0), (140, "lead", 0), (170, "boss", 0)]


def test_a_step_is_told_again_until_the_next_one_and_no_more_often_than_it_says() -> None:
    steps = (Step(60 * S, ("agent",), every_ms=20 * S, times=9), Step(120 * S, ("lead",), every_ms=30 * S, times=2))

    assert told([ask(0)], Ladder("again", steps)) == [
        (60, "agent", 0), (80, "agent", 1), (100, "agent", 2), (120, "lead", 0), (150, "lead", 1), (180, "lead", 2),
    ]  # fmt: skip
    assert told([ask(0), take(90)], Ladder("again", steps)) == [(60, "agent", 0), (80, "agent", 1)]
    assert told([ask(0), take(90), release(500)], Ladder("again", steps))[2:] == [
        (500, "lead", 0), (530, "lead", 1), (560, "lead", 2),
    ]  # fmt: skip


def test_steps_may_count_from_the_deadline() -> None:
    steps = (Step(-30 * S, ("lead",), "deadline"), Step(0, ("boss",), "deadline"), Step(60 * S, ("ops",), "deadline"))

    assert told([ask(0)], Ladder("due", steps)) == [(150, "lead", 0), (180, "boss", 0), (240, "ops", 0)]


def test_a_step_before_the_deadline_of_a_round_without_one_is_never_due() -> None:
    sundays = (DueRule(when_days=frozenset({6}), after_ms=1),)  # it is asked on a Saturday
    ladder = Ladder("due", (Step(0, ("lead",), "deadline"),))
    fold = Fold(Conversation(KEY), plan_of(Policy("p", due=sundays, ladders=(ladder,))))
    fold.feed(ask(0))

    assert fold.wait(START + 10**9) == []


@pytest.mark.parametrize(
    ("ladder", "wanted"),
    [
        (Ladder("agents", STEPS, agents=frozenset({"lily"})), [(60, "agent", 0)]),
        (Ladder("tags", STEPS, tags=frozenset({"vip"})), [(60, "agent", 0)]),
        (Ladder("others", STEPS, agents=frozenset({"bob"})), []),
        (Ladder("day", STEPS, hours=(540, 660)), [(60, "agent", 0)]),
        (Ladder("night", STEPS, hours=(1260, 540)), []),
        (Ladder("over midnight", STEPS, hours=(1260, 601)), [(60, "agent", 0)]),
        (Ladder("just closed", STEPS, hours=(540, 600)), []),
    ],
    ids=lambda one: one.name if isinstance(one, Ladder) else "",
)
def test_what_a_ladder_looks_at(ladder: Ladder, wanted: list[tuple[int, str, int]]) -> None:
    """Who holds the round and its tags may come after the question; the hour is that of the opening."""
    held: list[Event] = [ask(0), Transfer(START + 10 * S, KEY, "t", None, "lily"), Tag(START + 20 * S, KEY, "g", "vip")]

    assert told(held, ladder, until_s=100) == wanted


def test_a_round_keeps_the_ladder_whose_step_it_has_climbed() -> None:
    moved = Transfer(START + 90 * S, KEY, "t", None, "lily")
    first, other = Ladder("lily's", (Step(100 * S, ("x",)),), agents=frozenset({"lily"})), LADDER

    assert told([ask(0), moved], first, other) == [(60, "agent", 0), (120, "lead", 0), (150, "boss", 0)]
    assert told([ask(0), moved._replace(at_ms=START + 50 * S)], first, other) == [(100, "x", 0)]


@pytest.mark.parametrize("act", [take, release, call, lambda at_s: snooze(at_s, at_s + 60)])
def test_no_act_changes_an_outcome(act: Callable[[int], Event]) -> None:
    for at_s in (1, 60, 179, 180, 181, 1_000):
        chats = ([ask(0), answer(200)], [ask(0)])
        for chat in chats:
            with_act = sorted([*chat, act(at_s)], key=lambda event: event.at_ms)
            outcomes = []
            for events in (chat, with_act):
                fold = Fold(Conversation(KEY), plan_of(Policy("p", ladders=(LADDER,))))
                for event in events:
                    fold.feed(event)
                outcomes.append([(one.id, one.wait_ms, scored) for one, scored in fold.rounds()])

            assert outcomes[0] == outcomes[1]
