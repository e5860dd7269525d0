"""What comes before any decision about a request: its target, its body within limits, its form for an adapter."""

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from sanfen.abc import ChannelAdapter, Request
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import Refused

__all__ = ["Target", "adapter_request", "read_body", "reads", "target_of"]

_ODD = re.compile(r"[\x00-\x20\x7f#]")


class Target(NamedTuple):
    """A request's raw target, taken apart."""

    path: str  # percent-encoded as received
    query: str  # without the question mark, as received

    def journal_path(self) -> str:
        """The path as the journal keeps it."""
        return self.path.encode("utf-8", "backslashreplace").decode()


def target_of(request: web.BaseRequest) -> Target:
    """The raw target. Raises Refused if it is no path, or holds what cannot be passed on."""
    raw = request.raw_path
    if not raw.startswith("/") or _ODD.search(raw):
        raise Refused(400, "the request target is not a path", "send GET /path?query, percent-encoded", close=True)
    path, _, query = raw.partition("?")
    return Target(path, query)


async def read_body(request: web.BaseRequest, most_bytes: int, limits: Limits) -> bytes:
    """The body as received, no longer than ``most_bytes``, within the deadline. Raises Refused."""
    content = request.content
    if (request.content_length or 0) > most_bytes:
        raise _too_large(most_bytes)
    try:
        if content.is_eof():  # it came with the head
            body = content.read_nowait(-1)
        else:
            async with asyncio.timeout(limits.body_ms / 1000):
                body = await _collect(content, most_bytes)
    except TimeoutError:
        raise Refused(408, "the body did not arrive in time", "send it faster", close=True) from None
    except (RequestPayloadError, HttpProcessingError, aiohttp.ClientError, ValueError):
        raise Refused(400, "the body's framing is broken", close=True) from None
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


async def _collect(content: aiohttp.StreamReader, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > most_bytes:
            raise _too_large(most_bytes)
    return b"".join(parts)


def _too_large(most_bytes: int) -> Refused:
    return Refused(413, f"the body is larger than {most_bytes} bytes", "send several smaller requests", close=True)


def reads(adapter: ChannelAdapter | type[ChannelAdapter], headers: Mapping[str, str]) -> bool:
    """Whether a body of this declared type is one the adapter parses; one that declares nothing is tried."""
    kind = headers.get("content-type", "")
    if not kind or kind in adapter.content_types:
        return True
    kind = kind.partition(";")[0].strip().lower()
    return not kind or kind in adapter.content_types or kind.endswith("+json")


def adapter_request(request: web.BaseRequest, tail: str, query: str, body: bytes) -> Request:
    """The request as adapters see it. A header that came twice is joined by a comma, so it can match no signature."""
    given = request.headers  # decoded by the parser as UTF-8, odd bytes kept as surrogates
    headers = {name.lower(): value for name, value in given.items()}
    if len(headers) != len(given):
        headers = {name: ", ".join(given.getall(name)) for name in headers}
    return Request(request.method, tail, query, headers, body)
