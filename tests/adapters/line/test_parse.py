"""LINE: groups, what was unsent, and answers that name only a token."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Alias, Message, ParseError, Request, Unread, VerifyError, fingerprint
from sanfen_adapters.channels.line import LineChannel

CHANNEL = LineChannel("shop", "ln", ("secret",), {})
SENT = answer({"sentMessages": [{"id": "s1"}, {"id": "s2"}]})


def told(**event: Any) -> list[str]:
    held = {"type": "message", "timestamp": 1_795_309_132_859, "source": {"type": "user", "userId": "U1"}}
    return lines(CHANNEL.parse(request({"events": [held | event]}), "in", RECEIVED_MS))


def call(kind: str, body: dict[str, Any]) -> Request:
    return request(body, f"v2/bot/message/{kind}", headers={"authorization": "Bearer T"})


def test_who_asks_where() -> None:
    group = {"type": "group", "groupId": "C1", "userId": "U1"}

    assert told(message={"id": "m", "type": "text", "text": "hi"}) == ["customer:user:U1 U1#m hi"]
    assert told(message={"id": "m", "type": "sticker"}, source=group) == ["customer:user:U1 C1#m"]
    assert told(message={"id": "m", "type": "text"}, source={"type": "room", "roomId": "R1"}) == ["customer:R1 R1#m"]
    assert told(type="unsend", webhookEventId="e", unsend={"messageId": "m"}) == ["recall"]
    assert told(type="follow", replyToken="rt") == ["alias"]
    assert told(type="unfollow") == []


def test_an_unreadable_event_costs_no_other() -> None:
    source = {"type": "user", "userId": "U1"}
    good = {"type": "message", "timestamp": 1_795_309_132_859, "source": source, "message": {"id": "m", "type": "text"}}
    bad = good | {"timestamp": "soon"}

    first, said, *rest = CHANNEL.parse(request({"events": [bad, good]}), "in", RECEIVED_MS)

    assert (type(first), type(said), rest) == (Message, Unread, [])
    with pytest.raises(ParseError):
        CHANNEL.parse(request({"events": [bad]}), "in", RECEIVED_MS)


def test_an_answer_finds_its_conversation_by_its_token() -> None:
    """The token itself is kept nowhere."""
    held = {"type": "postback", "replyToken": "rt-secret", "source": {"userId": "U1"}}
    (alias,) = CHANNEL.parse(request({"events": [held]}), "in", RECEIVED_MS)
    sent = call("reply", {"replyToken": "rt-secret", "messages": [{"type": "text", "text": "a"}, {"type": "image"}]})
    found = CHANNEL.answered(sent, SENT, "out", RECEIVED_MS)

    assert isinstance(alias, Alias)
    assert lines(found) == [f"unknown: {alias.alias}#s1 a", f"unknown: {alias.alias}#s2"]
    assert "rt-secret" not in alias.alias
    assert all(isinstance(one, Message) and one.credential == fingerprint("T") for one in found)


def test_pushes() -> None:
    text = [{"type": "text", "text": "hi"}]
    push = CHANNEL.answered(call("push", {"to": "U1", "messages": text}), SENT, "out", RECEIVED_MS)
    many = CHANNEL.answered(call("multicast", {"to": ["U1", "U2"], "messages": text}), answer({}), "out", RECEIVED_MS)

    assert lines(push) == ["unknown: U1#s1 hi"]
    assert [one.partition("#")[0] for one in lines(many)] == ["broadcast: U1", "broadcast: U2"]


def test_calls_that_send_nothing() -> None:
    assert CHANNEL.answered(call("reply", {"replyToken": "rt"}), answer({}, 400), "out", RECEIVED_MS) == ()
    assert CHANNEL.answered(call("broadcast", {"messages": []}), answer({}), "out", RECEIVED_MS) == ()
    with pytest.raises(VerifyError):
        CHANNEL.verify(call("push", {})._replace(headers={}), "out", RECEIVED_MS)
