"""Feishu: sealed events, by signature or by token; what an app sends, and what is taken back."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tests.adapters.wire import RECEIVED_MS, answer, lines, raw, request

from sanfen.abc import Message, ParseError, Request, VerifyError
from sanfen_adapters.channels.feishu import FeishuChannel

SAID: dict[str, Any] = {
    "header": {"event_type": "im.message.receive_v1", "token": "vtok", "event_id": "ev"},
    "event": {
        "sender": {"sender_type": "user", "sender_id": {"open_id": "ou_1"}},
        "message": {"message_id": "m", "chat_id": "c", "create_time": "1795309132859", "content": '{"text":"hi"}'},
    },
}


def channel(*secrets: str, **options: Any) -> FeishuChannel:
    return FeishuChannel("shop", "fs", secrets or ("ekey",), {"verification_token": "vtok"} | options)


def sealed(tree: Any, key: str = "ekey") -> bytes:
    plain = raw(tree)
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(b"i" * 16)).encryptor()
    data = b"i" * 16 + encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    return raw({"encrypt": base64.b64encode(data).decode()})


def signed(body: bytes, key: str = "ekey") -> Request:
    mac = hashlib.sha256(f"1795309132n{key}".encode() + body).hexdigest()
    named = {"timestamp": "1795309132", "nonce": "n"}
    headers = {f"x-lark-request-{name}": value for name, value in named.items()}
    return request(body, headers=headers | {"x-lark-signature": mac})


def test_a_sealed_and_signed_event() -> None:
    asked = signed(sealed(SAID))
    (event,) = channel("new", "ekey").parse(asked, "in", RECEIVED_MS)

    assert channel().verify(asked, "in", RECEIVED_MS) is not None
    assert isinstance(event, Message)
    assert (event.sender, event.customer, event.text, event.id) == ("somebody", "ou_1", "hi", "m")
    with pytest.raises(VerifyError):
        channel().verify(asked._replace(body=asked.body + b" "), "in", RECEIVED_MS)
    with pytest.raises(ParseError):
        channel("other").parse(asked, "in", RECEIVED_MS)


@pytest.mark.parametrize("body", [raw(SAID), sealed(SAID)])
def test_an_unsigned_event_carries_the_token(body: bytes) -> None:
    channel().verify(request(body), "in", RECEIVED_MS)
    for options in ({"verification_token": "other"}, {"verification_token": ""}):
        with pytest.raises(VerifyError):
            channel(**options).verify(request(body), "in", RECEIVED_MS)


@pytest.mark.parametrize("seal", [raw, sealed])
def test_the_challenge(seal: Any) -> None:
    asked = request(seal({"type": "url_verification", "challenge": "ajls", "token": "vtok"}))
    one = channel()
    one.verify(asked, "in", RECEIVED_MS)
    reply = one.handshake(asked, "in")

    assert reply is not None
    assert json.loads(reply.body) == {"challenge": "ajls"}
    assert one.handshake(request(SAID), "in") is None
    assert one.parse(asked, "in", RECEIVED_MS) == ()


def test_taken_back_and_said_by_an_app() -> None:
    event = {"chat_id": "c", "message_id": "m", "recall_time": "1795309132859"}
    header = {"event_type": "im.message.recalled_v1", "event_id": "ev"}
    app = SAID["event"] | {"sender": {"sender_type": "app", "sender_id": {"open_id": "cli_1"}}}

    assert lines(channel().parse(request({"header": header, "event": event}), "in", RECEIVED_MS)) == ["recall"]
    assert lines(channel().parse(request(SAID | {"event": app}), "in", RECEIVED_MS)) == ["bot:cli_1 c#m hi"]


@pytest.mark.parametrize("path", ["open-apis/im/v1/messages", "open-apis/im/v1/messages/om_1/reply"])
def test_what_an_app_sent(path: str) -> None:
    call = request({"receive_id": "c"}, path, headers={"authorization": "Bearer t"})
    data = {"message_id": "m2", "chat_id": "c", "create_time": "1795309132859", "sender": {"id": "cli_1"},
            "body": {"content": '{"text":"hi"}'}}  # fmt: skip
    found = channel().answered(call, answer({"code": 0, "data": data}), "out", RECEIVED_MS)

    assert lines(found) == ["bot:cli_1 c#m2 hi"]
    assert channel().answered(call, answer({"code": 230002}), "out", RECEIVED_MS) == ()
    assert (
        channel().answered(call._replace(path="open-apis/im/v1/chats"), answer({"code": 0}), "out", RECEIVED_MS) == ()
    )
    with pytest.raises(VerifyError):
        channel().verify(call._replace(headers={}), "out", RECEIVED_MS)


def test_content_that_is_no_json() -> None:
    bent = json.loads(json.dumps(SAID))
    bent["event"]["message"]["content"] = "{"
    with pytest.raises(ParseError):
        channel().parse(request(bent), "in", RECEIVED_MS)
