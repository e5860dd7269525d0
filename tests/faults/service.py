"""The real ``sanfen serve`` in a process of its own, the workflow behind it, the people it tells, and its messages."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from tests.ports import free_port

__all__ = ["LOAD", "SECRET", "Ends", "Message", "Serve", "questions_and_replies", "send", "serving"]

LOAD = Path(__file__).with_name("load.py")
SECRET = "a secret of the channel under load"
CONFIG = """\
version: 1
shop: {{id: shop, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: {storage}/sanfen.db
policy: ours
policies:
  ours: {{based_on: taobao-2022-01, deadline: 30s, window: 00:00-24:00, midnight: none}}
channels:
  desk:
    adapter: {adapter}
    from_customer: {{forward: "http://127.0.0.1:{upstream}/in"}}
    from_shop: {{forward: "http://127.0.0.1:{upstream}/out"}}
    secret: ${{CHANNEL_SECRET}}
    timeout: {timeout}
{people}"""


class Message(NamedTuple):
    """One delivery of the channel."""

    path: str
    id: str
    body: str


class Ends:
    """The workflow behind the service, and the people it tells: what reached them, attempt by attempt."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()  # POSTs by the sender's attempt: a second one would be ours
        self.delays_ms: dict[str, float] = {}  # from the moment it was to be sent to its arrival here
        self.bodies: dict[str, str] = {}  # by message
        self.messages: Counter[str] = Counter()  # to each person
        self.notices: Counter[tuple[str, str]] = Counter()  # how many of them named a round
        self.port = 0

    async def workflow(self, request: web.Request) -> web.Response:
        self.bodies[request.headers["webhook-id"]] = (await request.read()).decode()
        attempt, arrived = request.headers["x-attempt"], asyncio.get_running_loop().time()
        self.attempts[attempt] += 1
        self.delays_ms[attempt] = (arrived - float(request.headers.get("x-moment", arrived))) * 1000
        return web.json_response({"seen": True})

    async def notice(self, request: web.Request) -> web.Response:
        told = json.loads(await request.read())
        self.messages[told["person"]] += 1
        self.notices.update((told["person"], one["round_id"]) for one in told["waiting"])
        return web.json_response({"told": True})

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Ends"]:
        app = web.Application()
        app.router.add_post("/notice", self.notice)
        app.router.add_post("/{tail:.*}", self.workflow)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        yield self
        await runner.cleanup()


class Serve:
    """A ``sanfen serve`` process and its log."""

    def __init__(
        self, folder: Path, upstream: int, *, storage: Path | None = None, people: str = "", **more: str
    ) -> None:
        self.folder = folder
        self.storage = storage or folder
        self.hooks, self.board = free_port(), free_port()
        self.url, self.board_url = f"http://127.0.0.1:{self.hooks}", f"http://127.0.0.1:{self.board}"
        self.config = folder / "sanfen.yaml"
        facts = {"adapter": "generic", "timeout": "15s"} | more
        self.config.write_text(
            CONFIG.format(
                hooks=self.hooks, board=self.board, storage=self.storage, upstream=upstream, people=people, **facts
            ),
            encoding="utf-8",
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(
        self, *, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None, out: Path | None = None
    ) -> None:
        """Start it. ``prefix``: a command that runs it; ``out``: where its output goes, by default serve.log."""
        environment = os.environ | {"CHANNEL_SECRET": SECRET} | dict(env or {})
        flags = "-m" if "PYTHONPATH" in environment else "-Im"
        command = [*prefix, sys.executable, flags, "sanfen.cli", "serve", "-c", str(self.config)]
        with (out or self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    async def listening(self) -> None:
        """Until it relays."""
        assert self.process is not None
        async with aiohttp.ClientSession() as client:
            for _ in range(1200):
                assert self.process.poll() is None, self.log
                with contextlib.suppress(aiohttp.ClientError):
                    async with client.get(f"{self.url}/healthz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)  # until the port answers; bounded
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        file = self.folder / "serve.log"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    async def stop(self) -> int:
        """Ask it to end; our own servers go on meanwhile."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self.process.wait, 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    async def counts(self) -> dict[str, int]:
        """The metrics of deliveries, by name."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.board_url}/metrics") as answer:
            text = await answer.text()
        counts: dict[str, int] = {}
        for line in text.splitlines():
            if line.startswith("sanfen_deliveries_total{"):
                what = line.partition('what="')[2].partition('"')[0]
                counts[what] = counts.get(what, 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts

    async def settled(self, deliveries: int) -> dict[str, int]:
        """The counts, once as many as were sent are received and each of them is journaled, aside or a gap; bounded."""
        counts: dict[str, int] = {}
        for _ in range(1200):
            counts = await self.counts()
            if counts["received"] == counts["journaled"] + counts["aside"] + counts["gap"] == deliveries:
                return counts
            await asyncio.sleep(0.05)  # until nothing is under way
        raise AssertionError(f"{counts}, sent: {deliveries}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.storage}/sanfen.db?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    async def until(self, query: str, wanted: object, tries: int = 1200) -> None:
        """Wait for the first cell of a query to become what is wanted; bounded."""
        found: object = None
        for _ in range(tries):
            with contextlib.suppress(sqlite3.Error):
                found = self.rows(query)[0][0]
            if found == wanted:
                return
            await asyncio.sleep(0.05)  # until the service has done it
        raise AssertionError(f"{query}: {found!r}, not {wanted!r}\n{self.log}")


@asynccontextmanager
async def serving(serve: Serve, **how: Any) -> AsyncIterator[Serve]:
    """The process while it relays; ended in the end."""
    serve.spawn(**how)
    try:
        await serve.listening()
        yield serve
    finally:
        await serve.stop()


def questions_and_replies(name: str, count: int, *, answered: int = 2) -> list[Message]:
    """Conversations: a question each, and a person's reply in time to every second one (``answered=1``: to all, 0: to none)."""
    start = time.time_ns() // 1_000_000
    out = []
    for number in range(count):
        talk = f"{name}-{number}"
        fields: dict[str, Any] = {
            "id": f"q-{talk}",
            "at": start,
            "from": "customer",
            "conversation": talk,
            "text": "在吗",
        }
        out.append(Message("/in/desk", fields["id"], json.dumps(fields, ensure_ascii=False)))
        if answered and number % answered == 0:
            fields |= {"id": f"m-{talk}", "at": start + 1000, "from": "merchant", "mode": "human", "agent": "小美"}
            out.append(Message("/out/desk", fields["id"], json.dumps(fields, ensure_ascii=False)))
    return out


async def send(
    url: str, messages: Iterable[Message], *, rate: float, attempt: int = 1, timeout_s: float = 20
) -> list[tuple[int, float]]:
    """Send each once, from another process, at so many a second; the status and milliseconds of each."""
    rows = [one._asdict() | {"attempt": f"{one.id}/{attempt}"} for one in messages]
    asked = {"url": url, "secret": SECRET, "rate": rate, "timeout_s": timeout_s, "messages": rows}
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(LOAD), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = await made.communicate(json.dumps(asked).encode())
    return [(status, took_ms) for status, took_ms in json.loads(out)]
