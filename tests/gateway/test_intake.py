"""How a request looks to an adapter, and in the journal."""

from typing import Any

import aiohttp
import pytest

from sanfen.abc import ChannelAdapter, Request
from sanfen.config.settings import ChannelSettings


class Spy:
    """An adapter that keeps what it was shown."""

    channel = "desk"
    content_types = ChannelAdapter.content_types

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def verify(self, request: Request, *_: object) -> None:
        self.seen.append(request)

    def parse(self, *_: object) -> list[Any]:
        return []


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
async def gateway(start: Any, upstream: Any, spy: Spy) -> Any:
    channel = ChannelSettings("desk", "spy", forward_in=f"http://127.0.0.1:{upstream.port}/in")
    return await start(channels={"desk": channel}, adapters={"desk": spy})


async def test_an_adapter_sees_the_request_as_it_came(gateway: Any, spy: Spy) -> None:
    """Path and query undecoded, header names in lower case, values as sent."""
    await gateway.raw(
        b"PUT /in/desk/a%2Fb?q=%20 HTTP/1.1\r\nHost: h\r\nX-Mixed: V\r\nX-Bytes: \xff\r\nContent-Length: 1\r\n\r\nx",
        until=b"true}",
    )

    (seen,) = spy.seen
    assert (seen.method, seen.path, seen.query, seen.body) == ("PUT", "a%2Fb", "q=%20", b"x")
    assert seen.headers["x-mixed"] == "V"
    assert seen.headers["x-bytes"].encode("utf-8", "surrogateescape") == b"\xff"


async def test_a_header_sent_twice_is_ambiguous(gateway: Any, spy: Spy) -> None:
    """Joined, so that neither of two ids or signatures can pass for the one that was signed."""
    await gateway.raw(
        b"POST /in/desk HTTP/1.1\r\nHost: h\r\nWebhook-Id: a\r\nwebhook-id: b\r\nContent-Length: 1\r\n\r\nx",
        until=b"true}",
    )

    assert spy.seen[0].headers["webhook-id"] == "a, b"


async def test_tokens_in_a_query_are_not_journaled(gateway: Any, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{gateway.url}/in/desk/x?access_token=SECRET", data=b"x"):
        pass

    assert gateway.engine.deliveries[0].path == "/in/desk/x"


async def test_odd_bytes_in_a_path_can_be_stored(gateway: Any) -> None:
    """What is no UTF-8 is escaped, so that the journal can hold it."""
    answer = await gateway.raw(b"POST /in/desk/\xff HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", until=b"}")

    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 400", b"HTTP/1.1 400"))
    for delivery in gateway.engine.deliveries:
        delivery.path.encode()
