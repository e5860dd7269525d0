"""Slack: challenges, the other company of a shared channel, what was taken back, and calls by their tokens."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Message, VerifyError, fingerprint
from sanfen_adapters.channels.slack import SlackChannel

CHANNEL = SlackChannel("shop", "sl", ("secret",), {})
TS = "1795309132.000200"


def told(**event: Any) -> Any:
    held = {"type": "message", "channel": "C1", "ts": TS, "text": "hi"} | event
    return CHANNEL.parse(request({"type": "event_callback", "team_id": "T1", "event": held}), "in", RECEIVED_MS)


@pytest.mark.parametrize(
    ("event", "sender"),
    [
        ({"user": "U1"}, "somebody"),
        ({"user": "U1", "user_team": "T1"}, "somebody"),
        ({"user": "U1", "user_team": "T9"}, "customer"),
        ({"user": "U1", "team": "T9"}, "customer"),
        ({"user": "U1", "user_team": "T9", "bot_id": "B1"}, "merchant"),
    ],
)
def test_whose_side(event: dict[str, Any], sender: str) -> None:
    (one,) = told(**event)

    assert isinstance(one, Message)
    assert one.sender == sender


@pytest.mark.parametrize("subtype", ["message_changed", "channel_join", "channel_topic"])
def test_what_is_no_message(subtype: str) -> None:
    assert told(subtype=subtype) == ()
    assert CHANNEL.parse(request({"type": "event_callback", "event": {"type": "reaction_added"}}), "in", 0) == ()


def test_taken_back() -> None:
    (one,) = told(subtype="message_deleted", deleted_ts="1795309000.000100")

    assert one.message == "1795309000.000100"


def test_the_challenge_and_commands() -> None:
    asked = request({"type": "url_verification", "challenge": "3eZb"})
    command = request(b"command=%2Fhi", headers={"content-type": "application/x-www-form-urlencoded"})
    reply = CHANNEL.handshake(asked, "in")

    assert reply is not None
    assert reply.body == b"3eZb"
    assert CHANNEL.handshake(command, "in") is None
    assert CHANNEL.parse(command, "in", RECEIVED_MS) == ()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({"text": "hi", "bot_id": "B1"}, f"bot:bot:B1 C1#{TS} hi"),
        ({"text": "hi", "user": "U1"}, f"unknown:U1 C1#{TS} hi"),
    ],
)
def test_what_a_call_sent_and_by_whose_token(message: dict[str, Any], line: str) -> None:
    call = request({"channel": "C1"}, "api/chat.postMessage", headers={"authorization": "Bearer xoxb-1"})
    said = {"ok": True, "channel": "C1", "ts": TS, "message": message}
    (event,) = CHANNEL.answered(call, answer(said), "out", RECEIVED_MS)

    assert lines([event]) == [line]
    assert isinstance(event, Message)
    assert event.credential == fingerprint("xoxb-1")
    assert CHANNEL.answered(call, answer({"ok": False, "error": "x"}), "out", RECEIVED_MS) == ()
    assert CHANNEL.answered(call._replace(path="api/chat.update"), answer(said), "out", RECEIVED_MS) == ()
    assert CHANNEL.verify(call, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        CHANNEL.verify(call._replace(headers={}), "out", RECEIVED_MS)
