"""TikTok Shop: who speaks is the sender's role; what the customer cannot see is no message."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, lines, request

from sanfen.abc import ParseError, VerifyError
from sanfen_adapters.channels.tiktok_shop import TiktokShopChannel


def channel() -> TiktokShopChannel:
    return TiktokShopChannel("shop", "tt", ("app-secret",), {"app_key": "app-key"})


def told(*, kind: int = 14, **data: Any) -> list[str]:
    held = {"conversation_id": "c", "message_id": "m", "type": "TEXT", "content": '{"content":"hi"}'} | data
    return lines(channel().parse(request({"type": kind, "data": held}), "in", RECEIVED_MS))


@pytest.mark.parametrize(
    ("role", "line"),
    [("BUYER", "customer:7 c#m hi"), ("SHOP", "human:7 c#m hi"), ("ROBOT", "bot:7 c#m hi"), ("X", "unknown:7 c#m hi")],
)
def test_roles(role: str, line: str) -> None:
    assert told(sender={"role": role, "im_user_id": "7"}) == [line]


def test_a_picture_has_no_words() -> None:
    assert told(type="IMAGE", content='{"url":"x"}', sender={"role": "BUYER", "im_user_id": "7"}) == ["customer:7 c#m"]


@pytest.mark.parametrize("facts", [{"is_visible": False}, {"kind": 13}])
def test_what_is_no_message(facts: dict[str, Any]) -> None:
    assert told(sender={"role": "SHOP"}, **facts) == []


def test_content_that_is_no_json() -> None:
    with pytest.raises(ParseError):
        told(content="{", sender={"role": "BUYER"})


def test_a_call_needs_a_token() -> None:
    assert channel().verify(request(headers={"x-tts-access-token": "t"}), "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        channel().verify(request(), "out", RECEIVED_MS)
