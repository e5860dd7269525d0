"""The demo's composition: a configuration file, the service, the people, and a line for everything that happens."""

import asyncio
import secrets
import socket
from base64 import b64encode
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from aiohttp import web

from sanfen.bootstrap import Service
from sanfen.config.load import Loaded, load
from sanfen.demo.clock import FastClock
from sanfen.demo.people import People
from sanfen.demo.show import Show
from sanfen.store.db import Database

__all__ = ["Demo", "Options"]

_CONFIG = """\
# Written by `sanfen demo`. A real one: try `sanfen check {name}`, or change it and run `sanfen serve -c {name}`.
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
    secret: ${{SANFEN_DEMO_SECRET}}
people:
  值班组长: {{via: [{{url: "webhook+http://127.0.0.1:{phone}/notice/lead", secret: "${{SANFEN_DEMO_NOTICE_SECRET}}"}}]}}
  主管: {{via: [{{url: "webhook+http://127.0.0.1:{phone}/notice/boss", secret: "${{SANFEN_DEMO_NOTICE_SECRET}}"}}]}}
escalation:
  - name: default
    steps:
      - {{at: 1m30s, notify: [值班组长]}}
      - {{at: 2m30s, notify: [主管]}}
"""


class Options:
    """What the command line gives."""

    def __init__(
        self, folder: Path, *, speed: float, port: int, board_port: int, seconds: float, language: str
    ) -> None:
        self.folder = folder
        self.speed = speed
        self.port = port
        self.board_port = board_port
        self.seconds = seconds  # real time to run; 0: until the shop day ends or Ctrl-C
        self.language = language


class Demo:
    """One simulated shop day."""

    def __init__(self, options: Options, out: TextIO) -> None:
        self._options = options
        self._out = out
        self._secret = _secret()
        self._notice_secret = _secret()
        self.database = options.folder / "sanfen.db"
        self.board_url = ""

    async def run(self) -> None:
        """Run until the day, the time given or the task ends. The log stays."""
        options = self._options
        start_ms, end_ms = _shop_day()
        await asyncio.to_thread(self._put_aside)
        clock = FastClock(start_ms, options.speed)
        people = People(clock, self._secret, self._notice_secret)
        runners: list[web.AppRunner] = []
        ports = {}
        for name, app in (("desk", people.desk_app()), ("market", people.market_app()), ("phone", people.phone_app())):
            runners.append(web.AppRunner(app, access_log=None))
            await runners[-1].setup()
            site = web.TCPSite(runners[-1], "127.0.0.1", 0)
            await site.start()
            ports[name] = runners[-1].addresses[0][1]
        service = Service(self._loaded(ports), clock)
        show = Show(self.database, self._out, options.language)
        try:
            await service.start()
            people.hooks_url = f"http://127.0.0.1:{service.loaded.settings.listen.hooks_port}"
            self.board_url = f"http://127.0.0.1:{service.loaded.settings.listen.board_port}/"
            show.welcome(self.board_url, options.speed)
            await self._until(clock, end_ms, people, show)
        finally:
            await service.stop()
            for runner in runners:
                await runner.cleanup()
            show.goodbye(people.unsigned)

    async def _until(self, clock: FastClock, end_ms: int, people: People, show: Show) -> None:
        left_s = (end_ms - clock.now_ms()) / 1000 / self._options.speed
        limit_s = min(left_s, self._options.seconds or left_s)
        tasks = [asyncio.create_task(people.run()), asyncio.create_task(show.run())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _put_aside(self) -> None:
        """Keep the log of the run before under another name. Raises StoreError if that run is still going on."""
        self._options.folder.mkdir(parents=True, exist_ok=True)
        if self.database.exists():
            Database.open(self.database).close()
            self.database.replace(self.database.with_name("sanfen-previous.db"))

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
        env = {"SANFEN_DEMO_SECRET": self._secret, "SANFEN_DEMO_NOTICE_SECRET": self._notice_secret}
        return load(path, env=env)


def _secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


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


def _shop_day() -> tuple[int, int]:
    """From 10:00 to five past midnight of an ordinary day in Shanghai."""
    zone = ZoneInfo("Asia/Shanghai")
    start = datetime(2026, 3, 10, 10, 0, tzinfo=zone)
    end = datetime(2026, 3, 11, 0, 5, tzinfo=zone)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
