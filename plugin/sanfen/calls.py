"""Requests of our own, only to where the operator's guard lets us connect.

It looks at the address as it is written, and at the very addresses that are then connected to: a name that leads elsewhere
a moment later gains nothing.
"""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sanfen.abc import Answer, Call
from sanfen.errors import DeliveryError, DeniedError, Phrase
from sanfen.outbound import Guard

__all__ = ["Calls"]

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=2)
_NUMERIC = int(socket.AI_NUMERICHOST)


class Calls:
    """Carries calls out, each once. ``most_bytes``: how much of an answer is read."""

    def __init__(self, guard: Guard | None = None, *, most_bytes: int = 4096) -> None:
        self.guard = guard or Guard().inside()
        self._most_bytes = most_bytes
        self._client: aiohttp.ClientSession | None = None

    async def send(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises DeliveryError."""
        refusal = self.guard.refusal(call.url)  # a resolver is never asked for an address written as a number
        if refusal is not None:
            raise DeliveryError(refusal, reason="denied", retryable=False)
        connected = False
        try:
            async with self._session().request(
                call.method, call.url, headers=call.headers, data=call.body, allow_redirects=False
            ) as answer:
                connected = True
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, headers, await self._read(answer.content))
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, DeniedError):
                raise DeliveryError(str(error.os_error), reason="denied", retryable=False) from None
            raise DeliveryError(
                Phrase("cannot connect: {error}", error=error), reason="refused", retryable=True
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "answer_lost" if connected else "lost"
            raise DeliveryError(type(error).__name__, reason=reason, retryable=True, unknown=True) from None

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        parts: list[bytes] = []
        left = self._most_bytes
        while left > 0 and (chunk := await content.read(left)):
            parts.append(chunk)
            left -= len(chunk)
        return b"".join(parts)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self), use_dns_cache=False, force_close=True, limit=16
                ),
                trust_env=False,
            )
        return self._client


class _Resolver(AbstractResolver):
    """Gives out only addresses the guard allows."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=_NUMERIC)
            for found, address in await self._calls.guard.resolve(host, port)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        """Nothing is held."""
