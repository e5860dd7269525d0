"""Telegram: what its fixtures do not show."""

import json
from typing import Any

import pytest
from aiohttp import FormData

from sanfen.abc import Answer, Here, Message, ParseError, Place, Recall, Request, VerifyError, fingerprint
from sanfen.core.events import SOMEBODY
from sanfen_adapters.channels.telegram import TelegramChannel
from sanfen_adapters.channels.telegram.parse import update

RECEIVED_MS = 1_795_309_140_000
PLACE = Place("shop", "tg", RECEIVED_MS)
HERE = Here("https://sanfen.example.com/in/tg", "https://sanfen.example.com/out/tg")
CHAT = {"id": 1001, "type": "private"}
WHO = {"id": 1001, "is_bot": False}
CALL = "bot111:ptb/"


def channel() -> TelegramChannel:
    return TelegramChannel("shop", "tg", ("s3cret-TOKEN_1",), {})


def call(method: str, answer: Any, body: Any = b"", kind: str = "application/json", status: int = 200) -> list[Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("POST", CALL + method, "", {"content-type": kind}, raw)
    return list(channel().answered(request, Answer(status, {}, json.dumps(answer).encode()), "out", RECEIVED_MS))


def message(**facts: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1795309132, "chat": CHAT, "from": WHO} | facts


def test_a_poll_brings_what_customers_said() -> None:
    """Each once: an update that is fetched again has the same id."""
    updates = [{"update_id": 1, "message": message(text="在吗")}, {"update_id": 2, "edited_message": message(text="x")}]
    (event,) = call("getUpdates", {"ok": True, "result": updates})

    assert (event.sender, event.key.conversation, event.id, event.text) == ("customer", "1001", "5", "在吗")
    assert call("getUpdates", {"ok": True, "result": []}) == []
    assert TelegramChannel.ids == "conversation", "a message's id is one of its chat's"


@pytest.mark.parametrize("method", ["sendMessage", "SendPhoto", "copyMessage", "sendMediaGroup"])
def test_what_a_bot_sends(method: str) -> None:
    sent = message(text="有货", **{"from": {"id": 111, "is_bot": True}})
    result: Any = [sent, sent | {"message_id": 6}] if method == "sendMediaGroup" else sent
    events = call(method, {"ok": True, "result": result})

    assert [one.id for one in events] == (["5", "6"] if method == "sendMediaGroup" else ["5"])
    first = events[0]
    assert (first.mode, first.bot, first.evidence, first.credential) == (
        "bot", "bot:111", "credential", fingerprint("111:ptb"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "answer", "status"),
    [
        ("sendChatAction", {"ok": True, "result": True}, 200),
        ("editMessageText", {"ok": True, "result": message(text="x")}, 200),
        ("getMe", {"ok": True, "result": {"id": 111, "is_bot": True}}, 200),
        ("sendMessage", {"ok": False, "description": "Bad Request"}, 400),
    ],
)
def test_calls_that_send_nothing(method: str, answer: Any, status: int) -> None:
    assert call(method, answer, status=status) == []


def test_in_a_business_chat_a_bot_speaks_by_its_connection() -> None:
    sent = message(text="x", business_connection_id="bc1")

    assert call("sendMessage", {"ok": True, "result": sent})[0].key.conversation == "bc1/1001"


@pytest.mark.parametrize(
    ("facts", "mode", "agent"),
    [({"from": {"id": 9}}, "human", "user:9"), ({"from": None}, "unknown", None)],
)
def test_who_answers_in_a_business_chat(facts: dict[str, Any], mode: str, agent: str | None) -> None:
    (event,) = update({"business_message": message(text="有的", business_connection_id="bc1") | facts}, PLACE)

    assert isinstance(event, Message)
    assert (event.sender, event.mode, event.agent) == ("merchant", mode, agent)


def test_in_a_group_the_directory_says_who_is_staff() -> None:
    (event,) = update({"message": message(text="x", chat={"id": -5, "type": "supergroup"})}, PLACE)
    (bot,) = update({"message": message(text="x", **{"from": {"id": 3, "is_bot": True}})}, PLACE)

    assert (event.sender, event.customer) == (SOMEBODY, "user:1001")  # type: ignore[union-attr]
    assert (bot.mode, bot.bot) == ("bot", "bot:3")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        {"message": message(new_chat_members=[WHO])},
        {"message": message(text="x") | {"from": None}},
        {"business_connection": {"id": "bc1"}},
        {"callback_query": {"id": "1"}},
        {},
    ],
)
def test_what_is_no_message(body: dict[str, Any]) -> None:
    assert list(update(body, PLACE)) == []


def test_a_message_taken_back() -> None:
    body = {
        "update_id": 7,
        "deleted_business_messages": {"business_connection_id": "bc1", "chat": CHAT, "message_ids": [12, 13]},
    }
    events = update(body, PLACE)

    assert [(one.key.conversation, one.message) for one in events if isinstance(one, Recall)] == [
        ("bc1/1001", "12"),
        ("bc1/1001", "13"),
    ]


def test_a_bot_may_answer_a_webhook_with_a_call() -> None:
    """Telegram then tells nobody the id."""
    said = {"method": "sendMessage", "chat_id": 1001, "text": "请稍等"}
    answer = Answer(200, {"content-type": "application/json"}, json.dumps(said).encode())
    (event,) = channel().answered(Request("POST", "", "", {}, b"{}"), answer, "in", RECEIVED_MS)

    assert isinstance(event, Message)
    assert (event.key.conversation, event.mode, event.text, event.at_ms) == ("1001", "bot", "请稍等", RECEIVED_MS)
    for quiet in (b"", b"ok", b'{"method": "sendChatAction", "chat_id": 1001}', b'{"ok": true}'):
        assert (
            channel().answered(Request("POST", "", "", {}, b"{}"), answer._replace(body=quiet), "in", RECEIVED_MS) == ()
        )


def test_a_call_needs_a_token_in_its_path() -> None:
    """Telegram judges the token; what has none is not the Bot API's business."""
    request = Request("POST", CALL + "getMe", "", {}, b"")

    assert channel().verify(request, "out", 0) is None
    assert channel().verify(request._replace(path="file/bot111:ptb/photos/1.jpg"), "out", 0) is None
    for path in ("", "getMe", "bot/getMe", "botx:y/getMe"):
        with pytest.raises(VerifyError):
            channel().verify(request._replace(path=path), "out", 0)


@pytest.mark.parametrize(
    "path", ["/out/tg/bot111:secret/getMe", "/out/tg/bot111%3Asecret/getMe", "/out/tg/file/bot1:secret/a"]
)
def test_the_log_keeps_no_token(path: str) -> None:
    assert "secret" not in channel().shown(path)
    assert channel().shown("/in/tg/hook") == "/in/tg/hook"


def written(**fields: str) -> tuple[bytes, str]:
    """As a multipart client writes it."""
    form = FormData(fields, default_to_multipart=True)
    payload = form()
    parts = b"".join(
        b"--%b\r\n" % payload.boundary.encode()  # type: ignore[attr-defined]
        + part._binary_headers
        + part._value
        + b"\r\n"
        for part, _, _ in payload._parts  # type: ignore[attr-defined]
    )
    return parts + b"--%b--\r\n" % payload.boundary.encode(), payload.content_type  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"url": "https://bot.example:8443/hook/a?x=1", "secret_token": "s"}', "application/json"),
        (
            b"url=https%3A%2F%2Fbot.example%3A8443%2Fhook%2Fa%3Fx%3D1&secret_token=s",
            "application/x-www-form-urlencoded",
        ),
        written(url="https://bot.example:8443/hook/a?x=1", secret_token="s"),
    ],
    ids=["json", "form", "multipart"],
)
def test_a_webhook_is_registered_at_our_address(body: bytes, kind: str) -> None:
    """With the bot's own path; the rest of the call stays."""
    made = channel().rewrite(Request("POST", CALL + "setWebhook", "", {"content-type": kind}, body), "out", HERE)

    assert made is not None
    text = made.body.decode().replace("%3A", ":").replace("%2F", "/").replace("%3F", "?").replace("%3D", "=")
    assert "https://sanfen.example.com/in/tg/hook/a?x=1" in text
    assert "bot.example" not in text
    assert "secret_token" in text


def test_the_address_may_stand_in_the_query() -> None:
    request = Request(
        "GET", CALL + "setWebhook", "url=https%3A%2F%2Fbot.example%2Fhook&drop_pending_updates=1", {}, b""
    )
    made = channel().rewrite(request, "out", HERE)

    assert made is not None
    assert made.query == "url=https%3A%2F%2Fsanfen.example.com%2Fin%2Ftg%2Fhook&drop_pending_updates=1"
    assert made.body == b""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"chat_id=1001&text=%E6%9C%89"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xe6\x9c\x89\r\n--x--',
        ),
        ("application/json", '{"chat_id": 1001, "text": "有"}'.encode()),
    ],
)
def test_what_an_answer_leaves_out_the_call_says(kind: str, body: bytes) -> None:
    """copyMessage answers with nothing but an id; a form, a multipart body and JSON say the rest."""
    query = "chat_id=1001"
    request = Request("POST", CALL + "copyMessage", query, {"content-type": kind}, body)
    (event,) = channel().answered(
        request, Answer(200, {}, b'{"ok": true, "result": {"message_id": 9}}'), "out", RECEIVED_MS
    )

    assert isinstance(event, Message)
    assert (event.key.conversation, event.id, event.text, event.at_ms) == ("1001", "9", "有", RECEIVED_MS)


def test_a_chat_without_an_id_is_said() -> None:
    with pytest.raises(ParseError, match="chat's id"):
        update({"message": message(text="x", chat={})}, PLACE)
    assert channel().answered(Request("POST", "", "", {}, b""), Answer(200, {}, b"[1]"), "in", RECEIVED_MS) == ()


def test_other_calls_stay_as_they_are() -> None:
    tg = channel()
    gone = Request("POST", CALL + "setWebhook", "url=", {"content-type": "application/json"}, b'{"url": ""}')
    made = tg.rewrite(gone, "out", HERE)

    assert tg.rewrite(Request("POST", CALL + "sendMessage", "", {}, b'{"url": "https://x"}'), "out", HERE) is None
    assert made is not None
    assert (made.query, json.loads(made.body)) == ("url=", {"url": ""})
