"""A real gateway between a real client and an upstream that remembers every byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from sanfen.abc import Event
from sanfen.config.settings import ChannelSettings, Listen, Secret, Settings, Shop
from sanfen.engine.ingest import Receipt
from sanfen.errors import StoreError
from sanfen.gateway.app import COUNTERS, build_traffic_app
from sanfen.gateway.door import Runner, server_options
from sanfen.gateway.limits import Limits
from sanfen.plugins import Plugins
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock

NOW_MS = 1_795_309_132_000


class Engine:
    """Remembers what it was handed, in order. ``mode``: ok, fail (the commit), raise (at once), hang."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.cause: str | None = None
        self.deliveries: list[Delivery] = []
        self.events: list[Event] = []
        self.held: list[asyncio.Future[Receipt]] = []

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> asyncio.Future[Receipt]:
        if self.mode == "raise":
            raise StoreError("the database is not open yet")
        self.deliveries.append(delivery)
        self.events += events
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        if self.mode == "ok":
            future.set_result(Receipt(len(events), 0))
        elif self.mode == "fail":
            future.set_exception(StoreError("disk full"))
        else:
            self.held.append(future)
        return future


class Got(NamedTuple):
    """One request as it stood on the wire."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n")[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        found = [line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line]
        return [(name.lower(), value.strip()) for name, _, value in found]

    def header(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found == name]


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'


class Upstream:
    """A socket that knows no HTTP beyond Content-Length. ``script`` gets the writer and the request, and answers."""

    def __init__(self) -> None:
        self.requests: list[Got] = []
        self.connections = 0
        self.port = 0
        self.answer = OK
        self.script: Callable[[asyncio.StreamWriter, Got], Awaitable[None]] | None = None
        self.arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                got = Got(head[:-4], b"")
                length = int((got.header(b"content-length") or [b"0"])[0])
                got = Got(head[:-4], await reader.readexactly(length))
                self.requests.append(got)
                self.arrived.set()
                if self.script is not None:
                    await self.script(writer, got)
                else:
                    writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Gateway:
    """The application under test, listening."""

    def __init__(self, app: web.Application, engine: Engine, port: int) -> None:
        self.engine = engine
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.counters = app[COUNTERS]

    async def raw(self, data: bytes, *, until: bytes = b"") -> bytes:
        """Send these bytes; what comes back until the server closes, or until the answer holds ``until``."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        out = b""
        async with asyncio.timeout(10):
            while chunk := await reader.read(65536):
                out += chunk
                if until and until in out:
                    break
        writer.close()
        return out


Start = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def start(upstream: Upstream) -> AsyncIterator[Start]:
    """Start a gateway: keywords of ChannelSettings for the channel ``desk``; ``limits``, ``channels``, ``clock``."""
    runners: list[web.AppRunner] = []

    async def run(
        *,
        limits: Limits | None = None,
        channels: dict[str, ChannelSettings] | None = None,
        adapters: dict[str, Any] | None = None,
        clock: FakeClock | None = None,
        secrets: Sequence[str] = (),
        listen: Listen | None = None,
        **options: Any,
    ) -> Gateway:
        facts: dict[str, Any] = {
            "forward_in": f"http://127.0.0.1:{upstream.port}/in",
            "forward_out": f"http://127.0.0.1:{upstream.port}/out",
            "signing": "required" if secrets else "none",
            "secrets": tuple(Secret(one) for one in secrets),
        }
        if channels is None:
            channels = {"desk": ChannelSettings(**({"name": "desk", "adapter": "generic"} | facts | options))}
        settings = Settings(shop=Shop("shop"), channels=channels, listen=listen or Listen())
        plugins = Plugins()
        made = adapters or {name: plugins.channel(one, "shop") for name, one in channels.items()}
        engine = Engine()
        clock, bounds = clock or FakeClock(NOW_MS), limits or Limits()
        app = build_traffic_app(settings, made, engine, clock, limits=bounds)
        door = bounds._replace(per_address=bounds.connections)  # test_door.py has one's own limit
        runner = Runner(app, door, (), shutdown_timeout=0.5, **server_options(clock, bounds))
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return Gateway(app, engine, runner.addresses[0][1])

    yield run
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
    async with session:
        yield session


@pytest.fixture
def question() -> bytes:
    """A customer's message as sanfen.event/1."""
    return b'{"id": "q1", "at": 1795309132000, "conversation": "c1", "from": "customer", "text": "\xe5\x9c\xa8\xe5\x90\x97"}'
