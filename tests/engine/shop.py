"""A shop's engine over a real database file, with a clock that tests move."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sanfen.core.classify import Rule
from sanfen.core.events import Event
from sanfen.core.policy import Hours, Ladder, Policy, Step
from sanfen.engine.ingest import Engine, Receipt
from sanfen.engine.timers import Ticker
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock

__all__ = ["MINUTE", "SPLIT", "START", "TAOBAO", "Rows", "Shop", "open_shop"]

START = 1_673_056_800_000  # 2023-01-07 10:00 in Shanghai
MINUTE = 60_000
TAOBAO = Policy(
    id="taobao",
    hours=Hours(480, 1440),
    midnight="exclude_pending",
    exclude=frozenset({"spam", "closed_shop"}),
    ladders=(Ladder("default", (Step(90_000, ("lead",)), Step(150_000, ("boss",)))),),
)
SPLIT = Policy(id="split", transfer="split", agent_clock="assigned", away="defer")

Rows = list[tuple[Any, ...]]


class Shop:
    """An engine with its clock, as the service has it, but moved by hand. ``log``: a file, or one that is open."""

    def __init__(
        self,
        log: Path | Database,
        clock: FakeClock,
        policies: tuple[Policy, ...] = (TAOBAO, SPLIT),
        rules: tuple[Rule, ...] = (),
    ) -> None:
        self.clock = clock
        self.db = Database.open(log) if isinstance(log, Path) else log
        self.ticker = Ticker(clock)
        self.told = 0
        self.engine = Engine(self.db, policies, rules, clock, on_due=self.ticker.push, on_escalated=lambda: None)

    async def send(self, *events: Event) -> Receipt:
        """One delivery, committed."""
        return await self.submit(*events)

    def submit(self, *events: Event) -> "asyncio.Future[Receipt]":
        """One delivery; those submitted before the first is awaited are committed together."""
        delivery = Delivery(self.clock.now_ms(), "default", "in", "POST", "", b"{}")
        return self.engine.submit(delivery, events)

    async def tick(self, now_ms: int) -> None:
        """Move the clock and serve all that is due."""
        self.clock._now_ms = max(self.clock.now_ms(), now_ms)
        while keys := self.ticker.due(self.clock.now_ms()):
            await self.engine.tick(keys)

    def rows(self, query: str = "SELECT * FROM rounds ORDER BY policy, opened_ms, id") -> Rows:
        """What a reader sees."""
        connection = self.db.reader()
        try:
            return [tuple(row) for row in connection.execute(query)]
        finally:
            connection.close()


@contextmanager
def open_shop(
    path: Path,
    policies: tuple[Policy, ...] = (TAOBAO, SPLIT),
    clock: FakeClock | None = None,
    rules: tuple[Rule, ...] = (),
) -> Iterator[Shop]:
    """A shop that is closed in the end; without a clock it is two and a half days after START."""
    made = Shop(path, clock or FakeClock(START + 60 * 60 * MINUTE), policies, rules)
    try:
        yield made
    finally:
        made.db.close()
