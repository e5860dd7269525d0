"""received = journaled + gap, whatever the engine does, and whoever has stopped waiting."""

import asyncio
from typing import Any

import pytest

from sanfen.engine.ingest import Receipt
from sanfen.gateway.journaling import Counters, Journaling
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock

DELIVERY = Delivery(1, "desk", "in", "POST", "/in/desk", b"x")


class Engine:
    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Any]] = []
        self.fails = False
        self.cause: str | None = None

    def submit(self, *_: object) -> asyncio.Future[Any]:
        if self.fails:
            raise OSError("closed")
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def journaling(engine: Engine) -> Journaling:
    return Journaling(engine, FakeClock(), Counters())


async def test_a_commit_within_the_budget_gives_the_receipt(journaling: Journaling, engine: Engine) -> None:
    future = journaling.submit(DELIVERY, ())
    asyncio.get_running_loop().call_soon(engine.futures[0].set_result, Receipt(2, 1))

    assert await journaling.settle(future, "desk", 1_000) == Receipt(2, 1)
    assert (journaling.counters.received, journaling.counters.journaled) == (1, 1)


async def test_a_cancelled_waiter_cancels_no_commit(journaling: Journaling, engine: Engine) -> None:
    """A server that stops must not stop the writer; the count comes when the commit does."""
    waiter = asyncio.create_task(journaling.settle(journaling.submit(DELIVERY, ()), "desk", 10_000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert not engine.futures[0].cancelled()
    engine.futures[0].set_result(Receipt(1, 0))
    await asyncio.sleep(0)
    assert journaling.counters.journaled == 1


async def test_a_commit_cancelled_inside_is_a_gap(journaling: Journaling, engine: Engine) -> None:
    future = journaling.submit(DELIVERY, ())
    engine.futures[0].cancel()

    assert await journaling.settle(future, "desk", 1_000) is None
    assert journaling.counters.gap == 1


async def test_a_spent_budget_does_not_wait(journaling: Journaling) -> None:
    """The upstream took longer than the budget: the commit is looked at, not waited for."""
    future = journaling.submit(DELIVERY, ())

    assert await journaling.settle(future, "desk", -5) is None
    assert journaling.counters.late == 1


async def test_remarks_never_raise(journaling: Journaling, engine: Engine) -> None:
    """A remark is no delivery: it is in no count."""
    journaling.note(DELIVERY)
    engine.futures[0].set_exception(OSError("disk"))
    journaling.note(DELIVERY)
    engine.futures[1].cancel()
    engine.fails = True
    journaling.note(DELIVERY)
    await asyncio.sleep(0)

    assert journaling.counters.received == 0
