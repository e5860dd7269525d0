"""All that needs the log, put together: the engine, its ticker and chores, and whoever tells people."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from sanfen.abc import ChannelAdapter
from sanfen.clock import Clock, SystemClock
from sanfen.config.load import Loaded
from sanfen.core.effects import Scored
from sanfen.engine.chores import Chores
from sanfen.engine.ingest import Engine, Terms
from sanfen.engine.pulse import Pulse
from sanfen.engine.recover import recover
from sanfen.engine.steps import Steps
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.links import Grant, sign
from sanfen.meters import Meters
from sanfen.notify.acting import Acting
from sanfen.notify.worker import Worker
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.store import keys, outbox
from sanfen.store.db import Database
from sanfen.store.outbox import Row
from sanfen.store.trouble import store_error

__all__ = ["Scoring"]

_LINK_MS = 3_600_000  # how long a link in a notice works

_log = structlog.get_logger("sanfen")


class Scoring:
    """Made when the log opens, ended when it is lost."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        endless: Iterable[Coroutine[Any, Any, None]],
        worker: Worker,
        chores: Chores,
        terms: Terms,
    ) -> None:
        """``endless``: what runs until it is cancelled. ``terms``: what the engine was made with."""
        self.db = db
        self.engine = engine
        self._worker = worker
        self._chores = chores
        self._terms = terms
        self._tasks = [asyncio.create_task(one) for one in endless]
        chores.start()

    @classmethod
    async def open(
        cls,
        loaded: Loaded,
        adapters: Mapping[str, ChannelAdapter],
        plugins: Plugins,
        clock: Clock,
        acting: Acting,
        meters: Meters,
        look: Callable[[], Awaitable[None]],
        aside: Callable[[], bool],
        silent: int | None,
    ) -> "Scoring":
        """Open the log and recover what is under way. ``silent``: as for ``Database.open``. Raises StoreError."""
        settings, terms = loaded.settings, _terms(loaded, adapters)
        db = await asyncio.to_thread(partial(Database.open, settings.storage, silent=silent))
        try:
            # Below 3.51.3 two writing connections can damage a WAL; there is only one.
            _log.info("log open", path=str(settings.storage), sqlite=sqlite3.sqlite_version)
            ticker = Ticker(clock)
            key = await asyncio.wrap_future(db.write(keys.link_key))
            worker = Worker(
                db,
                plugins.notifiers(Guard(settings.outbound)),
                settings,
                clock,
                roster=terms.roster,
                acting=acting,
                link=partial(_link, settings.listen.url, key),
                on_attempt=meters.attempted,
            )
            engine = Engine(
                db,
                loaded.policies,
                loaded.rules,
                clock,
                roster=terms.roster,
                zone=settings.shop.timezone,
                keep_text=settings.text_keep_ms > 0,
                on_due=ticker.push,
                on_escalated=worker.wake,
                on_scored=partial(_count, meters),
            )
            steps = Steps(db, clock, ticker, aside) if isinstance(clock, SystemClock) else None
            if steps is not None:
                await steps.resume()
            await engine.adopt()
            await asyncio.wrap_future(db.write(lambda connection: outbox.release(connection, clock.now_ms())))
            waiting = await recover(db, ticker)
        except BaseException as error:
            await asyncio.to_thread(db.close)
            if isinstance(error, sqlite3.Error):
                raise store_error(settings.storage, error) from None
            raise
        if waiting:
            _log.info("recovered open rounds", conversations=waiting)
        chores = Chores(db, ticker, clock, keep_text_ms=settings.text_keep_ms, look=look)
        if settings.heartbeat is not None:
            pulse = Pulse(settings.heartbeat.url, chores.trouble, clock.now_ms, Guard(settings.outbound).inside())
            chores.every(pulse.beat, settings.heartbeat.every_ms, "pulse")
        return cls(
            db, engine, [ticker.run(engine), worker.run(), *([steps.run()] if steps else [])], worker, chores, terms
        )

    def run(self, endless: Coroutine[Any, Any, None]) -> None:
        """Run something as long as the log is there."""
        self._tasks.append(asyncio.create_task(endless))

    async def adopt(self, loaded: Loaded, adapters: Mapping[str, ChannelAdapter]) -> None:
        """Go over to another configuration. Raises StoreError, and then stays with the old one."""
        terms = _terms(loaded, adapters)
        try:
            await self.engine.adopt(terms)
        except StoreError:
            with suppress(StoreError):  # it may have gone half the way
                await self.engine.adopt(self._terms)
            raise
        self._terms = terms
        self._worker.adopt(loaded.settings, terms.roster)
        self._chores.adopt(loaded.settings.text_keep_ms)

    async def rest(self) -> None:
        """Stop what is recurring, and let what is being sent finish. The log still takes deliveries."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._chores.stop()
        await self._worker.close()


def _terms(loaded: Loaded, adapters: Mapping[str, ChannelAdapter]) -> Terms:
    settings = loaded.settings
    roster = Roster(settings, [name for name, adapter in adapters.items() if adapter.can("note")])
    return Terms(loaded.policies, loaded.rules, settings.shop.timezone, settings.text_keep_ms > 0, roster)


def _count(meters: Meters, policy: str, effect: Scored) -> None:
    """Count an outcome, and the wait of a round that was answered with this event."""
    one = effect.round
    answered = one.closed_ms is not None and one.closed_ms == effect.at_ms
    meters.scored(policy, str(effect.score.outcome), one.wait_ms if answered else None)


def _link(url: str | None, key: bytes, row: Row, now_ms: int) -> str | None:
    """The address that takes a round with one click, for whoever the row is for."""
    return None if url is None else f"{url}/act/{sign(key, Grant(row.round, row.person, now_ms + _LINK_MS))}"
