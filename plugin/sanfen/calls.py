"""Requests of our own to a channel's API, only where the operator's guard lets us connect to."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sanfen.abc import Answer, Call
from sanfen.errors import DeliveryError, DeniedError
from sanfen.outbound import Guard

__all__ = ["Calls"]

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=2)


class Calls:
    """Carries calls out, each once. ``most_bytes``: how much of an answer is read."""

    def __init__(self, guard: Guard | None = None, *, most_bytes: int = 4096) -> None:
        self.guard = guard or Guard().inside()
        self._most_bytes = most_bytes
        self._client: aiohttp.ClientSession | None = None

    async def send(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises DeliveryError."""
        refusal = self.guard.refusal(call.url)
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
            cause = getattr(error, "os_error", None)
            if isinstance(cause, DeniedError):
                raise DeliveryError(str(cause), reason="denied", retryable=False) from None
            raise DeliveryError(f"cannot connect: {error}", reason="refused", retryable=True) from None
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
                connector=aiohttp.TCPConnector(force_close=True, limit=16, resolver=_Resolver(self)),
                trust_env=False,
            )
        return self._client


class _Resolver(AbstractResolver):
    """Names lead only where the guard of this moment allows; asked for every connection."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host. Raises DeniedError, OSError."""
        found = await self._calls.guard.resolve(host, port)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in (kind, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """There is nothing to close."""
