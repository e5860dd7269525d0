"""The demo's composition: a configuration file, thirty days of history, the service, the people, and whoever watches."""

import asyncio
import secrets
import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web

from sanfen.bootstrap import Service
from sanfen.clock import SystemClock
from sanfen.config.load import Loaded, load
from sanfen.demo.clock import FastClock
from sanfen.demo.history import fill
from sanfen.demo.people import People
from sanfen.store.db import Database
from sanfen.store.happenings import Unsaid, happenings, mark_at
from sanfen.store.opening import open_reader
from sanfen.wire import instant_text

__all__ = ["ZONE", "Demo", "Options", "Voice"]

ZONE = ZoneInfo("Asia/Shanghai")
_BEGINS = (20, 4)  # when the desk is busy
_LOOK_S = 0.25
_CONFIG = """\
# Written by `sanfen demo`. Try `sanfen check {name}`, `sanfen route -c {name} hour=21`; `sanfen init` writes one of your own.
version: 1
shop: {{id: flagship, name: 旗舰店, timezone: Asia/Shanghai, language: {language}}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: {storage}
policy: taobao-2022-01
target: 90%
channels:
  taobao:
    adapter: generic
    ack_within: 10s  # a busy machine is no slow disk
    from_customer: {{forward: "http://127.0.0.1:{desk}/in"}}
    from_shop: {{forward: "http://127.0.0.1:{market}/out"}}
    secret: ${{file:secrets/taobao}}
classify:
  - name: platform-flag  # the channel itself says that nobody wrote it
    match: {{mode: [auto, bot, broadcast]}}
    verdict: invalid
  - name: default
    verdict: valid
people:
  值班组长: {{via: [{{url: "webhook+http://127.0.0.1:{phone}/notice/lead", secret: "${{file:secrets/notice}}"}}]}}
  主管: {{via: [{{url: "webhook+http://127.0.0.1:{phone}/notice/boss", secret: "${{file:secrets/notice}}"}}]}}
escalation:
  - name: default
    steps:
      - {{at: 1m30s, notify: [值班组长]}}
      - {{at: 2m30s, notify: [主管]}}
"""


class Options:
    """What the command line gives."""

    def __init__(
        self, folder: Path, *, speed: float, port: int, board_port: int, lasts_s: float | None, language: str
    ) -> None:
        self.folder = folder
        self.speed = speed
        self.port = port
        self.board_port = board_port
        self.lasts_s = lasts_s  # real time to run; None: until it is stopped
        self.language = language


class Voice(Protocol):
    """Whoever watches the demo, and tells of it."""

    def welcome(self, board_url: str, log: Path, at: str) -> None:
        """It has begun. ``at``: what time it is in the shop, local, whatever it is here."""

    def happened(self, one: Mapping[str, Any]) -> None:
        """Something happened (``store.happenings``)."""

    def goodbye(self, log: Path, unsigned: int) -> None:
        """It is over. ``unsigned``: forwarded requests that had lost their signature."""


class Demo:
    """A shop's evening, after thirty days that are in the log already."""

    def __init__(self, options: Options, voice: Voice) -> None:
        self._options = options
        self._voice = voice
        self.database = options.folder / "sanfen.db"

    async def run(self) -> None:
        """Run until the time given is over or the task is cancelled. The log stays."""
        options, start_ms = self._options, _evening(SystemClock().now_ms())
        secret, notice_secret = await asyncio.to_thread(self._put_aside)
        clock = FastClock(start_ms, options.speed)
        people = People(clock, secret, notice_secret)
        runners: list[web.AppRunner] = []
        ports = {}
        for name, app in (("desk", people.desk_app()), ("market", people.market_app()), ("phone", people.phone_app())):
            runners.append(web.AppRunner(app, access_log=None))
            await runners[-1].setup()
            site = web.TCPSite(runners[-1], "127.0.0.1", 0)
            await site.start()
            ports[name] = runners[-1].addresses[0][1]
        loaded = self._loaded(ports)
        people.know(await asyncio.to_thread(fill, self.database, loaded, start_ms))
        clock.begin()
        service = Service(loaded, clock)
        try:
            await service.start()
            listen = service.loaded.settings.listen
            people.hooks_url = f"http://127.0.0.1:{listen.hooks_port}"
            people.board_url = f"http://127.0.0.1:{listen.board_port}/"
            at = (instant_text(start_ms, ZONE) or "")[:16].replace("T", " ")
            self._voice.welcome(people.board_url, self.database, at)
            await self._until(people, loaded.policies[0].id, clock)
        finally:
            await service.stop()
            for runner in runners:
                await runner.cleanup()
            self._voice.goodbye(self.database, people.unsigned)

    async def _until(self, people: People, policy: str, clock: FastClock) -> None:
        tasks = [asyncio.create_task(people.run()), asyncio.create_task(self._watch(policy, clock))]
        try:
            done, _ = await asyncio.wait(tasks, timeout=self._options.lasts_s, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, policy: str, clock: FastClock) -> None:
        """Tell what happens, as anybody could read it from the log."""
        with closing(open_reader(self.database)) as connection:
            mark, unsaid = mark_at(connection, None), Unsaid()
            while True:
                found, mark = happenings(connection, policy, mark, clock.now_ms())
                for one in unsaid.of(found):
                    self._voice.happened(one)
                await asyncio.sleep(_LOOK_S)

    def _put_aside(self) -> tuple[str, str]:
        """Keep the log of the run before under another name, and make secrets.

        Raises StoreError if that run is still going on.
        """
        folder = self._options.folder / "secrets"
        folder.mkdir(parents=True, exist_ok=True)
        if self.database.exists():
            Database.open(self.database).close()
            self.database.replace(self.database.with_name("sanfen-previous.db"))
        made = []
        for name in ("taobao", "notice"):
            made.append("whsec_" + b64encode(secrets.token_bytes(24)).decode())
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(made[-1] + "\n", encoding="utf-8")
        return made[0], made[1]

    def _loaded(self, ports: dict[str, int]) -> Loaded:
        options = self._options
        path = options.folder / "sanfen.yaml"
        text = _CONFIG.format(
            name=path,
            language=options.language,
            hooks=_free_port(options.port),
            board=_free_port(options.board_port),
            storage=self.database.name,
            **ports,
        )
        path.write_text(text, encoding="utf-8")
        return load(path)


def _free_port(wanted: int) -> int:
    """The wanted port if it is free, else any."""
    for port in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _evening(now_ms: int) -> int:
    """The last busy evening's beginning that is over: what follows it lies in no future for whoever asks the log."""
    now = datetime.fromtimestamp(now_ms / 1000, ZONE)
    begins = now.replace(hour=_BEGINS[0], minute=_BEGINS[1], second=0, microsecond=0)
    return int((begins if begins <= now else begins - timedelta(days=1)).timestamp() * 1000)
