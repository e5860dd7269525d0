"""What is authentic and cannot be read, of every channel: signed as the platform signs, whatever it holds; and tampered with.

The signatures are made here by hand, by the platforms' rules, with nothing of ours.
"""

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest
from tests.contracts.test_hostile import NOW_MS, PLUGINS, gateway

from sanfen.abc import Request
from sanfen.config.settings import Secret

SECRET = "a-secret-for-these-tests"
KEY, NOW = SECRET.encode(), str(NOW_MS // 1000)
MALFORMED = [
    b"{", b"null", b"[1, 2]", b"\xff\xfe\x00", b"[" * 5_000, b'{"a": NaN}', b'{"a": 1, "a": 2}', b'"\\ud800"',
    b'{"event": {"type": ["message"]}, "events": 7, "entry": "x", "data": 3, "message": [], "msgId": {}, "topic": 1}',
]  # fmt: skip
UNKNOWN = json.dumps(
    {
        "event": "order.paid",
        "type": "invoice",
        "object": "catalog",
        "update_id": 1,
        "events": [],
        "entry": [],
        "data": {},
    }
).encode()


def mac(message: bytes, digest: str = "sha256") -> bytes:
    return hmac.digest(KEY, message, digest)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def sha1(*parts: str) -> str:
    return hashlib.new("sha1", "".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def signed(adapter: str, body: bytes) -> Request:
    """A request of a platform with this body."""
    headers, query = {"content-type": "application/json"}, ""
    match adapter:
        case "generic":
            proof = "v1," + b64(mac(f"m1.{NOW}.".encode() + body))
            headers |= {"webhook-id": "m1", "webhook-timestamp": NOW, "webhook-signature": proof}
        case "chatwoot":
            proof = "sha256=" + mac(f"{NOW}.".encode() + body).hex()
            headers |= {"x-chatwoot-timestamp": NOW, "x-chatwoot-signature": proof}
        case "telegram":
            headers["x-telegram-bot-api-secret-token"] = SECRET
        case "matrix_as" | "botengine":
            headers["authorization"] = f"Bearer {SECRET}"
        case "meta":
            headers["x-hub-signature-256"] = "sha256=" + mac(body).hex()
        case "intercom":
            headers["x-hub-signature"] = "sha1=" + mac(body, "sha1").hex()
        case "zendesk_sunco":
            headers["x-api-key"] = SECRET
        case "threechat":
            headers["token"] = SECRET
        case "tiktok_shop":
            headers["authorization"] = mac(body).hex()
        case "line":
            headers["x-line-signature"] = b64(mac(body))
        case "slack":
            proof = "v0=" + mac(f"v0:{NOW}:".encode() + body).hex()
            headers |= {"x-slack-request-timestamp": NOW, "x-slack-signature": proof}
        case "twilio":
            query = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
            headers["x-twilio-signature"] = b64(mac(f"?{query}".encode(), "sha1"))
        case "feishu":
            proof = hashlib.sha256(f"{NOW}n{SECRET}".encode() + body).hexdigest()
            headers |= {"x-lark-request-timestamp": NOW, "x-lark-request-nonce": "n", "x-lark-signature": proof}
        case "dingtalk":
            at = str(NOW_MS)
            headers |= {"timestamp": at, "sign": b64(mac(f"{at}\n{SECRET}".encode()))}
        case "douyin":
            proof = hashlib.new("sha1", KEY + body, usedforsecurity=False).hexdigest()
            headers["x-douyin-signature"] = proof
        case "wechat_oa":
            query = urlencode({"signature": sha1(SECRET, NOW, "n"), "timestamp": NOW, "nonce": "n"})
        case "wecom_kf":  # what is sealed is signed, whatever it is
            sealed = b64(body)
            query = urlencode({"msg_signature": sha1(SECRET, NOW, "n", sealed), "timestamp": NOW, "nonce": "n"})
            body = f"<xml><Encrypt>{sealed}</Encrypt></xml>".encode()
        case "scrm_source":  # the token is in the body: what else is there may be anything
            body = json.dumps({"data": {"token": SECRET, "messageId": body.decode("latin-1"), "isSelf": []}}).encode()
        case _:
            pytest.skip(f"how {adapter}'s platform signs is not said here")
    return Request("POST", "", query, headers, body)


COVERED = frozenset(PLUGINS.channels) - {
    "telegram", "matrix_as", "botengine", "zendesk_sunco", "threechat", "dingtalk", "wechat_oa", "scrm_source",
}  # fmt: skip  # of the others the signature does not cover the body: a secret in a header, a query, or the body itself


@pytest.mark.parametrize("adapter", sorted(PLUGINS.channels))
async def test_what_is_authentic_goes_on_whatever_it_holds(adapter: str) -> None:
    """To the byte, answered 200, in the log with the reason why nothing could be read, and counted."""
    async with gateway(adapter, secrets=(Secret(SECRET),)) as one:
        for body in [*MALFORMED, UNKNOWN]:
            request = signed(adapter, body)
            assert await one.send("in", request) == 200, body[:20]
            assert one.behind.bodies[-1] == request.body
        kept = one.engine.deliveries
        unread = [delivery for delivery in kept if delivery.error]

        assert len(kept) == len(MALFORMED) + 1 == one.counters.received
        assert not one.engine.events
        assert all(len(delivery.error or "") > 10 and "Traceback" not in (delivery.error or "") for delivery in unread)
        assert not any("the adapter failed" in (delivery.error or "") for delivery in unread)
        assert one.counters.by_channel["desk", "poison"] == len(unread)
        assert unread or adapter in ("matrix_as", "twilio")  # they read transactions and forms, and nothing else


@pytest.mark.parametrize("adapter", sorted(COVERED))
async def test_what_was_changed_on_its_way_is_refused(adapter: str) -> None:
    async with gateway(adapter, secrets=(Secret(SECRET),)) as one:
        request = signed(adapter, UNKNOWN)
        changed = request.body.replace(b"<Encrypt>", b"<Encrypt>AAAA") if adapter == "wecom_kf" else request.body + b" "

        assert await one.send("in", request, body=changed) == 401
        assert not one.behind.bodies
        assert not one.engine.deliveries
        assert sum(one.counters.refused.values()) == 1
        assert await one.send("in", request) == 200
