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
import select
import ssl
from typing import NamedTuple

import aiohttp
import structlog
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

from sanfen.gateway.limits import Limits

__all__ = ["Answer", "Upstream", "UpstreamError"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BROKEN = (aiohttp.ClientError, HttpProcessingError, aiohttp.EofStream, OSError)

_log = structlog.get_logger("sanfen.gateway")


class UpstreamError(Exception):
    """There is no answer to pass on. ``status``: 502 or 504."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Connection(NamedTuple):
    handler: ResponseHandler
    readable: select.poll

    def is_reusable(self) -> bool:
        """Whether nothing speaks against another request: not closed, nothing waiting, not even an end of file."""
        transport = self.handler.transport
        if transport is None or transport.is_closing() or self.handler.should_close:
            return False
        return transport.get_write_buffer_size() == 0 and not self.readable.poll(0)


class Answer:
    """An upstream's answer whose head is here. Finish with ``release``, whatever happened."""

    def __init__(self, upstream: "Upstream", connection: _Connection, message: aiohttp.RawResponseMessage) -> None: ...
