"""Recurring work that nobody waits for, on APScheduler: retention, upkeep, and the auditor of overdue steps."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from sanfen.clock import Clock
from sanfen.core.events import Key
from sanfen.core.repeats import SPAN_MS
from sanfen.engine.packing import key_of
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.store import journal, notes, onward, outbox, projection, said
from sanfen.store.db import Database
from sanfen.store.projection import LIVE

__all__ = ["Chores"]

_BATCH = 500
_REPLAYS_MS = 31 * 86_400_000  # a replay is known for at least thirty days
_STUCK_MS = 90_000  # a notice is claimed within seconds, and its lease is a minute: this late means nobody sends
_PASSED_MS = 86_400_000  # a stored delivery's row stays so long after it was passed on
_OVERDUE_MS = 5_000  # the ticker serves within 250 ms; this late means it missed one

_log = structlog.get_logger("sanfen.chores")

T = TypeVar("T")


class Chores:
    """The recurring jobs. Each can be run by hand: none keeps state of its own."""

    def __init__(
        self,
        db: Database,
        ticker: Ticker,
        clock: Clock,
        *,
        keep_text_ms: int,
        look: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``look``: drains what other processes have left behind."""
        self._look = look
        self._db = db
        self._ticker = ticker
        self._clock = clock
        self._keep_text_ms = keep_text_ms
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})

    def adopt(self, keep_text_ms: int) -> None:
        """Keep text for another time from now on."""
        self._keep_text_ms = keep_text_ms

    def start(self) -> None:
        """Start the schedule."""
        self._scheduler.add_job(self.audit, "interval", seconds=30, id="audit")
        if self._look is not None:
            self._scheduler.add_job(self._look, "interval", seconds=5, id="look")
        self._scheduler.add_job(self.forget, "interval", hours=1, id="forget")
        self._scheduler.add_job(self.upkeep, "cron", hour=20, minute=30, id="upkeep")  # 04:30 in China
        self._scheduler.start()

    def stop(self) -> None:
        """Stop the schedule; a job that runs is left to finish."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def audit(self) -> int:
        """Look for steps that should have fired and did not; give them to the ticker again and say so."""
        late = await self._safely(self._overdue, "audit") or []
        for due_ms, key in late:
            self._ticker.push(due_ms, key)
        stuck = await self._safely(self._stuck, "audit") or 0
        if late or stuck:
            _log.error("overdue steps found by the auditor", conversations=len(late), notices=stuck)
        return len(late) + stuck

    async def trouble(self) -> str | None:
        """Why the watch is not awake, or None: steps are overdue, or the log cannot be asked."""
        try:
            await asyncio.wrap_future(self._db.write(_alive))
        except StoreError as error:
            return error.message
        return "steps are overdue" if await self.audit() else None

    def every(self, job: Callable[[], Awaitable[object]], every_ms: int, name: str) -> None:
        """Run a job so often, from now on."""
        self._scheduler.add_job(job, "interval", seconds=every_ms / 1000, id=name, replace_existing=True)

    async def forget(self) -> int:
        """Drop what is older than its time, in small batches: text, raw bodies, quotes in notices, replays' marks."""
        now_ms = self._clock.now_ms()
        text_ms = now_ms - self._keep_text_ms
        await self._safely(lambda connection: onward.forget(connection, now_ms - _PASSED_MS, _BATCH), "forget")
        total = 0
        for job, before_ms in (
            (journal.forget_text, text_ms),
            (outbox.forget_questions, text_ms),
            (journal.forget_replays, now_ms - _REPLAYS_MS),
            (notes.forget, now_ms),
            (said.forget, now_ms - SPAN_MS),
        ):
            done: int | None = _BATCH
            while done == _BATCH:
                done = await self._safely(lambda c, job=job, at=before_ms: job(c, at, _BATCH), "forget")  # type: ignore[misc]
                total += done or 0
        return total

    async def upkeep(self) -> None:
        """Let SQLite refresh its statistics, and check that roll-ups still equal their rounds."""
        await self._safely(_optimize, "upkeep")
        problems = await self._safely(projection.drift, "upkeep")
        if problems:
            _log.error("roll-ups disagree with their rounds", rows=problems)

    def _overdue(self, connection: sqlite3.Connection) -> list[tuple[int, Key]]:
        before_ms = self._clock.now_ms() - _OVERDUE_MS
        soonest: dict[str, int] = {}
        for name, due_ms in projection.open_rounds(connection, LIVE, before_ms):
            soonest.setdefault(name, due_ms)
        return [(due_ms, key_of(name)) for name, due_ms in soonest.items()]

    def _stuck(self, connection: sqlite3.Connection) -> int:
        return outbox.overdue(connection, self._clock.now_ms() - _STUCK_MS)

    async def _safely(self, job: Callable[[sqlite3.Connection], T], name: str) -> T | None:
        try:
            return await asyncio.wrap_future(self._db.write(job))
        except StoreError as error:
            _log.warning("chore put off", chore=name, error=error.message)
            return None


def _alive(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM outbox LIMIT 1")


def _optimize(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA optimize")
