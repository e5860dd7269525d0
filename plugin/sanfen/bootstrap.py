"""The composition root: the only module that knows every part. Starts them in order and stops them in reverse.

Where the database cannot be opened the chat flows all the same: the service relays, counts what it cannot keep, and
tries again until the database is there.
"""

import asyncio
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from sanfen.abc import ChannelAdapter
from sanfen.board.views import BOARD, Trouble, build_board_app
from sanfen.clock import Clock, SystemClock
from sanfen.config.load import Loaded, load
from sanfen.config.settings import Settings
from sanfen.engine.chores import Chores
from sanfen.engine.front import Front
from sanfen.engine.ingest import Engine, Terms
from sanfen.engine.pulse import Pulse
from sanfen.engine.recover import recover
from sanfen.engine.timers import Ticker
from sanfen.errors import ConfigError, StoreError
from sanfen.gateway.app import COUNTERS, DOORS, build_traffic_app
from sanfen.gateway.door import Runner, server_options
from sanfen.gateway.journaling import Counters
from sanfen.gateway.limits import Limits
from sanfen.links import Grant, sign
from sanfen.notify.acting import Acting
from sanfen.notify.worker import Worker
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.store import keys, outbox
from sanfen.store.db import Database
from sanfen.store.outbox import Row
from sanfen.store.spill import Spill

__all__ = ["Service"]

_RETRY_MS = 5_000
_LINK_MS = 3_600_000  # how long a link in a notice works

Adapters = Mapping[str, ChannelAdapter]

_log = structlog.get_logger("sanfen")


class Service:
    """The running middleware."""

    def __init__(self, loaded: Loaded, clock: Clock | None = None) -> None:
        self.loaded = loaded
        self.clock = clock or SystemClock()
        settings = loaded.settings
        self._spill = Spill(settings.spill, f"{self.clock.now_ms():x}-{os.getpid()}")
        self.front = Front(self._spill, self.clock, _budgets(settings), settings.shop.timezone)
        self.db: Database | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._runners: list[web.AppRunner] = []
        self._counters: Counters | None = None
        self._worker: Worker | None = None
        self._chores: Chores | None = None
        self._engine: Engine | None = None
        self._apps: list[web.Application] = []
        self._plugins = Plugins(named=loaded.settings.plugins)
        self.acting = Acting({})
        self.not_adopted: str | None = None  # why the last reload changed nothing

    @property
    def policy(self) -> str:
        """The policy rounds are judged by."""
        return self.loaded.policies[0].id

    @property
    def trouble(self) -> Trouble | None:
        """Why the figures of this moment are incomplete, and by how much; None while all is well."""
        front = self.front
        if front.cause is None and not front.kept and not front.gap:
            return None
        return Trouble(front.cause, front.since_ms, front.kept, front.gap)

    @property
    def traffic(self) -> dict[str, int]:
        """What has become of deliveries since the start, by name; refusals by their reason."""
        if self._counters is None:
            return {}
        found = {name: value for name, value in asdict(self._counters).items() if isinstance(value, int)}
        return found | {f"refused_{reason}": count for reason, count in self._counters.refused.items()}

    @property
    def secrets(self) -> dict[tuple[str, str], int]:
        """How many deliveries each secret has signed since the start: when the old one has none left, it can go."""
        return {} if self._counters is None else dict(self._counters.secrets)

    async def start(self) -> None:
        """Open, recover, listen. Raises ConfigError if an address cannot be had or an adapter is unknown."""
        settings = self.loaded.settings
        adapters = self._adapters(settings)
        try:
            await self._open()
        except StoreError as error:
            _log.error("no database: relaying without scoring", error=error.message, hint=error.hint)
            self.front.say(error.message)
            self._tasks.append(asyncio.create_task(self._open_later()))
        hooks = build_traffic_app(settings, adapters, self.front, self.clock)
        self._counters = hooks[COUNTERS]
        board = build_board_app(self, settings, self.clock)
        await self._listen(hooks, settings.listen.hooks_host, settings.listen.hooks_port)
        await self._listen(board, settings.listen.board_host, settings.listen.board_port)

    async def reload(self, path: Path) -> bool:
        """Go over to the configuration as the file has it now, all of it or nothing; whether that was done.

        A request that has begun is finished under the old one, and a round keeps the policy it opened under.
        """
        try:
            loaded = await asyncio.to_thread(load, path)
            self._same_place(loaded.settings)
            adapters = self._adapters(loaded.settings)
            await self._adopt(loaded, adapters)
        except (ConfigError, StoreError) as error:
            self.not_adopted = error.message.splitlines()[0]
            _log.error("configuration not adopted: the old one stays", problems=str(error).splitlines())
            return False
        except Exception as error:  # noqa: BLE001  # whatever a file makes us do, the service goes on as it was
            self.not_adopted = f"{type(error).__name__}: {error}"
            _log.exception("configuration not adopted: the old one stays")
            return False
        self.not_adopted = None
        warnings = [f"{one.file}:{one.line}: {one.message}" for one in loaded.warnings]
        _log.info("configuration adopted", file=str(path), policy=self.policy, warnings=warnings)
        return True

    def _same_place(self, settings: Settings) -> None:
        """Raises ConfigError if what a running service cannot change was changed."""
        old = self.loaded.settings
        for name in ("listen", "storage", "spill", "plugins", "outbound"):
            if getattr(settings, name) != getattr(old, name):
                raise ConfigError(
                    f"{name}: cannot change while the service runs", hint="restart it, or write the old value back"
                )

    async def _adopt(self, loaded: Loaded, adapters: Mapping[str, ChannelAdapter]) -> None:
        settings = loaded.settings
        if self._engine is not None:
            try:
                await self._engine.adopt(_terms(loaded, adapters))
            except StoreError:
                with suppress(StoreError):  # it may have gone half the way
                    await self._engine.adopt(_terms(self.loaded, self._adapters(self.loaded.settings)))
                raise
        self.loaded = loaded
        if self._worker is not None:
            self._worker.adopt(settings, _roster(settings, adapters))
            self.acting.adopt(adapters, Guard(settings.outbound).inside())
        if self._chores is not None:
            self._chores.adopt(settings.text_keep_ms)
        self.front.adopt(_budgets(settings), settings.shop.timezone)
        for app in self._apps:
            if DOORS in app:
                app[DOORS].adopt(settings, adapters)
            if BOARD in app:
                app[BOARD].adopt(settings)

    def _adapters(self, settings: Settings) -> dict[str, ChannelAdapter]:
        return {name: self._plugins.channel(one, settings.shop.id) for name, one in settings.channels.items()}

    async def stop(self) -> None:
        """Stop taking traffic, finish what was taken, close the database. Safe to call twice."""
        for runner in self._runners:
            await runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._runners, self._tasks = [], []
        if self._chores is not None:
            self._chores.stop()
        if self._worker is not None:
            await self._worker.close()
        await self.front.close()
        if self.db is not None:
            await asyncio.to_thread(self.db.close)
        await asyncio.to_thread(self._spill.close)

    async def _open(self) -> None:
        settings = self.loaded.settings
        db = await asyncio.to_thread(Database.open, settings.storage)
        # Below 3.51.3 two writing connections can damage a WAL; there is only one.
        _log.info("log open", path=str(settings.storage), sqlite=sqlite3.sqlite_version)
        ticker = Ticker(self.clock)
        adapters = self._adapters(settings)
        self.acting.adopt(adapters, Guard(settings.outbound).inside())
        roster = _roster(settings, adapters)
        notifiers = self._plugins.notifiers(Guard(settings.outbound))
        key = await asyncio.wrap_future(db.write(keys.link_key))
        worker = Worker(
            db,
            notifiers,
            settings,
            self.clock,
            roster=roster,
            acting=self.acting,
            link=partial(_link, settings.listen.url, key),
        )
        engine = Engine(
            db,
            self.loaded.policies,
            self.loaded.rules,
            self.clock,
            roster=roster,
            zone=settings.shop.timezone,
            keep_text=settings.text_keep_ms > 0,
            on_due=ticker.push,
            on_escalated=worker.wake,
        )
        await engine.adopt()
        await asyncio.wrap_future(db.write(lambda connection: outbox.release(connection, self.clock.now_ms())))
        waiting = await recover(db, ticker)
        if waiting:
            _log.info("recovered open rounds", conversations=waiting)
        chores = Chores(db, ticker, self.clock, keep_text_ms=settings.text_keep_ms)
        chores.start()
        if settings.heartbeat is not None:
            pulse = Pulse(settings.heartbeat.url, chores.trouble, self.clock.now_ms)
            chores.every(pulse.beat, settings.heartbeat.every_ms, "pulse")
        self.db, self._engine, self._worker, self._chores = db, engine, worker, chores
        self._tasks += [asyncio.create_task(ticker.run(engine)), asyncio.create_task(worker.run())]
        self.front.connect(engine, db)

    async def _open_later(self) -> None:
        while self.db is None:
            await asyncio.sleep(_RETRY_MS / 1000)
            with suppress(StoreError):
                await self._open()
                _log.warning("database open again: scoring resumed")

    async def _listen(self, app: web.Application, host: str, port: int) -> None:
        self._apps.append(app)
        listen = self.loaded.settings.listen
        limits = Limits(connections=listen.connections, per_address=listen.per_address)
        options = server_options(self.clock, limits)
        runner = Runner(app, limits, listen.trusted_proxies, handle_signals=False, **options)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                hint="another program has the port, or the address is not this machine's: change listen: in the file",
            ) from None


def _terms(loaded: Loaded, adapters: Mapping[str, ChannelAdapter]) -> Terms:
    settings = loaded.settings
    roster = _roster(settings, adapters)
    return Terms(loaded.policies, loaded.rules, settings.shop.timezone, settings.text_keep_ms > 0, roster)


def _roster(settings: Settings, adapters: Mapping[str, ChannelAdapter]) -> Roster:
    return Roster(settings, [name for name, adapter in adapters.items() if adapter.can("note")])


def _budgets(settings: Settings) -> Mapping[str, int]:
    """How long the answer of each channel may wait."""
    return {name: channel.ack_budget_ms for name, channel in settings.channels.items()}


def _link(url: str | None, key: bytes, row: Row, now_ms: int) -> str | None:
    """The address that takes a round with one click, for whoever the row is for."""
    return None if url is None else f"{url}/act/{sign(key, Grant(row.round, row.person, now_ms + _LINK_MS))}"
