"""Who may hold a connection, and how long a request's head may take: what aiohttp's server leaves open.

A connection beyond the limits is answered 503 and closed before a byte of it is read. A head that is not complete in time
is answered 408. Trusted proxies stand for many senders and are not counted by address, only in all.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.http import HttpVersion11

from sanfen.clock import Clock
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import problem
from sanfen.log import OneLine, Throttle
from sanfen.proxies import trust_of

__all__ = ["Door", "Runner", "server_options", "trust_of"]

_IPV6_PREFIX = 64  # one customer of a provider has at least so much

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = structlog.get_logger("sanfen.http")


@lru_cache(maxsize=4_096)
def _counted(address: str) -> str:
    """By what a sender's connections are counted together."""
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found) if found.version == 4 else str(ip_network((found, _IPV6_PREFIX), strict=False))


class Door(web.Server):
    """aiohttp's server, with limits."""

    def __init__(
        self, server: web.Server, limits: Limits, is_trusted: Callable[[str | None], bool], options: dict[str, Any]
    ) -> None:
        super().__init__(_met(server.request_handler), request_factory=server.request_factory, **options)
        self.limits = limits
        self.refused = 0
        self._is_trusted = is_trusted
        self._all = 0
        self._inside: Counter[str] = Counter()
        self._throttle = Throttle()

    def __call__(self) -> web.RequestHandler:
        """The protocol of a new connection."""
        return _Connection(self, loop=self._loop, **self._kwargs)

    def enter(self, peer: Any) -> str | None:
        """The name under which a connection is counted, or None where there is no room for it."""
        address = peer[0] if isinstance(peer, tuple) else None
        name = "" if self._is_trusted(address) else _counted(cast("str", address))
        full = self._all >= self.limits.connections
        if full or (name and self._inside[name] >= self.limits.per_address):
            self.refused += 1
            swallowed = self._throttle.take("full" if full else "address", int(self._loop.time() * 1000))
            if swallowed is not None:
                _log.warning("too many connections", limit="all" if full else "one address", more_like_it=swallowed)
            return None
        self._all += 1
        self._inside[name] += 1
        return name

    def leave(self, name: str) -> None:
        """A counted connection is over."""
        self._all -= 1
        self._inside[name] -= 1
        if not self._inside[name]:
            del self._inside[name]


class _Connection(web.RequestHandler):
    """One connection: counted, and its heads in time."""

    __slots__ = ("_door", "_head_ms", "_head_since", "_name", "_timer")

    def __init__(self, door: Door, **options: Any) -> None:
        super().__init__(door, **options)
        self._door = door
        self._name: str | None = None
        self._head_since: float | None = None  # loop time at which the head under way began
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or say 503."""
        self._name = self._door.enter(transport.get_extra_info("peername"))
        if self._name is None:
            _say(cast("asyncio.Transport", transport), b"503 Service Unavailable")
            return
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room."""
        if self._name is None:
            return
        self._door.leave(self._name)
        self._name = None
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look whether a head is complete, or has begun."""
        if self._name is None:
            return
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._head_since = None
        elif self._head_since is None and self._waiter is not None and not self._waiter.done():
            self._expect_head()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Log it as before; the answer quotes nothing of what came and does not say what serves here."""
        super().handle_error(request, status, exc, message)
        answer = problem(status, "this is not HTTP as it should be" if status < 500 else "sanfen failed to serve this")
        answer.headers["Server"] = "sanfen"
        answer.force_close()
        return answer

    def _expect_head(self) -> None:
        self._head_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._door.limits.head_ms / 1000, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._head_since is None or self.transport is None:
            return
        left = self._head_since + self._door.limits.head_ms / 1000 - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            _say(self.transport, b"408 Request Timeout")
            self.force_close()


def _met(handler: _Handler) -> _Handler:
    """The handler, for requests that expect nothing we cannot meet. The framework's own refusal quotes what came, and fails where
    that is no text.
    """

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        wanted = request.headers.get("Expect")
        if wanted is None or wanted.lower() == "100-continue" or request.version < HttpVersion11:
            return await handler(request)
        answer = problem(417, "only 100-continue can be expected", "send the request without Expect")
        answer.headers["Server"] = "sanfen"
        return answer

    return serve


def _say(transport: asyncio.Transport, status: bytes) -> None:
    """A whole answer, and the end."""
    transport.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
    transport.close()


class Runner(web.AppRunner):
    """Runs an application behind a door."""

    def __init__(
        self, app: web.Application, limits: Limits, proxies: Iterable[IPv4Network | IPv6Network], **options: Any
    ) -> None:
        super().__init__(app, **options)
        self._limits = limits
        self._trust = trust_of(proxies)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Door(made, self._limits, self._trust, made._kwargs)  # noqa: SLF001  # there is no other way to them


def server_options(clock: Clock, limits: Limits) -> dict[str, Any]:
    """How aiohttp's server is to treat strangers."""
    logger = logging.getLogger("sanfen.http")
    for old in [one for one in logger.filters if isinstance(one, OneLine)]:
        logger.removeFilter(old)
    logger.addFilter(OneLine(clock.now_ms))
    return {
        "access_log": None,
        "auto_decompress": False,  # a bomb stays small, and the bytes stay what was signed
        "keepalive_timeout": limits.idle_ms / 1000,
        "lingering_time": 2.0,
        "logger": logger,
        "max_field_size": limits.line_bytes,
        "max_headers": limits.headers,
        "max_line_size": limits.line_bytes,
    }
