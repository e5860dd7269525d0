"""Connections are bounded, in all and for each sender, and so is the time a head may take."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from sanfen.gateway.door import Door, Runner, _counted, server_options
from sanfen.gateway.limits import Limits
from sanfen.testing import FakeClock

NOBODY: tuple[Any, ...] = ()
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
OK = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Listening:
    def __init__(self, runner: Runner) -> None:
        self.port = runner.addresses[0][1]
        assert isinstance(runner.server, Door)
        self.door = runner.server
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.writers.append(writer)
        return reader, writer

    async def raw(self, *parts: bytes, source: str = "127.0.0.1") -> bytes:
        reader, writer = await self.connect(source)
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()


Listen = Callable[..., Awaitable[Listening]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    runners, made = [], []

    async def start(proxies: Any = NOBODY, **limits: int) -> Listening:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=await request.read())

        app = web.Application()
        app.router.add_route("*", "/", answer)
        bounds = Limits(**limits)
        runner = Runner(app, bounds, proxies, shutdown_timeout=0.5, **server_options(FakeClock(), bounds))
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.append(Listening(runner))
        return made[-1]

    yield start
    for writer in [writer for one in made for writer in one.writers]:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    for runner in runners:
        await runner.cleanup()


async def until(seen: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if seen():
            return
        await asyncio.sleep(0.005)  # until the server has seen it; bounded
    raise AssertionError


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(OK)
    async with asyncio.timeout(10):
        return await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""


def test_the_limits_that_are_shipped() -> None:
    """What SECURITY.md and the checklist promise; whoever loosens one changes it here too."""
    limits = Limits()

    assert (limits.body_bytes, limits.body_ms, limits.head_ms) == (262_144, 10_000, 10_000)
    assert (limits.line_bytes, limits.headers) == (8_190, 100)
    assert (limits.connections, limits.per_address) == (1_024, 64)
    assert (limits.connect_ms, limits.idle_ms, limits.in_flight) == (2_000, 75_000, 1_024)


async def test_one_address_has_so_many_and_no_more(listen: Listen) -> None:
    """The next is told to come again; another address is served; when one leaves, there is room."""
    server = await listen(per_address=3)
    held = [await server.connect() for _ in range(3)]
    for one in held:
        assert b"200 OK" in await answered(*one)

    assert (await server.raw(OK)).startswith(b"HTTP/1.1 503 ")
    assert b"200 OK" in await answered(*await server.connect("127.0.0.2"))
    assert server.door.refused == 1
    held[0][1].close()
    await held[0][1].wait_closed()
    await until(lambda: server.door._inside["127.0.0.1"] == 2)
    assert b"200 OK" in await answered(*await server.connect())


async def test_all_together_have_so_many_and_no_more(listen: Listen) -> None:
    server = await listen(LOOPBACK, connections=3)
    for _ in range(3):
        assert b"200 OK" in await answered(*await server.connect())

    assert (await server.raw(OK, source="127.0.0.9")).startswith(b"HTTP/1.1 503 ")


async def test_a_trusted_proxy_stands_for_many(listen: Listen) -> None:
    server = await listen(LOOPBACK, per_address=1)

    for _ in range(5):
        assert b"200 OK" in await answered(*await server.connect())


async def test_every_connection_is_counted_out_again(listen: Listen) -> None:
    """Whatever its end: polite, reset, broken, refused."""
    server = await listen(per_address=2)
    for data in (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"\x00\x00\r\n\r\n"):
        await server.raw(data)
    _, writer = await server.connect()
    writer.transport.abort()
    await until(lambda: server.door._all == 0)

    assert not server.door._inside


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHos"])
async def test_a_head_that_does_not_come_is_408(listen: Listen, start: bytes) -> None:
    server = await listen(head_ms=100)

    assert (await server.raw(start)).startswith(b"HTTP/1.1 408 ")


async def test_a_head_by_drops_is_408(listen: Listen) -> None:
    """Each byte keeps an idle timer happy, and this one not."""
    server = await listen(head_ms=150)
    reader, writer = await server.connect()
    answer = asyncio.create_task(reader.read())
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(1_000):
        writer.write(b"a")
        if (await asyncio.wait((answer,), timeout=0.01))[0]:
            break

    try:
        said = await answer
    except ConnectionError:
        said = b"HTTP/1.1 408 (the connection was closed while we were still sending)"
    assert said.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("broken", [b"\x16\x03\x01CANARY\r\n\r\n", b"GET / HTTP/1.1\r\nX-CANARY\0: a\r\n\r\n"])
async def test_what_is_no_http_is_not_quoted(listen: Listen, broken: bytes) -> None:
    """One answer, nothing of what came in it, and nothing about what serves here."""
    answer = await (await listen()).raw(broken)

    assert answer.split(b" ")[1] == b"400"
    assert b"application/problem+json" in answer
    assert not [word for word in (b"CANARY", b"aiohttp", b"Python") if word in answer]


async def test_a_later_head_has_the_same_time(listen: Listen) -> None:
    """A connection that was served once is not trusted with its second head; without one it may stay idle."""
    server = await listen(head_ms=100)
    reader, writer = await server.connect()
    assert b"200 OK" in await answered(reader, writer)
    idle = asyncio.create_task(reader.read(1))
    assert not (await asyncio.wait((idle,), timeout=0.3))[0]
    writer.write(b"GET / HT")

    assert await idle == b"H"
    assert (await reader.read()).startswith(b"TTP/1.1 408 ")


async def test_a_body_is_not_a_head(listen: Listen) -> None:
    """Its time is the body's own."""
    server = await listen(head_ms=100)
    reader, writer = await server.connect()
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
    first = asyncio.create_task(reader.read(1))
    assert not (await asyncio.wait((first,), timeout=0.3))[0]
    writer.write(b"b")

    async with asyncio.timeout(10):
        assert await first + await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
    writer.close()


def test_a_customer_of_a_provider_is_one_sender() -> None:
    """Of IPv6 everybody has more addresses than we have memory."""
    assert _counted("2001:db8:1:2:3::1") == _counted("2001:db8:1:2:4::2") != _counted("2001:db8:1:3::1")
    assert _counted("::ffff:192.0.2.1") == "192.0.2.1"


async def test_what_cannot_be_expected_is_refused_whatever_is_served(listen: Listen) -> None:
    """Also where it is no text, and nothing of it comes back."""
    server = await listen()

    for expected in (b"10\xff\xfe0-continue", b"200-ok"):
        answer = await server.raw(OK[:-2] + b"Connection: close\r\nExpect: " + expected + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"aiohttp" not in answer
        assert expected not in answer
