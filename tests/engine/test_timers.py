"""The ticker serves what is due, oldest first, and drops reminders that are no longer true."""

import asyncio
from collections.abc import Iterable
from typing import Any

from sanfen.core.events import Key
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.testing import FakeClock

A, B = Key("s", "c", "A"), Key("s", "c", "B")


def test_what_is_due_comes_once() -> None:
    ticker = Ticker(FakeClock(0))
    ticker.push(20, B)
    ticker.push(10, A)

    assert ticker.due(9) == []
    assert ticker.due(20) == [A, B]
    assert (ticker.due(100), len(ticker)) == ([], 0)


def test_the_latest_word_counts() -> None:
    ticker = Ticker(FakeClock(0))
    ticker.push(10, A)
    ticker.push(50, A)
    assert ticker.due(40) == []
    ticker.push(30, A)

    assert ticker.due(40) == [A]
    assert ticker.due(100) == []


def test_it_begins_with_many_of_which_the_soonest_counts() -> None:
    ticker = Ticker(FakeClock(0))
    ticker.push(40, B)
    ticker.fill([(Ticker.name(A), 10), (Ticker.name(A), 20), (Ticker.name(B), 30)])

    assert len(ticker) == 2
    assert (ticker.due(10), ticker.due(39), ticker.due(40)) == ([A], [], [B])


def test_it_never_sleeps_long_nor_past_what_is_due() -> None:
    ticker = Ticker(FakeClock(0))
    assert ticker.pause_ms(0) == 250
    ticker.push(100, A)

    assert (ticker.pause_ms(0), ticker.pause_ms(95), ticker.pause_ms(200)) == (100, 5, 0)


def test_a_thousand_at_one_instant_come_in_batches() -> None:
    ticker = Ticker(FakeClock(0))
    for number in range(1200):
        ticker.push(10, Key("s", "c", str(number)))

    assert [len(ticker.due(10)) for _ in range(4)] == [500, 500, 200, 0]


async def test_what_is_being_served_still_waits() -> None:
    """Else the clock would be taken for idle while a step is written."""
    lengths: list[int] = []
    served = asyncio.Event()

    class Engine:
        async def tick(self, _: Iterable[Key]) -> None:
            lengths.append(len(ticker))
            served.set()

    clock = FakeClock(10)
    ticker = Ticker(clock)
    ticker.push(10, A)
    engine: Any = Engine()
    running = asyncio.create_task(ticker.run(engine))
    await served.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (lengths, len(ticker)) == ([1], 0)


async def test_what_cannot_be_served_is_tried_again() -> None:
    """The database is away when a deadline comes: the deadline is kept."""
    served: list[list[Key]] = []

    class Engine:
        async def tick(self, keys: Iterable[Key]) -> None:
            served.append(list(keys))
            if len(served) == 1:
                raise StoreError("locked")

    clock, engine = FakeClock(0), Engine()
    ticker = Ticker(clock)
    ticker.push(100, A)
    running: asyncio.Task[Any] = asyncio.create_task(ticker.run(engine))  # type: ignore[arg-type]
    await clock.advance(1000)
    running.cancel()

    assert served == [[A], [A]]
