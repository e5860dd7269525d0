"""What passes the relay is what was sent, byte for byte, but for what belongs to one connection."""

import asyncio
import gzip
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from yarl import URL

from sanfen.config.settings import Listen
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import Refused
from sanfen.gateway.relay import Route
from sanfen.gateway.upstream import Upstream


async def test_the_body_passes_byte_for_byte(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Nothing is parsed and written again: signatures over the raw bytes stay valid."""
    gateway = await start()
    body = bytes(range(256)) * 300 + rb'{"text": "\u4f60\/"}'

    async with client.post(f"{gateway.url}/in/desk/hook", data=body) as answer:
        assert answer.status == 200
        assert await answer.read() == b'{"ok":true}'

    assert upstream.requests[0].body == body
    assert upstream.requests[0].header(b"content-length") == [str(len(body)).encode()]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/in/desk", b"POST /in HTTP/1.1"),
        ("/in/desk/", b"POST /in/ HTTP/1.1"),
        ("/in/desk?a=1&a=2", b"POST /in?a=1&a=2 HTTP/1.1"),
        ("/in/desk/a%2Fb//c%20d?q=%E4%BD%A0+%20%2B&&x", b"POST /in/a%2Fb//c%20d?q=%E4%BD%A0+%20%2B&&x HTTP/1.1"),
        ("/out/desk/bot123:ABC/sendMessage", b"POST /out/bot123:ABC/sendMessage HTTP/1.1"),
        ("/in/desk/%E4%BD%A0", b"POST /in/%E4%BD%A0 HTTP/1.1"),
        ("/in/desk/x?", b"POST /in/x HTTP/1.1"),
        ("/in/%64esk/x", b"POST /in/x HTTP/1.1"),
    ],
)
async def test_path_and_query_pass_as_written(
    start: Any, upstream: Any, client: aiohttp.ClientSession, sent: str, seen: bytes
) -> None:
    """Percent-encoding is part of what some channels sign."""
    gateway = await start()

    async with client.post(URL(gateway.url + sent, encoded=True), data=b"x") as answer:
        assert answer.status == 200

    assert upstream.requests[0].line == seen


async def test_a_query_of_the_configuration_is_kept(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start(forward_in=f"http://127.0.0.1:{upstream.port}/hook/?key=k")

    async with client.post(f"{gateway.url}/in/desk/a?b=1", data=b"x"):
        pass

    assert upstream.requests[0].line == b"POST /hook/a?key=k&b=1 HTTP/1.1"


@pytest.mark.parametrize("tail", ["../admin", "a/../../admin", "%2e%2e/admin", "a/%2E./b", ".", "a\\..\\b"])
async def test_no_path_leads_out_of_the_address(start: Any, upstream: Any, tail: str) -> None:
    """A sender reaches what stands under the configured address, and nothing beside it."""
    gateway = await start()

    answer = await gateway.raw(
        f"POST /in/desk/{tail} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".encode(), until=b"}"
    )

    assert answer.startswith(b"HTTP/1.1 400")
    assert not upstream.requests


@pytest.mark.parametrize(("host", "seen"), [("keep", b"chat.example"), ("upstream", None)])
async def test_the_host_is_kept_or_replaced(start: Any, upstream: Any, host: str, seen: bytes | None) -> None:
    """Some verifiers sign the address the sender knows; some workflows are virtual hosts."""
    gateway = await start(host=host)

    await gateway.raw(b"POST /in/desk HTTP/1.1\r\nHost: chat.example\r\nContent-Length: 1\r\n\r\nx", until=b"true}")

    assert upstream.requests[0].header(b"host") == [seen or f"127.0.0.1:{upstream.port}".encode()]


async def test_connection_headers_stop_here(start: Any, upstream: Any) -> None:
    """Hop-by-hop headers, and those Connection names, go no further; all others do, in order and repeated."""
    gateway = await start()
    head = (
        b"POST /in/desk HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\n"
        b"Proxy-Authorization: p\r\nTE: trailers\r\nUpgrade: websocket\r\nX-Two: a\r\nX-Two: b\r\nCookie: c=1\r\n"
        b"Accept-Encoding: gzip\r\nX-Latin: caf\xe9\r\nContent-Length: 1\r\n\r\nx"
    )

    await gateway.raw(head, until=b"true}")

    got = upstream.requests[0]
    gone = {b"connection", b"keep-alive", b"x-mine", b"proxy-authorization", b"te", b"upgrade"}
    assert not gone & {name for name, _ in got.headers}
    assert got.header(b"x-two") == [b"a", b"b"]
    assert got.header(b"x-latin") == [b"caf\xe9"]
    assert got.header(b"cookie") == [b"c=1"]
    assert got.header(b"accept-encoding") == [b"gzip"]


CLAIMS = (
    b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\nX-Real-IP: 192.0.2.1\r\n"
    b"Forwarded: for=192.0.2.1;proto=https\r\n"
)


@pytest.mark.parametrize("proxies", [("127.0.0.0/8",), ()])
async def test_only_a_trusted_proxy_says_who_sent_it(start: Any, upstream: Any, proxies: tuple[str, ...]) -> None:
    """From anybody else those headers are replaced by what we saw, or the workflow would believe a stranger."""
    listen = Listen(trusted_proxies=tuple(ip_network(one) for one in proxies))
    gateway = await start(listen=listen)

    await gateway.raw(b"POST /in/desk HTTP/1.1\r\nHost: h\r\n" + CLAIMS + b"Content-Length: 1\r\n\r\nx", until=b"true}")

    got = {name: value for name, value in upstream.requests[0].headers if b"forwarded" in name or name == b"x-real-ip"}
    if proxies:
        assert b"\r\n".join(name + b": " + value for name, value in got.items()) + b"\r\n" == CLAIMS.lower()
    else:
        assert got == {b"x-forwarded-for": b"127.0.0.1", b"x-forwarded-proto": b"http"}


async def test_the_answer_comes_back_as_it_is(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Status, reason, repeated headers and bytes; connection headers of the upstream stay there."""
    upstream.answer = (
        b"HTTP/1.1 418 Short And Stout\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: theirs\r\nX-Gone: 1\r\n"
        b"Connection: X-Gone\r\nKeep-Alive: timeout=9\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 3\r\n\r\nabc"
    )
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert (answer.status, answer.reason, await answer.read()) == (418, "Short And Stout", b"abc")
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert answer.headers["Server"] == "theirs"
        assert answer.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert not {"X-Gone", "Keep-Alive", "Content-Type"} & set(answer.headers)


async def test_our_server_leaves_no_mark(start: Any, client: aiohttp.ClientSession) -> None:
    """An upstream that names no server is not given ours."""
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert "Server" not in answer.headers


async def test_redirects_are_the_senders_business(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    upstream.answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n"
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=b"x", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:1/elsewhere")

    assert len(upstream.requests) == 1


async def test_cookies_are_not_shared(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """What the upstream sets for one sender is never sent with another's request."""
    upstream.answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: who=A; Path=/\r\nContent-Length: 0\r\n\r\n"
    gateway = await start()

    for _ in range(3):
        async with client.post(f"{gateway.url}/in/desk", data=b"x"):
            pass

    assert [got.header(b"cookie") for got in upstream.requests] == [[], [], []]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_pass(start: Any, upstream: Any, client: aiohttp.ClientSession, method: str) -> None:
    gateway = await start()

    async with client.request(method, f"{gateway.url}/out/desk/x") as answer:
        assert answer.status == 200

    assert upstream.requests[0].line == f"{method} /out/x HTTP/1.1".encode()


async def test_head_has_no_body_but_its_length(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n"
    gateway = await start()

    for _ in range(2):
        async with client.head(f"{gateway.url}/in/desk") as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, "12345")
    assert upstream.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body(start: Any, upstream: Any, client: aiohttp.ClientSession, status: bytes) -> None:
    upstream.answer = b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n"
    gateway = await start()

    for _ in range(2):
        async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
            assert (answer.status, answer.headers["ETag"]) == (int(status[:3]), "x")
            assert await answer.read() == b""


async def test_interim_answers_are_skipped(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    upstream.answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + upstream.answer
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert (answer.status, await answer.read()) == (200, b'{"ok":true}')


async def test_a_compressed_answer_is_not_touched(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    packed = gzip.compress(b"hello" * 100)
    length = str(len(packed)).encode()
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + length + b"\r\n\r\n" + packed
    gateway = await start()

    async with client.get(f"{gateway.url}/in/desk") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.read() == packed


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_large_answer_streams(start: Any, upstream: Any, client: aiohttp.ClientSession, framing: str) -> None:
    """Longer than any buffer of ours, whatever marks its end."""
    body = bytes(range(256)) * 20_000

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        head = {"length": b"Content-Length: %d\r\n" % len(body), "chunked": b"Transfer-Encoding: chunked\r\n"}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n" + head.get(framing, b"") + b"\r\n")
        for start_at in range(0, len(body), 100_000):
            part = body[start_at : start_at + 100_000]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part) if framing == "chunked" else part)
            await writer.drain()
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")
        if framing == "close":
            writer.close()

    upstream.script = script
    gateway = await start()

    async with client.get(f"{gateway.url}/in/desk") as answer:
        assert await answer.read() == body


async def test_events_stream_as_they_come(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """A bot that answers word by word (server-sent events) is not held back until it is done."""
    more = asyncio.Event()

    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"8\r\ndata: 1\n\r\n")
        await more.wait()
        writer.write(b"8\r\ndata: 2\n\r\n0\r\n\r\n")

    upstream.script = script
    gateway = await start()

    async with client.post(f"{gateway.url}/out/desk", data=b"x") as answer:
        first = await answer.content.readany()
        more.set()
        rest = await answer.content.read()

    assert (first, rest) == (b"data: 1\n", b"data: 2\n")


async def test_an_answer_cut_off_is_not_passed_off_as_whole(
    start: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    async def script(writer: asyncio.StreamWriter, _got: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        writer.close()

    upstream.script = script
    gateway = await start()

    with pytest.raises(aiohttp.ClientError):
        async with client.get(f"{gateway.url}/in/desk") as answer:
            await answer.read()


def test_a_line_break_cannot_be_passed_on() -> None:
    """The server refuses it already; the relay does not rely on that."""
    url = URL("http://127.0.0.1:1/in")
    route = Route(url, Upstream(url, Limits()), host="keep", timeout_ms=1)

    for bad in (b"a\r\nX: b", b"a\nb", b"a\rb", b"a\0b"):
        with pytest.raises(Refused):
            route.head("POST", b"/in", [(b"X", bad)], 1)


async def test_many_at_once_do_not_mix(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Each sender gets the answer to its own request."""

    async def script(writer: asyncio.StreamWriter, got: Any) -> None:
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(got.body) + got.body)

    upstream.script = script
    gateway = await start()

    async def one(number: int) -> bool:
        body = str(number).encode() * 50
        async with client.post(f"{gateway.url}/in/desk", data=body) as answer:
            return await answer.read() == body

    assert all(await asyncio.gather(*(one(number) for number in range(200))))
    assert len(upstream.requests) == 200


@pytest.mark.parametrize(
    "way",
    [b"200 %b\r\nContent-Length: 2", b"200 %b\r\nTransfer-Encoding: chunked", b"204 %b"],
    ids=["whole", "streamed", "bodiless"],
)
async def test_an_answers_head_need_not_be_text(start: Any, upstream: Any, way: bytes) -> None:
    """Old servers write their own script into the reason and into file names, and bytes flip: a whole answer keeps them."""
    reason = "成功".encode("gbk")
    body = b"ok" if b"Length" in way else b"2\r\nok\r\n0\r\n\r\n" if b"chunked" in way else b""
    upstream.answer = b"HTTP/1.1 " + way % reason + b"\r\nX-File: " + reason + b"\r\n\r\n" + body
    gateway = await start()
    answer = await gateway.raw(
        b"POST /in/desk HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + CLAIMS + b"Content-Length: 1\r\n\r\nx"
    )

    assert answer.startswith(b"HTTP/1.1 " + way[:3])
    assert way.startswith(b"204") or b"ok" in answer.partition(b"\r\n\r\n")[2]
    assert b"Length" not in way or answer.count(reason) == 2
