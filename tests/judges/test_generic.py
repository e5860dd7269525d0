"""The generic channel before the reference libraries: Standard Webhooks' own, Svix's, and CloudEvents'."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import svix
from cloudevents.core.bindings.http import from_http_event, to_binary_event, to_structured_event
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.wire import RECEIVED_MS, lines, request

from sanfen.abc import ParseError, VerifyError
from sanfen.clock import SystemClock
from sanfen_adapters.channels.generic import GenericChannel

SECRET = "whsec_" + base64.b64encode(b"a key of at least 24 bytes").decode()
OURS = GenericChannel("shop", "desk", (SECRET,), {})
SIGNER = standardwebhooks.Webhook(SECRET)
JUDGES = [SIGNER, svix.Webhook(SECRET)]
CHANGES = [
    {}, {"webhook-id": "m2"}, {"webhook-timestamp": "1"}, {"webhook-signature": "v1,AAAA"}, {"webhook-signature": ""},
    {"webhook-timestamp": "soon"}, {"webhook-id": ""}, {"webhook-signature": "v2,{}"}, {"webhook-signature": "v1,AAAA {}"},
    {"webhook-signature": "{} v1a,x"},
]  # fmt: skip
SAID = {"conversation": "c1", "message_id": "g1", "role": "customer", "actor": "A", "text": "有货吗"}


def theirs(judge: Any, body: bytes, headers: dict[str, str]) -> bool:
    try:
        judge.verify(body, headers)
    except (standardwebhooks.WebhookVerificationError, binascii.Error, ValueError):  # it lets out what base64 raises
        return False
    return True


def ours(body: bytes, headers: dict[str, str], now_ms: int) -> bool:
    try:
        return OURS.verify(request(body, headers=headers), "in", now_ms) is not None
    except VerifyError:
        return False


@given(st.text(max_size=200), st.sampled_from([-400, -200, 0, 200, 400]), st.sampled_from(CHANGES), st.booleans())
def test_standard_webhooks(text: str, off_s: int, change: dict[str, str], longer: bool) -> None:
    """Whatever is changed, the three agree: signature, id, time, versions, several signatures, the body."""
    body, now_ms = json.dumps({"text": text}).encode(), SystemClock().now_ms()
    at = datetime.fromtimestamp(now_ms // 1000 + off_s, UTC)
    signed = SIGNER.sign("m1", at, body.decode())
    headers = {"webhook-id": "m1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}
    headers |= {name: value.replace("{}", signed) for name, value in change.items()}
    body += b" " * longer
    found = [theirs(judge, body, headers) for judge in JUDGES]

    assert found == [ours(body, headers, now_ms)] * 2
    assert found[0] == (not longer and abs(off_s) <= 300 and change in ({}, CHANGES[-2], CHANGES[-1]))


def event(**changed: Any) -> CloudEvent:
    attributes = {"id": "e 1/ü", "source": "/shop/1", "type": "dev.sanfen.message.created"}
    return CloudEvent(attributes | {"time": datetime.fromtimestamp(RECEIVED_MS / 1000, UTC)} | changed, SAID)


@pytest.mark.parametrize("bind", [to_structured_event, to_binary_event])
def test_cloudevents(bind: Any) -> None:
    """In both modes what their library writes is what we read, and what it reads again."""
    made = bind(event(datacontenttype="application/json"), JSONFormat())
    headers = {name.lower(): value for name, value in made.headers.items()}
    (ask,) = OURS.parse(request(made.body, headers=headers), "in", RECEIVED_MS + 5)

    assert from_http_event(made, JSONFormat()).get_data() == SAID
    assert (lines([ask]), ask.at_ms) == (["customer:A c1#g1 有货吗"], RECEIVED_MS)


@pytest.mark.parametrize("body", [b"{", b'{"specversion": "1.0", "data": {', b"[1]", b"\xff"])
def test_what_is_no_cloudevent_neither_reads(body: bytes) -> None:
    made = to_structured_event(event(), JSONFormat())
    with pytest.raises((BaseCloudEventException, ValueError, TypeError, AttributeError)):
        from_http_event(type(made)(made.headers, body), JSONFormat())
    with pytest.raises(ParseError):
        OURS.parse(request(body, headers={"content-type": "application/cloudevents+json"}), "in", RECEIVED_MS)
