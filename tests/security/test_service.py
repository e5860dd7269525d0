"""The real command: what it leaves on the disk and in its outputs, and how it lives when nobody can hear it."""

import asyncio
import base64
import json
import os
import signal
import socket
import stat
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook
from tests.faults.service import Ends, Serve, questions_and_replies, send, serving
from tests.served import served

TOKEN = "CANARYtoken" + "0123456789abcdef" * 3
SECRET, OLD = "CANARYsecret-of-the-channel", "CANARYold-secret-of-the-channel"
NOTICE = "CANARYsecret-of-the-notice"


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with Ends().running() as made:
        yield made


async def test_the_process_keeps_its_files_and_its_memory_to_itself(tmp_path: Path, ends: Ends) -> None:
    """umask 077 whatever it was started with, no core dump, the log and its folder for one user."""
    serve = Serve(tmp_path, ends.port, storage=tmp_path / "data")
    async with serving(serve, prefix=["sh", "-c", 'umask 0; ulimit -c unlimited 2>/dev/null; exec "$0" "$@"']):
        assert serve.process is not None
        proc = Path(f"/proc/{serve.process.pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line)
        limits = (proc / "limits").read_text()
        await send(serve.url, questions_and_replies("a", 2), rate=50)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
        folder = stat.S_IMODE((tmp_path / "data").stat().st_mode)

    assert status["Umask"].strip() == "0077"
    assert next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size")) == "0"
    assert folder == 0o700
    assert {"sanfen.db", "sanfen.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_systemd_is_told_when_it_is_ready_alive_and_stopping(tmp_path: Path, ends: Ends) -> None:
    path = tmp_path / "notify"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(path))
        listener.settimeout(10)
        serve = Serve(tmp_path, ends.port)
        async with serving(serve, env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "100000"}):
            said = [await asyncio.to_thread(listener.recv, 100) for _ in range(4)]
        while said[-1] != b"STOPPING=1":
            said.append(listener.recv(100))

    assert said[0] == b"READY=1"
    assert set(said[1:-1]) == {b"WATCHDOG=1"}


@pytest.mark.parametrize("how", ["full", "closed"])
async def test_nobody_hears_it_and_the_chat_flows(tmp_path: Path, ends: Ends, how: str) -> None:
    """Standard error on a full disk, or closed: lines are lost, messages are not."""
    serve = Serve(tmp_path, ends.port)
    options: dict[str, Any] = {"out": Path("/dev/full")}
    if how == "closed":
        options = {"prefix": ["sh", "-c", 'exec "$0" "$@" >&- 2>&-']}
    messages = questions_and_replies("a", 5)
    async with serving(serve, **options):
        statuses = await send(serve.url, messages, rate=100)
        async with aiohttp.ClientSession() as client:
            async with client.post(f"{serve.url}/in/desk", data=b"x") as answer:  # worth a line of the log
                assert answer.status == 401
            async with client.get(f"{serve.board_url}/readyz") as answer:
                assert answer.status == 200

    assert {status for status, _ in statuses} == {200}
    assert set(ends.bodies) == {one.id for one in messages}


BROKEN = [
    b"\x16\x03\x01\x02\x00CANARYtls\r\n\r\n",
    b"GET /CANARYpath HTTP/9.9\r\n\r\n",
    b"POST /in/desk HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /in/desk HTTP/1.1\r\nHost: h\r\nX-CANARY: a\0b\r\n\r\n",
    b"POST /in/desk?CANARYquery#x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    b"CANARY\r\n\r\n",
]


@pytest.mark.parametrize("listener", ["hooks", "board"])
async def test_broken_requests_do_not_fill_the_disk(tmp_path: Path, ends: Ends, listener: str) -> None:
    """A thousand of them on either port: a few lines, no traceback, nothing of what came."""
    serve = Serve(tmp_path, ends.port)

    async def one(data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", getattr(serve, listener))
        writer.write(data)
        with suppress(ConnectionError):
            if b"query" in data:
                writer.write_eof()
            async with asyncio.timeout(10):
                await reader.read()
        writer.close()

    async with serving(serve):
        quiet = len(serve.log.splitlines())
        for _ in range(20):
            await asyncio.gather(*(one(data) for data in BROKEN * 8))
        noise = serve.log.splitlines()[quiet:]

    assert len(noise) <= 12
    assert "Traceback" not in serve.log
    assert "CANARY" not in serve.log


CONFIG = """\
version: 1
shop: {{id: shop, name: shop, timezone: Asia/Shanghai, language: en}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
admin: {{token: "${{TOKEN}}"}}
storage: {folder}/sanfen.db
policy: ours
policies:
  ours: {{based_on: taobao-2022-01, deadline: 30s, window: 00:00-24:00, midnight: none}}
channels:
  desk:
    from_customer: {{forward: "http://127.0.0.1:{upstream}/in"}}
    from_shop: {{forward: "http://127.0.0.1:{upstream}/out"}}
    secrets:
      - {{value: "${{SECRET}}", name: new}}
      - {{value: "${{OLD}}", name: old}}
  dead: {{from_customer: {{forward: "http://127.0.0.1:1/CANARYforward"}}, secret: "${{SECRET}}"}}
  tap: {{secret: "${{SECRET}}"}}
people:
  lead: {{via: [{{url: "webhook+http://127.0.0.1:{upstream}/CANARYhook?access_token=CANARYaccess", secret: "${{NOTICE}}"}}]}}
escalation:
  - {{name: default, steps: [{{at: 1s, notify: [lead]}}]}}
plugins: [saboteur]
"""
SABOTEUR = """
from sanfen_adapters.channels.generic import GenericChannel
right = GenericChannel.parse
def parse(self, request, direction, received_ms):
    if b"CANARYbug" in request.body:
        password = self.secrets[0]
        raise KeyError(request.body.decode(), request.query, password)
    return right(self, request, direction, received_ms)
GenericChannel.parse = parse
"""


FETCHABLE = ("avatar", "picture", "media", "image_url", "file", "callback_url", "response_url", "$schema", "dataschema")


class Echo:
    """A workflow, and a receiver of notices that refuses them; both say back whatever they were told."""

    def __init__(self) -> None:
        self.port = 0
        self.notices = 0

    async def handle(self, request: web.Request) -> web.Response:
        refused = request.path.startswith("/CANARYhook")
        self.notices += refused
        return web.Response(status=400 if refused else 200, body=await request.read())


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    async with served(made.handle) as place:
        made.port = int(place.partition(":")[2])
        yield made


def signed(secret: str, name: str, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)  # noqa: TID251  # the signature's own clock
    key = "whsec_" + base64.b64encode(secret.encode()).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(key).sign(name, now, body.decode()),
    }


async def test_secrets_are_replaced_without_a_restart(tmp_path: Path, ends: Ends) -> None:
    """New files, one SIGHUP: until then the old ones hold, from then on the new, and a channel's old one beside it."""
    serve = Serve(tmp_path, ends.port)
    text = serve.config.read_text(encoding="utf-8").replace("secret: ${CHANNEL_SECRET}", "secret: ${file:first}")

    def write(name: str, secret: str) -> None:
        (tmp_path / name).write_text(secret, encoding="utf-8")
        (tmp_path / name).chmod(0o600)

    async def asked(secret: str, token: str, name: str) -> tuple[int, int]:
        body = json.dumps(TALK | {"id": name, "at": time.time_ns() // 1_000_000}).encode()
        headers = signed(secret, name, body) | {"x-attempt": name}
        async with aiohttp.ClientSession() as client:
            async with client.post(f"{serve.url}/in/desk", data=body, headers=headers) as answer:
                taken = answer.status
            bearer = {"Authorization": f"Bearer {token}"}
            async with client.get(f"{serve.board_url}/metrics", headers=bearer) as answer:
                return taken, answer.status

    write("first", OLD)
    write("token", TOKEN)
    serve.config.write_text(text + "admin: {token: '${file:token}'}\n", encoding="utf-8")
    async with serving(serve):
        assert await asked(OLD, TOKEN, "a") == (200, 200)
        assert await asked(SECRET, TOKEN + "x", "b") == (401, 401)
        write("second", SECRET)
        write("token", TOKEN + "x")
        both = "secrets: ['${file:second}', '${file:first}']"
        serve.config.write_text(
            text.replace("secret: ${file:first}", both) + "admin: {token: '${file:token}'}\n", encoding="utf-8"
        )
        assert serve.process is not None
        serve.process.send_signal(signal.SIGHUP)
        for number in range(200):
            if (await asked(SECRET, TOKEN + "x", f"c{number}")) == (200, 200):
                break
            await asyncio.sleep(0.05)  # until it has read them; bounded
        assert await asked(OLD, TOKEN + "x", "d") == (200, 200)
        assert (await asked(SECRET, TOKEN, "e"))[1] == 401


TALK = {"from": "customer", "conversation": "c1", "customer": "CANARYcustomer", "text": "CANARYtext 在吗"}
BAD = [b"CANARYbroken {", b'{"from": "CANARYsender"}', b'{"text": ["CANARYlist"]}', b"CANARYbug", b"[" * 99]


async def everything(serve: Serve) -> list[str]:
    """All kinds of requests, good and bad, with something secret in each part; what was answered but for echoes."""
    answers: list[str] = []
    sent = {"Cookie": "CANARYcookie=1", "X-Api-Key": "CANARYkey", "Authorization": "Bearer CANARYbearer"}
    at = time.time_ns() // 1_000_000
    async with aiohttp.ClientSession() as client:

        async def post(way: str, body: bytes, headers: dict[str, str]) -> None:
            async with client.post(serve.url + way, data=body, headers=sent | headers) as answer:
                told = await answer.text()
                answers.append(f"{answer.status} {dict(answer.headers)} {'' if answer.status == 200 else told}")

        for number, secret in enumerate((SECRET, OLD, "CANARYwrong-secret")):
            body = json.dumps(TALK | {"id": f"q{number}", "at": at}, ensure_ascii=False).encode()
            for channel in ("desk", "dead", "tap", "CANARYchannel"):
                await post(f"/in/{channel}/botCANARYtail/x?token=CANARYquery", body, signed(secret, f"q{number}", body))
        for number, body in enumerate(BAD):
            await post("/in/desk?token=CANARYquery", body, signed(SECRET, f"b{number}", body))
            await post("/in/tap?token=CANARYquery", body, signed(SECRET, f"t{number}", body))
            await post("/events?token=CANARYquery", body, {})
        body = b"x" * 300_000
        await post("/in/desk", body, signed(SECRET, "large", body))
        for path in ("/", "/metrics", "/api/v1/rounds?limit=CANARY", "/api/v1/erase", f"/api/v1/now?token={TOKEN}"):
            for headers in ({}, {"Authorization": "Bearer CANARYguess"}):
                async with client.get(serve.board_url + path, headers=headers) as answer:
                    answers.append(f"{answer.status} {await answer.text()}")
    return answers


def told_to(serve: Serve) -> str:
    """The process's command line, as everybody on the machine can read it."""
    assert serve.process is not None
    return Path(f"/proc/{serve.process.pid}/cmdline").read_text(encoding="utf-8")


async def shown(serve: Serve) -> dict[str, str]:
    """Every page and question of the second port, as whoever holds the token sees it."""
    out = {}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for path in ("/?lang=en", "/metrics", "/healthz", "/readyz", "/api/v1/now", "/api/v1/rounds", "/api/v1/rates",
                     "/api/v1/budget", "/api/v1/report", "/static/board.js"):  # fmt: skip
            async with client.get(serve.board_url + path) as answer:
                assert answer.status == 200, path
                out[path] = await answer.text()
    return out


async def test_an_address_in_a_message_is_never_visited(tmp_path: Path, ends: Ends) -> None:
    """Pictures, avatars, callbacks: whoever wrote them would learn where we are, or have us ask their neighbours."""
    visits: list[str] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(repr(await reader.read(100)))
        writer.close()

    trap = await asyncio.start_server(visited, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/CANARY"
    serve = Serve(tmp_path, ends.port)
    messages = [
        one._replace(body=json.dumps(json.loads(one.body) | dict.fromkeys(FETCHABLE, url) | {"text": f"看 {url}"}))
        for one in questions_and_replies("a", 3)
    ]
    async with serving(serve):
        statuses = await send(serve.url, messages, rate=50)
        await serve.until("SELECT count(*) FROM messages", len(messages))
    trap.close()

    assert {status for status, _ in statuses} == {200}
    assert not visits


async def test_no_secret_and_no_text_gets_out(tmp_path: Path, echo: Echo) -> None:
    """Secrets, tokens, texts, query strings and paths' tails in a whole run, good and bad: none in log, metrics, errors.

    The page that shows who waits shows the question, to whoever holds the token, and nothing else of all this.
    """
    (tmp_path / "saboteur.py").write_text(SABOTEUR, encoding="utf-8")
    facts = tmp_path / "saboteur-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: saboteur\nVersion: 1\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text("[sanfen]\nsaboteur = saboteur\n", encoding="utf-8")
    serve = Serve(tmp_path, echo.port)
    places = {"hooks": serve.hooks, "board": serve.board, "upstream": echo.port, "folder": tmp_path}
    serve.config.write_text(CONFIG.format(**places), encoding="utf-8")
    env = {"TOKEN": TOKEN, "SECRET": SECRET, "OLD": OLD, "NOTICE": NOTICE, "SANFEN_LOG": "debug"}
    env |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])}
    async with serving(serve, env=env):
        answers = await everything(serve)
        await serve.until("SELECT count(*) > 0 FROM escalations WHERE state = 'failed'", 1)
        pages = await shown(serve)
        command_line = told_to(serve)
    log = serve.log

    assert "KeyError" in log  # the bug was there, and was told
    assert "a delivery is not authentic" in log
    assert echo.notices
    assert 'sanfen_signed_total{channel="desk",secret="old"}' in pages["/metrics"]
    assert "CANARY" not in log.replace("/CANARYforward", "")  # the address the operator gave, shown at the start
    assert "CANARY" not in command_line
    assert "CANARY" not in "\n".join(answers).replace("CANARYsender", "")  # 'from' is quoted to its own sender
    for path, page in pages.items():
        left = page.replace("CANARYtext", "") if path in ("/?lang=en", "/api/v1/now") else page
        assert "CANARY" not in left, path
