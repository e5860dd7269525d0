"""The composition root: the only module that knows every part. Starts them in order and stops them in reverse.

Where the database cannot be opened the chat flows all the same: the service relays, counts what it cannot keep, and
tries again until the database is there.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from sanfen.abc import ChannelAdapter
from sanfen.board.views import BOARD, FEED, Trouble, build_board_app
from sanfen.clock import Clock, SystemClock
from sanfen.config.findings import Findings
from sanfen.config.load import Loaded, load
from sanfen.config.settings import Settings
from sanfen.engine.front import Front
from sanfen.errors import ConfigError, DamagedError, InUseError, Phrase, StoreError
from sanfen.gateway.app import COUNTERS, DOORS, ONWARD, PULLING, Doors, build_traffic_app
from sanfen.gateway.door import Runner, server_options
from sanfen.gateway.journaling import Counters
from sanfen.gateway.limits import Limits
from sanfen.gateway.onward import Onward
from sanfen.gateway.pulling import Pulling
from sanfen.meters import Meters
from sanfen.notify.acting import Acting
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.process import inherited
from sanfen.scoring import Scoring
from sanfen.store.db import Readable, Watched
from sanfen.store.files import put_aside
from sanfen.store.lease import Lease
from sanfen.store.spill import Spill
from sanfen.tracing import trace

__all__ = ["Service"]

_RETRY_S = (0.25, 5.0)  # the log is opened again soon, then ever less often
_DRAIN_S = 8.0  # how long requests under way may still take when the service is stopped
_LOOK_S = 0.25
_SILENT_S = 3.0  # a writer without a heartbeat for so long is taken for stopped

_log = structlog.get_logger("sanfen")


class Service:
    """The running middleware."""

    def __init__(
        self, loaded: Loaded, clock: Clock | None = None, read: Callable[[Path], Loaded] | None = None
    ) -> None:
        """``read``: how the configuration is read again."""
        self.loaded = loaded
        self.clock = clock or SystemClock()
        settings = loaded.settings
        self._spill = Spill(settings.spill, f"{self.clock.now_ms():x}-{os.getpid()}")
        self.front = Front(self._spill, self.clock, _budgets(settings), settings.shop.timezone)
        self._plugins = Plugins(named=loaded.settings.plugins)
        self._read = read or partial(load, deadlines=self._plugins.deadlines())
        self._scoring: Scoring | None = None
        self._opening: asyncio.Task[None] | None = None
        self._watched: Readable | None = None  # the log of another instance, while this one stands by
        self._apps: list[web.Application] = []
        self._runners: list[web.AppRunner] = []
        self._counters: Counters | None = None
        self.meters = Meters()
        self._watching: asyncio.Task[None] | None = None
        self._untrace: Callable[[], None] = lambda: None
        self.acting = Acting({})
        self._onward: Onward | None = None
        self._pulling: Pulling | None = None
        self.not_adopted: str | None = None  # why the last reload changed nothing
        self.problems = ""  # the whole of it
        self._changed: Callable[[], None] = lambda: None  # something was committed
        self.over = asyncio.Event()  # another instance has taken over: this one has nothing left to do

    @property
    def db(self) -> Readable | None:
        """The log to read from, or None while there is none."""
        return self._watched if self._scoring is None else self._scoring.db

    @property
    def doors(self) -> Doors:
        """What hears the channels, once it has started. Raises RuntimeError before."""
        for app in self._apps:
            if DOORS in app:
                return app[DOORS]
        raise RuntimeError("the service has not started")

    @property
    def is_standby(self) -> bool:
        """Whether another instance writes, and this one waits for its role."""
        return self._watched is not None

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
    def deliveries(self) -> dict[tuple[str, str], int]:
        """The same by channel, under the words of the metrics."""
        return {} if self._counters is None else dict(self._counters.by_channel)

    @property
    def secrets(self) -> dict[tuple[str, str], int]:
        """How many deliveries each secret has signed since the start: when the old one has none left, it can go."""
        return {} if self._counters is None else dict(self._counters.secrets)

    async def start(self, *, standby: bool = False) -> None:
        """Open, recover, listen. ``standby``: wait for the role if another instance has it.

        Raises ConfigError if an address cannot be had or an adapter is unknown, InUseError if another instance writes.
        """
        settings = self.loaded.settings
        adapters = self._adapters(settings)
        if settings.tracing == "otlp":
            self._untrace = trace()
        board = build_board_app(self, settings, self.clock)
        self._changed = board[FEED].wake
        self._watching = asyncio.get_running_loop().create_task(self.meters.watch())
        listening = standby and await self._stand_by(board)
        if self._scoring is None:
            try:
                await self._open()
            except InUseError:
                raise
            except StoreError as error:
                self._without(error)
        hooks = build_traffic_app(settings, adapters, self.front, self.clock)
        self._counters, self._onward, self._pulling = hooks[COUNTERS], hooks[ONWARD], hooks[PULLING]
        self._pulling.calls.guard = Guard(settings.outbound).inside()
        self.front.on_stored = self._stored
        self._pass_on()
        await self._listen(hooks, settings.listen.hooks_host, settings.listen.hooks_port, patient=standby)
        if not listening:
            await self._listen(board, settings.listen.board_host, settings.listen.board_port, patient=standby)

    async def _stand_by(self, board: web.Application) -> bool:
        """Wait until the log is ours; whether the board was served meanwhile."""
        settings = self.loaded.settings
        loop = asyncio.get_running_loop()
        beat, since, listening = 0, loop.time(), False
        while self._scoring is None:
            silent = beat if loop.time() - since > _SILENT_S else None
            try:
                await self._open(silent)
            except InUseError as error:
                if self._watched is None:
                    _log.info("standing by", because=error.message)
                    self._watched = Watched(settings.storage)
                    with suppress(ConfigError):  # the same port as the other's: it has a board
                        await self._listen(board, settings.listen.board_host, settings.listen.board_port)
                        listening = True
            except StoreError as error:
                _log.error("the log cannot be opened; standing by", error=error.message)
            heard = Lease.heartbeat(settings.storage)
            if heard != beat:
                beat, since = heard, loop.time()
            if self._scoring is None:
                await asyncio.sleep(_LOOK_S)
        if self._watched is not None:
            _log.warning("the writer's role is ours")
            self._watched = None
        return listening

    async def reload(self, path: Path) -> bool:
        """Go over to the configuration as the file has it now, all of it or nothing; whether that was done.

        A request that has begun is finished under the old one, and a round keeps the policy it opened under.
        """
        try:
            loaded = await asyncio.to_thread(self._read, path)
            self._same_place(loaded.settings)
            adapters = self._adapters(loaded.settings)
            await self._adopt(loaded, adapters)
        except (ConfigError, StoreError) as error:
            self.not_adopted = error.message.first if isinstance(error.message, Findings) else error.message
            self.problems = error.whole
            _log.error("configuration not adopted: the old one stays", because=self.not_adopted)
            return False
        except Exception as error:  # noqa: BLE001  # whatever a file makes us do, the service goes on as it was
            self.not_adopted = f"{type(error).__name__}: {error}"
            self.problems = self.not_adopted
            _log.exception("configuration not adopted: the old one stays")
            return False
        self.not_adopted, self.problems = None, ""
        warnings = [f"{one.file}:{one.line}: {one.message}" for one in loaded.warnings]
        _log.info("configuration adopted", file=str(path), policy=self.policy, warnings=warnings)
        return True

    def _same_place(self, settings: Settings) -> None:
        """Raises ConfigError if what a running service cannot change was changed."""
        old = self.loaded.settings
        for name in ("listen", "storage", "spill", "plugins", "outbound", "tracing"):
            if getattr(settings, name) != getattr(old, name):
                raise ConfigError(
                    Phrase("{name}: cannot change while the service runs", name=name),
                    hint="restart it, or write the old value back",
                )

    async def _adopt(self, loaded: Loaded, adapters: Mapping[str, ChannelAdapter]) -> None:
        settings = loaded.settings
        if self._scoring is not None:
            await self._scoring.adopt(loaded, adapters)
        self.loaded = loaded
        self.acting.adopt(adapters, Guard(settings.outbound).inside())
        self.front.adopt(_budgets(settings), settings.shop.timezone)
        for app in self._apps:
            if DOORS in app:
                app[DOORS].adopt(settings, adapters)
            if BOARD in app:
                app[BOARD].adopt(settings)

    def _adapters(self, settings: Settings) -> dict[str, ChannelAdapter]:
        return {name: self._plugins.channel(one, settings.shop.id) for name, one in settings.channels.items()}

    async def stop(self) -> None:
        """Stop taking traffic, finish what was taken within ten seconds, close the log. Safe to call twice."""
        for task in filter(None, (self._opening, self._watching)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        scoring, self._scoring = self._scoring, None
        runners, self._runners = self._runners, []
        await asyncio.gather(
            *(runner.cleanup() for runner in runners), *([scoring.rest()] if scoring else []), return_exceptions=True
        )
        await self.front.close()
        if scoring is not None:
            await asyncio.to_thread(scoring.db.close)
        await asyncio.to_thread(self._spill.close)
        await asyncio.to_thread(self._untrace)

    # --- the log, and its losses ---

    async def _open(self, silent: int | None = None) -> None:
        """Open the log; a damaged one is put aside, never deleted, and a new one begun. Raises StoreError."""
        settings = self.loaded.settings
        adapters = self._adapters(settings)
        self.acting.adopt(adapters, Guard(settings.outbound).inside())
        front = self.front
        parts = (
            self.loaded,
            adapters,
            self._plugins,
            self.clock,
            self.acting,
            self.meters,
            front.look,
            front.is_behind,
        )
        try:
            scoring = await Scoring.open(*parts, silent)
        except DamagedError as error:
            try:
                aside = await asyncio.to_thread(put_aside, settings.storage)
            except OSError as failure:
                raise StoreError(
                    Phrase("{error}; it cannot be put aside: {failure}", error=error.message, failure=failure.strerror)
                ) from None
            _log.critical(
                "the log is damaged: it was put aside, a new one is begun", error=error.message, aside=str(aside)
            )
            scoring = await Scoring.open(*parts, silent)
            self.front.miss(f"the log was damaged; what it held is in {aside.name}")
        loop = asyncio.get_running_loop()

        def lost(problem: StoreError) -> None:
            loop.call_soon_threadsafe(self._lost, scoring, problem)

        scoring.db.on_lost(lost)

        def changed() -> None:
            with suppress(RuntimeError):  # the loop has ended before the log
                loop.call_soon_threadsafe(self._changed)

        scoring.db.on_commit = changed
        self._scoring = scoring
        self._pass_on()
        self.front.connect(scoring.engine, scoring.db)

    def _stored(self) -> None:
        """There may be something to pass on, or to fetch."""
        if self._onward is not None and self._pulling is not None:
            self._onward.wake()
            self._pulling.wake()

    def _pass_on(self) -> None:
        """Send what was stored, and fetch what is to be fetched, as long as there is this log."""
        if self._scoring is not None and self._pulling is not None:
            self._scoring.run(self._pulling.run(self._scoring.db))
        if self._scoring is not None and self._onward is not None:
            channels = self.loaded.settings.channels.items()
            repeated = frozenset(name for name, one in channels if one.delivery == "store-repeat")
            self._scoring.run(self._onward.run(self._scoring.db, repeated))

    def _without(self, error: StoreError) -> None:
        """The chat flows without a log; it is tried again until there is one."""
        _log.error("no log: relaying without scoring", error=error.message, hint=error.hint)
        self.front.say(error.message)
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open_later())

    async def _open_later(self) -> None:
        pause_s, longest_s = _RETRY_S
        while self._scoring is None:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)
            with suppress(StoreError):
                await self._open()
                _log.warning("the log is open again: scoring resumed")

    def _lost(self, scoring: Scoring, problem: StoreError) -> None:
        """Damaged: open anew, which puts it aside. Another's: there is nothing left to do here."""
        if self._scoring is not scoring:
            return
        self._scoring = None
        self.front.disconnect(problem.message)
        if isinstance(problem, InUseError):
            _log.critical("another instance has taken over: stopping", error=problem.message)
            self.over.set()
        else:
            _log.error("the log is lost: relaying without it", error=problem.message)
        self._opening = asyncio.get_running_loop().create_task(self._reopen(scoring, again=not self.over.is_set()))

    async def _reopen(self, scoring: Scoring, *, again: bool) -> None:
        await scoring.rest()
        await asyncio.to_thread(scoring.db.close)
        if again:
            try:
                await self._open()
            except StoreError as error:
                self.front.say(error.message)
                await self._open_later()

    async def _listen(self, app: web.Application, host: str, port: int, *, patient: bool = False) -> None:
        """Listen; ``patient``: wait until the address is free."""
        listen = self.loaded.settings.listen
        limits = Limits(connections=listen.connections, per_address=listen.per_address)
        options = server_options(self.clock, limits)
        options["shutdown_timeout"] = _DRAIN_S
        runner = Runner(app, limits, listen.trusted_proxies, handle_signals=False, **options)
        await runner.setup()
        try:
            while True:
                try:
                    ready = inherited(host, port)
                    await (web.SockSite(runner, ready) if ready else web.TCPSite(runner, host, port)).start()
                    break
                except OSError:
                    if not patient:
                        raise
                    await asyncio.sleep(_LOOK_S)
            self._apps.append(app)
            self._runners.append(runner)
        except OSError as error:
            await runner.cleanup()
            number = error.errno or 0  # below zero: of a name that leads nowhere
            why = os.strerror(number) if number > 0 else error.strerror  # asyncio's own has the address in it once more
            raise ConfigError(
                Phrase("cannot listen on {host}:{port}: {error}", host=host, port=port, error=why),
                hint="another program has the port, or the address is not this machine's: change listen: in the file",
            ) from None


def _budgets(settings: Settings) -> Mapping[str, int]:
    """How long the answer of each channel may wait."""
    return {name: channel.ack_budget_ms for name, channel in settings.channels.items()}
