# ruff: noqa: PLC0415  # each role loads what it measures
"""The relay against the proxy everybody writes first, in one run on one machine.

    python benchmarks/gateway.py [--seconds 3] [--repeats 3] [--connections 32] [--uvloop] [--out FILE]

Three processes beside this one: an upstream that answers at once, the proxy under test, and a closed-loop load of
500-byte JSON questions (each with an id of its own) over keep-alive connections. Measured, interleaved, medians:

    bare      aiohttp.web + ClientSession: reads, forwards, answers; nothing else
    relay     sanfen's gateway with an engine that keeps nothing: verified, parsed, forwarded
    durable   the same with the real engine: answered after the commit (synchronous=FULL)

On few cores the load itself can be the limit of the rate; the processor time a request costs the proxy is not.

``verify`` costs nothing here (``signing: none``), because bare does not verify either; add ``--signed`` to see it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any, NamedTuple, cast

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
HEAD = b"POST /in/desk HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 500\r\n"
BODY = b'{"id": "%b", "at": %d, "conversation": "c%d-%d", "from": "customer", "text": "' + "在".encode() * 60 + b'"}'
SECRET = "a secret of the benchmark"  # noqa: S105  # protects nothing
VARIANTS = ("bare", "relay", "durable")


class Instant(asyncio.Protocol):
    """The upstream: no HTTP beyond Content-Length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            at = self.buffer.lower().find(b"content-length:", 0, end + 2)
            length = int(self.buffer[at + 15 : self.buffer.index(b"\r\n", at)]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(ANSWER)


class Sender(asyncio.Protocol):
    """One connection of the load: the next question goes out when the answer is there."""

    def __init__(self, name: int, until: float, signed: bool, done: "asyncio.Future[None]") -> None:
        self.name, self.until, self.signed, self.done = name, until, signed, done
        self.number, self.buffer, self.sent_at = 0, b"", 0.0
        self.took: list[float] = []
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.number += 1
        now = time.time()  # noqa: TID251  # the load is outside
        name = f"q{os.getpid()}-{self.name}-{self.number}"
        body = b"%b" % (BODY % (name.encode(), int(now * 1000), self.name, self.number % 500)).ljust(500)
        head = HEAD
        if self.signed:
            stamp = str(int(now))
            mac = b64encode(digest(SECRET.encode(), f"{name}.{stamp}.".encode() + body, sha256)).decode()
            head += f"webhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\nwebhook-signature: v1,{mac}\r\n".encode()
        self.sent_at = time.perf_counter()
        self.transport.write(head + b"\r\n" + body)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"}"):
            return
        now = time.perf_counter()
        self.took.append(now - self.sent_at)
        self.failed += not self.buffer.startswith(b"HTTP/1.1 200")
        self.buffer = b""
        if now < self.until:
            self.ask()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.failed += 1
            self.done.set_result(None)


async def load(port: int, connections: int, seconds: float, signed: bool) -> dict[str, Any]:
    """Closed loop for so many seconds."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    futures = [loop.create_future() for _ in range(connections)]
    senders = [Sender(number, started + seconds, signed, future) for number, future in enumerate(futures)]
    for sender in senders:
        await loop.create_connection(lambda one=sender: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.wait(futures, timeout=seconds + 10)
    spent = time.perf_counter() - started
    took = sorted(one for sender in senders for one in sender.took)
    return {
        "answered": len(took),
        "per_s": len(took) / spent,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[len(took) * 99 // 100] * 1000,
        "failed": sum(sender.failed for sender in senders),
    }


async def serve_upstream(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    await server.serve_forever()


async def serve_proxy(variant: str, port: int, upstream: int, signed: bool, folder: str) -> None:
    from aiohttp import web

    app = bare(upstream) if variant == "bare" else ours(variant, upstream, signed, folder)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def bare(upstream: int) -> Any:
    import aiohttp
    from aiohttp import web

    app = web.Application()
    hop = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
    holder: list[aiohttp.ClientSession] = []

    async def forward(request: web.Request) -> web.Response:
        if not holder:
            holder.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in hop}
        url = f"http://127.0.0.1:{upstream}{request.path_qs}"
        async with holder[0].request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in hop}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app.router.add_route("*", "/{tail:.*}", forward)
    return app


def ours(variant: str, upstream: int, signed: bool, folder: str) -> Any:
    from sanfen.clock import SystemClock
    from sanfen.config import presets
    from sanfen.config.settings import ChannelSettings, Secret, Settings
    from sanfen.engine.ingest import Engine, Receipt
    from sanfen.gateway.app import build_traffic_app
    from sanfen.log import configure
    from sanfen.plugins import Plugins
    from sanfen.store.db import Database

    class Nothing:
        def submit(self, _delivery: object, events: Any) -> "asyncio.Future[Receipt]":
            future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            future.set_result(Receipt(len(events), 0))
            return future

    configure("warning")
    clock = SystemClock()
    engine: Any = Nothing()
    if variant == "durable":
        policy = presets.policy("taobao-2022-01")
        engine = Engine(Database.open(Path(folder) / "bench.db"), (policy,), (), clock)
    channel = ChannelSettings(
        "desk",
        "generic",
        forward_in=f"http://127.0.0.1:{upstream}/in",
        signing="required" if signed else "none",
        secrets=(Secret(SECRET),),
    )
    settings = Settings(channels={"desk": channel})
    return build_traffic_app(settings, {"desk": Plugins().channel(channel, "shop")}, engine, clock)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Child(NamedTuple):
    """A process of this run."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """Processor time used so far, by all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def process(*arguments: object) -> Iterator["Child"]:
    """This file again, in another role, listening on a port."""
    port = free_port()
    command = [sys.executable, __file__, *map(str, arguments[:2]), str(port), *map(str, arguments[2:])]
    child = subprocess.Popen(command)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.05)
        yield Child(child.pid, port)
    finally:
        child.kill()
        child.wait()


def measure(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.variants}
    speed = "uvloop" if options.uvloop else "asyncio"
    signed = "signed" if options.signed else "plain"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        upstream = stack.enter_context(process("--role=upstream", speed)).port
        children = {
            name: stack.enter_context(process(f"--role={name}", speed, upstream, signed, folder))
            for name in options.variants
        }
        for child in children.values():
            asyncio.run(load(child.port, options.connections, 0.5, options.signed))  # warm
        for _ in range(options.repeats):
            for name, child in children.items():
                before = child.cpu_s()
                run = asyncio.run(load(child.port, options.connections, options.seconds, options.signed))
                run["cpu_us"] = (child.cpu_s() - before) * 1e6 / run.pop("answered")
                runs[name].append(run)
    return runs


def report(runs: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> dict[str, Any]:
    """Medians, and ratios to the first variant within the run."""
    print(
        f"{platform.machine()} {os.cpu_count()} cpus, Python {platform.python_version()}, {options.connections} connections"
    )
    out: dict[str, Any] = {}
    for name, several in runs.items():
        one = {fact: statistics.median(run[fact] for run in several) for fact in several[0]}
        spread = (max(run["per_s"] for run in several) - min(run["per_s"] for run in several)) / one["per_s"]
        base = out[options.variants[0]]["per_s"] if out else one["per_s"]
        out[name] = one | {"ratio": one["per_s"] / base, "spread": spread}
        print(
            f"{name:8} {one['per_s']:8.0f}/s ±{spread / 2:4.0%}  ×{out[name]['ratio']:.2f}"
            f"  p50 {one['p50_ms']:.2f} ms  p99 {one['p99_ms']:.2f} ms"
            f"  cpu {one['cpu_us']:.0f} µs a request  failed {one['failed']:.0f}"
        )
    return out


def main() -> None:
    role = next((one.removeprefix("--role=") for one in sys.argv if one.startswith("--role=")), "")
    if role:
        if sys.argv[2] == "uvloop" or role == "upstream":
            with contextlib.suppress(ImportError):
                __import__("uvloop").install()
        port = int(sys.argv[3])
        if role == "upstream":
            asyncio.run(serve_upstream(port))
        else:
            asyncio.run(serve_proxy(role, port, int(sys.argv[4]), sys.argv[5] == "signed", sys.argv[6]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--uvloop", action="store_true", help="for the proxies; needs the package")
    parser.add_argument("--signed", action="store_true", help="Standard Webhooks; bare does not look")
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    with contextlib.suppress(ImportError):
        __import__("uvloop").install()  # the load must not be what is measured
    figures = report(measure(options), options)
    if options.out:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
        options.out.write_text(
            json.dumps({"machine": machine, "options": vars(options) | {"out": ""}, "figures": figures})
        )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
