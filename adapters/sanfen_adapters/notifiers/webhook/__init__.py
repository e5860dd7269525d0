"""Notices as signed webhooks (Standard Webhooks 1.0): JSON to an address, and an honest word on what became of it."""

import base64
import hashlib
import hmac
import json
import time
from typing import ClassVar

import aiohttp

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.errors import ConfigError
from sanfen_adapters.signatures import keys

__all__ = ["Webhook"]

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=2)
_ANSWER_BYTES = 4096
_RETRY_STATUS = (408, 425, 429)
_LONGEST_PAUSE_S = 3600


class Webhook(Notifier):
    """``webhook+https://host/path``: a POST, signed where the address has a secret."""

    name: ClassVar[str] = "webhook"

    def __init__(self) -> None:
        self._client: aiohttp.ClientSession | None = None

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """POST the notice; any 2xx counts as told. Raises DeliveryError."""
        url = address.partition("+")[2]
        body = json.dumps({"type": "round.escalated", "data": notice._asdict()} | notice._asdict(), ensure_ascii=False)
        headers = {"content-type": "application/json", "user-agent": "sanfen"}
        headers |= _signed(secret, notice.id, body.encode()) if secret else {"webhook-id": notice.id}
        connected = False
        try:
            async with self._session().post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
                connected = True
                said = (await answer.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            # No byte has left.
            raise DeliveryError(f"cannot connect: {_short(str(error))}", reason="refused", retryable=True) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            word = (
                "no answer in time" if isinstance(error, TimeoutError) else f"connection lost: {type(error).__name__}"
            )
            raise DeliveryError(
                word, reason="answer_lost" if connected else "lost", retryable=True, unknown=True
            ) from None
        return _judge(answer.status, answer.headers.get("retry-after"), said)

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
                connector=aiohttp.TCPConnector(force_close=True, limit=32),  # a stale connection would cost an attempt
                trust_env=False,
            )
        return self._client


def _judge(status: int, retry_after: str | None, said: str) -> str:
    if 200 <= status < 300:
        return f"{status} {_short(said)}".strip()
    message = f"{status} {_short(said)}".strip()
    if status in _RETRY_STATUS or status >= 500:
        pause_ms = int(retry_after) * 1000 if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        if pause_ms is not None:
            pause_ms = min(pause_ms, _LONGEST_PAUSE_S * 1000)
        raise DeliveryError(message, reason=f"http_{status}", retryable=True, retry_after_ms=pause_ms)
    raise DeliveryError(message, reason=f"http_{status}", retryable=False)


def _signed(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    try:
        (key,) = keys((secret,), "people")
    except ConfigError as error:
        raise DeliveryError(error.message, reason="bad_secret", retryable=False) from None
    stamp = str(int(time.time()))  # noqa: TID251  # receivers compare it with the wall clock
    mac = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:159] + "…"
