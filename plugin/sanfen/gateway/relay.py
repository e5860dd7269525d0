"""Passing a request on, and its answer back, unchanged but for what HTTP says belongs to one connection only.

The body's bytes, the path after the prefix, the query, the method and the headers stay as they came, so that whoever
verifies signatures behind us still can. What is dropped, both ways: the hop-by-hop headers, and those that Connection
names. Content-Length is ours, from the bytes we hold; Transfer-Encoding never goes on, so the two can never disagree.
Headers in which proxies say who sent a request are believed, and passed on, only from trusted proxies; whoever else sends
them gets them replaced by what we saw.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sanfen.gateway.problems import Refused
from sanfen.gateway.upstream import Answer, Upstream, UpstreamError

__all__ = ["Route", "answer_of", "leave_no_mark"]

RawHeaders = Iterable[tuple[bytes, bytes]]

_HOP = frozenset(
    {
        b"connection",
        b"content-length",  # ours
        b"expect",  # answered by our own server
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_HOP_NAMES = tuple(name.decode() for name in _HOP if name != b"content-length")
_HOP_NAMES_AND_LENGTH = (*_HOP_NAMES, "content-length")
_NOTHING: frozenset[bytes] = frozenset()
_BODILESS = frozenset({204, 205, 304})
_SENDER = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})
_HOP_AND_SENDER = _HOP | _SENDER
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_UNTYPED = web.ResponseKey("untyped", bool)
_DOTS = re.compile(r"(?:^|[/\\])(?:\.|%2e){1,2}(?:$|[/\\])", re.IGNORECASE)


class Route:
    """Where one direction of one channel is passed on to."""

    def __init__(self, url: URL, upstream: Upstream, *, host: Literal["keep", "upstream"], timeout_ms: int) -> None:
        self.upstream = upstream
        self.timeout_ms = timeout_ms
        self._keeps_host = host == "keep"
        self._host = (url.host_port_subcomponent or "").encode()
        self._path = url.raw_path or "/"
        self._query = url.raw_query_string

    def target(self, tail: str | None, query: str) -> bytes:
        """The request target. ``tail``: what follows the channel's name and a slash, or None without that slash.

        Raises Refused where the tail would lead out of the configured address.
        """
        path = self._path
        if tail is not None:
            if _DOTS.search(tail):
                raise Refused(400, "the path has a dot segment", "send the path without . and ..")
            path = f"{path.rstrip('/')}/{tail}"
        query = "&".join(part for part in (self._query, query) if part)
        return (f"{path}?{query}" if query else path).encode("utf-8", "surrogateescape")

    def head(
        self, method: str, target: bytes, headers: RawHeaders, body_bytes: int, sender: str | None = None
    ) -> bytes:
        """The request line and headers to write. Raises Refused if a line would break.

        ``sender``: the address of one whose own word about it is not believed; None for a trusted proxy.
        """
        lines = [b"%b %b HTTP/1.1" % (method.encode(), target), b"Host: " + self._host]
        named = _NOTHING
        dropped = _HOP if sender is None else _HOP_AND_SENDER
        for name, value in headers:
            lower = name.lower()
            if lower == b"host":
                if self._keeps_host:
                    lines[1] = b"Host: " + value
            elif lower == b"connection":
                named |= {part.strip().lower() for part in value.split(b",")}
            elif lower not in dropped:
                lines.append(name + b": " + value)
        if named:
            lines[2:] = [line for line in lines[2:] if line.partition(b":")[0].lower() not in named]
        if sender is not None:
            lines += [b"X-Forwarded-For: " + sender.encode(), b"X-Forwarded-Proto: http"]
        if body_bytes or method in _BODY_METHODS:
            lines.append(b"Content-Length: %d" % body_bytes)
        if not self.upstream.reuses:
            lines.append(b"Connection: close")
        out = b"\r\n".join(lines) + b"\r\n\r\n"
        if out.count(b"\n") != len(lines) + 1 or out.count(b"\r") != len(lines) + 1 or b"\0" in out:
            raise Refused(400, "a header holds a line break", close=True)
        return out

    async def send(
        self,
        method: str,
        target: bytes,
        headers: RawHeaders,
        body: bytes,
        deadline: float,
        sender: str | None = None,
    ) -> Answer:
        """Pass a request on, once. ``sender``: as in ``head``. Raises UpstreamError, Refused."""
        return await self.upstream.send(method, self.head(method, target, headers, len(body), sender), body, deadline)


def _kept(headers: CIMultiDictProxy[str], *, length: bool) -> CIMultiDict[str]:
    """An answer's headers for our server's writer; each occurrence of a repeated one stays."""
    out = CIMultiDict(headers)
    for value in out.getall("Connection", ()):
        for name in value.split(","):
            out.popall(name.strip(), None)
    for name in _HOP_NAMES if length else _HOP_NAMES_AND_LENGTH:
        out.popall(name, None)
    return out


class Whole(web.StreamResponse):
    """An answer whose body is here: one write of what came, without the stages of our server's own answers."""

    def __init__(self, answer: Answer, body: bytes) -> None:
        super().__init__(status=answer.status, reason=answer.reason)
        self._answer = answer
        self._whole = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Decide whether the connection lives on, and write. Raises ConnectionResetError if the sender is gone."""
        writer = request.writer
        if not self._eof_sent:
            self._eof_sent = True
            self._keep_alive = request.keep_alive if self._keep_alive is None else self._keep_alive
            await writer.write(self._head(request.version) + self._whole)
            await writer.write_eof()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """It is all written."""

    def _head(self, version: HttpVersion) -> bytes:
        first = f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}"
        lines = [first.encode("utf-8", "surrogateescape")]  # as it came, which need not be text
        named, dated = _NOTHING, False
        for name, value in self._answer.raw_headers:
            lower = name.lower()
            if lower == b"connection":
                named |= {part.strip().lower() for part in value.split(b",")}
            elif lower not in _HOP:
                dated |= lower == b"date"
                lines.append(name + b": " + value)
        if named:
            lines[1:] = [line for line in lines[1:] if line.partition(b":")[0].lower() not in named]
        lines.append(b"Content-Length: %d" % len(self._whole))
        if not dated:
            lines.append(b"Date: " + rfc822_formatted_time().encode())
        if self._keep_alive == (version < HttpVersion11):
            lines.append(b"Connection: keep-alive" if self._keep_alive else b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n"


async def answer_of(
    request: web.BaseRequest,
    answer: Answer,
    body: bytes | None,
    wait_ms: int,
    watch: Callable[[bytes], None] | None = None,
) -> web.StreamResponse:
    """The answer for the sender. ``body``: None where it is to be streamed. Raises UpstreamError, OSError.

    ``watch`` is shown what was streamed, piece by piece.
    """
    try:
        if body is not None and request.method != "HEAD" and answer.status not in _BODILESS:
            return Whole(answer, body)
        if body is not None:
            headers = _kept(answer.headers, length=request.method == "HEAD")
            whole = web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body or None)
            _mark(whole)
            return whole
        headers = _kept(answer.headers, length=True)
        stream = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        _mark(stream)
        await stream.prepare(request)
        await _pour(request, answer, stream, wait_ms, watch)
        return stream
    finally:
        answer.release()


async def _pour(
    request: web.BaseRequest,
    answer: Answer,
    stream: web.StreamResponse,
    wait_ms: int,
    watch: Callable[[bytes], None] | None,
) -> None:
    try:
        while chunk := await answer.chunk(wait_ms):
            await stream.write(chunk)
            if watch is not None:
                watch(chunk)
    except UpstreamError:
        if request.transport is not None:
            request.transport.abort()  # a clean end would pass a cut answer off as whole
        raise ConnectionResetError from None


def _mark(response: web.StreamResponse) -> None:
    if "Content-Type" not in response.headers:
        response[_UNTYPED] = True


async def leave_no_mark(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Before an answer's head is written: take back what our server would add of its own."""
    headers = response.headers
    if headers.get("Server") == SERVER_SOFTWARE:
        del headers["Server"]
    if response.get(_UNTYPED):
        headers.popall("Content-Type", None)
