"""What the gateway hands deliveries to, and what becomes of them while the journal cannot take them.

    healthy    the engine journals; who waits longer than most of the channel's budget is kept aside as well
    degraded   a commit failed or is overdue, or there is no database: deliveries are kept aside (``store.spill``)
    again      a commit went through in good time: what was kept aside is drained into the journal, gaps are written down

A delivery's future resolves as soon as it is safe in either place. What is safe in neither is counted: received is
journaled plus kept aside plus gap, at every moment nothing is under way, and after the draining journaled plus gap.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog

from sanfen.clock import Clock
from sanfen.core.events import Event
from sanfen.engine.ingest import Engine, Receipt
from sanfen.errors import StoreError
from sanfen.log import Throttle
from sanfen.store import journal
from sanfen.store.db import Database, touch
from sanfen.store.journal import Delivery, Gap
from sanfen.store.spill import Aside, Damaged, Spill

__all__ = ["Front"]

_DEFAULT_BUDGET_MS = 1_000
_JOURNAL_SHARE = 0.75  # of the budget; the rest is for keeping aside
_WATCH_S = 0.025
_PROBE_MS = 250
_MOST_UNDER_WAY = 10_000  # deliveries handed to the journal and not committed; more are kept aside at once

_MOST_TRIES = 3  # a delivery that a healthy journal refuses so often is a gap
_LATER = "kept aside and journaled later"

_log = structlog.get_logger("sanfen.engine")


class _Flight:
    """A delivery between the door and the disk. ``tries``: ways to keep it that may still succeed."""

    __slots__ = ("aside", "delivery", "events", "future", "started", "tries")

    def __init__(self, delivery: Delivery, events: Sequence[Event], started: float) -> None:
        self.delivery = delivery
        self.events = events
        self.started = started
        self.future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.aside = False
        self.tries = 0


class Front:
    """Takes deliveries on the event loop. ``budgets``: how long a channel's answer may wait, milliseconds."""

    def __init__(self, spill: Spill, clock: Clock, budgets: Mapping[str, int] | None = None, zone: str = "UTC") -> None:
        self._spill = spill
        self._clock = clock
        self._zone = zone
        self.budgets = budgets or {}
        self._engine: Engine | None = None
        self._db: Database | None = None
        self._flights: dict[int, _Flight] = {}  # by number, the oldest first
        self._number = clock.now_ms() << 20
        self._watching: asyncio.TimerHandle | None = None
        self._mending: asyncio.Task[None] | None = None
        self._throttle = Throttle()
        self.on_stored: Callable[[], None] = lambda: None  # called when there is something to pass on, or to fetch
        self.on_kept: Callable[[Delivery, Sequence[Event], float], None] | None = (
            None  # and how many milliseconds it took
        )
        self.cause: str | None = None  # why deliveries are kept aside; None: the journal takes them
        self.since_ms = 0
        self.gaps: dict[str, Gap] = {}  # by channel, not in the log yet
        self._stubborn: Counter[int | None] = Counter()
        self._refused: set[int | None] = set()
        self._unsettled = False  # something was kept aside or lost since mending looked
        self._left = 0  # what waits in files beyond what was written now, as of the last look

    def adopt(self, budgets: Mapping[str, int], zone: str) -> None:
        """Go over to another configuration."""
        self.budgets, self._zone = budgets, zone

    @property
    def kept(self) -> int:
        """Deliveries kept aside that are not in the journal yet."""
        return self._left + self._spill.written

    @property
    def gap(self) -> int:
        """Deliveries lost to the journal that are not written down in it yet."""
        return sum(one.deliveries for one in self.gaps.values())

    @property
    def under_way(self) -> int:
        """Deliveries neither journaled nor kept aside yet."""
        return len(self._flights)

    @property
    def is_mending(self) -> bool:
        """Whether something is being drained, or waits until it can be."""
        return self._mending is not None and not self._mending.done()

    def is_behind(self) -> bool:
        """Whether there are deliveries that the engine has not scored, and can come to."""
        return self.cause is not None or self.is_mending or bool(self._flights)

    def say(self, trouble: str) -> None:
        """Why there is no engine."""
        self._degrade(trouble)

    def connect(self, engine: Engine, db: Database) -> None:
        """From now on deliveries are journaled; what was kept aside, also by processes before us, is drained."""
        self._engine, self._db = engine, db
        self._mend()

    def disconnect(self, trouble: str) -> None:
        """The database is gone: keep aside until ``connect``."""
        self._engine, self._db = None, None
        self._degrade(trouble)

    async def look(self) -> None:
        """Drain what another process has left behind meanwhile. Call now and then."""
        if self._db is not None and not self.is_mending and await asyncio.to_thread(self._spill.has_orphans):
            self._mend()

    async def close(self) -> None:
        """Wait until what is under way is safe, then stop mending. The files stay for the next start."""
        waiting = [flight.future for flight in self._flights.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=5)
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
        if self._watching is not None:
            self._watching.cancel()

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Hand a delivery on. Resolves when it is journaled or kept aside; raises StoreError where it is neither."""
        self._number += 1
        delivery = delivery._replace(number=self._number)
        flight = _Flight(delivery, events, asyncio.get_running_loop().time())
        self._flights[self._number] = flight
        if self.cause is None and len(self._flights) > _MOST_UNDER_WAY:
            self._degrade(f"more than {_MOST_UNDER_WAY} deliveries wait for the journal")
        if self.cause is not None or self._engine is None:
            self._keep_aside(flight)
        else:
            flight.tries += 1
            self._engine.submit(delivery, events).add_done_callback(partial(self._landed, flight))
            if self._watching is None:
                self._watch()
        return flight.future

    # --- what becomes of it ---

    def _landed(self, flight: _Flight, done: "asyncio.Future[Receipt]") -> None:
        flight.tries -= 1
        error = asyncio.CancelledError("cancelled") if done.cancelled() else done.exception()
        if error is None:
            self._settle(flight, done.result())
        elif flight.aside:
            self._lost(flight, error)
        else:
            self._degrade(getattr(error, "message", None) or f"{type(error).__name__}: {error}")
            self._keep_aside(flight)

    def _keep_aside(self, flight: _Flight) -> None:
        if not flight.aside:
            flight.aside = True
            flight.tries += 1
            done = asyncio.wrap_future(self._spill.append(flight.delivery, flight.events))
            done.add_done_callback(partial(self._kept, flight))

    def _kept(self, flight: _Flight, done: "asyncio.Future[None]") -> None:
        flight.tries -= 1
        error = asyncio.CancelledError("cancelled") if done.cancelled() else done.exception()
        if error is None:
            self._unsettled = True  # perhaps it was drained before we heard of it
            if self._db is not None:
                self._mend()
            self._settle(flight, Receipt(len(flight.events), 0, aside=True))
        else:
            self._lost(flight, error)

    def _settle(self, flight: _Flight, receipt: Receipt) -> None:
        self._flights.pop(flight.delivery.number or 0, None)
        if not flight.future.done():
            flight.future.set_result(receipt)
        if self.on_kept is not None:
            self.on_kept(flight.delivery, flight.events, (asyncio.get_running_loop().time() - flight.started) * 1000)
        if flight.delivery.onward is not None or flight.delivery.notes:
            self.on_stored()

    def _lost(self, flight: _Flight, error: BaseException) -> None:
        """A way to keep it has failed; when none is left, the loss is counted, durably if that is possible."""
        if flight.tries or flight.future.done():
            return
        self._flights.pop(flight.delivery.number or 0, None)
        said = str(getattr(error, "message", error))
        self._count(flight.delivery, f"{self.cause or 'the journal failed'}; {said}")
        noted = asyncio.wrap_future(self._spill.note(self.gaps.values()))
        noted.add_done_callback(lambda done: self._fail(flight, StoreError(said), done))

    def _fail(self, flight: _Flight, error: StoreError, noted: "asyncio.Future[None]") -> None:
        if not noted.cancelled() and noted.exception() is not None:
            swallowed = self._throttle.take("ledger", self._clock.now_ms())
            if swallowed is not None:
                _log.error("the gap is counted in memory only", lost=self.gap, cause=str(noted.exception()))
        if not flight.future.done():
            flight.future.set_exception(error)
            flight.future.exception()  # looked at: nobody may be waiting for a remark
        if self._db is not None:
            self._mend()

    def _count(self, delivery: Delivery, reason: str) -> None:
        at_ms, channel = delivery.received_ms, delivery.channel
        gap = self.gaps.get(channel) or Gap(channel, at_ms, at_ms, 0, reason, number=delivery.number)
        self.gaps[channel] = gap.grown(at_ms)
        self._unsettled = True

    def miss(self, reason: str) -> None:
        """All channels' figures up to now lack what a lost log held; how much that is, nobody can count."""
        now_ms = self._clock.now_ms()
        self._number += 1
        self.gaps["*"] = Gap("*", 0, now_ms, 1, reason, number=self._number)

    def _watch(self) -> None:
        """Keep aside what has waited for most of its budget."""
        now = asyncio.get_running_loop().time()
        for flight in list(self._flights.values()):
            waited_ms = (now - flight.started) * 1000
            budget_ms = self.budgets.get(flight.delivery.channel, _DEFAULT_BUDGET_MS)
            if not flight.aside and waited_ms >= budget_ms * _JOURNAL_SHARE:
                self._degrade(f"the journal is behind: a commit takes longer than {round(waited_ms)} ms")
                self._keep_aside(flight)
        loop = asyncio.get_running_loop()
        self._watching = loop.call_later(_WATCH_S, self._watch) if self._flights else None

    # --- degraded, and back ---

    def _degrade(self, cause: str) -> None:
        if self.cause is None:
            self.cause, self.since_ms = cause, self._clock.now_ms()
            swallowed = self._throttle.take("degraded", self.since_ms)
            if swallowed is not None:
                _log.error(
                    "degraded: the chat flows, deliveries are kept aside",
                    cause=cause, aside=str(self._spill.path), more_like_it=swallowed,
                )  # fmt: skip
        if self._engine is not None:
            self._mend()

    def _mend(self) -> None:
        if self._mending is None or self._mending.done():
            self._mending = asyncio.get_running_loop().create_task(self._again())

    async def _again(self) -> None:
        """Until the journal takes a commit in good time; then drain. Ends when there is nothing left to mend."""
        while (db := self._db) is not None:
            self._unsettled = False
            self._left = await asyncio.to_thread(self._spill.left)
            try:
                await self._probe(db)
                if self.cause is not None:
                    self.cause = None
                    if self._throttle.take("again", self._clock.now_ms()) is not None:
                        _log.warning("the journal takes deliveries again", aside=self.kept, lost=self.gap)
                await self._drain(db)
            except StoreError as error:
                self._degrade(error.message)
            except Exception:  # noqa: BLE001  # what waits must not stay aside because of a bug of ours
                _log.exception("draining failed; it is tried again")
                self._degrade("draining failed")
            if self._is_settled():
                return
            await self._clock.sleep_ms(_PROBE_MS)

    def _is_settled(self) -> bool:
        """Whether nothing is left to mend."""
        return self.cause is None and not self._unsettled

    async def _probe(self, db: Database) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.wrap_future(db.write(touch))
        most_ms = min(self.budgets.values(), default=_DEFAULT_BUDGET_MS) * _JOURNAL_SHARE / 2
        if (loop.time() - started) * 1000 > most_ms:
            raise StoreError("the journal is behind: a commit takes too long")

    async def _drain(self, db: Database) -> None:
        """Journal what was kept aside, and write down what was lost. Safe to be cut off anywhere, and repeated."""
        for path, gaps in await asyncio.to_thread(self._spill.orphaned_gaps):
            await self._save(db, gaps)
            await asyncio.to_thread(self._spill.drop, path)
        found = dict(self.gaps)  # as it is written: more may be lost meanwhile
        if found:
            await self._save(db, list(found.values()))
            self.gaps = {name: gap for name, gap in self.gaps.items() if gap != found.get(name)}
            with suppress(StoreError):
                await asyncio.wrap_future(self._spill.note(self.gaps.values()))
        batches = self._spill.batches()
        drained: dict[str, Gap] = {}
        while batch := await asyncio.to_thread(next, batches, None):
            wanted = [one for one in batch if isinstance(one, Damaged) or one.delivery.number not in self._refused]
            await self._journal(db, wanted)
            drained = _summed(drained, wanted)  # what is refused is in a gap of its own
            await self._save(db, list(drained.values()))
        self._left = await asyncio.to_thread(self._spill.left)
        if drained:
            done = sum(gap.kept for gap in drained.values())
            _log.warning("deliveries kept aside are in the journal now", deliveries=done)

    async def _journal(self, db: Database, batch: Sequence[Aside | Damaged]) -> None:
        if self._engine is None:
            raise StoreError(self.cause or "the database is closed")
        waiting = [one for one in batch if isinstance(one, Aside)]
        results = await asyncio.gather(*(self._engine.submit(*one) for one in waiting), return_exceptions=True)
        failed = [
            (one, result) for one, result in zip(waiting, results, strict=True) if isinstance(result, BaseException)
        ]
        if failed:
            await self._probe(db)  # the journal itself is well: these are refused
            for one, result in failed:
                self._stubborn[one.delivery.number] += 1
                if self._stubborn[one.delivery.number] >= _MOST_TRIES:
                    self._refused.add(one.delivery.number)
                    self._count(one.delivery, f"the journal refuses it: {getattr(result, 'message', result)}")
            raise StoreError(str(getattr(failed[0][1], "message", failed[0][1])))

    async def _save(self, db: Database, gaps: Sequence[Gap]) -> None:
        if gaps:
            await asyncio.wrap_future(db.write(lambda connection: journal.save_gaps(connection, gaps, self._zone)))


def _summed(drained: dict[str, Gap], batch: Sequence[Aside | Damaged]) -> dict[str, Gap]:
    """What was drained so far, by channel; a damaged line is a loss, dated by its neighbours."""
    out = dict(drained)
    last_ms = max((gap.until_ms for gap in out.values()), default=0)
    for one in batch:
        if isinstance(one, Aside):
            at_ms, channel = one.delivery.received_ms, one.delivery.channel
            gap = out.get(channel) or Gap(channel, at_ms, at_ms, 0, _LATER, number=one.delivery.number)
            out[channel] = gap._replace(until_ms=max(gap.until_ms, at_ms), kept=gap.kept + 1)
            last_ms = max(last_ms, at_ms)
        else:
            gap = Gap(f"*{one.mark}", last_ms, last_ms, 1, "a line kept aside was damaged", number=one.mark)
            out[f"*{one.mark}"] = gap._replace(channel="*")
    return out
