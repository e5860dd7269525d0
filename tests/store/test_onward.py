"""Stored deliveries go on once and in order; what may have arrived is repeated only where the operator wants it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.core.events import Event
from sanfen.store import journal, onward
from sanfen.store.journal import Delivery
from sanfen.store.onward import Parcel, Turn
from sanfen.testing import ask

START = 1_673_056_800_000
HEAD = onward.packed(b"/in/\xff?x", ((b"Host", b"x"), (b"X-Odd", b"\xe9")))

Run = Callable[..., Any]


def put(run: Run, number: int, events: Sequence[Event] = (), channel: str = "desk") -> None:
    delivery = Delivery(START, channel, "in", "POST", "/in", b"body %d" % number, None, number, onward=HEAD)
    run(journal.append, delivery, events, keep_text=False)


def states(run: Run) -> dict[int, str]:
    return dict(run(lambda c: c.execute("SELECT number, state FROM onward_rows").fetchall()))


def test_it_comes_out_as_it_went_in(run: Run) -> None:
    put(run, 7, [ask(START)])
    (parcel,) = run(onward.begin, START, 10)

    assert parcel == Parcel(
        7, "desk", "in", "POST", b"/in/\xff?x", ((b"Host", b"x"), (b"X-Odd", b"\xe9")), b"body 7", START, 1
    )
    assert run(onward.begin, START + 10**9, 10) == []  # marked before a byte leaves


def test_a_conversation_goes_in_order_and_others_beside_it(run: Run) -> None:
    for number, customer in ((1, "A"), (2, "A"), (3, "B")):
        put(run, number, [ask(START + number, customer)])
    first = run(onward.begin, START, 10)
    assert [one.number for one in first] == [1, 3]
    run(onward.record, first[0], Turn("waiting", START + 500, "answered 500"))
    assert run(onward.begin, START + 499, 10) == []
    assert [one.number for one in run(onward.begin, START + 500, 10)] == [1]
    run(onward.record, first[0], Turn("passed", START + 600, None))

    assert [one.number for one in run(onward.begin, START + 600, 10)] == [2]


def test_what_went_wrong_for_good_holds_up_nobody(run: Run) -> None:
    for number in (1, 2):
        put(run, number, [ask(START + number, "A")])
    (first,) = run(onward.begin, START, 10)
    run(onward.record, first, Turn("unsure", START, "reset"))

    assert [one.number for one in run(onward.begin, START, 10)] == [2]
    assert run(lambda c: c.execute("SELECT body, head FROM onward_rows WHERE number = 1").fetchone()) == (None, "")


def test_a_repeated_delivery_is_passed_on_once(run: Run) -> None:
    event = ask(START)
    for number in (1, 1, 2):
        put(run, number, [event])
    put(run, 3)

    assert states(run) == {1: "waiting", 3: "waiting"}


@pytest.mark.parametrize(("repeated", "found"), [(frozenset(), "unsure"), (frozenset({"desk"}), "waiting")])
def test_a_crash_while_sending(run: Run, repeated: frozenset[str], found: str) -> None:
    put(run, 1)
    run(onward.begin, START, 10)

    assert run(onward.resume, repeated, START) == (found == "unsure")
    assert states(run) == {1: found}
    assert run(onward.next_try) == (START if found == "waiting" else None)
    assert run(onward.states) == {found: 1}


def test_what_was_passed_on_is_forgotten_and_the_rest_is_not(run: Run) -> None:
    for number in (1, 2):
        put(run, number)
    for one in run(onward.begin, START, 1) + run(onward.begin, START, 1):
        run(onward.record, one, Turn("passed", START, None))
    assert run(onward.forget, START, 10) == 0
    assert run(onward.forget, START + 1, 10) == 1
    assert states(run) == {2: "waiting"}


PARCEL = Parcel(1, "desk", "in", "POST", b"/", (), b"", START, 1)


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "passed"), (302, "passed"), (400, "refused"), (404, "refused"), (429, "waiting"), (503, "waiting")],
)
def test_an_answer_decides(status: int, state: str) -> None:
    assert onward.after_answer(PARCEL, status, START).state == state


def test_it_backs_off_and_gives_up_after_a_day() -> None:
    pauses = [
        onward.after_answer(PARCEL._replace(attempts=n), 500, START).next_try_ms - START for n in (1, 2, 3, 4, 5, 90)
    ]

    assert pauses == [1_000, 5_000, 15_000, 60_000, 300_000, 300_000]
    assert onward.after_answer(PARCEL, 500, START + 86_400_001).state == "failed"


Fates = st.lists(
    st.sampled_from(
        ["passed", "refused", "busy", "no connection", "reset before", "reset after", "kill before", "kill after"]
    ),
    max_size=20,
)


@given(Fates, st.booleans())
def test_it_never_arrives_twice_unless_that_is_wanted(fates: list[str], repeat: bool) -> None:
    """The real transitions through any sequence of attempts and kills."""
    arrived, parcel, state = 0, PARCEL, "waiting"
    for fate in fates:
        if state != "waiting":
            break
        parcel = parcel._replace(attempts=parcel.attempts + 1)
        arrived += fate in ("passed", "reset after", "kill after")
        if fate.startswith("kill"):
            state = "waiting" if repeat else "unsure"  # resume
        elif fate in ("passed", "refused", "busy"):
            state = onward.after_answer(parcel, {"passed": 200, "refused": 400, "busy": 503}[fate], START).state
        else:
            sent = fate.startswith("reset")
            state = onward.after_break(parcel, START, fate, sent=sent, repeat=repeat).state

    assert repeat or arrived <= 1
    assert state != "passed" or arrived >= 1
