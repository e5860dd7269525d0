"""Drains the outbox: asks the stages, marks the attempt, sends, records. The protocol is in ``store/outbox.py``."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from sanfen.abc import DeliveryError, Notifier
from sanfen.clock import Clock
from sanfen.config.settings import Person, Settings, Way
from sanfen.errors import StoreError
from sanfen.notify.notice import make_notice
from sanfen.notify.stages import STAGES, Drop, Hold, Situation
from sanfen.notify.ways import send, shown_way
from sanfen.store import outbox
from sanfen.store.db import Database
from sanfen.store.outbox import Row, Transition
from sanfen.store.projection import LIVE

__all__ = ["Worker"]

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 16  # notices under way at the same time
_LEASE_MS = 60_000  # a claimed row that is not settled by then is taken up again
_LOOK_MS = 5_000  # look into the table at least this often
_ANSWER = 300  # characters of an answer that are kept

_log = structlog.get_logger("sanfen.notify")


class Worker:
    """Carries notices from the outbox to people."""

    def __init__(
        self,
        db: Database,
        notifiers: Mapping[str, Notifier],
        people: Mapping[str, Person],
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._db = db
        self._notifiers = notifiers
        self._people = people
        self._settings = settings
        self._clock = clock
        self._awake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def adopt(self, settings: Settings) -> None:
        """Go over to another configuration; what is being sent is finished under the old one."""
        self._people, self._settings = settings.people, settings

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._awake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._awake.clear()
            try:
                room = _AT_ONCE - len(self._sending)
                if not room:  # somebody who is being told now makes room
                    await self._awake.wait()
                    continue
                rows = await self._do(outbox.claim, self._clock.now_ms(), room, _LEASE_MS)
                for row in rows:
                    self._start(row)
                if not rows:
                    await self._rest()
            except StoreError as error:
                _log.error("notices wait for the database", error=error.message)
                await self._clock.sleep_ms(_LOOK_MS)

    async def close(self) -> None:
        """Let what is under way finish, ten seconds at most, and release the notifiers."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=10)
        for task in self._sending:
            task.cancel()
        for notifier in self._notifiers.values():
            await notifier.close()

    async def _rest(self) -> None:
        next_ms = await self._do(outbox.next_try)
        pause_ms = _LOOK_MS if next_ms is None else min(_LOOK_MS, next_ms - self._clock.now_ms())
        if pause_ms <= 0:  # its time has come since we looked
            return
        waits = [asyncio.ensure_future(self._clock.sleep_ms(pause_ms)), asyncio.ensure_future(self._awake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _start(self, row: Row) -> None:
        task = asyncio.create_task(self._carry(row))
        self._sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self._awake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a notice could not be handled; it comes again", error=str(task.exception()))

    async def _carry(self, row: Row) -> None:
        """One attempt at one row."""
        now_ms = self._clock.now_ms()
        status = await self._do(outbox.round_status, row, LIVE)
        person = self._people.get(row.person)
        situation = Situation(row, status, person, self._settings, now_ms)
        for stage in STAGES:
            answer = stage.ask(situation)
            if isinstance(answer, Drop):
                await self._do(outbox.inhibit, row, answer.reason, now_ms)
                return
            if isinstance(answer, Hold):
                await self._do(outbox.put_off, row, answer.until_ms, answer.reason)
                return
        if person is None:
            return
        way = person.ways[min(row.way, len(person.ways) - 1)]
        if not outbox.may_send(row.unknown):
            # A crash left the second attempt's outcome unknown: a third message could be one too many.
            lost = Transition("unsure", row.way, row.unknown, now_ms, "outcome_unknown")
            await self._record(row, lost, way, "unknown", "the service stopped while sending", 0)
            return
        begun = await self._do(outbox.begin, row)
        if begun is not None:
            await self._attempt(begun, way, len(person.ways))

    async def _attempt(self, row: Row, way: Way, ways: int) -> None:
        start_ms = self._clock.now_ms()
        try:
            answer = await self._send(row, way)
            to, result = Transition("told", row.way, row.unknown, start_ms, None), "told"
        except DeliveryError as error:
            now_ms = self._clock.now_ms()
            answer = error.message
            if error.unknown:
                to, result = outbox.after_unknown(row, ways, now_ms, error.reason), "unknown"
            else:
                pause_ms = error.retry_after_ms
                to = outbox.after_refusal(
                    row, ways, now_ms, retryable=error.retryable, reason=error.reason, retry_after_ms=pause_ms
                )
                result = "refused"
            if to.state in ("failed", "unsure"):
                _log.error("somebody was not told", person=row.person, round=row.round, state=to.state, answer=answer)
        await self._record(row, to, way, result, answer, self._clock.now_ms() - start_ms)

    async def _send(self, row: Row, way: Way) -> str:
        notice = make_notice(row, self._clock.now_ms(), self._settings.shop.language)
        return await send(self._notifiers, way, notice)

    async def _record(self, row: Row, to: Transition, way: Way, result: str, answer: str, took_ms: int) -> None:
        now_ms = self._clock.now_ms()
        shown = shown_way(self._notifiers, way)
        said = answer[:_ANSWER]
        await self._do(outbox.record, row, to, now_ms=now_ms, way=shown, result=result, answer=said, took_ms=took_ms)

    async def _do(self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the store in the writer thread."""
        return await asyncio.wrap_future(self._db.write(lambda connection: job(connection, *args, **kwargs)))
