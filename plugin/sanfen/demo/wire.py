"""Standard Webhooks requests as a marketplace or a desk would send them."""

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `sanfen say` signs without a client
    import aiohttp

__all__ = ["check", "send", "sign"]


def sign(secret: str, message_id: str, at_ms: int, body: bytes) -> dict[str, str]:
    """The headers that prove a body is ours. What stands in base64 after ``whsec_`` is the key, else the text itself."""
    stamp = str(at_ms // 1000)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + _mac(secret, message_id, stamp, body),
        "content-type": "application/json",
    }


def check(secret: str, headers: Any, body: bytes) -> bool:
    """Whether a forwarded request still carries its sender's signature."""
    wanted = _mac(secret, headers.get("webhook-id", ""), headers.get("webhook-timestamp", ""), body)
    offered = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(one.encode(), f"v1,{wanted}".encode()) for one in offered)


async def send(client: "aiohttp.ClientSession", url: str, secret: str, at_ms: int, event: dict[str, Any]) -> int:
    """POST one event, signed; returns the HTTP status, or 0 where nobody answered."""
    from aiohttp import ClientError  # noqa: PLC0415  # as above

    body = json.dumps(event, ensure_ascii=False).encode()
    try:
        async with client.post(url, data=body, headers=sign(secret, str(event["id"]), at_ms, body)) as answer:
            await answer.read()
            return answer.status
    except (ClientError, TimeoutError):
        return 0


def _mac(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    return base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256)).decode()
