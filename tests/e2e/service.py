"""A real ``sanfen serve`` process between a real upstream and real clients."""

import asyncio
import base64
import inspect
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook
from tests.ports import free_port

__all__ = ["SECRET", "STARTED", "Sanfen", "Upstream", "eventually", "message", "post", "signed"]

SECRET = "whsec_" + base64.b64encode(b"a secret of the channel, 24+").decode()
NOTICE_SECRET = "whsec_" + base64.b64encode(b"a secret of the lead's phone").decode()
CONFIG = """\
version: 1
shop: {{id: shop, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: {folder}/sanfen.db
{more}policy: ours
policies:
  ours: {{based_on: taobao-2022-01, deadline: 3s, window: 00:00-24:00, midnight: none}}
channels:
  desk:
    adapter: generic
    from_customer: {{forward: "http://127.0.0.1:{upstream}/in"}}
    from_shop: {{forward: "http://127.0.0.1:{upstream}/out"}}
    secret: ${{CHANNEL_SECRET}}
    ack_within: {ack}
people:
  lead: {{via: [{{url: "webhook+http://127.0.0.1:{upstream}/notice", secret: "${{NOTICE_SECRET}}"}}]}}
escalation:
  - name: default
    steps: [{{at: {first}, notify: [lead]}}]
"""


STARTED: "list[subprocess.Popen[bytes]]" = []
"""What a test has started. In its end the fixture ``nothing_goes_on`` ends what it has left running."""


class Upstream:
    """The workflow that was there before: verifies signatures itself, and remembers what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.notices: list[dict[str, Any]] = []
        self.port = 0
        self.asks_time = True  # whether a signature's own time must be now

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        secret = NOTICE_SECRET if request.path.startswith("/notice") else SECRET
        with suppress(json.JSONDecodeError):  # it reads the body after it has checked the signature
            if self.asks_time:
                Webhook(secret).verify(body, dict(request.headers))  # raises, and the relay would show a 500
        if request.path.startswith("/notice"):
            self.notices.append(json.loads(body))
        else:
            self.bodies.append(body)
        return web.json_response({"upstream": request.path_qs}, headers={"x-upstream": "yes"})


class Sanfen:
    """A real ``sanfen serve`` process."""

    def __init__(
        self,
        folder: Path,
        upstream: Upstream,
        *,
        more: str = "",
        ack: str = "1s",
        storage: Path | None = None,
        first: str = "1s",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """``more``: further lines of the configuration."""
        self.env = env or {}
        self.folder = folder
        self.storage = storage or folder
        self.port, board = free_port(), free_port()
        self.config = folder / f"sanfen-{self.port}.yaml"
        self.text = CONFIG.format(
            hooks=self.port, board=board, folder=self.storage, upstream=upstream.port, more=more, ack=ack, first=first
        )
        self.config.write_text(self.text, encoding="utf-8")
        self.board = f"http://127.0.0.1:{board}"
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = folder / f"serve-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.listener: socket.socket | None = None

    def spawn(self, *more: str) -> None:
        environment = os.environ | {"CHANNEL_SECRET": SECRET, "NOTICE_SECRET": NOTICE_SECRET, **self.env}
        command = [sys.executable, "-Im", "sanfen.cli", "serve", "-c", str(self.config), *more]
        kept: tuple[int, ...] = ()
        if self.listener is not None:  # as systemd hands it over: descriptor 3, and the number of the process
            kept = (self.listener.fileno(),)
            given = f'exec 3<&{kept[0]}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            command = ["/bin/bash", "-c", given, "sanfen", *command]
        with self._output.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, pass_fds=kept)
        STARTED.append(self.process)

    def keep_listening(self) -> socket.socket:
        """Hold the traffic's port from now on, for one run after the other; the caller closes it."""
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        return self.listener

    async def start(self) -> None:
        self.spawn()
        assert self.process is not None
        async with aiohttp.ClientSession() as client:
            for _ in range(1200):
                assert self.process.poll() is None, self.log
                try:
                    async with client.get(f"{self.board}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)  # until the port answers; bounded
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def stop(self) -> int:
        """Ask it to end; our own servers go on meanwhile, so that what is under way can be answered."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 15)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.storage}/sanfen.db?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


def signed(body: bytes, name: str) -> dict[str, str]:
    """Headers by the reference library of Standard Webhooks."""
    now = datetime.now(UTC)  # noqa: TID251  # the signature's own clock
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(name, now, body.decode()),
    }


def message(name: str, sender: str, **more: str) -> bytes:
    event = {"id": name, "at": time.time_ns() // 1_000_000, "from": sender, "conversation": "客户A", "text": "在吗"}
    return json.dumps(event | more, ensure_ascii=False, indent=1).encode()


async def post(sanfen: Sanfen, way: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as client, client.post(sanfen.url + way, data=body, headers=headers) as answer:
        return answer.status, await answer.read()


async def eventually(holds: Callable[[], Any], *, says: Callable[[], str] = str) -> None:
    """Wait until something holds; bounded."""
    for _ in range(2400):
        found = holds()
        if await found if inspect.isawaitable(found) else found:
            return
        await asyncio.sleep(0.025)  # bounded
    raise AssertionError(says())
