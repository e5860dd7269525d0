"""Signed links in notices: whoever holds one may do one thing to one round, as one person, for a while.

A link carries all it needs and is checked without the database; nothing in it is secret but its signature. The key stays in
the log.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import NamedTuple

from sanfen.errors import InputError

__all__ = ["Grant", "read", "sign"]

_MAC_BYTES = 16
_LONGEST = 600


class Grant(NamedTuple):
    """What a link allows: ``person`` acts on the round until an instant."""

    round_id: str
    person: str
    until_ms: int


def sign(key: bytes, grant: Grant) -> str:
    """The link's token: letters, digits, ``-`` and ``_``, and one dot."""
    payload = _encode(json.dumps(grant, ensure_ascii=False, separators=(",", ":")).encode())
    return f"{payload}.{_encode(_mac(key, payload))}"


def read(key: bytes, token: str, now_ms: int) -> Grant:
    """What a token allows. Raises InputError: forged, cut or out of date; which of them, only for one that is ours."""
    grant = _granted(key, token)
    if grant is None:
        raise InputError("this link is not one of ours", hint="open it as it stands in the message")
    if now_ms > grant.until_ms:
        raise InputError("this link is out of date", hint="open the board, or the newest message")
    return grant


def _granted(key: bytes, token: str) -> Grant | None:
    payload, _, mac = token.partition(".")
    try:
        if len(token) <= _LONGEST and hmac.compare_digest(_decode(mac), _mac(key, payload)):
            return Grant(*json.loads(_decode(payload)))
    except (ValueError, TypeError, binascii.Error):
        pass
    return None


def _mac(key: bytes, payload: str) -> bytes:
    return hmac.digest(key, payload.encode("utf-8", "replace"), hashlib.sha256)[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii", "strict") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
