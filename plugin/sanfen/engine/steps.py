"""Steps of the machine's wall clock: recorded, rounds under way marked as suspect, and time goes on as it elapses.

A deadline is three minutes of a customer's life, however often somebody sets a clock. While anything waits, time is the
elapsed time since before the step, also over a restart; when nothing waits any more, the wall clock is followed again.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from sanfen.clock import SystemClock
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.store import clocks
from sanfen.store.db import Database

__all__ = ["Steps"]

T = TypeVar("T")

_LOOK_MS = 250

_log = structlog.get_logger("sanfen.engine")


class Steps:
    """Watches the machine's clock. ``aside``: whether questions may be under way that the ticker does not know of."""

    def __init__(self, db: Database, clock: SystemClock, ticker: Ticker, aside: Callable[[], bool]) -> None:
        self._db = db
        self._clock = clock
        self._ticker = ticker
        self._aside = aside
        self._known_ms = 0
        self._boot = _boot()

    async def resume(self) -> None:
        """Go on with the time of the process before us, if it stood by elapsed time in this boot. Raises StoreError."""
        ahead_ms = await self._do(lambda connection: clocks.held(connection, self._boot))
        if ahead_ms is not None:
            self._clock.hold(ahead_ms)
            self._known_ms = self._clock.off_ms()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(StoreError):  # looked at again
                await self.look()
            await self._clock.sleep_ms(_LOOK_MS)

    async def look(self) -> None:
        """Record a step that is new; follow the wall clock again where nothing waits. Raises StoreError."""
        off_ms = self._clock.off_ms()
        if off_ms and not self._waits():
            if not self._known_ms:
                await self._record(off_ms)
                self._known_ms = off_ms
            if self._waits():  # somebody has asked meanwhile
                return
            await self._do(clocks.release)
            if self._waits():  # while that was committed: the time goes on as it did
                ahead_ms = self._clock.ahead_ms
                await self._do(lambda connection: clocks.hold(connection, self._boot, ahead_ms))
                return
            self._clock.follow()
            self._known_ms = 0
            _log.warning("the wall clock is followed again", off_ms=off_ms)
        elif off_ms and abs(off_ms - self._known_ms) > _LOOK_MS:
            await self._record(off_ms - self._known_ms)
            self._known_ms = off_ms
        elif not off_ms and self._known_ms:  # it was set back by itself
            await self._record(-self._known_ms)
            await self._do(clocks.release)
            self._known_ms = 0

    def _waits(self) -> bool:
        return len(self._ticker) > 0 or self._aside()

    async def _record(self, step_ms: int) -> None:
        now_ms, ahead_ms = self._clock.now_ms(), self._clock.ahead_ms
        rounds = await self._do(lambda connection: clocks.record(connection, now_ms, step_ms, self._boot, ahead_ms))
        _log.error(
            "the machine's clock was set: deadlines go on by elapsed time", step_ms=step_ms, suspect_rounds=rounds
        )

    async def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._db.write(job))


def _boot() -> str:
    """The machine's name for the time since it was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
