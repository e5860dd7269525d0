"""Chatwoot's own bodies and the events they must become; who answered, whoever's name it was sent in."""

import json
from pathlib import Path
from typing import Any

import pytest

from sanfen.abc import Action, ParseError, Request, VerifyError
from sanfen.core.events import Close, Event, Message, Transfer
from sanfen_adapters.channels.chatwoot import ChatwootChannel
from sanfen_adapters.channels.chatwoot.parse import parse
from sanfen_adapters.signatures import CHATWOOT, check, keys

FOLDER = Path(__file__).parent / "fixtures"
FIXTURES = sorted(FOLDER.glob("*.json"))
VECTORS = [json.loads(line) for line in (FOLDER / "vectors.jsonl").read_text(encoding="utf-8").splitlines()]
RECEIVED_MS = 1_795_309_140_000
ROLES = {"customer": "customer", "agent": "merchant", "bot": "merchant", "auto": "merchant"}


def events(body: Any, headers: dict[str, str] | None = None) -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return list(parse(Request("POST", "", "", headers or {}, raw), RECEIVED_MS, shop="shop", channel="desk"))


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def facts(event: Event) -> dict[str, Any]:
    """An event in the words of the fixtures."""
    if isinstance(event, Transfer):
        return {"kind": "assign", "conv": event.key.conversation, "actor": event.to}
    if isinstance(event, Close):
        return {"kind": "status", "conv": event.key.conversation, "text": "resolved"}
    assert isinstance(event, Message)
    answered = event.sender == "merchant"
    role = "customer" if not answered else {"human": "agent", "bot": "bot"}.get(event.mode, "auto")
    actor = event.customer if not answered else event.bot or event.agent
    return {
        "kind": "message", "role": role, "conv": event.key.conversation, "msg_id": event.id, "ts_ms": event.at_ms,
        "actor": actor, "text": event.text, "reply_class": event.mode if answered else None,
    }  # fmt: skip


@pytest.mark.parametrize("path", [one for one in FIXTURES if one.stem != "api_send_by_bot"], ids=lambda path: path.stem)
def test_fixtures(path: Path) -> None:
    given = json.loads(path.read_text(encoding="utf-8"))
    found = [facts(event) for event in events(given["body"])]

    assert found == [{key: wanted.get(key) for key in row} for wanted, row in zip(given["expect"], found, strict=True)]


def test_what_the_api_is_asked_to_send_comes_back_by_the_webhook() -> None:
    """Its id and time are Chatwoot's to give: read here too, it would be counted twice."""
    given = fixture("api_send_by_bot")
    channel = ChatwootChannel("shop", "desk", ("secret",), {})
    request = Request("POST", given["path"][1:], "", given["headers"], json.dumps(given["body"]).encode())

    assert channel.verify(request, "out", RECEIVED_MS) is None
    assert channel.parse(request, "out", RECEIVED_MS) == ()
    with pytest.raises(VerifyError, match="api_access_token"):
        channel.verify(request._replace(headers={}), "out", RECEIVED_MS)


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


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signatures(vector: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body, now_ms = vector["body"].encode(), vector["now"] * 1000
    good = Request("POST", "", "", headers, body)
    check(CHATWOOT, good, keys((vector["secret"],), "desk"), now_ms)
    tampered = [
        good._replace(body=body + b" "),
        good._replace(headers=headers | {"x-chatwoot-timestamp": str(int(headers["x-chatwoot-timestamp"]) + 1)}),
        good._replace(headers=headers | {"x-chatwoot-signature": headers["x-chatwoot-signature"][:-1] + "0"}),
        good._replace(
            headers=headers | {"x-chatwoot-signature": headers["x-chatwoot-signature"].removeprefix("sha256=")}
        ),
    ]
    for request in tampered:
        with pytest.raises(VerifyError):
            check(CHATWOOT, request, keys((vector["secret"],), "desk"), now_ms)
    with pytest.raises(VerifyError):
        check(CHATWOOT, good, keys(("another",), "desk"), now_ms)
    with pytest.raises(VerifyError):
        check(CHATWOOT, good, keys((vector["secret"],), "desk"), now_ms + 301_000)


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
