"""Bots that answer in the HTTP answer: whole, piece by piece, or by a call of their own; and where that is one conversation."""

import json
from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, raw, request

from sanfen.abc import Alias, Here, Message, ParseError, Request, VerifyError
from sanfen_adapters.channels.botengine import BotEngineChannel

DIFY = {"inputs": {}, "query": "有货吗", "response_mode": "streaming", "conversation_id": "", "user": "buyer1"}
ASKED = request(DIFY, "v1/chat-messages")


def channel(**options: Any) -> BotEngineChannel:
    return BotEngineChannel("shop", "bot", ("key",), options)


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + raw(one) + b"\n\n" for one in events)


def piece(text: str, kind: str = "message") -> dict[str, Any]:
    return {"event": kind, "message_id": "d1", "conversation_id": "c-1", "answer": text, "created_at": 1_795_309_132}


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_stream_is_one_message_as_of_its_first_token(size: int) -> None:
    """However it is cut, also through a character."""
    body = stream({"event": "ping"}, piece("有"), piece("货"), {"event": "message_end", "message_id": "d1"})
    tap = channel().tap(ASKED, answer(content_type="text/event-stream; charset=utf-8"), "in")
    assert tap is not None
    found: list[Any] = []
    first_ms = None
    for number, at in enumerate(range(0, len(body), size)):
        found += tap.feed(body[at : at + size], RECEIVED_MS + number)
        if (
            first_ms is None
            and "有".encode() in body[: at + size]
            and b"}\n" in body[body.index("有".encode()) : at + size]
        ):
            first_ms = RECEIVED_MS + number
    found += tap.end(RECEIVED_MS + 9_000)

    assert found[0] == Alias("c-1", "buyer1")
    assert lines(found[1:]) == ["bot: c-1#d1 有货"]
    assert found[1].at_ms == first_ms


def test_a_stream_that_breaks_off_tells_what_there_was() -> None:
    tap = channel().tap(ASKED, answer(content_type="text/event-stream"), "in")
    assert tap is not None
    tap.feed(stream(piece("有")), RECEIVED_MS)

    assert lines(tap.end(RECEIVED_MS + 1)) == ["alias", "bot: c-1#d1 有"]


def test_a_stream_without_end_is_not_kept_whole() -> None:
    tap = channel().tap(ASKED, answer(content_type="text/event-stream"), "in")
    assert tap is not None
    for _ in range(100):
        tap.feed(stream(piece("x" * 1000)), RECEIVED_MS)
    event = tap.end(RECEIVED_MS)[-1]

    assert isinstance(event, Message)
    assert event.text is not None
    assert len(event.text) == 65_536


def test_a_stream_without_words_tells_nothing() -> None:
    tap = channel().tap(ASKED, answer(content_type="text/event-stream"), "in")
    assert tap is not None

    assert tap.feed(stream({"event": "error", "status": 400, "message": "quota"}), RECEIVED_MS) == []
    assert tap.end(RECEIVED_MS) == ()


@pytest.mark.parametrize("body", [b"data: {\n", b"data: [1]\n", b"data:" + b"x" * (1 << 20) + b"y" * 10])
def test_what_is_no_stream_of_difys(body: bytes) -> None:
    tap = channel().tap(ASKED, answer(content_type="text/event-stream"), "in")
    assert tap is not None
    with pytest.raises(ParseError):
        tap.feed(body, RECEIVED_MS)


def test_a_moderated_answer_is_the_one_that_was_shown() -> None:
    tap = channel().tap(ASKED, answer(content_type="text/event-stream"), "in")
    assert tap is not None
    found = tap.feed(stream(piece("x"), piece("换一句", "message_replace"), {"event": "message_end"}), RECEIVED_MS)

    assert lines(found)[1] == "bot: c-1#d1 换一句"


def test_a_conversation_of_difys_that_goes_on() -> None:
    """Its first question is asked under the user's name, the next under the conversation's: the alias makes them one."""
    later = request(DIFY | {"conversation_id": "c-1"}, "v1/chat-messages")
    (event,) = channel().parse(later, "in", RECEIVED_MS)
    found = channel().answered(later, answer(piece("有货")), "in", RECEIVED_MS)

    assert lines([event])[0].startswith("customer:buyer1 c-1#h")
    assert lines(found) == ["bot: c-1#d1 有货"]


def test_rasa_answers_with_a_list() -> None:
    asked = request({"sender": "A", "message": "hi"}, "webhooks/rest/webhook")
    said = [{"recipient_id": "A", "text": "one"}, {"recipient_id": "A", "image": "http://x/y.png"}]
    found = channel(bot="faq").answered(asked, answer(said), "in", RECEIVED_MS)

    assert [one.rpartition("#")[0] for one in lines(found)] == ["bot:faq A", "bot:faq A"]
    assert len({one.id for one in found if isinstance(one, Message)}) == 2


@pytest.mark.parametrize(
    ("said", "status"), [([], 200), ({"error": "x"}, 500), (b"", 200), ({"status": "ok"}, 200), ("x", 200), ([1], 200)]
)
def test_answers_that_say_nothing(said: Any, status: int) -> None:
    assert channel().answered(ASKED, answer(said, status), "in", RECEIVED_MS) in ((), [])


def test_an_answer_that_is_no_json() -> None:
    with pytest.raises(ParseError):
        channel().answered(ASKED, answer(b"<html>"), "in", RECEIVED_MS)


@pytest.mark.parametrize(
    ("body", "direction", "line"),
    [
        ({"userId": "A", "conversationId": "c", "messageId": "m", "text": "hi"}, "in", "customer:A c#m hi"),
        ({"type": "message", "conversation": {"id": "c"}, "from": {"id": "A"}, "id": "m", "text": "hi"}, "in",
         "customer:A c#m hi"),
        ({"type": "endOfConversation", "conversation": {"id": "c"}, "id": "m"}, "in", "close"),
        ({"type": "event", "name": "handoff.initiate", "conversation": {"id": "c"}, "id": "m"}, "in", "handoff"),
        ({"conversationId": "c", "botpressMessageId": "b", "payload": {"text": "hi"}}, "out", "bot: c#b hi"),
    ],
)  # fmt: skip
def test_dialects(body: Any, direction: Any, line: str) -> None:
    assert lines(channel().parse(request(body), direction, RECEIVED_MS)) == [line]


@pytest.mark.parametrize("body", [{}, {"hello": "world"}, {"type": "typing", "conversation": {"id": "c"}}])
@pytest.mark.parametrize("direction", ["in", "out"])
def test_what_says_nothing(body: Any, direction: Any) -> None:
    assert channel().parse(request(body), direction, RECEIVED_MS) == ()


def activity(**more: Any) -> Request:
    return request({"type": "message", "text": "hi"} | more, "v3/conversations/c%2F1/activities/a1")


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (activity(), ["bot: c/1#r1 hi"]),
        (activity(type="event", name="handoff.initiate"), ["handoff"]),
        (activity(type="typing"), []),
        (activity()._replace(method="PUT"), []),
        (activity()._replace(path="v3/conversations"), []),
    ],
)
def test_what_a_bot_of_the_bot_framework_sends(sent: Request, line: list[str]) -> None:
    assert lines(channel().answered(sent, answer({"id": "r1"}, 201), "out", RECEIVED_MS)) == line


def test_expected_replies_come_with_the_answer() -> None:
    asked = request(
        {"type": "message", "conversation": {"id": "c"}, "from": {"id": "A"}, "deliveryMode": "expectReplies"}
    )
    said = {"activities": [{"type": "typing"}, {"type": "message", "id": "r1", "text": "hi"}]}

    assert lines(channel().answered(asked, answer(said), "in", RECEIVED_MS)) == ["bot: c#r1 hi"]


def test_the_service_url_becomes_ours_where_it_may() -> None:
    here = Here("http://us/in/bot", "http://us/out/bot")
    asked = request({"type": "message", "serviceUrl": "https://smba.example/teams/", "text": "在吗"})
    changed = channel(rewrite_service_url="true").rewrite(asked, "in", here)

    assert changed is not None
    assert json.loads(changed.body) == {"type": "message", "serviceUrl": "http://us/out/bot/", "text": "在吗"}
    assert channel().rewrite(asked, "in", here) is None
    assert channel(rewrite_service_url="true").rewrite(request({"type": "message"}), "in", here) is None


@pytest.mark.parametrize(
    ("query", "headers", "passes"),
    [
        ("", {"authorization": "Bearer key"}, True),
        ("token=key", {}, True),
        ("token=key", {"authorization": "Basic x"}, True),
        ("token=key", {"authorization": "Bearer other"}, False),
        ("token=kex", {}, False),
        ("token=key&token=key", {}, False),
        ("", {}, False),
    ],
)
def test_by_what_it_is_known(query: str, headers: dict[str, str], *, passes: bool) -> None:
    asked = request({}, query=query, headers=headers)
    if passes:
        assert channel().verify(asked, "in", RECEIVED_MS) is not None
    else:
        with pytest.raises(VerifyError):
            channel().verify(asked, "in", RECEIVED_MS)
