"""A clock that is set: recorded once, rounds under way suspect and on time, the wall followed when nothing waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.shop import MINUTE, START, Shop
from tests.test_clock import Machine

from sanfen.clock import SystemClock
from sanfen.engine.steps import Steps
from sanfen.store.db import Database
from sanfen.testing import FakeClock, ask, reply


class Day:
    """A shop whose machine has two hands."""

    def __init__(self, path: Path) -> None:
        self.machine = Machine({"wall": START, "boot": 77_000})
        self.clock = self.made()
        self.shop = Shop(path, self.clock)  # type: ignore[arg-type]  # it moves no clock itself here
        self.aside = False
        self.steps = Steps(self.shop.db, self.clock, self.shop.ticker, lambda: self.aside)

    def made(self) -> SystemClock:
        hands = self.machine.hands
        return SystemClock(lambda: hands["wall"] * 1_000_000, lambda: hands["boot"] * 1_000_000)

    async def serve(self) -> None:
        while keys := self.shop.ticker.due(self.clock.now_ms()):
            await self.shop.engine.tick(keys)

    def told(self) -> list[tuple[Any, ...]]:
        return self.shop.rows("SELECT DISTINCT step FROM escalations ORDER BY step")


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    made = Day(tmp_path / "log.db")
    yield made
    made.shop.db.close()


@pytest.mark.parametrize("step_ms", [3_600_000, -3_660_000, 30 * 24 * 60 * MINUTE])
async def test_a_round_is_escalated_by_elapsed_time(day: Day, step_ms: int) -> None:
    """P5: a step of the clock never opens, closes, delays or doubles anything."""
    await day.shop.send(ask(START))
    day.machine.pass_ms(60_000)
    day.machine.set_ms(step_ms)
    await day.steps.look()
    await day.serve()
    assert day.told() == []
    day.machine.pass_ms(30_000)
    for _ in range(3):
        await day.steps.look()
        await day.serve()
    assert day.told() == [(0,)]
    day.machine.pass_ms(60_000)
    await day.shop.send(reply(day.clock.now_ms()))

    assert day.shop.rows("SELECT status, wait_ms, suspect FROM rounds WHERE policy = 'taobao'") == [("met", 150_000, 1)]
    assert day.shop.rows("SELECT step_ms, rounds > 0 FROM clock_steps") == [(step_ms, 1)]


async def test_rounds_after_it_are_not_suspect(day: Day) -> None:
    await day.shop.send(ask(START))
    day.machine.set_ms(MINUTE)
    await day.steps.look()
    await day.shop.send(ask(day.clock.now_ms(), "B"))

    assert day.shop.rows("SELECT customer, suspect FROM rounds WHERE policy = 'taobao' ORDER BY customer") == [
        ("A", 1),
        ("B", 0),
    ]


async def test_where_nothing_waits_the_wall_is_followed_at_once(day: Day) -> None:
    day.machine.set_ms(MINUTE)
    await day.steps.look()
    await day.steps.look()

    assert day.clock.now_ms() == day.machine.hands["wall"]
    assert day.shop.rows("SELECT step_ms, rounds FROM clock_steps") == [(MINUTE, 0)]


async def test_a_question_that_is_only_kept_aside_waits_too(day: Day) -> None:
    """The ticker does not know of it yet."""
    day.aside = True
    day.machine.set_ms(MINUTE)
    await day.steps.look()
    assert day.clock.now_ms() == START
    day.aside = False
    await day.steps.look()

    assert day.clock.now_ms() == START + MINUTE
    assert day.shop.rows("SELECT step_ms FROM clock_steps") == [(MINUTE,)]


async def test_a_question_that_comes_at_the_last_moment_waits_by_the_old_time(day: Day) -> None:
    """While it is being written down that the wall clock is followed again."""
    looks = iter([False, False, True])
    steps = Steps(day.shop.db, day.clock, day.shop.ticker, lambda: next(looks))
    day.machine.set_ms(120 * MINUTE)
    await steps.look()

    assert day.clock.now_ms() == START
    assert day.shop.rows("SELECT ahead_ms FROM lease_rows") == [(day.clock.ahead_ms,)]


async def test_a_restart_goes_on_with_the_same_time(day: Day) -> None:
    await day.shop.send(ask(START))
    day.machine.set_ms(-61 * MINUTE)
    await day.steps.look()
    day.shop.db.close()
    day.machine.pass_ms(1_000)
    heir = day.made()
    assert heir.now_ms() == START + 1_000 - 61 * MINUTE
    db = Database.open(day.shop.db.path)
    steps = Steps(db, heir, day.shop.ticker, lambda: False)
    await steps.resume()

    assert heir.now_ms() == START + 1_000
    await steps.look()
    with db.reader() as reader:
        assert reader.execute("SELECT count(*) FROM clock_steps").fetchone()[0] == 1
    reader.close()
    db.close()


async def test_set_back_by_itself_it_is_two_steps_and_over(day: Day) -> None:
    await day.shop.send(ask(START))
    for step_ms in (MINUTE, -MINUTE):
        day.machine.set_ms(step_ms)
        await day.steps.look()

    assert day.shop.rows("SELECT step_ms FROM clock_steps ORDER BY id") == [(MINUTE,), (-MINUTE,)]
    assert day.shop.rows("SELECT ahead_ms FROM lease_rows") == [(None,)]


async def test_a_time_in_the_future_is_taken_for_the_receipt_and_kept_beside_it(tmp_path: Path) -> None:
    """Late by hours is what it says: the sender's clock is proven by its signature. Ahead of us is nobody."""
    shop = Shop(tmp_path / "log.db", FakeClock(START))
    await shop.send(ask(START + 6 * MINUTE, "A"), ask(START + 4 * MINUTE, "B"), ask(START - 300 * MINUTE, "C"))

    assert shop.rows("SELECT customer, at_ms, said_ms FROM messages GROUP BY customer ORDER BY customer") == [
        ("A", START, START + 6 * MINUTE),
        ("B", START + 4 * MINUTE, None),
        ("C", START - 300 * MINUTE, None),
    ]
    shop.db.close()
