"""How senders prove who they are: one row a scheme, and one function that checks any row.

A check looks at the raw bytes, tries every secret against every offered signature, and compares in constant time. An
entry that is malformed, or of a version we do not know, is simply no match.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sanfen.abc import Proof, Request, VerifyError
from sanfen.errors import ConfigError

__all__ = ["CHATWOOT", "STANDARD_WEBHOOKS", "Scheme", "check", "keys"]

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class Scheme(NamedTuple):
    """An HMAC over some headers and the body, sent in a header."""

    name: str
    signature: str  # the header that holds one signature or several, separated by spaces
    prefix: str  # what stands before each
    timestamp: str  # the header that holds the time, in seconds
    signed: tuple[str, ...]  # the headers under the MAC, each followed by a dot, before the body
    digest: str = "sha256"
    window_s: int = 300
    written: Literal["base64", "hex"] = "base64"
    signs_ids: bool = True  # False: message ids stand outside of what is signed, so a replay is known by its signature


STANDARD_WEBHOOKS = Scheme(
    "standard-webhooks", "webhook-signature", "v1,", "webhook-timestamp", ("webhook-id", "webhook-timestamp")
)

CHATWOOT = Scheme(
    "chatwoot", "x-chatwoot-signature", "sha256=", "x-chatwoot-timestamp", ("x-chatwoot-timestamp",), written="hex"
)


def keys(secrets: Sequence[str], channel: str) -> tuple[bytes, ...]:
    """The MAC keys of a channel's secrets: base64 after ``whsec_``, else the text itself. Raises ConfigError."""
    return tuple(_key(secret, channel) for secret in secrets)


def _key(secret: str, channel: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return secret.encode()
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(
            f"channels.{channel}: a secret starts with whsec_ but the rest is not base64",
            hint="copy it again, or make one: echo whsec_$(openssl rand -base64 24)",
        ) from None


def check(scheme: Scheme, request: Request, mac_keys: Sequence[bytes], now_ms: int) -> Proof:
    """Which of the keys signed this request within the window. Raises VerifyError."""
    if not mac_keys:
        raise VerifyError("no secret is configured", reason="no_secret", hint="give the channel a secret")
    missing = next((name for name in (*scheme.signed, scheme.signature) if not request.headers.get(name)), None)
    if missing is not None:
        raise VerifyError(f"the header {missing} is missing", reason="unsigned", hint=f"sign with {scheme.name}")
    _check_time(scheme, request.headers[scheme.timestamp], now_ms)
    material = b"".join(_bytes(request.headers[name]) + b"." for name in scheme.signed) + request.body
    offered = [_bytes(entry) for entry in request.headers[scheme.signature].split(" ") if entry]
    matched: list[int] = []
    for number, key in enumerate(mac_keys):
        mac = hmac.digest(key, material, scheme.digest)
        wanted = scheme.prefix.encode() + (base64.b64encode(mac) if scheme.written == "base64" else mac.hex().encode())
        # No early end: the time tells nothing about which matched.
        matched += [number for entry in offered if hmac.compare_digest(wanted, entry)]
    if not matched:
        raise VerifyError("no signature matches", reason="mismatch", hint="compare the secrets on both sides")
    return Proof(matched[0], None if scheme.signs_ids else hashlib.sha256(material).digest())


def _check_time(scheme: Scheme, text: str, now_ms: int) -> None:
    if not _SECONDS.fullmatch(text):
        raise VerifyError(f"{scheme.timestamp} is not in seconds", reason="timestamp", hint="write whole epoch seconds")
    if abs(int(text) * 1000 - now_ms) > scheme.window_s * 1000:
        raise VerifyError(
            f"{scheme.timestamp} is more than {scheme.window_s} s off", reason="stale", hint="set both clocks by NTP"
        )


def _bytes(text: str) -> bytes:
    """A header's bytes as they came."""
    return text.encode("utf-8", "surrogateescape")
