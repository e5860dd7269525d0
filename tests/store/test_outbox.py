"""A step reaches a person at least once and at most twice, whatever is lost on the way."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.roster import Target
from sanfen.store import journal, outbox
from sanfen.store.journal import Delivery
from sanfen.store.outbox import Row, Transition
from sanfen.testing import ask

Run = Callable[..., Any]
START = 1_673_056_800_000


def step(number: int = 0, *people: str) -> Escalated:
    """A step of one and the same round."""
    done = fold(Conversation(Key("default", "default", "A")), [ask(START)], plan_of(Policy(id="p")))
    ((one, _),) = done.rounds(START)
    return Escalated(START + 90_000, one, "ladder", number, people or ("lead",))


def enqueue(connection: Any, effect: Escalated, targets: list[Target]) -> int:
    return outbox.enqueue(connection, [outbox.asked(effect, "p", targets, START)])


def put(connection: Any, effect: Escalated) -> int:
    """Everybody the step names is there."""
    return enqueue(connection, effect, [Target(name, name) for name in effect.notify])


def test_a_step_is_put_there_once_for_each_person(run: Run) -> None:
    assert run(put, step(0, "lead", "boss")) == 2
    assert run(put, step(0, "lead", "boss")) == 0
    assert run(put, step(1, "lead")) == 1


@pytest.mark.parametrize(
    "text", ["在吗", 'a "quoted" \\ text', "line\nnext\ttab\x00end\x1f", "\u2028 \U0001f600", "", None]
)
def test_the_question_is_quoted_as_it_was_asked(run: Run, text: str | None) -> None:
    effect = step()
    question = ask(START)._replace(key=effect.round.key, id=effect.round.opening_id, text=text)
    run(journal.append, Delivery(START, "default", "in", "POST", "", b"{}"), [question])
    run(put, effect)

    (row,) = run(outbox.claim, START, 10, 1000)

    assert row.facts["question"] == text
    assert row.facts["customer"] == effect.round.customer


def test_a_claimed_row_comes_again_after_its_lease(run: Run) -> None:
    run(put, step())
    first = run(outbox.claim, START, 10, 1000)

    assert [row.person for row in first] == ["lead"]
    assert run(outbox.claim, START + 999, 10, 1000) == []
    assert run(outbox.claim, START + 1000, 10, 1000) == first


def test_at_a_start_nobody_is_sending(run: Run) -> None:
    """The lease of whoever died is not waited for."""
    run(put, step())
    first = run(outbox.claim, START, 10, 60_000)

    assert run(outbox.release, START + 5) == 1
    assert run(outbox.claim, START + 5, 10, 60_000) == first


def test_an_attempt_is_marked_before_it_is_made(run: Run) -> None:
    run(put, step())
    (row,) = run(outbox.claim, START, 10, 1000)
    (begun,) = run(outbox.begin, [row])
    (again,) = run(outbox.claim, START + 1000, 10, 1000)  # a crash: nothing was recorded

    assert (begun.unknown, again.unknown, again.attempts) == (1, 1, 1)


def test_told_is_final(run: Run) -> None:
    run(put, step())
    (row,) = run(outbox.claim, START, 10, 1000)
    (row,) = run(outbox.begin, [row])
    done = Transition("told", 0, row.unknown, START, None)
    run(outbox.record, [(row, done)], now_ms=START, way="w", result="told", answer="200", took_ms=3)

    assert run(outbox.claim, START + 10**9, 10, 1000) == []
    assert run(outbox.next_try) is None


ROW = Row(1, "r", "p", "l", 0, 0, "notify", "lead", START, 0, 0, 0, None, {}, "pending", None, None)


def test_a_refusal_goes_to_the_next_way_at_once_and_then_backs_off() -> None:
    row = ROW._replace(unknown=1, attempts=1)
    first = outbox.after_refusal(row, 2, START, retryable=True, reason="x")
    last = outbox.after_refusal(row._replace(way=1), 2, START, retryable=True, reason="x", retry_after_ms=30_000)

    assert (first.state, first.way, first.unknown, first.next_try_ms) == ("waiting", 1, 0, START)
    assert (last.state, last.way, last.next_try_ms) == ("waiting", 0, START + 30_000)
    assert outbox.after_refusal(row, 1, START, retryable=False, reason="x").state == "failed"
    assert outbox.after_refusal(row, 1, START + 3_600_001, retryable=True, reason="x").state == "failed"
    after_a_lost_answer = row._replace(unknown=2, attempts=2)
    assert outbox.after_refusal(after_a_lost_answer, 1, START, retryable=False, reason="x").state == "unsure"


Outcomes = st.lists(
    st.sampled_from(["told", "refused", "lost", "arrived-but-lost", "crash-before", "crash-after"]), max_size=30
)


@given(Outcomes, st.integers(1, 3))
def test_nobody_hears_of_a_step_three_times(outcomes: list[str], ways: int) -> None:
    """Drives the real transitions through any sequence of sends and crashes."""
    row, received, state = ROW, 0, "waiting"
    for outcome in outcomes:
        if state != "waiting":
            break
        if not outbox.may_send(row.unknown):
            state = "unsure"
            break
        row = row._replace(unknown=row.unknown + 1, attempts=row.attempts + 1)  # begin, committed
        received += outcome in ("told", "arrived-but-lost", "crash-after")
        if outcome.startswith("crash"):
            continue  # the row stays as it stands
        if outcome == "told":
            state = "told"
        else:
            if outcome == "refused":
                to = outbox.after_refusal(row, ways, START, retryable=True, reason="x")
            else:
                to = outbox.after_unknown(row, ways, START, "x")
            state, row = to.state, row._replace(way=to.way, unknown=to.unknown)

    assert received <= 2
    assert state in ("waiting", "told", "unsure")
    if state == "unsure":
        assert row.unknown == outbox.MOST_UNKNOWN


@pytest.mark.parametrize("word", ["inhibited", "waiting"])
def test_a_row_can_be_dropped_or_put_off(run: Run, word: str) -> None:
    run(put, step())
    (row,) = run(outbox.claim, START, 10, 1000)
    if word == "inhibited":
        run(outbox.inhibit, [(row, "round_met")], START)
    else:
        run(outbox.put_off, [row], START + 5, "quiet")

    assert run(lambda c: c.execute("SELECT state FROM outbox").fetchone()) == (word,)
    assert run(outbox.next_try) == (None if word == "inhibited" else START + 5)


def states(run: Run) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = run(
        lambda c: c.execute("SELECT person, wanted, state, reason FROM outbox ORDER BY id").fetchall()
    )
    return found


def test_who_is_not_there_has_a_row_that_says_so(run: Run) -> None:
    targets = [Target("lead", "lead", "off_duty"), Target("boss", "boss")]

    assert run(enqueue, step(0, "lead", "boss"), targets) == 1
    assert states(run) == [("lead", "lead", "inhibited", "off_duty"), ("boss", "boss", "waiting", None)]


def test_where_nobody_is_there_the_step_has_failed(run: Run) -> None:
    assert run(enqueue, step(), [Target("lead", "lead", "off_duty")]) == 0
    assert states(run) == [("lead", "lead", "failed", "off_duty")]


def test_what_reached_nobody_is_passed_on_once(run: Run) -> None:
    run(put, step(0, "lead", "boss"))
    rows = run(outbox.claim, START, 10, 1000)

    assert run(outbox.pass_on, rows[:1], ["boss", "ops"], START) == 1  # boss has a row of this step already
    assert run(outbox.pass_on, rows[:1], ["boss", "ops"], START) == 0
    assert states(run)[2] == ("ops", "fallback", "waiting", "for lead")


def test_a_step_told_again_is_another_row(run: Run) -> None:
    run(put, step())
    assert run(put, step()._replace(turn=1)) == 1


def test_a_step_may_give_the_conversation_away(run: Run) -> None:
    run(enqueue, step()._replace(notify=(), reassign="backup"), [])
    (row,) = run(outbox.claim, START, 10, 1000)

    assert (row.kind, row.person) == ("reassign", "backup")


def test_nobody_who_is_busy_is_claimed(run: Run) -> None:
    run(put, step(0, "lead", "boss"))

    assert [row.person for row in run(outbox.claim, START, 10, 1000, ["lead"])] == ["boss"]


def test_when_a_person_was_last_sent_anything(run: Run) -> None:
    run(put, step())
    rows = run(outbox.begin, run(outbox.claim, START, 10, 1000))
    done = [(row, Transition("told", 0, 1, START, None)) for row in rows]
    run(outbox.record, done, now_ms=START + 7, way="w", result="told", answer="", took_ms=1)

    assert run(outbox.last_sent, "lead", START) == START + 7
    assert run(outbox.last_sent, "lead", START + 8) is None
    assert run(outbox.last_sent, "boss", START) is None
