"""How senders prove who they are: one row a scheme, and one function that checks any row.

A row says where the signature stands, and of what pieces the signed material is made, in order (``sort``: sorted). A piece
is ``body``, ``secret``, ``url``, ``form`` (its fields sorted, each name with its value), ``text`` (what the adapter gives),
``bodySHA256`` (nothing, where the query holds the hash of a body), ``header:NAME``, ``query:NAME``, or ``=`` and a text.
A check looks at the raw bytes, tries every secret against every offered signature, and compares in constant time. An
entry that is malformed, or of a version we do not know, is simply no match.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

from sanfen.abc import ConfigError, Phrase, Proof, Request, VerifyError
from sanfen_adapters.mac import mac

__all__ = [
    "BEARER", "CHATWOOT", "DINGTALK", "DOUYIN", "DOUYIN_MINIGAME", "FEISHU", "HUB_SHA1", "HUB_SHA256", "JD", "LINE", "MATRIX",
    "PDD", "SCHEMES", "SLACK", "STANDARD_WEBHOOKS", "SUNCO", "TELEGRAM", "TIKTOK_SHOP", "TOP", "TOP_HMAC", "TOP_HMAC_SHA256",
    "TWILIO", "TWILIO_SHA256", "WECHAT", "WECOM", "ZENDESK", "Scheme", "check", "keys",
]  # fmt: skip

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


class Scheme(NamedTuple):
    """One way to prove it."""

    name: str
    signature: str  # header:NAME, query:NAME or field:NAME (of the query or the form)
    parts: tuple[str, ...] = ("body",)
    method: Literal["hmac", "hash", "equal"] = (
        "hmac"  # keyed; plain, with the secret among the parts; the secret itself
    )
    digest: str = "sha256"
    written: Literal["base64", "hex", "HEX"] = "hex"
    prefix: str = ""  # what stands before the signature
    several: bool = False  # more than one may be offered, separated by spaces
    sort: bool = False
    timestamp: str | None = None  # the piece that holds the time
    unit: Literal["s", "ms", "iso"] = "s"
    window_s: int = 0  # how far the time may be off; 0: it is not looked at


STANDARD_WEBHOOKS = Scheme(
    "standard-webhooks", "header:webhook-signature",
    ("header:webhook-id", "=.", "header:webhook-timestamp", "=.", "body"),
    written="base64", prefix="v1,", several=True, timestamp="header:webhook-timestamp", window_s=300,
)  # fmt: skip
CHATWOOT = Scheme(
    "chatwoot", "header:x-chatwoot-signature", ("header:x-chatwoot-timestamp", "=.", "body"),
    prefix="sha256=", timestamp="header:x-chatwoot-timestamp", window_s=300,
)  # fmt: skip
TELEGRAM = Scheme("telegram", "header:x-telegram-bot-api-secret-token", (), "equal")
HUB_SHA256 = Scheme("hub-sha256", "header:x-hub-signature-256", prefix="sha256=")
HUB_SHA1 = Scheme("hub-sha1", "header:x-hub-signature", digest="sha1", prefix="sha1=")
LINE = Scheme("line", "header:x-line-signature", written="base64")
SLACK = Scheme(
    "slack", "header:x-slack-signature", ("=v0:", "header:x-slack-request-timestamp", "=:", "body"),
    prefix="v0=", timestamp="header:x-slack-request-timestamp", window_s=300,
)  # fmt: skip
TWILIO = Scheme("twilio", "header:x-twilio-signature", ("url", "form", "bodySHA256"), digest="sha1", written="base64")
TWILIO_SHA256 = TWILIO._replace(name="twilio-sha256", digest="sha256")
ZENDESK = Scheme(
    "zendesk", "header:x-zendesk-webhook-signature", ("header:x-zendesk-webhook-signature-timestamp", "body"),
    written="base64", timestamp="header:x-zendesk-webhook-signature-timestamp", unit="iso",
)  # fmt: skip
SUNCO = Scheme("sunco", "header:x-api-key", (), "equal")
BEARER = MATRIX = Scheme("bearer", "header:authorization", (), "equal", prefix="Bearer ")
TIKTOK_SHOP = Scheme("tiktok-shop", "header:authorization", ("text", "body"))  # the text: the app's key
WECOM = Scheme(
    "wecom", "query:msg_signature", ("secret", "query:timestamp", "query:nonce", "text"), "hash", "sha1",
    sort=True, timestamp="query:timestamp", window_s=300,
)  # fmt: skip
WECHAT = WECOM._replace(
    name="wechat", signature="query:signature", parts=("secret", "query:timestamp", "query:nonce")
)  # fmt: skip
FEISHU = Scheme(
    "feishu", "header:x-lark-signature",
    ("header:x-lark-request-timestamp", "header:x-lark-request-nonce", "secret", "body"), "hash",
    timestamp="header:x-lark-request-timestamp",
)  # fmt: skip
DINGTALK = Scheme(
    "dingtalk", "header:sign", ("header:timestamp", "=\n", "secret"),
    written="base64", timestamp="header:timestamp", unit="ms", window_s=3600,
)  # fmt: skip
DOUYIN = Scheme("douyin", "header:x-douyin-signature", ("secret", "body"), "hash", "sha1")
DOUYIN_MINIGAME = WECOM._replace(
    name="douyin-minigame", signature="query:signature", parts=("secret", "query:timestamp", "query:nonce", "body")
)
TOP = Scheme("top", "field:sign", ("secret", "form", "secret"), "hash", "md5", "HEX")
TOP_HMAC = Scheme("top-hmac", "field:sign", ("form",), "hmac", "md5", "HEX")
TOP_HMAC_SHA256 = TOP_HMAC._replace(name="top-hmac-sha256", digest="sha256")
PDD = TOP._replace(name="pdd")
JD = TOP._replace(name="jd")

SCHEMES = {
    one.name: one
    for one in (
        STANDARD_WEBHOOKS, CHATWOOT, TELEGRAM, HUB_SHA256, HUB_SHA1, LINE, SLACK, TWILIO, TWILIO_SHA256, ZENDESK, SUNCO, BEARER,
        TIKTOK_SHOP, WECOM, WECHAT, FEISHU, DINGTALK, DOUYIN, DOUYIN_MINIGAME, TOP, TOP_HMAC, TOP_HMAC_SHA256, PDD, JD,
    )
}  # fmt: skip
"""Every row, by its name; a manifest's ``signature`` is one of them."""

_UNITS = {"s": Phrase("in seconds"), "ms": Phrase("in milliseconds"), "iso": Phrase("an ISO time")}


def keys(secrets: Sequence[str], channel: str) -> tuple[bytes, ...]:
    """The keys of a channel's secrets: base64 after ``whsec_``, else the text itself. Raises ConfigError."""
    return tuple(_key(secret, channel) for secret in secrets)


def _key(secret: str, channel: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return secret.encode()
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        odd = Phrase("channels.{channel}: a secret starts with whsec_ but the rest is not base64", channel=channel)
        hint = "copy it again, or make one: echo whsec_$(openssl rand -base64 24)"
        raise ConfigError(odd, hint=hint) from None


def check(
    scheme: Scheme, request: Request, secret_keys: Sequence[bytes], now_ms: int, *, url: str = "", text: str = ""
) -> Proof:
    """Which of the keys signed this request within the window. Raises VerifyError.

    ``url``: as the sender knows it, where the scheme signs it. ``text``: what stands for the piece of that name.
    """
    if not secret_keys:
        raise VerifyError("no secret is configured", reason="no_secret", hint="give the channel a secret")
    pieces = {name: _piece(scheme, name, request, url, text) for name in (*scheme.parts, scheme.signature)}
    absent = next((name for name, value in pieces.items() if value is None), None)
    if absent is not None:
        kind, _, name = absent.partition(":")
        missing = Phrase("the {kind} {name} is missing", kind=kind, name=name)
        raise VerifyError(missing, reason="unsigned", hint=Phrase("sign with {name}", name=scheme.name))
    if scheme.window_s:
        _check_time(scheme, pieces[scheme.timestamp or ""] or b"", now_ms)
    offered_text = pieces[scheme.signature] or b""
    offered = [one for one in offered_text.split(b" ") if one] if scheme.several else [offered_text]
    matched: list[int] = []
    for number, key in enumerate(secret_keys):
        wanted = scheme.prefix.encode() + _signature(scheme, key, pieces)
        # No early end: the time tells nothing about which matched.
        matched += [number for entry in offered if hmac.compare_digest(wanted, entry)]
    if not matched:
        raise VerifyError("no signature matches", reason="mismatch", hint="compare the secrets on both sides")
    return Proof(matched[0])


def _signature(scheme: Scheme, key: bytes, pieces: dict[str, bytes | None]) -> bytes:
    if scheme.method == "equal":
        return key
    parts = [key if name == "secret" else pieces[name] or b"" for name in scheme.parts]
    material = b"".join(sorted(parts) if scheme.sort else parts)
    if scheme.method == "hmac":
        digest = mac(key, material, scheme.digest)
    else:
        digest = hashlib.new(scheme.digest, material, usedforsecurity=False).digest()
    if scheme.written == "base64":
        return base64.b64encode(digest)
    return (digest.hex() if scheme.written == "hex" else digest.hex().upper()).encode()


def _piece(scheme: Scheme, name: str, request: Request, url: str, text: str) -> bytes | None:
    """A piece of what is signed; None where the request has none. An empty header or field is none."""
    kind, _, rest = name.partition(":")
    match kind:
        case "body":
            return request.body
        case "secret":
            return b""
        case "url":
            return _bytes(url)
        case "text":
            return _bytes(text)
        case "form":
            left_out = scheme.signature.removeprefix("field:")
            return b"".join(_bytes(k + v) for k, v in sorted(set(_fields(request, scheme))) if k != left_out)
        case "bodySHA256":
            return b"" if _is_form(request) or not request.body or _covers(request) else None
        case "header":
            return _bytes(request.headers.get(rest, "")) or None
        case "query":
            found = [value for key, value in _pairs(request.query) if key == rest]
            return _bytes(found[0]) or None if len(found) == 1 else None
        case "field":
            found = [value for key, value in _fields(request, scheme) if key == rest]
            return _bytes(found[0]) or None if len(found) == 1 else None
        case _:
            return _bytes(name[1:])  # "=" and these very characters


def _fields(request: Request, scheme: Scheme) -> list[tuple[str, str]]:
    """The fields of a form; where the signature is one of them, the query's too."""
    pairs = _pairs(request.body.decode("utf-8", "surrogateescape")) if _is_form(request) else []
    return pairs + (_pairs(request.query) if scheme.signature.startswith("field:") else [])


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded"


def _covers(request: Request) -> bool:
    """Whether the query, which is signed, holds the hash of the body."""
    found = [value for key, value in _pairs(request.query) if key == "bodySHA256"]
    return len(found) == 1 and hmac.compare_digest(_bytes(found[0]), hashlib.sha256(request.body).hexdigest().encode())


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=1000)
    except ValueError:
        return []


def _check_time(scheme: Scheme, value: bytes, now_ms: int) -> None:
    where = (scheme.timestamp or "").partition(":")[2]
    at_ms = _time_ms(scheme.unit, value.decode("utf-8", "replace"))
    if at_ms is None:
        odd = Phrase("{where} is not {word}", where=where, word=_UNITS[scheme.unit])
        raise VerifyError(odd, reason="timestamp", hint="write it as the scheme wants it")
    if abs(at_ms - now_ms) > scheme.window_s * 1000:
        stale = Phrase("{where} is more than {window_s} s off", where=where, window_s=scheme.window_s)
        raise VerifyError(stale, reason="stale", hint="set both clocks by NTP")


def _time_ms(unit: Literal["s", "ms", "iso"], text: str) -> int | None:
    if unit == "iso":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return int(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    return int(text) * (1000 if unit == "s" else 1) if _NUMBER.fullmatch(text) else None


def _bytes(text: str) -> bytes:
    """The bytes as they came."""
    return text.encode("utf-8", "surrogateescape")
