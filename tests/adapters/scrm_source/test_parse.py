"""Hosted WeCom accounts: how a message was sent stands in ``source``; the host's token in the body."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, lines, request

from sanfen.abc import Message, ParseError, Proof, VerifyError
from sanfen_adapters.channels.scrm_source import ScrmSourceChannel

CHANNEL = ScrmSourceChannel("shop", "wx", ("new", "old"), {})


def data(**more: Any) -> Any:
    held = {"token": "old", "chatId": "c", "messageId": "m", "isSelf": True, "source": 0, "payload": {"text": "hi"}}
    return request({"data": held | more})


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"source": 1, "sendBy": "u5"}, "human:u5 c#m hi"),
        ({"source": 2}, "broadcast: c#m hi"),
        ({"source": 3}, "auto: c#m hi"),
        ({"source": 4}, "unknown: c#m hi"),
        ({"source": "1"}, "human: c#m hi"),
        ({"source": True}, "unknown: c#m hi"),
        ({"source": None}, "unknown: c#m hi"),
        ({"isSelf": False, "externalUserId": "wm1"}, "customer:wm1 c#m hi"),
    ],
)
def test_sources(more: dict[str, Any], line: str) -> None:
    assert lines(CHANNEL.parse(data(**more), "in", RECEIVED_MS)) == [line]


def test_whose_it_is_must_be_said() -> None:
    """Else a customer's question would be made of nothing."""
    with pytest.raises(ParseError, match="isSelf"):
        CHANNEL.parse(data(isSelf=None), "in", RECEIVED_MS)


def test_a_colleague_is_no_buyer() -> None:
    (event,) = CHANNEL.parse(data(isSelf=False, externalUserId="wm1", coworker=True), "in", RECEIVED_MS)

    assert isinstance(event, Message)
    assert event.customer_type == "merchant"


def test_the_hosts_token() -> None:
    assert CHANNEL.verify(data(), "in", RECEIVED_MS) == Proof(1)
    for wrong in ("", "older", None, 3, "\ud800"):
        with pytest.raises(VerifyError):
            CHANNEL.verify(
                data(token=wrong) if wrong != "\ud800" else request(b'{"data":{"token":"\\ud800"}}'), "in", 0
            )
