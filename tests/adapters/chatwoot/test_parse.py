"""Chatwoot's own bodies and the events they must become; who answered, whoever's name it was sent in."""

import json
from pathlib import Path
from typing import Any

import pytest

from sanfen.abc import Action, Answer, Event, Message, ParseError, Place, Recall, Request, VerifyError, fingerprint
from sanfen_adapters.channels.chatwoot import ChatwootChannel
from sanfen_adapters.channels.chatwoot.parse import parse

FOLDER = Path(__file__).parent.parent.parent / "data" / "channels" / "chatwoot"
RECEIVED_MS = 1_795_309_140_000
PLACE = Place("shop", "desk", RECEIVED_MS)


def events(body: Any, headers: dict[str, str] | None = None) -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return list(parse(Request("POST", "", "", headers or {}, raw), PLACE))


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def call() -> tuple[ChatwootChannel, Request]:
    given = fixture("api_send_by_bot")
    body = json.dumps(given["body"]).encode()
    return ChatwootChannel("shop", "desk", ("secret",), {}), Request(
        "POST", given["path"][1:], "", given["headers"], body
    )


def test_what_the_api_was_asked_to_send_is_told_by_its_answer() -> None:
    """With the id under which the webhook tells it again, and by whose token it was sent."""
    channel, request = call()
    answer = Answer(
        200, {}, b'{"id": 9003, "content": "x", "created_at": 1795309132, "sender": {"id": 5, "type": "user"}}'
    )

    assert channel.verify(request, "out", RECEIVED_MS) is None
    assert channel.parse(request, "out", RECEIVED_MS) == ()
    (event,) = channel.answered(request, answer, "out", RECEIVED_MS)
    assert isinstance(event, Message)
    assert (event.id, event.at_ms, event.credential) == ("9003", 1_795_309_132_000, fingerprint("bot-token"))
    with pytest.raises(VerifyError, match="api_access_token"):
        channel.verify(request._replace(headers={}), "out", RECEIVED_MS)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("api/v1/accounts/1/conversations/12/messages", 422, b'{"id": 1}'),
        ("api/v1/accounts/1/conversations/12/messages", 200, b'{"id": 1, "private": true}'),
        ("api/v1/accounts/1/conversations/12/assignments", 200, b'{"id": 1}'),
    ],
)
def test_answers_that_tell_of_no_message(path: str, status: int, body: bytes) -> None:
    channel, request = call()

    assert channel.answered(request._replace(path=path), Answer(status, {}, body), "out", RECEIVED_MS) == ()


@pytest.mark.parametrize(
    ("changed", "mode", "agent"),
    [
        ({}, "human", "user:5"),
        ({"content_attributes": {"external_echo": True}, "sender": None}, "human", None),
        ({"content_attributes": {"automation_rule_id": 4}}, "auto", None),
        ({"additional_attributes": {"campaign_id": 8}}, "auto", "user:5"),
        ({"message_type": "template"}, "auto", None),
        ({"sender": {"id": 9, "type": "captain"}}, "unknown", None),
        ({"sender": None}, "unknown", None),
    ],
)
def test_who_answered(changed: dict[str, Any], mode: str, agent: str | None) -> None:
    body = fixture("private_note")["body"] | {"private": False} | changed
    (event,) = events(body)

    assert isinstance(event, Message)
    assert (event.mode, event.agent, event.evidence) == (mode, agent, "none" if mode == "unknown" else "field")


def test_a_customers_message_says_who_holds_the_conversation() -> None:
    (event,) = events(fixture("incoming_contact")["body"])

    assert isinstance(event, Message)
    assert (event.customer, event.agent) == ("contact:77", "user:5")


def test_a_delivery_that_comes_again_is_the_same_event() -> None:
    body = fixture("conversation_updated_assignee")["body"]
    (first,), (again,) = events(body), events(body)
    (named,) = events(body, {"x-chatwoot-delivery": "3f0c"})

    assert first.id == again.id
    assert named.id == "transfer.1/12.3f0c"


def test_a_deleted_message_is_taken_back_and_an_edited_one_is_not() -> None:
    body = fixture("incoming_contact")["body"] | {"event": "message_updated"}
    (event,) = events(body | {"content_attributes": {"deleted": True}})

    assert isinstance(event, Recall)
    assert (event.message, event.key.conversation) == ("9001", "1/12")
    assert events(body) == []


def test_older_servers_send_seconds() -> None:
    (event,) = events(fixture("incoming_contact")["body"] | {"created_at": 1_795_309_132})

    assert event.at_ms == 1_795_309_132_000


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"event": "message_created"},
        {"event": "conversation_updated", "changed_attributes": [{"assignee_id": {}}]},
    ],
)
def test_what_chatwoot_does_not_send(body: Any) -> None:
    with pytest.raises(ParseError):
        events(body)


@pytest.mark.parametrize("event", ["contact_updated", "webwidget_triggered", None, 3])
def test_what_is_no_conversations_business(event: Any) -> None:
    assert events({"event": event}) == []


def test_acts() -> None:
    channel = ChatwootChannel("shop", "desk", (), {"api": "https://chat.example.com/", "token": "t"})
    assign = channel.act(Action("assign", "1/12", agent="user:6"))
    note = channel.act(Action("note", "1/12", text="快回复"))

    assert assign is not None
    assert note is not None
    assert (assign.url, json.loads(assign.body)) == (
        "https://chat.example.com/api/v1/accounts/1/conversations/12/assignments", {"assignee_id": 6},
    )  # fmt: skip
    assert (note.url.rpartition("/")[2], json.loads(note.body)) == (
        "messages", {"content": "快回复", "message_type": "outgoing", "private": True},
    )  # fmt: skip
    assert assign.headers["api_access_token"] == "t"


@pytest.mark.parametrize(
    ("options", "conversation", "agent"),
    [
        ({}, "1/12", "user:6"),
        ({"api": "https://x"}, "1/12", "user:6"),
        ({"api": "https://x", "token": "t"}, "12", "user:6"),
        ({"api": "https://x", "token": "t"}, "1/12", "lily"),
        ({"api": "https://x", "token": "t"}, "1/12", "user:²"),
    ],
)
def test_what_cannot_be_done(options: dict[str, str], conversation: str, agent: str) -> None:
    assert ChatwootChannel("shop", "desk", (), options).act(Action("assign", conversation, agent=agent)) is None
