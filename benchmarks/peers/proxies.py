"""The proxies of ``gateway.py`` that are written in Python, and the workflow behind them all. Each in a process of its own:

python benchmarks/peers/proxies.py upstream PORT                 answers at once; no HTTP beyond Content-Length
python benchmarks/peers/proxies.py bare PORT UPSTREAM            the proxy everybody writes first: aiohttp.web + ClientSession
python benchmarks/peers/proxies.py rows PORT UPSTREAM FILE       a floor for sanfen: see ``gateway.py``
python benchmarks/peers/proxies.py split PORT UPSTREAM FILE      what two processes would do: see ``gateway.py``
"""

import asyncio
import contextlib
import json
import marshal
import os
import queue
import re
import select
import socket
import sqlite3
import subprocess
import sys
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any

from sanfen.core.classify import Rule

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
SECRET = os.environ.get("BENCH_SECRET", "").encode()  # by which messages are signed
RULES = (
    Rule("greeting", verdict="invalid", text=re.compile("^(亲|您好).{0,12}(稍等|欢迎)")),
    Rule("too-fast", verdict="invalid", within_ms=1_500, min_length=120),
    Rule("default", verdict="valid"),
)


def serve_upstream(port: int) -> None:
    server = socket.create_server(("127.0.0.1", port), backlog=1024)
    poll = select.epoll()
    poll.register(server.fileno(), select.EPOLLIN)
    open_ones: dict[int, socket.socket] = {}
    buffers: dict[int, bytes] = {}
    while True:
        for fd, _ in poll.poll():
            if fd == server.fileno():
                one, _ = server.accept()
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                open_ones[one.fileno()], buffers[one.fileno()] = one, b""
                poll.register(one.fileno(), select.EPOLLIN)
                continue
            try:
                data = open_ones[fd].recv(65_536)
            except ConnectionError:
                data = b""
            if not data:
                poll.unregister(fd)
                open_ones.pop(fd).close()
                continue
            buffer = buffers[fd] + data
            end = buffer.find(b"\r\n\r\n")
            at = buffer.lower().find(b"content-length:", 0, end + 2)
            length = int(buffer[at + 15 : buffer.index(b"\r\n", at)]) if at >= 0 else 0
            done = end >= 0 and len(buffer) >= end + 4 + length
            buffers[fd] = b"" if done else buffer
            if done:
                open_ones[fd].sendall(ANSWER)


async def serve_bare(port: int, upstream: int) -> None:
    import aiohttp  # noqa: PLC0415  # each role loads what it needs
    from aiohttp import web  # noqa: PLC0415

    app = web.Application()
    hop = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
    client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def forward(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in hop}
        url = f"http://127.0.0.1:{upstream}{request.path_qs}"
        async with client.request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in hop}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app.router.add_route("*", "/{tail:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


Message = tuple[dict[str, str], bytes]  # headers, body
Waiting = tuple[Message, "asyncio.Future[None]"]
Keeper = Callable[[list[Waiting]], None]


def rows_keeper(path: str, loop: asyncio.AbstractEventLoop) -> Keeper:
    """Two rows a message, in a thread; all that wait in one commit."""
    queued: queue.SimpleQueue[list[Waiting]] = queue.SimpleQueue()

    def work() -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE deliveries (seq INTEGER PRIMARY KEY, body); CREATE TABLE events (seq INTEGER PRIMARY KEY, id, text)"
        )
        while True:
            group = queued.get()
            with contextlib.suppress(queue.Empty):
                while True:
                    group += queued.get_nowait()
            facts = [json.loads(body) for (_, body), _ in group]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO deliveries (body) VALUES (?)", [(body,) for (_, body), _ in group])
            connection.executemany(
                "INSERT INTO events (id, text) VALUES (?, ?)", [(one["id"], one["text"]) for one in facts]
            )
            connection.execute("COMMIT")
            loop.call_soon_threadsafe(settle, [future for _, future in group])

    threading.Thread(target=work, daemon=True).start()
    return queued.put


def settle(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        future.set_result(None)


async def engine_keeper(path: str) -> Keeper:
    """sanfen's engine in a process of its own, which parses too; what waits goes there through a pipe, and how many are kept comes back."""
    reader, writer = await asyncio.open_connection(sock=start_engine(path))
    flying: deque[asyncio.Future[None]] = deque()

    def put(group: list[Waiting]) -> None:
        flying.extend(future for _, future in group)
        packed = marshal.dumps([message for message, _ in group])
        writer.write(len(packed).to_bytes(4, "big") + packed)

    async def settling() -> None:
        while True:
            kept = int.from_bytes(await reader.readexactly(4), "big")
            settle([flying.popleft() for _ in range(kept)])

    put.task = asyncio.create_task(settling())  # type: ignore[attr-defined]  # or nobody holds it
    return put


def start_engine(path: str) -> socket.socket:
    """Our end of the pipe to a new process."""
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen([sys.executable, __file__, "engine", str(theirs.fileno()), path], pass_fds=[theirs.fileno()])
    return ours


async def serve_engine(pipe: socket.socket, path: str) -> None:
    """Parse, journal, classify and score what comes through the pipe, as `sanfen serve` does; until its other end is closed."""
    from sanfen.abc import Request  # noqa: PLC0415
    from sanfen.cli.serve import _without_long_pauses as without_long_pauses  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415
    from sanfen.engine.ingest import Engine  # noqa: PLC0415
    from sanfen.store.db import Database  # noqa: PLC0415
    from sanfen.store.journal import Delivery  # noqa: PLC0415
    from sanfen_adapters.channels.generic.parse import parse  # noqa: PLC0415

    clock = SystemClock()
    engine = Engine(Database.open(Path(path)), (presets.policy("taobao-2022-01"),), RULES, clock, zone="Asia/Shanghai")
    await engine.adopt()
    without_long_pauses()
    reader, writer = await asyncio.open_connection(sock=pipe)
    kept: asyncio.Queue[list[asyncio.Future[Any]]] = asyncio.Queue()

    async def telling() -> None:
        while True:
            futures = await kept.get()
            await asyncio.gather(*futures)
            writer.write(len(futures).to_bytes(4, "big"))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(telling())
        while size := await reader.read(4):
            futures = []
            for headers, body in marshal.loads(await reader.readexactly(int.from_bytes(size, "big"))):  # noqa: S302  # ours
                now_ms = clock.now_ms()
                events = parse(Request("POST", "", "", headers, body), "in", now_ms, shop="shop", channel="desk")
                futures.append(engine.submit(Delivery(now_ms, "desk", "in", "POST", "/in/desk", body), events))
            kept.put_nowait(futures)
        os._exit(0)


async def serve_kept(port: int, upstream: int, path: str, role: str) -> None:
    """aiohttp's server, our way to the workflow, the signature checked; answered when the keeper has it."""
    from aiohttp import web  # noqa: PLC0415
    from yarl import URL  # noqa: PLC0415

    from sanfen.gateway.limits import Limits  # noqa: PLC0415
    from sanfen.gateway.relay import Route, answer_of  # noqa: PLC0415
    from sanfen.gateway.upstream import Upstream  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    url = URL(f"http://127.0.0.1:{upstream}/in")
    route = Route(url, Upstream(url, Limits()), host="upstream", timeout_ms=10_000)
    keep = await engine_keeper(path) if role == "split" else rows_keeper(path, loop)
    turn: list[Waiting] = []

    def hand_over() -> None:
        keep(turn.copy())
        turn.clear()

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        if f"v1,{b64encode(digest(SECRET, signed, sha256)).decode()}" != headers["webhook-signature"]:
            return web.Response(status=401)
        future: asyncio.Future[None] = loop.create_future()
        turn.append(((headers, body), future))
        if len(turn) == 1:
            loop.call_soon(hand_over)
        deadline = loop.time() + 10
        answer = await route.send("POST", b"/in", request.raw_headers, body, deadline)
        whole = await answer.read(65_536, deadline)
        await future
        return await answer_of(request, answer, whole, 10_000)

    await loop.create_server(web.Server(forward, access_log=None), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


def main() -> None:
    role, where, *rest = sys.argv[1:]
    if role == "upstream":
        serve_upstream(int(where))
    with contextlib.suppress(ImportError):
        __import__("uvloop").install()
    match role:
        case "bare":
            asyncio.run(serve_bare(int(where), int(rest[0])))
        case "engine":
            asyncio.run(serve_engine(socket.socket(fileno=int(where)), rest[0]))
        case _:
            asyncio.run(serve_kept(int(where), int(rest[0]), rest[1], role))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
