"""Douyin: both sides by the webhook, ids beyond what a float holds, and the challenge."""

import json
from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, lines, request

from sanfen.abc import ParseError
from sanfen_adapters.channels.douyin import DouyinChannel

CHANNEL = DouyinChannel("shop", "dy", ("secret",), {})


def told(**body: Any) -> list[str]:
    return lines(CHANNEL.parse(request(body), "in", RECEIVED_MS))


def test_both_sides() -> None:
    said = json.dumps({"conversation_short_id": 7494205308479291111, "server_message_id": "m", "text": "hi"})

    assert told(event="im_receive_msg", from_user_id="a", content=said) == ["customer:a 7494205308479291111#m hi"]
    assert told(event="im_send_msg", from_user_id="b", content=said) == ["unknown:b 7494205308479291111#m hi"]
    assert told(event="im_enter_direct_msg", content="{}") == []
    assert told(msg_id=7494460928000411111, open_id="o", conversation_id=1, msg_type="image") == [
        "customer:o 1#7494460928000411111"
    ]


@pytest.mark.parametrize("content", ['{"challenge":123}', {"challenge": 123}])
def test_the_challenge(content: Any) -> None:
    reply = CHANNEL.handshake(request({"event": "verify_webhook", "content": content}), "in")

    assert reply is not None
    assert json.loads(reply.body) == {"challenge": 123}
    assert CHANNEL.handshake(request({"event": "im_receive_msg"}), "in") is None


@pytest.mark.parametrize("content", ["{", "[]", "5"])
def test_content_that_is_no_object(content: str) -> None:
    with pytest.raises(ParseError):
        told(event="im_receive_msg", content=content)
