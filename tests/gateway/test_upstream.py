"""The client side of the relay when the other side fails: one try, a clear status, nothing written twice."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from sanfen.gateway.limits import Limits
from sanfen.gateway.upstream import Upstream, UpstreamError


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_refused_is_502(start: Any, client: aiohttp.ClientSession, question: bytes) -> None:
    """At once, so that the channel sends it again; the question is journaled, and that it did not get through."""
    gateway = await start(forward_in=f"http://127.0.0.1:{closed_port()}/in")

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert (answer.status, answer.content_type) == (502, "application/problem+json")

    first, second = gateway.engine.deliveries
    assert (first.error, first.body) == (None, question)
    assert (second.body, second.error) == (b"", "not delivered: no connection: Connection refused")
    assert [event.id for event in gateway.engine.events] == ["q1"]
    assert (gateway.counters.undelivered, gateway.counters.forwarded) == (1, 0)


async def test_details_stay_on_this_machine(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start(forward_in=f"http://127.0.0.1:{closed_port()}/in")

    async with client.post(f"{gateway.url}/in/desk", data=b"x", headers={"X-Forwarded-For": "203.0.113.9"}) as answer:
        problem = await answer.json(content_type=None)

    assert set(problem) == {"title", "status"}


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 O\x01K", b"HTTP/1.1 200 OK\r\nX-A: b\x7fc", b"HTTP/1.1 200 OK\r\nX-A\x02: b"]
)
async def test_an_answer_that_cannot_be_written_is_502(
    head: bytes, start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    """Control characters in its head: not passed on, and the sender is not left without an answer."""
    upstream.answer = head + b"\r\nContent-Length: 2\r\n\r\nok"
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert answer.status == 502
    assert gateway.counters.undelivered == 1


async def test_silence_is_504_after_one_post(
    start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    async def script(_writer: asyncio.StreamWriter, _got: Any) -> None:
        """Say nothing."""

    upstream.script = script
    gateway = await start(timeout_ms=120)

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert answer.status == 504

    assert len(upstream.requests) == 1
    assert gateway.engine.deliveries[1].error == "not delivered: no answer in time"


async def test_a_body_that_trickles_is_504(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    upstream.script = script
    gateway = await start(timeout_ms=120)

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert answer.status == 504


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ],
)
async def test_a_broken_answer_is_502_after_one_post(
    start: Any, upstream: Any, client: aiohttp.ClientSession, broken: bytes
) -> None:
    """Reset, cut off, or no HTTP at all: the bytes may have arrived, so they are not sent again."""

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(broken)
        await writer.drain()
        writer.close()

    upstream.script = script
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert answer.status == 502

    assert len(upstream.requests) == 1


async def test_connections_are_used_again(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()

    for _ in range(5):
        async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
            assert answer.status == 200

    assert upstream.connections == 1


@pytest.mark.parametrize("says", [b"Connection: close\r\n", b""])
async def test_a_server_that_closes_after_each_answer_fails_nobody(
    start: Any, upstream: Any, client: aiohttp.ClientSession, says: bytes
) -> None:
    """Whether it says so or just hangs up: the end of file is seen before the next request is written."""

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + says + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    upstream.script = script
    gateway = await start()

    for _ in range(20):
        async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
            assert answer.status == 200

    assert len(upstream.requests) == 20


async def test_a_server_that_dies_on_the_second_request_costs_one_answer(
    start: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    """Never a second POST by us; from then on each request has a connection of its own."""
    seen: dict[asyncio.StreamWriter, int] = {}

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        seen[writer] = seen.get(writer, 0) + 1
        if seen[writer] == 2:
            writer.transport.abort()
            return
        writer.write(upstream.answer)

    upstream.script = script
    gateway = await start()

    statuses = []
    for number in range(6):
        async with client.post(f"{gateway.url}/in/desk", data=str(number).encode()) as answer:
            statuses.append(answer.status)

    assert statuses == [200, 502, 200, 200, 200, 200]
    assert [got.body for got in upstream.requests] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert upstream.requests[-1].header(b"connection") == [b"close"]


async def test_a_read_is_tried_again_on_a_connection_that_died(
    start: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    """GET changes nothing, so it may be written twice."""
    seen: dict[asyncio.StreamWriter, int] = {}

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        seen[writer] = seen.get(writer, 0) + 1
        if seen[writer] == 2:
            writer.transport.abort()
            return
        writer.write(upstream.answer)

    upstream.script = script
    gateway = await start()

    for _ in range(3):
        async with client.get(f"{gateway.url}/out/desk") as answer:
            assert answer.status == 200


async def test_an_idle_connection_is_given_up(upstream: Any) -> None:
    """Younger than the shortest common keep-alive: an old one is closed, not tried."""
    one = Upstream(URL(f"http://127.0.0.1:{upstream.port}"), Limits())
    loop = asyncio.get_running_loop()
    for _ in range(2):
        answer = await one.send("GET", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"", loop.time() + 5)
        assert await answer.read(1000, loop.time() + 5) == b'{"ok":true}'
        answer.release()
        answer.release()
        one._idle[0].idle_since -= 1.1

    assert upstream.connections == 2
    one.close()


async def test_an_answer_nobody_asked_for_is_not_the_next_one(upstream: Any) -> None:
    """A server that says 408 on an idle connection must not answer the next request with it."""
    one = Upstream(URL(f"http://127.0.0.1:{upstream.port}"), Limits())
    loop = asyncio.get_running_loop()

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(upstream.answer + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    upstream.script = script
    for _ in range(3):
        answer = await one.send(
            "POST", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"", loop.time() + 5
        )
        assert answer.status == 200
        await answer.read(1000, loop.time() + 5)
        answer.release()

    assert upstream.connections == 3
    one.close()


async def test_too_many_at_a_time_are_told_so(upstream: Any) -> None:
    """One slow workflow must not hold every connection the process may have."""

    async def script(_writer: asyncio.StreamWriter, _got: Any) -> None:
        """Say nothing."""

    upstream.script = script
    one = Upstream(URL(f"http://127.0.0.1:{upstream.port}"), Limits(upstream_connections=1))
    loop = asyncio.get_running_loop()
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    slow = asyncio.create_task(one.send("POST", head, b"", loop.time() + 0.2))
    await upstream.arrived.wait()

    with pytest.raises(UpstreamError, match="too many") as caught:
        await one.send("POST", head, b"", loop.time() + 5)
    assert caught.value.status == 503
    with pytest.raises(UpstreamError, match="no answer in time"):
        await slow


async def test_a_connection_that_never_comes_is_504() -> None:
    """A full backlog answers nothing."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        others = [socket.socket() for _ in range(3)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        one = Upstream(URL(f"http://127.0.0.1:{port}"), Limits(connect_ms=150))

        with pytest.raises(UpstreamError) as caught:
            await one.send("GET", b"GET / HTTP/1.1\r\n\r\n", b"", asyncio.get_running_loop().time() + 5)
        for other in others:
            other.close()

    assert caught.value.status == 504


async def test_no_tls_where_tls_was_configured_is_502(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Never a fall back to plain text."""
    gateway = await start(forward_in=f"https://127.0.0.1:{upstream.port}/in", timeout_ms=300)

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert answer.status in (502, 504)

    assert not upstream.requests


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """A server that speaks TLS with a certificate for 127.0.0.1, and that certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    runner = web.AppRunner(web.Application(), shutdown_timeout=0.5)
    runner.app.router.add_route("*", "/{tail:.*}", serve)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield runner.addresses[0][1], certificate
    await runner.cleanup()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_verified(
    start: Any,
    client: aiohttp.ClientSession,
    tls: tuple[int, Path],
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,
) -> None:
    """A certificate nobody vouches for is no upstream; a good connection is used again."""
    port, certificate = tls
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    gateway = await start(forward_in=f"https://127.0.0.1:{port}/in")

    for body in (b"one", b"two"):
        async with client.post(f"{gateway.url}/in/desk", data=body) as answer:
            assert answer.status == (200 if trusted else 502)
            if trusted:
                assert await answer.read() == body

    if not trusted:
        assert gateway.engine.deliveries[1].error == "not delivered: no connection: TLS: CERTIFICATE_VERIFY_FAILED"
