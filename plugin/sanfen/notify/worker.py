"""Drains the outbox: what is due for one person goes through the stages, is marked, sent once, and recorded.

The protocol is in ``store/outbox.py``, the stages in ``stages.py``. One person is sent one message at a time.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from sanfen.abc import Action, DeliveryError, Limit, Notifier
from sanfen.clock import Clock, nap
from sanfen.config.settings import Person, Quiet, Settings, Way
from sanfen.errors import StoreError
from sanfen.notify.acting import Acting
from sanfen.notify.facts import Facts
from sanfen.notify.notice import make_notice
from sanfen.notify.pace import Breaker, Pace
from sanfen.notify.stages import Batch, Breaking, Conditional, Inhibit, Merge, Silence, Stage, Throttle
from sanfen.notify.ways import send, shown_way
from sanfen.plugins import pick
from sanfen.roster import AGENT, Roster
from sanfen.store import outbox, queries, silences
from sanfen.store.db import Database
from sanfen.store.outbox import Row, Transition
from sanfen.store.projection import LIVE

__all__ = ["Worker"]

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 64  # people who are being told at the same time
_ROWS = 20_000  # taken at a time
_LEASE_MS = 60_000  # a claimed row that is not settled by then is taken up again
_AGAIN_MS = (250, 1_000, 3_000)  # between attempts to record what became of a message
_GATHER_S = 0.05
_LOOK_MS = 5_000  # look into the table at least this often
_ANSWER = 300  # characters of an answer that are kept

_log = structlog.get_logger("sanfen.notify")


class Worker:
    """Carries notices from the outbox to people."""

    def __init__(
        self,
        db: Database,
        notifiers: Mapping[str, Notifier],
        settings: Settings,
        clock: Clock,
        *,
        roster: Roster | None = None,
        acting: Acting | None = None,
        link: Callable[[Row, int], str | None] = lambda _row, _now_ms: None,
        on_attempt: Callable[[str, int], None] = lambda _result, _took_ms: None,
    ) -> None:
        self._db = db
        self._notifiers = notifiers
        self._clock = clock
        self._acting = acting or Acting({})
        self._link = link
        self._on_attempt = on_attempt
        self._pace, self._breaker = Pace(), Breaker()
        self._silences: list[silences.Silence] = []
        self._awake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, int] = {}  # when each person was last sent anything
        self.adopt(settings, roster or Roster(settings))

    def adopt(self, settings: Settings, roster: Roster) -> None:
        """Go over to another configuration; what is being sent is finished under the old one."""
        self._settings, self._roster = settings, roster
        self._facts = Facts(settings.shop.timezone)
        self._conditional = Conditional()
        self.stages: tuple[Stage, ...] = (
            Inhibit(),
            Silence(self._quiet),
            self._conditional,
            Merge(settings.merge_ms),
            Breaking(self._breaker),
            Throttle(self._pace, self._limits),
        )
        """In this order. New outgoing behaviour is a new stage here, never a bypass."""

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._awake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._awake.clear()
            try:
                if len(self._busy) >= _AT_ONCE:  # somebody who is being told now makes room
                    await self._awake.wait()
                    continue
                if not await self._look():
                    if self._busy:  # what is due is for them: no reason to look again at every commit
                        await asyncio.sleep(_GATHER_S)
                    await self._rest()
            except StoreError as error:
                _log.error("notices wait for the database", error=error.message)
                await self._clock.sleep_ms(_LOOK_MS)

    async def close(self) -> None:
        """Let what is under way finish, ten seconds at most, and release the notifiers."""
        tasks = list(self._busy.values())
        if tasks:
            await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            task.cancel()
        for notifier in self._notifiers.values():
            await notifier.close()
        await self._acting.close()

    async def _look(self) -> bool:
        """Take what is due and start telling; whether there was anything."""
        now_ms = self._clock.now_ms()
        rows = await self._do(outbox.claim, now_ms, _ROWS, _LEASE_MS, list(self._busy))
        if not rows:
            return False
        self._silences = await self._do(silences.current, now_ms)
        by_person: dict[str, list[Row]] = {}
        for row in rows:
            by_person.setdefault(row.person, []).append(row)
        for person, mine in by_person.items():
            task = asyncio.create_task(self._carry(person, mine))
            self._busy[person] = task
            task.add_done_callback(partial(self._done, person))
        return True

    async def _rest(self) -> None:
        next_ms = await self._do(outbox.next_try)
        pause_ms = _LOOK_MS if next_ms is None else min(_LOOK_MS, next_ms - self._clock.now_ms())
        if pause_ms <= 0 and not self._busy:  # its time has come since we looked
            return
        pause_ms = max(pause_ms, 1) if not self._busy else _LOOK_MS
        await nap(self._clock, pause_ms, self._awake)

    def _done(self, person: str, task: "asyncio.Task[None]") -> None:
        self._busy.pop(person, None)
        self._awake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a notice could not be handled; it comes again", error=str(task.exception()))

    async def _carry(self, name: str, rows: list[Row]) -> None:
        """Everything that is due for one name: actions one by one, notices as one message."""
        if self._settings.dry_run:
            await self._do(outbox.inhibit, [(row, "dry_run") for row in rows], self._clock.now_ms())
            return
        for row in [row for row in rows if row.kind == "reassign"]:
            await self._act(row, Action("assign", row.facts["conversation"], agent=row.person))
        rows = [row for row in rows if row.kind != "reassign"]
        person = self._settings.people.get(name)
        if person is not None and rows:
            await self._tell(person, rows)
        elif name == AGENT:
            for row in rows:
                notice = make_notice([row], self._clock.now_ms(), self._settings.shop.language)
                await self._act(row, Action("note", row.facts["conversation"], text=notice.text))
        elif rows:  # they have left the file meanwhile: the fallback is told
            gone = [(row, Transition("failed", 0, row.unknown, row.due_ms, "person_unknown")) for row in rows]
            await self._record(gone, Way("none"), "refused", "nobody is called so any more", 0)

    # --- people ---

    async def _tell(self, person: Person, rows: list[Row]) -> None:
        now_ms = self._clock.now_ms()
        kept_ms = await self._do(outbox.last_sent, person.name, now_ms - self._settings.merge_ms)
        last_ms = max(kept_ms or 0, self._last.get(person.name, 0)) or None  # the record of the last may have failed
        way = min(max(row.way for row in rows), len(person.ways) - 1)
        batch = Batch(person, rows, now_ms, last_ms, await self._ask(rows, now_ms), way)
        for stage in self.stages:
            if batch.rows and batch.held is None:
                stage.ask(batch)
        if batch.dropped:
            await self._do(outbox.inhibit, batch.dropped, now_ms)
        rows = await self._sendable(batch.rows, person.ways[batch.way])
        if not rows:
            return
        if batch.held is not None:
            await self._do(outbox.put_off, rows, *batch.held)
            return

        def mark(connection: sqlite3.Connection) -> tuple[list[Row], list[Row]]:
            begun = outbox.begin(connection, [row._replace(way=batch.way) for row in rows])
            return begun, outbox.still_waiting(connection, person.name, now_ms) if begun else []

        begun, still = await self._do(mark)
        if begun:
            await self._attempt(begun, person.ways[batch.way], len(person.ways), still)

    async def _sendable(self, rows: list[Row], way: Way) -> list[Row]:
        """Without those whose second attempt a crash has left unknown: a third message could be one too many."""
        lost = [row for row in rows if not outbox.may_send(row.unknown)]
        if lost:
            now_ms = self._clock.now_ms()
            ended = [(row, Transition("unsure", row.way, row.unknown, now_ms, "outcome_unknown")) for row in lost]
            await self._record(ended, way, "unknown", "the service stopped while sending", 0)
        return [row for row in rows if outbox.may_send(row.unknown)]

    async def _ask(self, rows: Iterable[Row], now_ms: int) -> Mapping[int, Mapping[str, object]]:
        asked = [row for row in rows if row.condition is not None]
        if not asked:
            return {}

        def gather() -> Mapping[int, Mapping[str, object]]:
            connection = self._db.reader()
            try:
                return self._facts.gather(connection, asked, self._conditional.condition, now_ms)
            finally:
                connection.close()

        return await asyncio.to_thread(gather)

    async def _attempt(self, rows: list[Row], way: Way, ways: int, still: list[Row]) -> None:
        start_ms = self._clock.now_ms()
        self._pace.sent(way.address, self._limits(way.address), start_ms)
        try:
            answer = await self._send(rows, way, still)
        except DeliveryError as error:
            now_ms = self._clock.now_ms()
            self._breaker.failed(way.address, now_ms)
            if error.retry_after_ms is not None:
                self._pace.muted(way.address, now_ms + error.retry_after_ms)
            ended = [(row, _after(row, error, ways, now_ms)) for row in rows]
            result, answer = ("unknown" if error.unknown else "refused"), error.message
        else:
            self._breaker.worked(way.address)
            ended = [(row, Transition("told", row.way, row.unknown, start_ms, None)) for row in rows]
            result = "told"
        self._last[rows[0].person] = self._clock.now_ms()
        await self._record(ended, way, result, answer, self._clock.now_ms() - start_ms)

    async def _send(self, rows: list[Row], way: Way, still: list[Row]) -> str:
        now_ms = self._clock.now_ms()
        notice = make_notice(rows, now_ms, self._settings.shop.language, lambda row: self._link(row, now_ms), still)
        return await send(self._notifiers, way, notice)

    def _limits(self, address: str) -> tuple[Limit, ...]:
        notifier = pick(self._notifiers, address)
        return () if notifier is None else notifier.limits

    def _quiet(self) -> Iterable[Quiet]:
        return [*self._settings.quiet, *(Quiet(one.from_ms, one.until_ms, one.why) for one in self._silences)]

    # --- the channel itself ---

    async def _act(self, row: Row, action: Action) -> None:
        now_ms = self._clock.now_ms()
        way = Way(f"channel:{row.facts['channel']}")
        batch = Batch(Person(row.person, (way,)), [row], now_ms, None, await self._ask([row], now_ms))
        for stage in self.stages[: self.stages.index(self._conditional) + 1]:
            stage.ask(batch)
        if batch.dropped:
            await self._do(outbox.inhibit, batch.dropped, now_ms)
            return
        if not await self._sendable([row], way):
            return
        if action.kind == "assign":
            agents = self._roster.agents(row.person, now_ms)
            agent = await self._do(queries.freest, LIVE, row.policy, agents, row.facts["agent"])
            if agent is None:
                ended = [(row, Transition("failed", 0, row.unknown, now_ms, "off_duty"))]
                await self._record(ended, way, "refused", "nobody is there to take it", 0)
                return
            action = action._replace(agent=agent)
        for begun in await self._do(outbox.begin, [row]):
            await self._call(begun, action, way)

    async def _call(self, begun: Row, action: Action, way: Way) -> None:
        now_ms = self._clock.now_ms()
        try:
            answer = await self._acting.act(begun.facts["channel"], action)
            to, result = Transition("told", 0, begun.unknown, now_ms, None), "told"
        except DeliveryError as error:
            answer = error.message
            to, result = _after(begun, error, 1, self._clock.now_ms()), "unknown" if error.unknown else "refused"
        said = f"{action.agent}: {answer}" if action.agent else answer
        await self._record([(begun, to)], way, result, said, self._clock.now_ms() - now_ms)

    # --- the record ---

    async def _record(
        self, ended: list[tuple[Row, Transition]], way: Way, result: str, answer: str, took_ms: int
    ) -> None:
        """Keep what became of rows; those that reached nobody go on to the fallback, in the same commit."""
        now_ms = self._clock.now_ms()
        self._on_attempt(result, took_ms)
        shown = shown_way(self._notifiers, way)
        unreached = [row for row, to in ended if to.state in ("failed", "unsure")]
        if unreached:
            person = unreached[0].person
            _log.error("somebody was not told", person=person, rounds=len(unreached), result=result)

        def keep(connection: sqlite3.Connection) -> int:
            outbox.record(
                connection, ended, now_ms=now_ms, way=shown, result=result, answer=answer[:_ANSWER], took_ms=took_ms
            )
            return outbox.pass_on(connection, unreached, self._settings.fallback, now_ms)

        for pause_ms in _AGAIN_MS:  # what is not recorded is sent again when its lease is over
            try:
                passed_on = await self._do(keep)
                break
            except StoreError:
                await self._clock.sleep_ms(pause_ms)
        else:
            passed_on = await self._do(keep)
        if passed_on:
            self.wake()

    async def _do(self, job: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of the store in the writer thread."""
        return await asyncio.wrap_future(self._db.write(lambda connection: job(connection, *args, **kwargs)))


def _after(row: Row, error: DeliveryError, ways: int, now_ms: int) -> Transition:
    if error.unknown:
        return outbox.after_unknown(row, ways, now_ms, error.reason)
    return outbox.after_refusal(
        row, ways, now_ms, retryable=error.retryable, reason=error.reason, retry_after_ms=error.retry_after_ms
    )
