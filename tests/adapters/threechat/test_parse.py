"""Desks in the manner of 3chat: an AI's reply that the desk counts went through a person."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, lines, request

from sanfen.abc import VerifyError
from sanfen_adapters.channels.threechat import ThreechatChannel


def told(kind: Any, **more: Any) -> list[str]:
    held = {"id": "m", "senderId": "s", "senderType": kind, "conversationId": "c", "content": "hi"} | more
    return lines(ThreechatChannel("shop", "d", ("t",), {}).parse(request({"data": held}), "in", RECEIVED_MS))


def test_who_speaks() -> None:
    assert told(3, isEffectiveReply=True) == ["assisted:s c#m hi"]
    assert told(2, isEffectiveReply=False) == ["human:s c#m hi"]
    assert told(9) == ["unknown:s c#m hi"]
    assert told("2") == ["unknown:s c#m hi"]
    assert told(None) == []


@pytest.mark.parametrize(("options", "header"), [({}, "token"), ({"header": "X-Desk-Token"}, "x-desk-token")])
def test_the_desks_token(options: dict[str, str], header: str) -> None:
    channel = ThreechatChannel("shop", "d", ("t",), options)

    assert channel.verify(request(headers={header: "t"}), "in", RECEIVED_MS) is not None
    with pytest.raises(VerifyError):
        channel.verify(request(headers={header: "u"}), "in", RECEIVED_MS)
    with pytest.raises(VerifyError):
        channel.verify(request(headers={header: "t"}), "out", RECEIVED_MS)
