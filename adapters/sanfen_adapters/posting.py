"""Notices over HTTP: one client for all who post them, and an honest word on what became of each.

Where it may connect to says the operator's guard: for the address as it is written, and for every one its name leads to.

The question is always whether the bytes may have arrived. Before the request has left, a failure is a refusal and may be
repeated; after that, only an answer can say so.
"""

import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sanfen.abc import DeliveryError, DeniedError, Guard, Phrase

__all__ = ["Answer", "Client", "by_status", "fit", "host_of", "short"]

_CONNECT_S = 2
_NUMERIC = int(socket.AI_NUMERICHOST)
_ANSWER_BYTES = 65_536
_LONGEST_PAUSE_S = 3600
_LATER = (408, 425, 429)
_GATEWAYS = (502, 504)  # a proxy lost the answer of whoever stands behind it


class Answer(NamedTuple):
    """What came back."""

    status: int
    said: str  # the body, or its beginning
    retry_after_ms: int | None


class Client:
    """Connections of one notifier: no cookies, no redirects, no proxies from the environment, TLS verified."""

    def __init__(self, patience_s: float) -> None:
        """``patience_s``: how long an answer may take, connecting included."""
        self._patience = aiohttp.ClientTimeout(total=patience_s, sock_connect=min(_CONNECT_S, patience_s))
        self._session: aiohttp.ClientSession | None = None
        _tls()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None, *, guard: Guard) -> Answer:
        """POST JSON. Raises DeliveryError where no answer came; an answer of any status is returned."""
        refusal = guard.refusal(url)  # a resolver is never asked for an address written as a number
        if refusal:
            raise DeliveryError(refusal, reason="denied" if _is_address(url) else "bad_address", retryable=False)
        way = SimpleNamespace(left=False)
        all_headers = {"content-type": "application/json", "user-agent": "sanfen", **(headers or {})}
        said = b""
        try:
            async with self._open(guard).post(
                url, data=body, headers=all_headers, allow_redirects=False, trace_request_ctx=way
            ) as answer:
                async for chunk in answer.content.iter_chunked(_ANSWER_BYTES):
                    said += chunk
                    if len(said) >= _ANSWER_BYTES:
                        break
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _lost(error, left=way.left) from None
        except ValueError:  # of an address that is none; its text would quote it
            raise DeliveryError("the address cannot be used", reason="bad_address", retryable=False) from None
        return Answer(answer.status, said.decode("utf-8", "replace"), _pause_ms(answer.headers.get("retry-after")))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self, guard: Guard) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_mark_left)
            self._session = aiohttp.ClientSession(
                timeout=self._patience,
                cookie_jar=aiohttp.DummyCookieJar(),
                # A stale connection would cost an attempt.
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(guard), use_dns_cache=False, force_close=True, limit=32, ssl=_tls()
                ),
                trust_env=False,
                trace_configs=[trace],
            )
        return self._session


class _Resolver(AbstractResolver):
    """Gives out only addresses the guard allows."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=_NUMERIC)
            for found, address in await self._guard.resolve(host, port)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        """Nothing is held."""


@cache
def _tls() -> ssl.SSLContext:
    """Reading the machine's certificates takes twenty milliseconds: once, before there is traffic that would wait."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _mark_left(_: object, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.left = True


def _lost(error: Exception, *, left: bool) -> DeliveryError:
    if isinstance(error, aiohttp.InvalidURL):  # its text would quote the address
        return DeliveryError("the address cannot be used", reason="bad_address", retryable=False)
    if left:
        late = isinstance(error, TimeoutError)
        word = "no answer in time" if late else Phrase("connection lost: {name}", name=type(error).__name__)
        return DeliveryError(word, reason="timeout" if late else "lost", retryable=True, unknown=True)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, DeniedError):
        return DeliveryError(str(error.os_error), reason="denied", retryable=False)
    reason = "tls" if isinstance(error, aiohttp.ClientSSLError) else "unreachable"
    return DeliveryError(Phrase("cannot connect: {error}", error=_why(error)), reason=reason, retryable=True)


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(getattr(error.certificate_error, "verify_message", "the certificate is not trusted"))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no such host"
    number = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
    return os.strerror(number) if number and not isinstance(error, aiohttp.ClientSSLError) else type(error).__name__


def by_status(answer: Answer) -> str:
    """What was said, where the status is a 2xx. Raises DeliveryError for every other."""
    words = f"{answer.status} {short(answer.said)}".strip()
    if 200 <= answer.status < 300:
        return words
    if answer.status in _GATEWAYS:
        raise DeliveryError(words, reason=f"http_{answer.status}", retryable=True, unknown=True)
    later = answer.status in _LATER or answer.status >= 500
    pause_ms = answer.retry_after_ms if later else None
    raise DeliveryError(words, reason=f"http_{answer.status}", retryable=later, retry_after_ms=pause_ms)


def _pause_ms(header: str | None) -> int | None:
    """Milliseconds of a Retry-After, in seconds or as a date; an hour at most, None where it says nothing."""
    if not header:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header, re.ASCII):
        seconds = float(header)
    else:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()  # noqa: TID251  # the sender's own clock
        except (ValueError, OverflowError, OSError):
            return None
    return int(max(0, min(seconds, _LONGEST_PAUSE_S)) * 1000)


def _is_address(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of a web address; nothing where it is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """A web address as far as its port: what follows may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def short(text: str) -> str:
    """One line of at most 160 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:159] + "…"


def fit(text: str, limit_bytes: int) -> str:
    """The text, cut so that its UTF-8 is not longer than this."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return text
    return raw[: max(0, limit_bytes - len("…".encode()))].decode("utf-8", "ignore") + "…"
