"""What a step does at the channel itself: give the conversation to an agent, leave its holder a private note."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from sanfen.abc import Action, Call, ChannelAdapter, DeliveryError
from sanfen.errors import DeniedError
from sanfen.outbound import Guard

__all__ = ["Acting"]

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=2)
_ANSWER_BYTES = 4096


class Acting:
    """Carries actions to the channels' own APIs."""

    def __init__(self, adapters: Mapping[str, ChannelAdapter], guard: Guard | None = None) -> None:
        self.adopt(adapters, guard or Guard().inside())
        self._client: aiohttp.ClientSession | None = None

    def adopt(self, adapters: Mapping[str, ChannelAdapter], guard: Guard) -> None:
        """Go over to other channels."""
        self._adapters, self._guard = adapters, guard

    async def act(self, channel: str, action: Action) -> str:
        """Do it, and return the channel's answer in a few words. Raises DeliveryError."""
        adapter = self._adapters.get(channel)
        call = adapter.act(action) if adapter is not None else None
        if call is None:
            word = f"channel {channel} has no way to {action.kind}: its adapter or its options give none"
            raise DeliveryError(word, reason="channel_cannot", retryable=False)
        await self._allowed(call.url)
        connected = False
        try:
            async with self._session().request(
                call.method, call.url, headers=call.headers, data=call.body, allow_redirects=False
            ) as answer:
                connected = True
                said = (await answer.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise DeliveryError(f"cannot connect: {error}", reason="refused", retryable=True) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "answer_lost" if connected else "lost"
            raise DeliveryError(type(error).__name__, reason=reason, retryable=True, unknown=True) from None
        return _judge(call, answer.status, said)

    async def _allowed(self, url: str) -> None:
        """Raises DeliveryError where the operator's guard forbids the address."""
        reason = self._guard.refusal(url)
        if reason is None:
            parts = urlsplit(url)
            try:
                await self._guard.resolve(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
            except (DeniedError, OSError) as error:
                reason = str(error)
        if reason is not None:
            raise DeliveryError(reason, reason="denied", retryable=False)

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
                connector=aiohttp.TCPConnector(force_close=True, limit=16),
                trust_env=False,
            )
        return self._client


def _judge(call: Call, status: int, said: str) -> str:
    words = f"{status} {' '.join(said.split())[:160]}".strip()
    if 200 <= status < 300:
        return words
    raise DeliveryError(f"{call.method} {words}", reason=f"http_{status}", retryable=status == 429 or status >= 500)
