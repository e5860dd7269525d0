"""The proxies of ``gateway.py`` that are written in Python, and the workflow behind them all. Each in a process of its own:

python benchmarks/peers/proxies.py upstream PORT                 answers at once; no HTTP beyond Content-Length
python benchmarks/peers/proxies.py bare PORT UPSTREAM            the proxy everybody writes first: aiohttp.web + ClientSession
python benchmarks/peers/proxies.py rows PORT UPSTREAM FILE       a floor for sanfen: see ``gateway.py``
"""

import asyncio
import contextlib
import json
import os
import queue
import select
import socket
import sqlite3
import sys
import threading
from base64 import b64encode
from hashlib import sha256
from hmac import digest

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
SECRET = os.environ.get("BENCH_SECRET", "").encode()  # by which messages are signed


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


Kept = tuple[bytes, str, str, "asyncio.Future[None]"]


def keep_rows(path: str, waiting: "queue.SimpleQueue[list[Kept]]", loop: asyncio.AbstractEventLoop) -> None:
    """Two rows a message, all that wait in one commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE deliveries (seq INTEGER PRIMARY KEY, body); CREATE TABLE events (seq INTEGER PRIMARY KEY, id, text)"
    )
    while True:
        group = waiting.get()
        with contextlib.suppress(queue.Empty):
            while True:
                group += waiting.get_nowait()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO deliveries (body) VALUES (?)", [(body,) for body, _, _, _ in group])
        connection.executemany(
            "INSERT INTO events (id, text) VALUES (?, ?)", [(name, text) for _, name, text, _ in group]
        )
        connection.execute("COMMIT")
        loop.call_soon_threadsafe(settle, [future for _, _, _, future in group])


def settle(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        future.set_result(None)


async def serve_rows(port: int, upstream: int, path: str) -> None:
    from aiohttp import web  # noqa: PLC0415
    from yarl import URL  # noqa: PLC0415

    from sanfen.gateway.limits import Limits  # noqa: PLC0415
    from sanfen.gateway.relay import Route, answer_of  # noqa: PLC0415
    from sanfen.gateway.upstream import Upstream  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    url = URL(f"http://127.0.0.1:{upstream}/in")
    route = Route(url, Upstream(url, Limits()), host="upstream", timeout_ms=10_000)
    waiting: queue.SimpleQueue[list[Kept]] = queue.SimpleQueue()
    turn: list[Kept] = []
    threading.Thread(target=keep_rows, args=(path, waiting, loop), daemon=True).start()

    def hand_over() -> None:
        waiting.put(turn.copy())
        turn.clear()

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        body, headers = await request.read(), request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        if f"v1,{b64encode(digest(SECRET, signed, sha256)).decode()}" != headers["webhook-signature"]:
            return web.Response(status=401)
        facts = json.loads(body)
        future: asyncio.Future[None] = loop.create_future()
        turn.append((body, facts["id"], facts["text"], future))
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
    role, port, *rest = sys.argv[1:]
    if role == "upstream":
        serve_upstream(int(port))
    with contextlib.suppress(ImportError):
        __import__("uvloop").install()
    asyncio.run(serve_bare(int(port), int(rest[0])) if role == "bare" else serve_rows(int(port), int(rest[0]), rest[1]))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
