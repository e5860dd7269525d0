"""Rows follow the rounds, and roll-ups follow the rows."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sanfen.core.drive import fold
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.store import projection
from sanfen.testing import ask, reply

Run = Callable[..., Any]
PLAN = plan_of(Policy(id="p", version="v1"))
START = 1_673_056_800_000  # 10:00 in Shanghai


def test_a_row_says_it_all(run: Run) -> None:
    done = fold(Conversation(Key("default", "default", "A")), [ask(START), reply(START + 475_000)], PLAN)
    for one, scored in done.rounds():
        run(projection.save, "live", [(one, scored, PLAN)])
    row = run(
        lambda c: c.execute(
            "SELECT status, reason, because, evidence, opened, due, closed, day, hour, policy_version FROM rounds"
        ).fetchone()
    )

    assert row == (
        "late", None, "answered_late", f'["qA{START}", "mA{START + 475_000}"]', "2023-01-07T10:00:00+08:00",
        "2023-01-07T10:03:00+08:00", "2023-01-07T10:07:55+08:00", "2023-01-07", 10, "v1",
    )  # fmt: skip


def test_open_rounds_are_found_by_what_is_due(run: Run) -> None:
    for customer, at_ms in (("A", START), ("B", START + 60_000)):
        done = fold(Conversation(Key("default", "default", customer)), [ask(at_ms, customer)], PLAN)
        for one, _ in done.rounds():
            run(projection.save, "live", [(one, score(one, PLAN, at_ms), PLAN)])
    due = run(lambda c: list(projection.open_rounds(c, "live", START + 200_000)))

    assert due == [("default\0default\0A", START + 180_001)]


changes = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from(["ask", "reply", "other", "drop"]), st.integers(1, 8_000_000)),
    min_size=1, max_size=12,
)  # fmt: skip


@given(changes)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_roll_ups_never_disagree_with_their_rounds(run: Run, steps: list[tuple[str, str, int]]) -> None:
    """Whatever is saved, saved again or dropped."""
    logs: dict[str, list[Any]] = {"A": [], "B": []}
    at_ms = START
    run(lambda c: c.execute("DELETE FROM round_rows"))
    for customer, kind, pause_ms in steps:
        at_ms += pause_ms
        key = Key("default", "default", customer)
        if kind == "drop":
            run(projection.replace_conversation, "live", "p", key, [])
            continue
        event = ask(at_ms, customer) if kind == "ask" else reply(at_ms, customer, agent=kind)
        logs[customer].append(event)
        for one, scored in fold(Conversation(key), logs[customer], PLAN).rounds(at_ms):
            run(projection.save, "live", [(one, scored, PLAN)])

    assert run(projection.drift) == 0


def test_a_question_found_to_be_of_an_hour_before_moves_there(run: Run) -> None:
    key = Key("default", "default", "A")
    for at_ms in (START, START - 60_000):
        done = fold(Conversation(key), [ask(START)._replace(at_ms=at_ms)], PLAN)
        rounds = [(one, scored, PLAN) for one, scored in done.rounds(START)]
        run(projection.replace_conversation, "live", "p", key, rounds)

    assert run(projection.drift) == 0
    assert run(lambda c: c.execute("SELECT hour FROM rates_hourly WHERE pending > 0").fetchall()) == [(9,)]


def test_time_alone_moves_what_is_due(run: Run) -> None:
    """Whether a round has a row yet or not."""
    for customer in "ABC":
        done = fold(Conversation(Key("default", "default", customer)), [ask(START, customer)], PLAN)
        ((one, _),) = done.rounds(START)
        if customer != "B":
            run(projection.save, "live", [(one, score(one, PLAN, START), PLAN)])
        one.step, one.rests_ms = 1, START + 1
        run(projection.save_moved, "live", [(one, PLAN)], START + 1)
    rows = run(lambda c: c.execute("SELECT status, next_ms, step, rests_ms, due FROM round_rows").fetchall())

    assert rows == [("pending", START + 180_001, 1, START + 1, "2023-01-07T10:03:00+08:00")] * 3
    assert run(projection.drift) == 0
