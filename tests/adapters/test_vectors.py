"""The schemes' published and observed examples: each verifies, and nothing near it does."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from sanfen.abc import ConfigError, ParseError, Request, VerifyError
from sanfen_adapters import signatures
from sanfen_adapters.ciphers import aes_key, decrypt_feishu, decrypt_wecom, flat_xml
from sanfen_adapters.signatures import SCHEMES, Scheme, check

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data/channels/vectors.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_ID = {one["id"]: one for one in VECTORS}
SCHEME_OF = {
    "slack-doc": "slack", "hub256-github-doc": "hub-sha256", "whatsapp-escaped-unicode": "hub-sha256", "line-sdk-test": "line",
    "twilio-doc": "twilio", "twilio-json-bodysha256": "twilio", "twilio-sharedkey-sha256": "twilio-sha256",
    "standard-webhooks-lib-test": "standard-webhooks", "wecom-demo-echostr": "wecom", "wecom-demo-message": "wecom",
    "wechat-oa-plain": "wechat", "feishu-signed-event": "feishu", "dingtalk-robot": "dingtalk", "chatwoot-v4": "chatwoot",
    "intercom": "hub-sha1", "zendesk-webhook": "zendesk", "taobao-top-md5-doc": "top", "taobao-top-hmac": "top-hmac",
    "taobao-top-hmac-sha256": "top-hmac-sha256", "pdd-doc": "pdd", "jd-doc": "jd", "douyin-open-webhook": "douyin",
    "douyin-minigame-kf": "douyin-minigame", "telegram-secret-token": "telegram", "matrix-as-hs-token": "bearer",
    "tiktok-shop": "tiktok-shop", "bearer": "bearer",
    "sunco-api-key": "sunco",
}  # fmt: skip
NOT_SIGNED = {"feishu-doc-decrypt"}  # an encrypted body alone
NOT_OURS = {"discord-ed25519"}  # interactions only; Discord's messages come over a websocket


class Signed:
    """A vector as a request, with what a sender knows and we are told."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.scheme: Scheme = SCHEMES[SCHEME_OF[vector["id"]]]
        secret = vector["secret"]
        if isinstance(secret, list):
            secret = secret[0]
        if isinstance(secret, dict):
            secret = secret["encrypt_key"]
        self.keys = signatures.keys([secret], "desk")
        headers = {name.lower(): value for name, value in vector.get("headers", {}).items()}
        query, body, form = dict(vector.get("query", {})), vector.get("body", ""), vector.get("form")
        self.url, self.text = vector.get("url", ""), vector.get("text", "")
        if "params" in vector:
            form = vector["params"] | {"sign": vector["expected"]}
        if form is not None:
            body, headers["content-type"] = urlencode(form), "application/x-www-form-urlencoded"
        if self.scheme.name == "wecom":
            self.text = query.get("echostr") or flat_xml(body.encode())["Encrypt"]
        raw_query = urlencode(query) or urlsplit(self.url).query
        self.request = Request(vector.get("method", "POST"), "", raw_query, headers, body.encode())
        self.now_ms = vector["now"] * 1000 if "now" in vector else self._at_ms()

    def _at_ms(self) -> int:
        where = self.scheme.timestamp
        if where is None:
            return 0
        kind, _, name = where.partition(":")
        pairs = dict(part.split("=") for part in self.request.query.split("&")) if kind == "query" else {}
        value = self.request.headers.get(name) if kind == "header" else pairs[name]
        return signatures._time_ms(self.scheme.unit, str(value)) or 0

    def refused(self, now_ms: int | None = None, **changed: Any) -> bool:
        request = self.request._replace(**{k: v for k, v in changed.items() if k not in ("url", "text", "keys")})
        try:
            check(
                self.scheme, request, changed.get("keys", self.keys), self.now_ms if now_ms is None else now_ms,
                url=changed.get("url", self.url), text=changed.get("text", self.text),
            )  # fmt: skip
        except VerifyError as error:
            return bool(error.hint)  # a refusal without a mend is as good as none
        return False


def test_every_vector_has_a_scheme_or_a_reason() -> None:
    assert set(BY_ID) == set(SCHEME_OF) | NOT_SIGNED | NOT_OURS
    assert set(SCHEME_OF.values()) == set(SCHEMES)


@pytest.mark.parametrize("name", SCHEME_OF)
def test_what_the_platform_signed_passes(name: str) -> None:
    assert not Signed(BY_ID[name]).refused()


def tampered(one: Signed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything near it that must not pass."""
    scheme, request = one.scheme, one.request
    headers = dict(request.headers)
    parts = set(scheme.parts)
    kind, _, where = scheme.signature.partition(":")
    yield "another secret", {"keys": (b"another secret",)}
    if kind == "header":
        value = request.headers[where]
        before = () if scheme.several else ("A" + value,)
        for wrong in ("", value[:-1], value + "0", value.swapcase(), value.encode().hex(), *before):
            yield f"signature {wrong[:12]}", {"headers": headers | {where: wrong}}
        yield "no signature", {"headers": {k: v for k, v in headers.items() if k != where}}
    else:
        for holder in ("query", "body"):
            text = getattr(request, holder) if holder == "query" else request.body.decode()
            if f"{where}=" in text:
                wrong = text.replace(f"{where}=", f"{where}=0")
                twice = text + f"&{where}=0"
                for bad in (wrong, twice, text.replace(f"{where}=", "x=")):
                    yield f"{holder} {where}", {holder: bad if holder == "query" else bad.encode()}
    if "body" in parts:
        yield "body", {"body": request.body + b" "}
    if "form" in parts and request.body:
        yield "form", {"body": request.body + b"&extra=1"}
    if "url" in parts:
        yield "url", {"url": one.url + "x"}
    if "text" in parts:
        yield "text", {"text": one.text + "x"}
    for part in parts:
        piece, _, name = part.partition(":")
        if piece == "header":
            yield name, {"headers": headers | {name: request.headers[name] + "1"}}
            yield f"no {name}", {"headers": {k: v for k, v in headers.items() if k != name}}
        if piece == "query":
            yield name, {"query": request.query.replace(f"{name}=", f"{name}=1")}
            yield f"{name} twice", {"query": f"{request.query}&{name}=1"}
    if scheme.window_s:
        yield "too late", {"now_ms": one.now_ms + (scheme.window_s + 61) * 1000}
        yield "too early", {"now_ms": one.now_ms - (scheme.window_s + 61) * 1000}


@pytest.mark.parametrize("name", SCHEME_OF)
def test_nothing_near_it_passes(name: str) -> None:
    one = Signed(BY_ID[name])
    passed = [what for what, change in tampered(one) if not one.refused(**change)]

    assert not passed


@pytest.mark.parametrize("name", [one["id"] for one in VECTORS if "must_fail_body" in one])
def test_the_same_json_written_otherwise_is_another_body(name: str) -> None:
    assert Signed(BY_ID[name]).refused(body=BY_ID[name]["must_fail_body"].encode())


def test_wecom_decrypts() -> None:
    """The platform's own examples, to the byte; and for nobody else."""
    for name in ("wecom-demo-echostr", "wecom-demo-message"):
        vector = BY_ID[name]
        _, key, corp = vector["secret"]
        text = Signed(vector).text

        assert decrypt_wecom(aes_key(key, "desk"), text, corp).decode() == vector["expected"]
        with pytest.raises(ParseError):
            decrypt_wecom(aes_key(key, "desk"), text, "another")
        with pytest.raises(ParseError):
            decrypt_wecom(aes_key("A" * 43, "desk"), text, corp)
        for broken in (text[:-8], "", "*", text[8:], text[:24]):
            with pytest.raises(ParseError):
                decrypt_wecom(aes_key(key, "desk"), broken, corp)


def test_feishu_decrypts() -> None:
    plain = BY_ID["feishu-doc-decrypt"]
    event = BY_ID["feishu-signed-event"]

    assert decrypt_feishu(plain["secret"], json.loads(plain["body"])["encrypt"]).decode() == plain["expected"]
    text = json.loads(event["body"])["encrypt"]
    assert decrypt_feishu(event["secret"]["encrypt_key"], text).decode() == event["plaintext"]
    for broken in (text[:-8], text[:16], "", "签"):
        with pytest.raises(ParseError):
            decrypt_feishu(event["secret"]["encrypt_key"], broken)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<xml>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><xml>&a;</xml>",
        b"<xml>" + b"x" * (1 << 20),
        b"\xff\xfe",
        b'<?xml version="1.0" encoding="zz"?><x/>',
    ],
)
def test_xml_from_strangers(body: bytes) -> None:
    with pytest.raises(ParseError):
        flat_xml(body)


@pytest.mark.parametrize("encoded", ["", "short", "签" * 43, "=" * 43])
def test_an_aes_key_is_43_characters(encoded: str) -> None:
    """Said at start."""
    with pytest.raises(ConfigError, match=r"channels\.desk"):
        aes_key(encoded, "desk")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)

    with pytest.raises(ParseError, match=r"sanfen\[channels\]"):
        decrypt_feishu("key", json.loads(BY_ID["feishu-doc-decrypt"]["body"])["encrypt"])


@pytest.mark.parametrize("at", ["yesterday", "2026-11-22T01:00:00", ""])
def test_a_time_that_is_none(at: str) -> None:
    """Where a window is set, a signature without a readable time is refused."""
    one = Signed(BY_ID["zendesk-webhook"])
    one.scheme = one.scheme._replace(window_s=300)

    assert not one.refused(now_ms=1_795_309_200_000)
    assert one.refused(headers=dict(one.request.headers) | {one.scheme.timestamp.partition(":")[2]: at})  # type: ignore[union-attr]


def test_a_form_of_too_many_fields_is_no_form() -> None:
    one = Signed(BY_ID["twilio-doc"])

    assert one.refused(body=one.request.body + b"&a=1" * 1001)
