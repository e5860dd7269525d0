"""The two ports under fuzzing: the real applications over a real log, asked by raw sockets."""

import asyncio
import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.engine.shop import START
from tests.faults.grammar import Grammar
from tests.ports import free_port

from sanfen.bootstrap import Service
from sanfen.config.load import load
from sanfen.log import configure
from sanfen.testing import ask, reply
from sanfen.wire import event_fields

__all__ = ["board", "http"]

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own in it
ANSWER_S = 10.0
MOMENT_S = 0.005  # one loop, one process, a log in memory: what is answered at all is answered by then
TARGETS = ("/in/desk", "/in/desk", "/out/desk", "/events", "/events", "/healthz", "/in/%64esk", "/in/nope", "/in/desk/../x", "/in/desk/%2e%2e/x",
           "/in/desk?a=%00&b", "/in/desk/\u00e9", "//in/desk", "/", "*", "http://x/in/desk", "/in/desk#f", "/in/" + "x" * 9000)  # fmt: skip
ROUTES = ("/api/v1/rounds", "/api/v1/rates", "/api/v1/report", "/api/v1/budget", "/api/v1/now", "/", "/metrics", "/readyz", "/static/board.js",
          "/static/%2e%2e/x", "/api/v1/rounds/x", "/api/v1/rounds/%00", "/nothing")  # fmt: skip
HEADERS = ("Content-Encoding: gzip", "Content-Type: text/plain; charset=utf-16", "Origin: http://evil", "Expect: 100-continue", "Cookie: a=b",
           "X-Forwarded-For: 1.2.3.4", "X: " + "y" * 9000, "Upgrade: websocket", ": empty", "X\x01: y")  # fmt: skip


CONFIG = """\
version: 1
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: sanfen.db
channels: {{desk: {{adapter: generic, signing: none}}}}
"""


class Doors:
    """The service in this process, with a loop of its own that runs while somebody asks."""

    def __init__(self, more: str = "") -> None:
        """``more``: further lines of the configuration."""
        configure("critical")
        self.loop = asyncio.new_event_loop()
        folder = Path(tempfile.mkdtemp(prefix="sanfen-doors-", dir=MEMORY if MEMORY.is_dir() else None))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.hooks, self.board = free_port(), free_port()
        config = folder / "sanfen.yaml"
        config.write_text(CONFIG.format(hooks=self.hooks, board=self.board) + more, encoding="utf-8")
        self.service = Service(load(config, {}))
        self.loop.run_until_complete(self.service.start())
        rows = [event_fields(event) for event in (ask(START), reply(START + 60_000), ask(START, "B", text="<b>"))]
        body = json.dumps(rows).encode()
        head = f"POST /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        assert b'"accepted": 3' in self.ask(self.hooks, head.encode() + body)

    def ask(self, port: int, raw: bytes, *, whole: bool = True) -> bytes:
        """All that is answered to these bytes; to half a request within a moment."""

        async def talk() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(raw)
                async with asyncio.timeout(ANSWER_S if whole else MOMENT_S):
                    return await reader.read()
            except (ConnectionError, TimeoutError):
                return b""
            finally:
                writer.transport.abort()

        return self.loop.run_until_complete(talk())


@cache
def _doors() -> Doors:
    return Doors()


def http(dice: Any) -> None:
    """The traffic port: raw requests, well formed and not. No answer is a 5xx."""
    grammar = Grammar(dice)
    body = grammar.body()[:5000]
    method = grammar.one("POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD", "post", "BREW", "P\x00ST")
    lines = [
        f"{method} {dice.choice(TARGETS)} HTTP/1.{grammar.one(1, 1, 1, 0, 9)}",
        "Host: localhost",
        "Connection: close",
    ]
    framing = grammar.one("length", "length", "length", "chunked", "both", "short", "none")
    if framing in ("length", "both"):
        lines.append(f"Content-Length: {len(body)}")
    if framing == "short":
        lines.append(f"Content-Length: {grammar.one(len(body) + 5, max(0, len(body) - 5), -1, '1_0', 10**12)}")
    if framing in ("chunked", "both"):
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for name, value in grammar.headers().items():
        lines.append(f"{name}: {value}")
    lines += [dice.choice(HEADERS) for _ in range(dice.randrange(3))]
    raw = "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body
    whole = framing in ("length", "chunked") and not grammar.often(0.15)
    raw = raw if whole else grammar.broken(raw)
    doors = _doors()
    answer = doors.ask(doors.hooks, raw, whole=whole)
    assert not answer.startswith(b"HTTP/1.1 5"), (raw[:600], answer[:300])
    assert answer or not whole, ("no answer", raw[:600])


def board(dice: Any) -> None:
    """The board's port: every route with every parameter. No answer is a 5xx, none is missing."""
    grammar = Grammar(dice)
    target = f"{dice.choice(ROUTES)}?{grammar.query()}".encode("utf-8", "surrogatepass")
    doors = _doors()
    answer = doors.ask(
        doors.board, b"GET " + target.replace(b" ", b"+") + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1."), target
    assert not answer.startswith(b"HTTP/1.1 5"), (target, answer[:300], answer[-300:])
