"""The engine over a real database file: one event, one effect, whatever the order, the crash or the restart."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.shop import MINUTE, SPLIT, START, TAOBAO, Rows, Shop, open_shop

from sanfen.core.classify import Rule
from sanfen.core.days import NEVER
from sanfen.core.drive import fold
from sanfen.core.effects import Effect
from sanfen.core.events import Event, Key, Message, Mode, Store, Tag
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan, plan_of
from sanfen.core.rounds import advance
from sanfen.engine.ingest import Engine, Receipt
from sanfen.engine.recover import recover
from sanfen.errors import StoreError
from sanfen.store import journal, projection
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask, reply
from sanfen.wire import read_event


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "log.db") as made:
        yield made


async def test_a_round_is_scored_with_its_reply(shop: Shop) -> None:
    await shop.send(ask(START), reply(START + MINUTE))

    assert [("met", None, 60_000), ("met", None, 60_000)] == shop.rows("SELECT status, reason, wait_ms FROM rounds")


async def test_a_duplicate_changes_nothing(shop: Shop) -> None:
    first = await shop.send(ask(START), reply(START + MINUTE))
    before = shop.rows()

    assert first == Receipt(2, 0)
    assert await shop.send(ask(START), reply(START + MINUTE)) == Receipt(0, 2)
    assert shop.rows() == before


async def test_an_id_twice_in_one_delivery_is_scored_as_it_is_stored(shop: Shop) -> None:
    """The first of the two is kept, and it is the one that opens the round."""
    twice = [ask(START, name="q", text="one"), ask(START + MINUTE, name="q", text="two")]

    assert await shop.send(*twice) == Receipt(1, 1)
    assert (
        [(START,)]
        == shop.rows("SELECT DISTINCT opened_ms FROM rounds")
        == shop.rows("SELECT DISTINCT at_ms FROM messages")
    )


async def test_a_late_reply_event_rescores_its_round(shop: Shop) -> None:
    await shop.send(ask(START))
    await shop.send(ask(START + 10 * MINUTE))
    await shop.send(reply(START + 2 * MINUTE))

    assert [("met",), ("pending",)] == shop.rows("SELECT status FROM rounds WHERE policy = 'taobao' ORDER BY opened_ms")


async def test_a_tag_takes_closed_rounds_out(shop: Shop) -> None:
    await shop.send(ask(START), reply(START + MINUTE))
    await shop.send(Tag(START + 2 * MINUTE, Key("default", "default", "A"), "t1", "spam"))

    assert [("split", "met"), ("taobao", "excluded")] == shop.rows("SELECT policy, status FROM rounds ORDER BY policy")


async def test_steps_fire_when_due_and_once(tmp_path: Path) -> None:
    """Two ticks at the same instant, and a restart, put each person in the outbox once."""
    shop = Shop(tmp_path / "log.db", FakeClock(START))
    await shop.send(ask(START))
    await shop.tick(START + 90_000)
    await shop.tick(START + 90_000)
    shop.db.close()
    again = Shop(tmp_path / "log.db", FakeClock(START + 160_000))
    assert await recover(again.db, again.ticker) == 1
    await again.tick(START + 160_000)

    assert [("lead",), ("boss",)] == again.rows("SELECT person FROM escalations ORDER BY step")
    again.db.close()


async def test_overdue_steps_of_answered_rounds_stay_quiet(tmp_path: Path) -> None:
    """The service was down; the reply is in the journal by the time it recovers."""
    shop = Shop(tmp_path / "log.db", FakeClock(START))
    await shop.send(ask(START))
    await shop.send(ask(START, "B"))
    shop.db.close()
    again = Shop(tmp_path / "log.db", FakeClock(START + 10 * MINUTE))
    await recover(again.db, again.ticker)
    await again.send(reply(START + MINUTE))
    await again.tick(START + 10 * MINUTE)

    assert [("B",), ("B",)] == again.rows(
        "SELECT customer FROM escalations e JOIN rounds r ON r.id = e.round AND r.policy = 'taobao'"
    )
    again.db.close()


async def test_what_falls_due_together_can_be_told_together(tmp_path: Path) -> None:
    """Whoever looks into the outbox by an earlier time than the last row's would find a part of it."""

    class Running(FakeClock):
        def now_ms(self) -> int:
            self._now_ms += 1
            return self._now_ms

    with open_shop(tmp_path / "log.db", (TAOBAO,), Running(START)) as shop:
        for name in "ABC":
            await shop.send(ask(START, name))
        await shop.tick(START + 2 * MINUTE)

        assert shop.rows("SELECT count(*), count(DISTINCT next_try_ms) FROM outbox") == [(3, 1)]


async def test_the_deadline_passes_at_the_second(shop: Shop) -> None:
    shop.clock._now_ms = START
    await shop.send(ask(START))
    await shop.tick(START + 180_000)
    assert {("pending",)} == set(shop.rows("SELECT status FROM rounds"))
    await shop.tick(START + 180_001)
    assert {("missed",)} == set(shop.rows("SELECT status FROM rounds"))


async def test_a_closed_shop_takes_its_new_rounds_out(shop: Shop) -> None:
    await shop.send(ask(START), Store(START + MINUTE, Key("default", "default", ""), "s1", "closed_shop"))
    await shop.send(ask(START + 2 * MINUTE, "B"))

    assert [("A", None), ("B", "closed_shop")] == shop.rows(
        "SELECT customer, reason FROM rounds WHERE policy = 'taobao' ORDER BY opened_ms"
    )


async def test_an_event_from_the_future_gets_the_time_of_receipt(shop: Shop) -> None:
    shop.clock._now_ms = START
    await shop.send(ask(START + 600 * MINUTE))

    assert [(START,)] == shop.rows("SELECT DISTINCT opened_ms FROM rounds")


async def test_a_wrong_clock_does_not_fill_the_log(shop: Shop) -> None:
    shop.clock._now_ms = START
    with structlog.testing.capture_logs() as lines:
        for number in range(20):
            await shop.send(ask(START + (600 + number) * MINUTE, f"c{number}"))

    assert len(lines) == 1


async def test_without_text_everything_still_works(tmp_path: Path) -> None:
    """``text: {keep: 0}``: rules on text decide, nothing of it is stored."""
    db = Database.open(tmp_path / "log.db")
    rules = (Rule("greeting", verdict="invalid", text=re.compile("稍等")), Rule("default", verdict="valid"))
    engine = Engine(db, (TAOBAO,), rules, FakeClock(START + MINUTE), keep_text=False)
    wait, answer = (
        reply(START + at, mode=Mode.unknown)._replace(text=text) for at, text in ((1_000, "稍等"), (9_000, "有"))
    )
    await engine.submit(Delivery(START, "default", "in", "POST", "", b"raw"), [ask(START, text="在吗"), wait, answer])
    stored = db.write(
        lambda c: (
            c.execute("SELECT DISTINCT text FROM events").fetchall(),
            c.execute("SELECT body FROM deliveries").fetchall(),
            c.execute("SELECT status, wait_ms FROM rounds").fetchall(),
            c.execute("SELECT mode, rule FROM messages WHERE sender = 'merchant' ORDER BY seq").fetchall(),
        )
    ).result()
    db.close()

    assert stored == ([(None,)], [(None,)], [("met", 9_000)], [("auto", "greeting"), ("human", "default")])


async def test_a_bug_in_scoring_costs_no_event(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is journaled, the failure is counted, and the next event repairs the conversation."""

    def broken(*_: object) -> list[object]:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("sanfen.engine.ingest.advance", broken)
        assert await shop.send(ask(START)) == Receipt(1, 0)
    assert (shop.engine.failed, shop.rows()) == (1, [])
    await shop.send(reply(START + MINUTE))

    assert [("met",), ("met",)] == shop.rows("SELECT status FROM rounds")


async def test_an_event_that_cannot_be_scored_leaves_nothing_half_done(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before the bug is taken back; the round is as it was, and its hour too."""

    save = projection.save

    def broken(*given: Any) -> None:
        save(*given)
        raise RuntimeError("a bug")

    await shop.send(ask(START))
    before = shop.rows()
    with monkeypatch.context() as patch:
        patch.setattr("sanfen.engine.ingest.projection.save", broken)
        await shop.send(reply(START + MINUTE))

    assert shop.engine.failed == 1
    assert shop.rows() == before
    await shop.send(ask(START + 2 * MINUTE))
    assert shop.rows("SELECT DISTINCT status FROM rounds WHERE opened_ms = (SELECT min(opened_ms) FROM rounds)") == [
        ("met",)
    ]


async def test_what_could_not_be_committed_was_never_there(shop: Shop) -> None:
    """The channel sends it again: it counts once, and the conversation is not ahead of its journal."""
    await shop.send(ask(START))
    gate = threading.Event()
    shop.db.write(lambda _: gate.wait(10))

    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        connection.execute("SELECT nothing FROM nowhere")

    lost = asyncio.ensure_future(shop.send(ask(START + 1000, name="q2")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shop.db.write(breaks)
    gate.set()
    with pytest.raises(StoreError):
        await lost
    await shop.send(ask(START + 1000, name="q2"))

    assert shop.rows("SELECT status, messages FROM rounds") == [("pending", 2), ("pending", 2)]


async def test_one_bad_event_costs_no_other_of_its_commit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be scored stays journaled; one that cannot be written is its own sender's loss."""
    asked = "sanfen.engine.ingest.advance"

    def broken(state: Conversation, event: Event, plan: Plan) -> list[Effect]:
        if event.id == "bad":
            raise RuntimeError("a bug")
        return advance(state, event, plan)

    with monkeypatch.context() as patch:
        patch.setattr(asked, broken)
        good = [shop.submit(ask(START, "A")), shop.submit(reply(START + MINUTE, "A"))]
        bad = shop.submit(ask(START, "B", name="bad"), ask(START + MINUTE, "C"))
        lost = shop.submit(ask(START, "D", text="\ud800"))
        last = shop.submit(ask(START, "E"), ask(START, "A"))

        assert [await one for one in good] == [Receipt(1, 0), Receipt(1, 0)]
        assert (await bad, await last) == (Receipt(2, 0), Receipt(1, 1))
        with pytest.raises(UnicodeEncodeError):
            await lost
    assert shop.engine.failed == 1
    assert shop.rows("SELECT customer, status FROM rounds WHERE policy = 'taobao' ORDER BY customer") == [
        ("A", "met"), ("C", "pending"), ("E", "pending"),
    ]  # fmt: skip
    assert len(shop.rows("SELECT DISTINCT id FROM messages")) == 5
    await shop.send(reply(START + MINUTE, "B"))
    assert shop.rows("SELECT status FROM rounds WHERE customer = 'B'") == [("met",), ("met",)]


events = st.lists(
    st.tuples(
        st.sampled_from("AAB"),
        st.sampled_from(["ask", "ask", "human", "human", "auto", "bot", "spam"]),
        st.sampled_from([1_000, 45_000, 180_000, 181_000, 20 * MINUTE, 14 * 60 * MINUTE]),
    ),
    min_size=1,
    max_size=10,
)


def made(steps: list[tuple[str, str, int]]) -> list[Event]:
    """Distinct instants, so that the set of events is all that counts."""
    out: list[Event] = []
    at_ms = START
    for customer, kind, pause_ms in steps:
        at_ms += pause_ms
        key = Key("default", "default", customer)
        if kind == "ask":
            out.append(ask(at_ms, customer))
        elif kind == "spam":
            out.append(Tag(at_ms, key, f"t{at_ms}", "spam"))
        else:
            out.append(reply(at_ms, customer, mode=Mode(kind)))
    return out


@given(
    steps=events,
    shuffle=st.randoms(use_true_random=False),
    ticks=st.lists(st.integers(0, 9), max_size=4),
    crash=st.integers(0, 9),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_live_equals_replay(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, int]],
    shuffle: Any,
    ticks: list[int],
    crash: int,
) -> None:
    """Events in any order, Ticks at any moment, a restart in between: rows equal a replay of the exported log."""
    log = made(steps)
    order = list(log)
    shuffle.shuffle(order)
    path = tmp_path_factory.mktemp("live") / "log.db"
    end_ms = log[-1].at_ms + 72 * 60 * MINUTE

    async def live() -> tuple[Rows, list[dict[str, Any]], int]:
        shop = Shop(path, FakeClock(end_ms - 71 * 60 * MINUTE))
        for index, event in enumerate(order):
            await shop.send(event)
            if index in ticks:
                await shop.tick(shop.clock.now_ms() + 1)
            if index == crash:
                shop.db.close()
                shop = Shop(path, shop.clock)
                await recover(shop.db, shop.ticker)
        await shop.tick(end_ms)
        connection = shop.db.reader()
        exported = list(journal.export(connection))
        rows = [tuple(row) for row in connection.execute(ROWS)]
        drift = projection.drift(connection)
        connection.close()
        shop.db.close()
        return rows, exported, drift

    rows, exported, drift = asyncio.run(live())

    assert rows == replayed([read_event(fields) for fields in exported], end_ms)
    assert drift == 0


ROWS = (
    "SELECT policy, id, opened_ms, due_ms, closed_ms, wait_ms, status, because, agent, messages FROM rounds "
    "ORDER BY policy, opened_ms, id"
)


def replayed(log: list[Event], end_ms: int) -> Rows:
    """The rows the pure core gives, without a database, a clock or a Tick."""
    rows: Rows = []
    for policy in (TAOBAO, SPLIT):
        plan = plan_of(policy)
        for customer in "AB":
            mine = [event for event in log if event.key.conversation == customer]
            done = fold(Conversation(Key("default", "default", customer)), mine, plan, end_ms)
            for one, scored in done.rounds(end_ms):
                due = None if one.due_ms == NEVER else one.due_ms
                facts = (one.id, one.opened_ms, due, one.closed_ms, one.wait_ms)
                rows.append((policy.id, *facts, scored.outcome, scored.reason, one.agent, one.messages))
    return sorted(rows, key=lambda row: (row[0], row[2], row[1]))


def test_messages_keep_what_was_known(tmp_path: Path) -> None:
    """An event read back from the journal equals the one that was put in."""
    db = Database.open(tmp_path / "log.db")
    event = Message(
        START, Key("s", "c", "v"), "m1", "merchant", "k", Mode.assisted, "小美", "leyan", "buyer", "好", ("a", "b"),
        "credential", "token", "rule",
    )  # fmt: skip
    delivery = Delivery(START, "c", "in", "POST", "", b"x")
    db.write(lambda connection: journal.append(connection, delivery, [event])).result()
    found: Callable[[Any], list[Event]] = lambda connection: journal.read(connection, event.key)  # noqa: E731

    assert db.write(found).result() == [event]
    db.close()
