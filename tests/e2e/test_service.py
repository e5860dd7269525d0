"""The real command between a real upstream and real clients: relayed byte for byte, judged, escalated, never lost."""

import asyncio
import base64
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of the channel, 24+").decode()
NOTICE_SECRET = "whsec_" + base64.b64encode(b"a secret of the lead's phone").decode()
CONFIG = """\
version: 1
shop: {{id: shop, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: {folder}/sanfen.db
policy: ours
policies:
  ours: {{based_on: taobao-2022-01, deadline: 3s, window: 00:00-24:00, midnight: none}}
channels:
  desk:
    adapter: generic
    from_customer: {{forward: "http://127.0.0.1:{upstream}/in"}}
    from_shop: {{forward: "http://127.0.0.1:{upstream}/out"}}
    secret: ${{CHANNEL_SECRET}}
people:
  lead: {{via: [{{url: "webhook+http://127.0.0.1:{upstream}/notice", secret: "${{NOTICE_SECRET}}"}}]}}
escalation:
  - name: default
    steps: [{{at: 1s, notify: [lead]}}]
"""


class Upstream:
    """The workflow that was there before: verifies signatures itself, and remembers what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.notices: list[dict[str, Any]] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        secret = NOTICE_SECRET if request.path.startswith("/notice") else SECRET
        with suppress(json.JSONDecodeError):  # it reads the body after it has checked the signature
            Webhook(secret).verify(body, dict(request.headers))  # raises, and the relay would show a 500
        if request.path.startswith("/notice"):
            self.notices.append(json.loads(body))
        else:
            self.bodies.append(body)
        return web.json_response({"upstream": request.path_qs}, headers={"x-upstream": "yes"})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


class Sanfen:
    """A real ``sanfen serve`` process."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.folder = folder
        self.port, board = free_port(), free_port()
        self.config = folder / "sanfen.yaml"
        self.config.write_text(
            CONFIG.format(hooks=self.port, board=board, folder=folder, upstream=upstream.port), encoding="utf-8"
        )
        self.board = f"http://127.0.0.1:{board}"
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        environment = os.environ | {"CHANNEL_SECRET": SECRET, "NOTICE_SECRET": NOTICE_SECRET}
        command = [sys.executable, "-Im", "sanfen.cli", "serve", "-c", str(self.config)]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    async def start(self) -> None:
        self.spawn()
        assert self.process is not None
        async with aiohttp.ClientSession() as client:
            for _ in range(200):
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
        return (self.folder / "serve.log").read_text(encoding="utf-8")

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
        with closing(sqlite3.connect(f"file:{self.folder}/sanfen.db?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
async def sanfen(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Sanfen]:
    made = Sanfen(tmp_path, upstream)
    await made.start()
    yield made
    await made.stop()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


async def test_a_question_and_its_answer(sanfen: Sanfen, upstream: Upstream) -> None:
    """Both directions byte for byte, the upstream's own answers returned, the round scored."""
    ask, reply = message("q1", "customer"), message("m1", "merchant", mode="human", agent="小美")

    assert await post(sanfen, "/in/desk/a%2Fb?x=%20y", ask, signed(ask, "q1")) == (
        200,
        b'{"upstream": "/in/a%2Fb?x=%20y"}',
    )
    assert (await post(sanfen, "/out/desk", reply, signed(reply, "m1")))[0] == 200
    assert upstream.bodies == [ask, reply]
    assert sanfen.rows("SELECT status, agent, customer FROM rounds") == [("met", "小美", "客户A")]
    assert sanfen.rows("SELECT valid, evidence FROM messages WHERE sender = 'merchant'") == [(1, "field")]


async def test_cloudevents_of_the_reference_library(sanfen: Sanfen, upstream: Upstream) -> None:
    """A structured CloudEvent, made by the cloudevents package and signed, is a question like any other."""
    event = CloudEvent(
        {"id": "ce-1", "source": "/shop/1", "type": "dev.sanfen.message.created", "time": datetime.now(UTC)},  # noqa: TID251
        {"conversation": "c1", "message_id": "g1", "role": "customer", "actor": "c1", "text": "有货吗"},
    )
    made = to_structured_event(event, JSONFormat())
    body = made.body

    assert (await post(sanfen, "/in/desk", body, {**made.headers, **signed(body, "ce-1")}))[0] == 200
    assert upstream.bodies == [body]
    assert sanfen.rows("SELECT id, text FROM messages") == [("g1", "有货吗")]


async def test_a_round_that_waits_reaches_the_lead(sanfen: Sanfen, upstream: Upstream) -> None:
    """One second without an answer: one signed notice, recorded as told."""
    ask = message("q1", "customer")
    await post(sanfen, "/in/desk", ask, signed(ask, "q1"))
    for _ in range(100):
        if upstream.notices and sanfen.rows("SELECT 1 FROM escalations WHERE state = 'told'"):
            break
        await asyncio.sleep(0.1)  # until it arrives; bounded

    assert [notice["person"] for notice in upstream.notices] == ["lead"]
    assert sanfen.rows("SELECT person, state, attempts FROM escalations") == [("lead", "told", 1)]


async def test_kill_nine_loses_nothing_acknowledged(tmp_path: Path, upstream: Upstream) -> None:
    """Killed while requests are under way, again and again: every 2xx is in the journal, every round once."""
    sanfen = Sanfen(tmp_path, upstream)
    acknowledged: set[str] = set()

    async def talk(number: int) -> None:
        body = message(f"k{number}", "customer", conversation=f"c{number}")
        try:
            status, _ = await post(sanfen, "/in/desk", body, signed(body, f"k{number}"))
        except (aiohttp.ClientError, OSError):
            return
        if status == 200:
            acknowledged.add(f"k{number}")

    for start in range(0, 120, 40):
        await sanfen.start()
        talks = [asyncio.create_task(talk(number)) for number in range(start, start + 40)]
        wanted = len(acknowledged) + 10
        while len(acknowledged) < wanted and not all(one.done() for one in talks):
            await asyncio.wait(talks, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
        sanfen.kill()
        await asyncio.gather(*talks)
    await sanfen.start()
    stored = {row[0] for row in sanfen.rows("SELECT id FROM messages")}

    assert len(acknowledged) >= 30
    assert acknowledged <= stored
    assert sanfen.rows("SELECT count(*), count(DISTINCT conversation) FROM rounds") == [(len(stored), len(stored))]
    assert sanfen.rows("PRAGMA integrity_check") == [("ok",)]
    assert await sanfen.stop() == 0


async def test_no_database_and_the_chat_flows(tmp_path: Path, upstream: Upstream) -> None:
    """A foreign database: one clear sentence in the log, the message relayed all the same, and not claimed as kept."""
    foreign = tmp_path / "sanfen.db"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = foreign.read_bytes()
    sanfen = Sanfen(tmp_path, upstream)
    sanfen.spawn()
    ask = message("q1", "customer")
    status = 0
    for _ in range(200):
        try:
            status, _ = await post(sanfen, "/in/desk", ask, signed(ask, "q1"))
            break
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)  # until the port answers; bounded

    assert (status, upstream.bodies) == (200, [ask])
    assert "is not a sanfen log" in sanfen.log
    assert "Traceback" not in sanfen.log
    assert foreign.read_bytes() == before
    await sanfen.stop()


async def test_bad_requests_get_one_clear_answer(sanfen: Sanfen, upstream: Upstream) -> None:
    """Wrong signature: refused and not forwarded. Broken JSON of an authentic sender: forwarded, kept as unreadable."""
    ask, broken = message("q1", "customer"), b'{"id": "x", '

    assert (await post(sanfen, "/in/desk", ask, signed(b"other", "q1")))[0] == 401
    assert upstream.bodies == []
    assert (await post(sanfen, "/in/desk", broken, signed(broken, "b1")))[0] == 200
    assert upstream.bodies == [broken]
    assert (await post(sanfen, "/in/nobody", ask, signed(ask, "q1")))[0] == 404
    async with aiohttp.ClientSession() as client, client.get(f"{sanfen.board}/metrics") as answer:
        metrics = await answer.text()
    assert 'sanfen_deliveries{what="poison"} 1.0' in metrics
    assert 'sanfen_deliveries{what="refused_mismatch"} 1.0' in metrics
    assert "Traceback" not in sanfen.log
