"""The client side of the relay: one request at a time on keep-alive connections, and nothing else.

A proxy's time goes into a general HTTP client, so this one only writes a head and a body and lets aiohttp's own response
parser (llhttp) read the answer. No cookies, no redirects, no decompression, no proxies from the environment.

Reuse and POST. A request written to a connection the other side has just closed is lost, and must not be written again:
its bytes may have arrived. So a connection is used again only if it was idle for less than ``reuse_ms`` (shorter than
common servers wait), and only if the kernel holds nothing to read on it, not even the other side's good-bye. Should a
used connection still die without one byte of answer, the request fails once (502, the channel sends it again), and this
upstream is given a new connection for every request from then on. Only GET, HEAD and OPTIONS are tried a second time.
"""

import asyncio
import os
import re
import select
import socket
import ssl

import aiohttp
import structlog
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

from sanfen.errors import DeniedError
from sanfen.gateway.deadlines import Deadlines
from sanfen.gateway.limits import Limits
from sanfen.outbound import Guard

__all__ = ["Answer", "Upstream", "UpstreamError"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # our own server would refuse to write it
_BROKEN = (aiohttp.ClientError, HttpProcessingError, aiohttp.EofStream, OSError)

_log = structlog.get_logger("sanfen.gateway")


class _Broken(Exception):  # noqa: N818  # never leaves this module
    """A connection ended before an answer."""


class UpstreamError(Exception):
    """There is no answer to pass on. ``status``: 502, 503 or 504. ``sent``: whether bytes may have arrived."""

    def __init__(self, status: int, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.sent = sent


class _Connection:
    """A keep-alive connection. aiohttp's handler parses; what is asked of it here is whether it may be used again."""

    __slots__ = ("_headless", "_readable", "handler", "idle_since", "used")

    def __init__(self, handler: ResponseHandler) -> None:
        self.handler = handler
        self.idle_since = 0.0
        self.used = False  # whether an answer has come over it
        self._headless: bool | None = None  # whether its parser expects answers without a body
        self._readable = select.poll()
        if handler.transport is not None:
            self._readable.register(handler.transport.get_extra_info("socket").fileno(), select.POLLIN)

    def expect(self, method: str) -> None:
        """Be ready to parse the answer to such a request; one parser reads all answers alike."""
        headless = method == "HEAD"
        if headless or self._headless is not False:
            self._headless = headless
            self.handler.set_response_params(skip_payload=headless, read_until_eof=True, auto_decompress=False)

    def overdue(self) -> None:
        """Whoever waits for an answer waits no longer."""
        self.handler.set_exception(TimeoutError())

    def is_clean(self) -> bool:
        """Whether it is open, and the last exchange is over on both sides."""
        transport = self.handler.transport
        if transport is None or transport.is_closing() or self.handler.should_close:
            return False
        return transport.get_write_buffer_size() == 0

    def is_silent(self) -> bool:
        """Whether the kernel holds nothing to read, not even an end of file the loop has not seen yet."""
        return not self._readable.poll(0)


class Answer:
    """An upstream's answer whose head is here. Finish with ``release``, whatever happened."""

    def __init__(
        self, upstream: "Upstream", connection: _Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self.status = message.code
        self.reason = message.reason
        self.headers = message.headers
        self.raw_headers = message.raw_headers
        self.content = content
        self._upstream = upstream
        self._connection: _Connection | None = connection

    async def read(self, most_bytes: int, deadline: float) -> bytes | None:
        """The body, or None where it is longer than ``most_bytes`` and is to be streamed. Raises UpstreamError."""
        content = self.content
        if not content.is_eof():
            length = self.headers.get("Content-Length")
            if length is None or int(length) > most_bytes:
                return None  # of unknown length: events may come one by one
            try:
                async with asyncio.timeout_at(deadline):
                    return await content.read(-1)
            except TimeoutError:
                raise UpstreamError(504, "the answer did not arrive in time") from None
            except _BROKEN as error:
                raise UpstreamError(502, f"the answer broke off: {type(error).__name__}") from None
        if content.exception() is not None:
            raise UpstreamError(502, "the answer broke off")
        return content.read_nowait(-1)

    async def chunk(self, wait_ms: int) -> bytes:
        """The next bytes of a streamed body, empty at its end. Raises UpstreamError."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                return await self.content.readany()
        except TimeoutError:
            raise UpstreamError(504, "the answer stalled") from None
        except _BROKEN as error:
            raise UpstreamError(502, f"the answer broke off: {type(error).__name__}") from None

    def release(self) -> None:
        """Give the connection back, or close it if the answer was not read to its end. Safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._upstream.give_back(connection)


class Upstream:
    """One origin of the configuration, and the connections to it."""

    def __init__(self, url: URL, limits: Limits, guard: Guard | None = None) -> None:
        """``guard``: which addresses may be connected to; by default private ones and what the URL itself says."""
        self._guard = guard or Guard(private=True)
        self._host = url.raw_host or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._ssl = _tls() if url.scheme == "https" else None
        self._limits = limits
        self._idle: list[_Connection] = []  # the youngest last
        self._busy = 0
        self._deadlines = Deadlines()
        self._sweeper: asyncio.TimerHandle | None = None
        self.reuses = True

    async def send(self, method: str, head: bytes, body: bytes, deadline: float) -> Answer:
        """Write one request, once, and return its answer's head. ``deadline``: loop time. Raises UpstreamError."""
        if self._busy >= self._limits.upstream_connections:
            raise UpstreamError(503, "too many requests at a time", sent=False)
        self._busy += 1
        try:
            connection = self._take() or await self._connect(deadline)
            try:
                return await self._exchange(connection, method, head, body, deadline)
            except _Broken as broken:
                if connection.used:
                    self._stop_reusing()
                if not connection.used or method not in _SAFE:
                    raise UpstreamError(502, f"the connection broke before an answer: {broken}") from None
            return await self._exchange(await self._connect(deadline), method, head, body, deadline)
        except BaseException as error:
            self._busy -= 1
            if isinstance(error, _Broken):
                raise UpstreamError(502, f"the connection broke before an answer: {error}") from None
            raise

    async def _exchange(
        self, connection: _Connection, method: str, head: bytes, body: bytes, deadline: float
    ) -> Answer:
        handler = connection.handler
        self._deadlines.add(connection, deadline, connection.overdue)
        try:
            connection.expect(method)
            _write(handler, head + body)
            message, content = await handler.read()
            while _is_interim(message.code):
                message, content = await handler.read()
            _refuse_odd(message)
            return Answer(self, connection, message, content)
        except TimeoutError:
            handler.abort()
            raise UpstreamError(504, "no answer in time") from None
        except _BROKEN as error:
            handler.abort()
            raise _Broken(type(error).__name__) from None
        except BaseException:
            handler.abort()
            raise
        finally:
            self._deadlines.drop(connection)

    def _take(self) -> _Connection | None:
        if not self._idle:
            return None
        oldest = asyncio.get_running_loop().time() - self._limits.reuse_ms / 1000
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest and connection.is_clean() and connection.is_silent():
                return connection
            connection.handler.close()
        return None

    async def _connect(self, deadline: float) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + self._limits.connect_ms / 1000)):
                return _Connection(await self._open())
        except TimeoutError:
            raise UpstreamError(504, "no connection in time", sent=False) from None
        except DeniedError as error:
            _log.error("the workflow's address is refused", host=self._host, cause=str(error))
            raise UpstreamError(502, f"no connection: {error}", sent=False) from None
        except OSError as error:
            raise UpstreamError(502, f"no connection: {_cause(error)}", sent=False) from None

    async def _open(self) -> ResponseHandler:
        """Try the host's addresses in turn. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = self._host if self._ssl else None
        failed: OSError = OSError("no address")
        for _, address in await self._guard.resolve(self._host, self._port):
            try:
                _, handler = await loop.create_connection(
                    lambda: ResponseHandler(loop), address, self._port, ssl=self._ssl, server_hostname=name
                )
            except OSError as error:
                failed = error
            else:
                return handler
        raise failed

    def give_back(self, connection: _Connection) -> None:
        """A connection whose answer is done with: keep it for the next request, or close it."""
        self._busy -= 1
        connection.used = True
        if not self.reuses or not connection.is_clean():
            connection.handler.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._limits.reuse_ms / 1000, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._limits.reuse_ms / 1000
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.pop(0).handler.close()
        self._sweeper = loop.call_later(self._limits.reuse_ms / 1000, self._sweep) if self._idle else None

    def _stop_reusing(self) -> None:
        if self.reuses:
            self.reuses = False
            _log.warning("upstream closes connections in use: one connection a request from now on", host=self._host)
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().handler.close()


def _cause(error: OSError) -> str:
    """Why, without addresses."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return os.strerror(error.errno) if error.errno else "refused"


def _write(handler: ResponseHandler, request: bytes) -> None:
    if handler.transport is None:
        raise aiohttp.ServerDisconnectedError
    handler.transport.write(request)


def _is_interim(status: int) -> bool:
    """Whether the real answer is still to come."""
    if status == 101:
        raise aiohttp.ClientPayloadError("switching protocols was not asked for")
    return 100 <= status < 200


def _refuse_odd(message: RawResponseMessage) -> None:
    """Raises UpstreamError for a head that cannot be written again."""
    head = b" ".join(map(b":".join, message.raw_headers)) + message.reason.encode("utf-8", "replace")
    if _CONTROL.search(head):
        raise UpstreamError(502, "the answer's head holds control characters")


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
