"""The ticker serves what is due, oldest first, and drops reminders that are no longer true."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.shop import MINUTE, START, open_shop

from sanfen.config import presets
from sanfen.core.days import NEVER
from sanfen.core.events import Key
from sanfen.engine import timers
from sanfen.engine.packing import named
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.testing import FakeClock, ask, reply

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


def test_nothing_is_due_any_more() -> None:
    ticker = Ticker(FakeClock(0))
    ticker.push(10, A)
    ticker.push(NEVER, A)

    assert (len(ticker), ticker.due(100)) == (0, [])


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from([0, 1, 2, 5, 30, 1000, NEVER])), max_size=300))
def test_whatever_was_said_the_last_word_comes_true(said: list[tuple[str, int]]) -> None:
    """Beside plain books of what is due when; time goes on by one with each word, so much ahead each is due."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers, "_FEW", 3)
        ticker, books = Ticker(FakeClock(0)), dict[Key, int]()
        for now_ms, (name, ahead_ms) in enumerate(said):
            key, due_ms = Key("s", "c", name), min(NEVER, now_ms + ahead_ms)
            ticker.push(due_ms, key)
            books[key] = due_ms
            due = sorted((when, key) for key, when in books.items() if when <= now_ms)

            assert ticker.due(now_ms) == [key for _, key in due]
            for _, key in due:
                del books[key]
            assert len(ticker) == sum(when != NEVER for when in books.values())


def test_what_is_true_no_more_does_not_pile_up() -> None:
    """A policy of thirty days, and a conversation that talks on and on."""
    ticker = Ticker(FakeClock(0))
    ticker.push(10**9, B)
    for number in range(20_000):
        ticker.push(10**10 + number, A)

    assert len(ticker._heap) + len(ticker._older) < 2 * timers._FEW
    assert (ticker.due(10**9), ticker.due(10**10 + 19_998), ticker.due(10**10 + 19_999)) == ([B], [], [A])


async def test_who_has_an_answer_is_waited_for_no_more(tmp_path: Path) -> None:
    """Of a day's deadline nothing is left in memory, and a question after it is waited for anew."""
    with open_shop(tmp_path / "log.db", (presets.policy("airbnb"),), FakeClock(START)) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START))
        assert len(shop.ticker) == 1
        await shop.send(reply(START + MINUTE))
        assert len(shop.ticker) == 0
        await shop.send(ask(START + 2 * MINUTE, text="?"))
        assert len(shop.ticker) == 1


def test_it_begins_with_many_of_which_the_soonest_counts() -> None:
    ticker = Ticker(FakeClock(0))
    ticker.push(40, B)
    ticker.fill([(named(A), 10), (named(A), 20), (named(B), 30)])

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
