"""The traffic port against strangers: what is no HTTP, what is two requests in one, what never ends."""

import asyncio
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sanfen.config.settings import Settings
from sanfen.gateway.app import build_traffic_app
from sanfen.gateway.limits import Limits
from sanfen.testing import FakeClock


class Never:
    """An engine nobody asks."""

    cause: str | None = None

    def submit(self, *_: object) -> Any:
        raise AssertionError


HEAD = b"POST /in/desk HTTP/1.1\r\nHost: h\r\n"


async def test_healthz_is_cheap(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()

    async with client.get(f"{gateway.url}/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/in", "/out", "/in/", "/favicon.ico", "/eventsx"])
async def test_other_paths_are_404(start: Any, client: aiohttp.ClientSession, path: str) -> None:
    gateway = await start()

    async with client.get(gateway.url + path) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: +3\r\n\r\nabc",
        HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        HEAD + b"Content-Length : 3\r\n\r\nabc",
        HEAD + b"X-A: a\rX-B: b\r\n\r\n",
        HEAD + b"X-A: a\0b\r\n\r\n",
        HEAD + b" folded: x\r\n\r\n",
        HEAD + b"Host: two\r\n\r\n",
        HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n",
        b"POST /in/desk?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /in/desk HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GE\x00T / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST http://evil/in/desk HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"POST /in/desk#frag HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_ambiguous_requests_go_nowhere(
    start: Any, upstream: Any, capfd: pytest.CaptureFixture[str], request_bytes: bytes
) -> None:
    """400 (or 404 for another's address), the connection closed, the upstream untouched, no traceback anywhere."""
    gateway = await start()

    answer = await gateway.raw(request_bytes)

    assert answer.split(b"\r\n")[0].split(b" ")[1] in (b"400", b"404", b"405")
    assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") == 1
    assert not upstream.requests
    assert "Traceback" not in capfd.readouterr().err


async def test_a_flood_of_broken_requests_is_a_line(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An unauthenticated sender must not be able to fill the disk with our log."""
    gateway = await start()

    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            await gateway.raw(b"nonsense\r\n\r\n")

    lines = [record for record in caplog.records if record.name == "sanfen.http"]
    assert len(lines) <= 1
    assert all(record.exc_info is None for record in lines)


async def test_a_chunked_request_goes_on_with_a_length(start: Any, upstream: Any) -> None:
    """One framing only, and it is ours."""
    gateway = await start()

    await gateway.raw(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n", until=b"true}"
    )

    got = upstream.requests[0]
    assert got.body == b"abcde"
    assert (got.header(b"content-length"), got.header(b"transfer-encoding")) == ([b"5"], [])


async def test_pipelined_requests_are_answered_in_order(start: Any, upstream: Any) -> None:
    gateway = await start()
    one = HEAD + b"Content-Length: 1\r\n\r\n"

    answer = await gateway.raw(one + b"a" + one + b"b" + HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\nc")

    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [got.body for got in upstream.requests] == [b"a", b"b", b"c"]


async def test_expect_continue_is_answered_here(start: Any, upstream: Any) -> None:
    gateway = await start()

    answer = await gateway.raw(HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", until=b"true}")

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert upstream.requests[0].header(b"expect") == []


async def test_an_old_client_is_served(start: Any, upstream: Any) -> None:
    """HTTP/1.0 without Host: the upstream is told its own."""
    gateway = await start()

    answer = await gateway.raw(b"POST /in/desk HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")

    assert b"200 OK" in answer
    assert upstream.requests[0].header(b"host") == [f"127.0.0.1:{upstream.port}".encode()]


@pytest.mark.parametrize("size", [262_144, 262_145, 10_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_size_limit_is_exact(start: Any, upstream: Any, size: int, chunked: bool) -> None:
    gateway = await start()
    framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size if chunked else b"Content-Length: %d\r\n\r\n" % size
    try:
        answer = await gateway.raw(HEAD + framing + b"x" * size + (b"\r\n0\r\n\r\n" if chunked else b""), until=b"}")
    except ConnectionError:
        answer = b"HTTP/1.1 413 (the connection was closed while we were still sending)"

    assert answer.startswith(b"HTTP/1.1 200" if size == 262_144 else b"HTTP/1.1 413")
    assert len(upstream.requests) == (size == 262_144)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
async def test_a_body_that_never_ends_is_408(start: Any, upstream: Any, framing: bytes) -> None:
    """aiohttp waits for ever; we do not, and the connection is closed."""
    gateway = await start(limits=Limits(body_ms=100))

    answer = await gateway.raw(HEAD + framing)

    assert answer.startswith(b"HTTP/1.1 408")
    assert not upstream.requests


async def test_an_endless_body_is_not_collected(start: Any) -> None:
    """Refused as soon as it is too large, not when it ends."""
    gateway = await start()

    answer = await gateway.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4c4b40\r\n" + b"x" * 300_000, until=b"}")

    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_connection_without_a_request_is_closed(start: Any) -> None:
    """Slow headers, or none: the idle limit holds for them too."""
    gateway = await start(limits=Limits(idle_ms=100))

    assert await gateway.raw(b"POST /in/desk HTTP/1.1\r\nHos") == b""


async def test_a_sender_that_leaves_does_no_harm(start: Any, upstream: Any, question: bytes) -> None:
    """What was taken is journaled and forwarded, whoever waits for the answer."""
    release = asyncio.Event()

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        await release.wait()
        writer.write(upstream.answer)

    upstream.script = script
    gateway = await start()
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(question) + question)
    await upstream.arrived.wait()
    writer.transport.abort()
    release.set()

    answer = await gateway.raw(HEAD + b"Content-Length: 1\r\n\r\nx", until=b"true}")

    assert answer.startswith(b"HTTP/1.1 200")
    assert [event.id for event in gateway.engine.events] == ["q1"]


async def test_too_many_at_a_time_are_told_to_come_again(start: Any, upstream: Any) -> None:
    """Memory is bounded; the health check still answers."""
    release = asyncio.Event()

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        await release.wait()
        writer.write(upstream.answer)

    upstream.script = script
    gateway = await start(limits=Limits(in_flight=1))
    one = HEAD + b"Content-Length: 1\r\n\r\nx"
    first = asyncio.create_task(gateway.raw(one, until=b"true}"))
    await upstream.arrived.wait()

    second = await gateway.raw(one)
    health = await gateway.raw(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    release.set()

    assert second.startswith(b"HTTP/1.1 503")
    assert b"\r\nRetry-After: 1\r\n" in second
    assert health.startswith(b"HTTP/1.1 200")
    assert (await first).startswith(b"HTTP/1.1 200")


def test_it_cannot_be_mounted_under_a_prefix() -> None:
    """The raw path is what it decides by, so it has one resource for everything."""
    app = build_traffic_app(Settings(), {}, Never(), FakeClock())

    (resource,) = app.router.resources()
    assert (resource.canonical, len(resource), len(list(resource)), resource.raw_match("/any")) == ("/", 1, 1, True)
    assert (str(resource.url_for()), resource.get_info()) == ("/", {"path": "/"})
    with pytest.raises(RuntimeError, match="cannot be mounted"):
        web.Application().add_subapp("/prefix", app)


@pytest.mark.parametrize("expected", [b"10\xff\xfe0-continue", b"200-ok"])
async def test_what_cannot_be_expected_is_refused(start: Any, expected: bytes) -> None:
    gateway = await start()

    answer = await gateway.raw(HEAD + b"Connection: close\r\nContent-Length: 1\r\nExpect: " + expected + b"\r\n\r\nx")

    assert answer.startswith(b"HTTP/1.1 417 ")
