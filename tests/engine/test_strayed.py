"""A customer known by two names, the second explained late: one conversation, whatever came under either before."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.shop import MINUTE, START, TAOBAO, Rows, Shop, open_shop

from sanfen.abc import Alias
from sanfen.core.events import Event, Key, Order
from sanfen.engine.ingest import Receipt
from sanfen.store import journal
from sanfen.store.journal import Delivery
from sanfen.testing import ask, reply

PHONE, SCOPED = "55/86138", "55/CN.77"
EITHER = Alias(SCOPED, PHONE)
ROUNDS = "SELECT conversation, status, wait_ms, messages FROM rounds WHERE policy = 'taobao' ORDER BY opened_ms"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "log.db", (TAOBAO,)) as made:
        yield made


def told(shop: Shop, *events: Event, notes: tuple[Alias, ...] = ()) -> "asyncio.Future[Receipt]":
    delivery = Delivery(shop.clock.now_ms(), "default", "in", "POST", "", b"{}", notes=notes)
    return shop.engine.submit(delivery, events)


def conversations(shop: Shop) -> Rows:
    return shop.rows("SELECT DISTINCT conversation FROM events ORDER BY 1")


async def test_a_question_under_one_name_is_answered_under_the_other(shop: Shop) -> None:
    """The round moves, is met, and ``changes`` says that it moved and why."""
    await told(shop, ask(START, SCOPED))
    await shop.tick(START + MINUTE)
    await told(shop, reply(START + 2 * MINUTE, PHONE), notes=(EITHER,))

    assert conversations(shop) == [(PHONE,)]
    assert shop.rows(ROUNDS) == [(PHONE, "met", 2 * MINUTE, 1)]
    assert shop.rows("SELECT cause, event, conversation, before IS NULL, after IS NULL FROM changes") == [
        ("renamed", SCOPED, SCOPED, 0, 1),
        ("renamed", SCOPED, PHONE, 1, 0),
    ]


async def test_both_names_have_rounds(shop: Shop) -> None:
    """Two questions that were one wait become one round, from the first of them."""
    await told(shop, ask(START, PHONE))
    await told(shop, ask(START + MINUTE, SCOPED))
    assert [row[0] for row in shop.rows(ROUNDS)] == [PHONE, SCOPED]

    await told(shop, notes=(EITHER,))
    assert shop.rows(ROUNDS) == [(PHONE, "pending", None, 2)]
    await told(shop, reply(START + 2 * MINUTE, SCOPED))
    assert shop.rows(ROUNDS) == [(PHONE, "met", 2 * MINUTE, 2)]


async def test_in_one_commit(shop: Shop) -> None:
    """The explanation may be committed together with what it explains."""
    one, two = told(shop, ask(START, SCOPED)), told(shop, reply(START + MINUTE, PHONE), notes=(EITHER,))
    await asyncio.gather(one, two)

    assert shop.rows(ROUNDS) == [(PHONE, "met", MINUTE, 1)]


async def test_what_people_were_told_stays_told(tmp_path: Path) -> None:
    with open_shop(tmp_path / "log.db", (TAOBAO,)) as shop:
        shop.clock._now_ms = START
        await told(shop, ask(START, SCOPED))
        await shop.tick(START + 2 * MINUTE)
        before = shop.rows("SELECT step, person FROM outbox")
        await told(shop, notes=(EITHER,))
        await shop.tick(START + 2 * MINUTE + 1000)

        assert before == [(0, "lead")]
        assert shop.rows("SELECT step, person FROM outbox") == before
        assert shop.rows("SELECT count(*) FROM outbox o JOIN rounds r ON r.id = o.round") == [(1,)]


async def test_orders_move_too(shop: Shop) -> None:
    key = Key("default", "default", SCOPED)
    await told(shop, ask(START, SCOPED), Order(START + 1, key, "o1", "77", "created", 990))
    assert shop.rows("SELECT conversation, order_id FROM order_rows") == [(SCOPED, "77")]

    await told(shop, notes=(EITHER,))
    assert shop.rows("SELECT conversation, order_id FROM order_rows") == [(PHONE, "77")]


async def test_names_of_names_and_names_that_change_places(shop: Shop) -> None:
    await told(shop, ask(START, "c"), notes=(Alias("a", "b"),))
    await told(shop, ask(START + 1, "a"), notes=(Alias("b", "c"),))
    assert conversations(shop) == [("c",)], "a is b, and b is c"
    assert shop.rows("SELECT alias, conversation FROM alias_rows ORDER BY 1") == [("a", "c"), ("b", "c")]

    await told(shop, notes=(Alias("c", "b"),))
    await told(shop, ask(START + 2, "a"))
    assert conversations(shop) == [("b",)], "the newest word says the name"


async def test_a_restart_finds_the_same(tmp_path: Path) -> None:
    """What folding the journal gives is what was there."""
    with open_shop(tmp_path / "log.db", (TAOBAO,)) as shop:
        await told(shop, ask(START, SCOPED))
        await told(shop, reply(START + MINUTE, PHONE), ask(START + 2 * MINUTE, PHONE), notes=(EITHER,))
        await shop.tick(START + 10 * MINUTE)
        live = shop.rows(ROUNDS)
    with open_shop(tmp_path / "log.db", (TAOBAO,)) as again:
        await told(again, reply(START + 9 * MINUTE, SCOPED))
        late = again.rows(ROUNDS)
        connection = again.db.reader()
        kept = journal.read(connection, Key("default", "default", PHONE))
        connection.close()

    assert live == [(PHONE, "met", MINUTE, 1), (PHONE, "missed", None, 1)]
    assert late == [(PHONE, "met", MINUTE, 1), (PHONE, "late", 7 * MINUTE, 1)]
    assert len(kept) == 4
