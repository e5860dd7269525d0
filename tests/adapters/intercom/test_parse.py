"""Intercom: the author's type, whatever the topic; parts that are more than a message; replies by the API."""

import json
from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Action, Message, Request, VerifyError, fingerprint
from sanfen_adapters.channels.intercom import IntercomChannel


def channel(**options: Any) -> IntercomChannel:
    return IntercomChannel("shop", "ic", ("secret",), options)


def part(kind: str = "comment", author: str = "admin", **more: Any) -> dict[str, Any]:
    who = {"type": author, "id": "6", "from_ai_agent": False, "is_ai_answer": False}
    return {
        "id": "p1",
        "part_type": kind,
        "body": "<p>a &amp; b<br>c</p>",
        "created_at": 1_795_309_132,
        "author": who,
    } | more


def conversation(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "conversation", "id": "21", "conversation_parts": {"conversation_parts": list(parts)}} | more


def told(item: dict[str, Any], topic: str = "conversation.admin.replied") -> list[str]:
    body = {"type": "notification_event", "topic": topic, "data": {"item": item}}
    return lines(channel().parse(request(body), "in", RECEIVED_MS))


@pytest.mark.parametrize(
    ("author", "line"),
    [
        ("lead", "customer:lead:6 21#p1 a & b\nc"),
        ("admin", "human:admin:6 21#p1 a & b\nc"),
        ("bot", "bot:bot:6 21#p1 a & b\nc"),
        ("team", "auto:team:6 21#p1 a & b\nc"),
        ("fin", "unknown:fin:6 21#p1 a & b\nc"),
    ],
)
def test_authors(author: str, line: str) -> None:
    assert told(conversation(part(author=author))) == [line]


def test_an_answer_of_the_ai_under_an_admins_name() -> None:
    who = {"type": "admin", "id": "6", "is_ai_answer": True}

    assert told(conversation(part() | {"author": who})) == ["bot:admin:6 21#p1 a & b\nc"]


@pytest.mark.parametrize(
    ("kind", "more", "found"),
    [
        ("note", {}, []),
        ("snoozed", {}, []),
        ("close", {"body": None}, ["close"]),
        ("close", {}, ["human", "close"]),
        ("assignment", {"body": None, "assigned_to": {"type": "admin", "id": "7"}}, ["transfer"]),
        ("assignment", {"assigned_to": {"type": "team", "id": "7"}}, ["human", "transfer"]),
        ("open", {"body": None}, []),
    ],
)
def test_parts(kind: str, more: dict[str, Any], found: list[str]) -> None:
    assert [one.split(":")[0] for one in told(conversation(part(kind, **more)))] == found


def test_the_first_message_stands_in_the_source() -> None:
    source = {"id": "s1", "body": "<p>hi</p>", "author": {"type": "user", "id": "9"}}
    item = conversation(source=source, created_at=1_795_309_132)

    assert told(item, "conversation.user.created") == ["customer:user:9 21#s1 hi"]
    assert told(item, "conversation.user.replied") == []


def test_other_notifications() -> None:
    assert told({"type": "ping"}, "ping") == []


REPLY = request({"message_type": "comment"}, "conversations/21/reply", headers={"authorization": "Bearer T"})


def test_what_a_call_sent_and_by_whose_token() -> None:
    """The notification has the same id and conversation: the two become one."""
    (event,) = channel().answered(REPLY, answer(conversation(part(id="p0"), part())), "out", RECEIVED_MS)

    assert lines([event]) == told(conversation(part()))
    assert isinstance(event, Message)
    assert event.credential == fingerprint("T")


@pytest.mark.parametrize(
    ("call", "status", "item"),
    [
        (REPLY, 422, conversation(part())),
        (REPLY._replace(path="conversations/21/parts"), 200, conversation(part())),
        (REPLY, 200, conversation()),
        (REPLY, 200, conversation(part("note"))),
    ],
)
def test_calls_that_sent_nothing(call: Request, status: int, item: dict[str, Any]) -> None:
    assert not channel().answered(call, answer(item, status), "out", RECEIVED_MS)


def test_a_call_needs_a_token() -> None:
    assert channel().verify(REPLY, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        channel().verify(REPLY._replace(headers={}), "out", RECEIVED_MS)


def test_acts() -> None:
    one = channel(token="t", admin="5")
    assign, note = one.act(Action("assign", "21", agent="admin:6")), one.act(Action("note", "21", text="快回复"))

    assert assign is not None
    assert note is not None
    assert (assign.url, json.loads(assign.body)) == (
        "https://api.intercom.io/conversations/21/parts",
        {"type": "admin", "admin_id": "5", "message_type": "assignment", "assignee_id": "6"},
    )
    assert json.loads(note.body)["message_type"] == "note"
    assert note.url.endswith("/conversations/21/reply")
    assert channel().act(Action("note", "21", text="x")) is None
    assert one.act(Action("assign", "21", agent="lily")) is None
