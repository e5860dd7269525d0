"""Corrections: what comes late changes what it concerns, says so, and touches nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.shop import MINUTE, START, TAOBAO, Shop, open_shop

from sanfen.core.events import Key, Store, Tag
from sanfen.core.policy import DueRule, Policy
from sanfen.testing import FakeClock, ask, reply
from sanfen.wire import read_event


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "log.db") as made:
        yield made


async def test_what_a_correction_changed_is_on_record(shop: Shop) -> None:
    """A late reply, a late question, a tag, a recall: each with what the round was before and after."""
    shop.clock._now_ms = START + 60 * MINUTE
    await shop.send(ask(START), ask(START + 60 * MINUTE, name="q2"))
    await shop.send(reply(START + MINUTE))
    await shop.send(Tag(START + 61 * MINUTE, Key("default", "default", "A"), "t1", "spam"))
    query = "SELECT cause, event, before, after FROM changes WHERE policy = 'taobao' ORDER BY id"

    assert shop.rows(query) == [
        ("message", f"mA{START + MINUTE}", "missed no_valid_reply -", "met answered_in_time 60000ms a1"),
        ("message", f"mA{START + MINUTE}", None, "pending within_deadline a1"),
        ("tag", "t1", "met answered_in_time 60000ms a1", "excluded spam 60000ms a1"),
        ("tag", "t1", "pending within_deadline a1", "excluded spam a1"),
    ]


async def test_a_correction_writes_only_what_differs(shop: Shop) -> None:
    """Rounds of other days keep their rows as they are."""
    day = 24 * 60 * MINUTE
    shop.clock._now_ms = START + 5 * day
    for number in range(5):
        await shop.send(ask(START + number * day), reply(START + number * day + MINUTE))
    statements: list[str] = []
    shop.db.write(lambda connection: connection.set_trace_callback(statements.append)).result()
    await shop.send(reply(START + 2 * day + 30_000, agent="a2"))
    written = {one for one in statements if one.startswith("INSERT INTO round_rows")}  # triggers repeat their statement

    assert len(written) == 2  # one round, under two policies
    assert shop.rows("SELECT wait_ms, agent FROM rounds WHERE policy = 'taobao' AND wait_ms < 60000") == [
        (30_000, "a2")
    ]


async def test_a_closed_shop_is_closed_for_whoever_waits_in_vain_too(tmp_path: Path) -> None:
    """An overdue question is final and not answered; the customer's next question falls under the shop's new state."""
    clock = FakeClock(START)
    with open_shop(tmp_path / "log.db", (Policy("p", exclude=frozenset({"closed_shop"})),), clock) as shop:
        await shop.send(ask(START))
        await shop.tick(START + 12 * MINUTE)
        await shop.send(Store(START + 10 * MINUTE, Key("default", "", ""), "s1", "closed_shop"))
        await shop.send(reply(START + 11 * MINUTE), ask(START + 12 * MINUTE))

        assert shop.rows("SELECT status, because FROM rounds ORDER BY opened_ms") == [
            ("late", "answered_late"),
            ("excluded", "closed_shop"),
        ]


async def test_a_recalled_question_is_left_out_where_the_policy_says_so(tmp_path: Path) -> None:
    policy = Policy("p", exclude=frozenset({"recalled"}))
    with open_shop(tmp_path / "log.db", (policy,)) as shop:
        await shop.send(ask(START, name="q1"), ask(START + 5 * MINUTE, name="q2"), ask(START, "B", name="q3"))
        await shop.send(reply(START + MINUTE), reply(START + 6 * MINUTE), ask(START + MINUTE, "B", name="q4"))
        for customer, name in (("A", "q1"), ("B", "q3")):
            recall = {"id": f"r{name}", "at": START + 7 * MINUTE, "from": "system", "event": "recall", "message": name}
            await shop.send(read_event(recall | {"customer": customer}))

        assert shop.rows("SELECT customer, status, because FROM rounds ORDER BY customer, opened_ms") == [
            ("A", "excluded", "recalled"),
            ("A", "met", "answered_in_time"),
            ("B", "missed", "no_valid_reply"),  # more than the recalled question was asked
        ]


async def test_a_round_keeps_the_policy_it_opened_under(tmp_path: Path) -> None:
    """Three minutes until the change, one minute from then on, whatever comes late and however often it restarts."""
    old, new = Policy("p", version="v1"), Policy("p", due=(DueRule(after_ms=MINUTE),), version="v2")
    clock = FakeClock(START)
    with open_shop(tmp_path / "log.db", (old,), clock) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START, name="q1"), ask(START, "B"), reply(START + 1, "B"))
    clock._now_ms = START + 30_000
    query = "SELECT customer, opened_ms - ?, status, policy_version FROM rounds ORDER BY customer, opened_ms"
    for _ in range(2):
        with open_shop(tmp_path / "log.db", (new,), clock) as shop:
            await shop.engine.adopt()
            await shop.send(ask(START + MINUTE, "B", name="q2"))
            await shop.send(reply(START + 2 * MINUTE), reply(START + 3 * MINUTE, "B"))
            rows = shop.rows(query.replace("?", str(START)))

            assert rows == [
                ("A", 0, "met", "v1"),
                ("B", 0, "met", "v1"),
                ("B", MINUTE, "late", "v2"),
            ]

            await shop.send(reply(START + 90_000))  # late: the conversation is folded again
            assert shop.rows("SELECT wait_ms, policy_version FROM rounds WHERE customer = 'A'") == [(90_000, "v1")]
            assert shop.rows("SELECT count(*) FROM change_rows WHERE conversation = 'B'") == [(0,)]


async def test_a_question_from_before_the_change_that_comes_after_it(tmp_path: Path) -> None:
    """Asked while the service was restarted with another policy: of a customer new to us, and of one known."""
    old, new = Policy("p", version="v1"), Policy("p", due=(DueRule(after_ms=MINUTE),), version="v2")
    clock = FakeClock(START)
    with open_shop(tmp_path / "log.db", (old,), clock) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START - 2 * MINUTE, "B"), reply(START - MINUTE, "B"))
    clock._now_ms = START + 500
    with open_shop(tmp_path / "log.db", (new,), clock) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START + 100, "A"))
        await shop.send(ask(START + 100, "B"))
        await shop.send(ask(START + 100, "C"))
        await shop.send(reply(START + 2 * MINUTE), reply(START + 2 * MINUTE, "B"), reply(START + 2 * MINUTE, "C"))
        query = f"SELECT customer, opened_ms - {START}, status, policy_version FROM rounds ORDER BY opened_ms, customer"

        assert shop.rows(query) == [
            ("B", -2 * MINUTE, "met", "v1"),
            ("A", 100, "met", "v1"),
            ("B", 100, "met", "v1"),
            ("C", 100, "met", "v1"),
        ]


async def test_a_late_event_does_not_count_its_delivery_twice(tmp_path: Path) -> None:
    """The first of a delivery makes its conversation be folded again, from a journal that holds the others already."""
    with open_shop(tmp_path / "log.db", (Policy("p"), Policy("each", unit="message"))) as shop:
        await shop.send(ask(START + MINUTE, name="q2"))
        await shop.send(ask(START, name="q1"), ask(START + 2 * MINUTE, name="q3"))

        assert shop.rows("SELECT policy, sum(messages) FROM rounds GROUP BY policy") == [("each", 3), ("p", 3)]


async def test_open_rounds_of_a_policy_that_is_gone_are_not_due(tmp_path: Path) -> None:
    clock = FakeClock(START)
    with open_shop(tmp_path / "log.db", (Policy("p"), Policy("q")), clock) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START))
    with open_shop(tmp_path / "log.db", (Policy("p"),), clock) as shop:
        await shop.engine.adopt()

        assert shop.rows("SELECT policy FROM round_rows WHERE next_ms IS NOT NULL") == [("p",)]


async def test_a_step_that_came_due_while_nobody_looked_has_its_row_though_the_answer_was_sooner_heard(
    tmp_path: Path,
) -> None:
    """Away when the step was due; back, the reply is heard before the clock is looked at: nobody need be told, and that is said.

    The reply carries a tag, for which the conversation is folded again.
    """
    clock = FakeClock(START)
    with open_shop(tmp_path / "log.db", (TAOBAO,), clock) as shop:
        await shop.send(ask(START, "A"), ask(START, "B"), reply(START + 10_000, "B"))
    clock._now_ms = START + 101_000
    with open_shop(tmp_path / "log.db", (TAOBAO,), clock) as shop:
        await shop.send(*(reply(START + 100_000, name)._replace(tags=("vip",)) for name in ("A", "B")))
        rows = shop.rows("SELECT conversation, o.step, person, state FROM outbox o JOIN round_rows r ON r.id = round")

    assert rows == [("A", 0, "lead", "waiting")]  # and the first stage drops it: round_met
