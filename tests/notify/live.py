"""A shop with its worker, its people's phones and its channel's API over real HTTP; time is moved by hand."""

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.engine.shop import START, Shop
from tests.notify.test_acting import Desk as Channel

from sanfen.config.load import Loaded, load
from sanfen.engine.ingest import Terms
from sanfen.notify.acting import Acting
from sanfen.notify.worker import Worker
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.testing import FakeClock

__all__ = ["Ends", "Live"]

FILE = """\
version: 1
shop: {{id: default, timezone: Asia/Shanghai}}
policy: ours
policies:
  ours: {{based_on: taobao-2023-05, window: 00:00-24:00, target: 90%}}
people:
  lily: {{via: ["webhook+http://{address}/lily"], agents: [a1]}}
  boss: {{via: ["webhook+http://{address}/boss"], hours: "{hours}"}}
fallback: [lily]
merge: {merge}
{quiet}escalation:
  - name: default
    steps:
{steps}
"""


class Ends:
    """The people's phones and the channel's API: what reached them, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.notices: list[dict[str, Any]] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen.append(body.decode() if request.path == "/api" else request.path[1:])
        if request.path != "/api":
            self.notices.append(json.loads(body))
        return web.Response(text="ok")


class Live:
    """The shop with its worker."""

    def __init__(self, folder: Path, ends: Ends, steps: str, **more: str) -> None:
        file = folder / "sanfen.yaml"
        file.write_text(
            FILE.format(
                address=ends.address, steps=steps, **{"hours": "00:00-24:00", "merge": "0s", "quiet": ""} | more
            ),
            encoding="utf-8",
        )
        self.loaded: Loaded = load(file, {})
        self.clock = FakeClock(START)
        self.shop = Shop(folder / "log.db", self.clock, self.loaded.policies)
        channel = Channel("default", "default", (), {"api": f"http://{ends.address}/api"})
        roster = Roster(self.loaded.settings, ["default"])
        self.terms = Terms(self.loaded.policies, (), "Asia/Shanghai", keep_text=True, roster=roster)
        self.worker = Worker(
            self.shop.db, Plugins().notifiers(Guard()), self.loaded.settings, self.clock, roster=roster,
            acting=Acting({"default": channel}, Guard()),
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        await self.shop.engine.adopt(self.terms)
        self.task = asyncio.create_task(self.worker.run())

    async def at(self, second: int) -> list[tuple[Any, ...]]:
        """Let time come to a second after the start and everything due then be done; the rows that are there."""
        await self.shop.tick(START + second * 1000)
        self.worker.wake()
        query = "SELECT step, kind, person, state, reason, next_try_ms FROM outbox ORDER BY id"
        rows: list[tuple[Any, ...]] = []
        for _ in range(1_000):
            rows = self.shop.rows(query)
            now_ms = self.clock.now_ms()
            if not [one for one in rows if one[3] == "sending" or (one[3] == "waiting" and one[5] <= now_ms)]:
                return [row[:5] for row in rows]
            await asyncio.sleep(0.01)  # until the rows are settled; bounded
        raise AssertionError(rows)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.worker.close()
        self.shop.db.close()
