"""Whose name a Matrix event is in, what is no message, and what a bridge's own calls tell."""

import json
import re
from typing import Any

import pytest

from sanfen.abc import Answer, ConfigError, Message, Place, Recall, Request, VerifyError
from sanfen.core.events import SOMEBODY
from sanfen_adapters.channels.matrix_as import MatrixChannel
from sanfen_adapters.channels.matrix_as.parse import parse

AT_MS = 1_795_309_132_859
PLACE = Place("shop", "irc", AT_MS + 400)
CUSTOMERS = re.compile("@irc_.*")
OPTIONS = {"customers": "@irc_.*"}


def transaction(*events: Any, method: str = "PUT", path: str = "_matrix/app/v1/transactions/7") -> Request:
    return Request(method, path, "", {}, json.dumps({"events": events}).encode())


def event(kind: str = "m.room.message", sender: str = "@lily:shop.test", **content: Any) -> dict[str, Any]:
    head = {"type": kind, "sender": sender, "event_id": "$e", "room_id": "!r", "origin_server_ts": AT_MS}
    return head | {"content": content}


@pytest.mark.parametrize(
    ("given", "sender", "mode"),
    [
        (event(sender="@irc_net_ann:shop.test", msgtype="m.text", body="?"), "customer", "unknown"),
        (event(sender="@irc_net_ann:shop.test", msgtype="m.notice", body="?"), "customer", "unknown"),
        (event(sender="@not@irc_:shop.test", msgtype="m.text", body="!"), "merchant", "human"),
        (event(msgtype="m.text", body="!"), "merchant", "human"),
        (event(msgtype="m.emote", body="!"), "merchant", "human"),
        (event(msgtype="m.image", body="a.png", url="mxc://x"), "merchant", "human"),
        (event("m.sticker", body="!", url="mxc://x"), "merchant", "human"),
        (event(msgtype="m.notice", body="!"), "merchant", "auto"),
        (event("m.room.encrypted", algorithm="m.megolm.v1.aes-sha2"), "merchant", "unknown"),
    ],
)
def test_who_spoke(given: dict[str, Any], sender: str, mode: str) -> None:
    (found,) = parse(transaction(given), PLACE, CUSTOMERS)

    assert isinstance(found, Message)
    assert (found.sender, found.mode, found.key.conversation, found.id, found.at_ms) == (
        sender,
        mode,
        "!r",
        "$e",
        AT_MS,
    )


@pytest.mark.parametrize(
    "given",
    [
        event(),  # redacted since
        event("m.room.member", membership="join"),
        event("m.reaction") | {"content": {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$a", "key": "+"}}},
        event() | {"content": {"body": "* !", "m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}}},
        {"type": "m.typing", "room_id": "!r", "content": {"user_ids": []}},
        "no object",
    ],
)
def test_what_is_no_message(given: Any) -> None:
    assert list(parse(transaction(given), PLACE, CUSTOMERS)) == []


@pytest.mark.parametrize(
    "request_",
    [
        transaction(method="GET", path="_matrix/app/v1/users/%40irc_a%3Ashop.test"),
        Request("POST", "_matrix/app/v1/ping", "", {}, b"{}"),
        transaction(),
    ],
)
def test_questions_without_messages(request_: Request) -> None:
    assert list(parse(request_, PLACE, CUSTOMERS)) == []


@pytest.mark.parametrize("where", [{"redacts": "$a"}, {}])
def test_what_was_taken_back(where: dict[str, str]) -> None:
    """Newer rooms name the message inside the content."""
    given = event("m.room.redaction", **({} if where else {"redacts": "$a"})) | where

    assert [one.message for one in parse(transaction(given), PLACE, CUSTOMERS) if isinstance(one, Recall)] == ["$a"]


def call(user: str, path: str = "_matrix/client/v3/rooms/%21r/send/m.room.message/t1") -> Request:
    return Request(
        "PUT", path, f"user_id={user}", {"authorization": "Bearer as"}, b'{"msgtype": "m.text", "body": "?"}'
    )


def test_a_call_in_a_customers_name_is_told_by_its_answer() -> None:
    channel = MatrixChannel("shop", "irc", ["hs"], OPTIONS)
    answer = Answer(200, {}, b'{"event_id": "$e"}')

    (found,) = channel.answered(call("%40irc_net_ann%3Ashop.test"), answer, "out", AT_MS)

    assert isinstance(found, Message)
    assert (found.sender, found.key.conversation, found.id, found.text) == ("customer", "!r", "$e", "?")
    assert channel.parse(call("%40irc_a"), "out", AT_MS) == ()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (call("%40irc_a"), 403),
        (call("%40bridge%3Ashop.test"), 200),
        (call(""), 200),
        (call("%40irc_a", "_matrix/client/v3/rooms/%21r/state/m.room.topic/"), 200),
        (call("%40irc_a")._replace(method="GET"), 200),
    ],
)
def test_calls_that_tell_nothing(request_: Request, status: int) -> None:
    channel = MatrixChannel("shop", "irc", ["hs"], OPTIONS)

    assert list(channel.answered(request_, Answer(status, {}, b'{"event_id": "$e"}'), "out", AT_MS)) == []


def test_whose_token() -> None:
    channel = MatrixChannel("shop", "irc", ["hs"], OPTIONS)

    assert channel.verify(transaction()._replace(headers={"authorization": "Bearer hs"}), "in", AT_MS) is not None
    with pytest.raises(VerifyError, match="no signature matches"):
        channel.verify(transaction()._replace(headers={"authorization": "Bearer as"}), "in", AT_MS)
    assert channel.verify(call("%40irc_a"), "out", AT_MS) is None
    assert channel.verify(Request("GET", "_matrix/client/versions", "", {}, b""), "out", AT_MS) is None
    with pytest.raises(VerifyError, match="no access token"):
        channel.verify(call("%40irc_a")._replace(headers={}), "out", AT_MS)


def test_without_a_namespace_the_directory_tells() -> None:
    channel = MatrixChannel("shop", "irc", ["hs"], {})

    (one,) = channel.parse(transaction(event(msgtype="m.text", body="?")), "in", AT_MS)
    (other,) = channel.parse(transaction(event(msgtype="m.notice", body="!")), "in", AT_MS)

    assert isinstance(one, Message)
    assert isinstance(other, Message)
    assert (one.sender, one.customer, other.mode) == (SOMEBODY, "@lily:shop.test", "auto")
    assert channel.answered(call("%40irc_a"), Answer(200, {}, b"{}"), "out", AT_MS) == ()


def test_a_namespace_that_is_no_pattern_is_said() -> None:
    with pytest.raises(ConfigError, match="is no pattern"):
        MatrixChannel("shop", "irc", ["hs"], {"customers": "@irc_("})
