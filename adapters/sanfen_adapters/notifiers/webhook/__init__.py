"""Notices as signed webhooks (Standard Webhooks 1.0): JSON to an address, and an honest word on what became of it."""

import base64
import hashlib
import hmac
import json
import time
from typing import ClassVar

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.errors import ConfigError
from sanfen_adapters.posting import Client, by_status, host_of, origin_of
from sanfen_adapters.signatures import keys

__all__ = ["Webhook"]

_PATIENCE_S = 10


class Webhook(Notifier):
    """``webhook+https://host/path``: a POST, signed where the address has a secret."""

    name: ClassVar[str] = "webhook"

    def __init__(self) -> None:
        self._client = Client(_PATIENCE_S)

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """POST the notice; any 2xx counts as told. Raises DeliveryError."""
        url = address.partition("+")[2]
        told = notice.plain()
        body = json.dumps({"type": "round.escalated", "data": told} | told, ensure_ascii=False)
        raw = body.encode("utf-8", "replace")
        headers = _signed(secret, notice.id, raw) if secret else {"webhook-id": notice.id}
        return by_status(await self._client.post(url, raw, headers, guard=self.guard))

    @classmethod
    def check(cls, address: str) -> None:
        """Raises ConfigError."""
        url = address.partition("+")[2]
        if not url.startswith(("http://", "https://")) or not host_of(url):
            raise ConfigError("webhook+ stands before no web address", hint="write webhook+https://host/path")

    @classmethod
    def home(cls, address: str) -> str:
        """What stands behind the plus."""
        return origin_of(address.partition("+")[2])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


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
