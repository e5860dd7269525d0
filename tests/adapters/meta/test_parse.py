"""WhatsApp, Messenger, Instagram: two names of one customer, echoes, stamps, and calls by their tokens."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Alias, Message, ParseError, Request, VerifyError, fingerprint
from sanfen_adapters.channels.meta import MetaChannel

BOTH = [{"wa_id": "8613800000000", "user_id": "CN.77"}]
SCOPED = [{"user_id": "CN.77"}]


def channel(**options: Any) -> MetaChannel:
    return MetaChannel("shop", "meta", ("secret",), {"verify_token": "vt"} | options)


def whatsapp(field: str = "messages", **value: Any) -> Request:
    held = {"metadata": {"phone_number_id": "55"}, "contacts": BOTH} | value
    return request({"object": "whatsapp_business_account", "entry": [{"changes": [{"field": field, "value": held}]}]})


def said(**more: Any) -> dict[str, Any]:
    return {"id": "w1", "timestamp": "1795309132", "type": "text", "text": {"body": "hi"}} | more


def page(**more: Any) -> Request:
    one = {"sender": {"id": "6001"}, "recipient": {"id": "9001"}, "timestamp": 1_795_309_132_859} | more
    return request({"object": "page", "entry": [{"id": "9001", "messaging": [one]}]})


def echo(**message: Any) -> Request:
    return page(
        sender={"id": "9001"}, recipient={"id": "6001"}, message={"mid": "m1", "text": "hi", "is_echo": True} | message
    )


def told(asked: Request, **options: Any) -> list[str]:
    return lines(channel(**options).parse(asked, "in", RECEIVED_MS))


def test_two_names_of_one_customer() -> None:
    """Whoever hides the number later is still the same conversation."""
    alias, event = channel().parse(whatsapp(messages=[said(**{"from": "8613800000000"})]), "in", RECEIVED_MS)

    assert alias == Alias("55/CN.77", "55/8613800000000")
    assert lines([event]) == ["customer:wa:8613800000000 55/8613800000000#w1 hi"]
    assert told(whatsapp(messages=[said()], contacts=SCOPED)) == ["customer:bsuid:CN.77 55/CN.77#w1 hi"]


def test_a_message_of_nobody() -> None:
    with pytest.raises(ParseError, match="without wa_id"):
        told(whatsapp(messages=[said()], contacts=[]))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({"type": "button", "button": {"text": "是"}}, "#w1 是"),
        ({"type": "interactive", "interactive": {"button_reply": {"id": "1", "title": "好"}}}, "#w1 好"),
        ({"type": "image", "image": {"id": "1", "caption": "看"}}, "#w1 看"),
        ({"type": "audio", "audio": {"id": "1"}}, "#w1"),
        ({"type": "reaction", "reaction": {"emoji": "👍"}}, None),
        ({"type": "revoke", "revoke": {"original_message_id": "w0"}}, "recall"),
    ],
)
def test_kinds_of_messages(message: dict[str, Any], line: str | None) -> None:
    found = told(whatsapp(messages=[said(**{"from": "1"}, **message)]))[1:]

    assert [one if one == "recall" else one[one.index("#") :] for one in found] == ([] if line is None else [line])


def test_typed_in_the_app_and_taken_back() -> None:
    echoes = [said(to="1", **{"from": "2"}), said(id="w2", to="1", type="revoke", revoke={"original_message_id": "w1"})]

    assert told(whatsapp("smb_message_echoes", message_echoes=echoes))[1:] == ["human: 55/1#w1 hi", "recall"]


@pytest.mark.parametrize(
    ("status", "stamp", "found"),
    [
        ("sent", "sanfen:agent=wang", ["human:wang 55/1#w1"]),
        ("sent", "sanfen:assisted=xiaoduo", ["assisted:xiaoduo 55/1#w1"]),
        ("sent", "sanfen:bot=faq;x", ["bot:faq 55/1#w1"]),
        ("sent", "order 17", []),
        ("sent", None, []),
        ("read", "sanfen:agent=wang", []),
    ],
)
def test_a_stamp_tells_who_sent_what_went_past_us(status: str, stamp: str | None, found: list[str]) -> None:
    one = {
        "id": "w1",
        "status": status,
        "timestamp": "1795309132",
        "recipient_id": "1",
        "biz_opaque_callback_data": stamp,
    }

    assert told(whatsapp(statuses=[one]))[1:] == found


@pytest.mark.parametrize("field", ["history", "account_update", "message_template_status_update"])
def test_other_fields_are_nobodys_message(field: str) -> None:
    assert told(whatsapp(field, messages=[said(**{"from": "1"})])) == []


SENT = answer({"contacts": [{"input": "+1", "wa_id": "1"}], "messages": [{"id": "w9"}]})


def call(body: dict[str, Any], path: str = "v23.0/55/messages") -> Request:
    return request(body, path, headers={"authorization": "Bearer T"})


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"to": "+1", "text": {"body": "hi"}}, ["unknown: 55/1#w9 hi"]),
        ({"to": "+1", "type": "template", "template": {"name": "hello"}}, ["auto: 55/1#w9"]),
        (
            {"to": "1", "text": {"body": "hi"}, "biz_opaque_callback_data": "sanfen:agent=wang"},
            ["human:wang 55/1#w9 hi"],
        ),
        ({"recipient": "CN.77", "text": {"body": "hi"}}, ["unknown: 55/1#w9 hi"]),
        ({"to": "1", "type": "reaction", "reaction": {}}, []),
        ({"status": "read", "message_id": "w1"}, []),
    ],
)
def test_what_a_call_sent_and_by_whose_token(body: dict[str, Any], found: list[str]) -> None:
    sent = call({"messaging_product": "whatsapp"} | body)
    events = channel().answered(sent, SENT, "out", RECEIVED_MS)

    assert lines(events) == found
    assert all(isinstance(one, Message) and one.credential == fingerprint("T") for one in events)


@pytest.mark.parametrize(
    ("path", "status"),
    [("v23.0/55/messages", 400), ("v23.0/55/media", 200), ("messages", 200), ("a/b/c/messages", 200)],
)
def test_calls_that_sent_nothing(path: str, status: int) -> None:
    sent = call({"messaging_product": "whatsapp", "to": "1"}, path)

    assert channel().answered(sent, SENT._replace(status=status), "out", RECEIVED_MS) == ()


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"app_id": 263902037430900}, "human: 9001/6001#m1 hi"),
        ({"app_id": 1}, "bot:app:1 9001/6001#m1 hi"),
        ({}, "unknown: 9001/6001#m1 hi"),
        ({"app_id": 1, "metadata": "sanfen:assisted=xiaoduo"}, "assisted:xiaoduo 9001/6001#m1 hi"),
        ({"app_id": 1, "metadata": "sanfen:agent=wang"}, "human:wang 9001/6001#m1 hi"),
        ({"metadata": "sanfen:bot=faq"}, "bot:faq 9001/6001#m1 hi"),
        ({"is_deleted": True}, "recall"),
    ],
)
def test_who_is_behind_an_echo(message: dict[str, Any], found: str) -> None:
    assert told(echo(**message)) == [found]


def test_apps_in_which_people_type() -> None:
    assert told(echo(app_id=7), human_apps=["7"]) == ["human: 9001/6001#m1 hi"]
    assert told(echo(app_id=263902037430900), human_apps="7")[0].startswith("bot:app:")


@pytest.mark.parametrize(
    ("one", "found"),
    [
        ({"message": {"mid": "m1", "attachments": [{"type": "image"}]}}, ["customer:psid:6001 9001/6001#m1"]),
        ({"postback": {"mid": "m1", "title": "开始"}}, ["customer:psid:6001 9001/6001#m1 开始"]),
        ({"message": {"mid": "m1", "is_deleted": True}}, ["recall"]),
        ({"delivery": {"mids": ["m1"]}}, []),
        ({"read": {"watermark": 1}}, []),
        ({"pass_thread_control": {"new_owner_app_id": 263902037430900}}, ["handoff"]),
        ({"pass_thread_control": {"new_owner_app_id": 1}}, []),
    ],
)
def test_what_happens_on_a_page(one: dict[str, Any], found: list[str]) -> None:
    assert told(page(**one)) == found


def test_what_another_app_has_in_hand_is_seen_too() -> None:
    one = {
        "sender": {"id": "6001"},
        "recipient": {"id": "9001"},
        "timestamp": 1_795_309_132_859,
        "message": {"mid": "m1"},
    }
    asked = request({"object": "instagram", "entry": [{"id": "9001", "standby": [one]}]})

    assert told(asked) == ["customer:psid:6001 9001/6001#m1"]


@pytest.mark.parametrize(("path", "options"), [("v23.0/9001/messages", {}), ("v23.0/me/messages", {"page": "9001"})])
def test_a_page_that_sends_by_the_api(path: str, options: dict[str, str]) -> None:
    """The echo has the same id and conversation: the two become one."""
    sent = request({"recipient": {"id": "6001"}, "message": {"text": "hi"}}, path, query="access_token=T")
    (event,) = channel(**options).answered(
        sent, answer({"recipient_id": "6001", "message_id": "m1"}), "out", RECEIVED_MS
    )

    assert lines([event]) == ["unknown: 9001/6001#m1 hi"]
    assert isinstance(event, Message)
    assert event.credential == fingerprint("T")


def test_a_page_nobody_named_is_left_to_its_echo() -> None:
    sent = request(
        {"recipient": {"id": "6001"}, "message": {"text": "hi"}}, "v23.0/me/messages", query="access_token=T"
    )

    assert channel().answered(sent, answer({"recipient_id": "6001", "message_id": "m1"}), "out", RECEIVED_MS) == ()


def test_the_challenge() -> None:
    asked = request(method="GET", query="hub.mode=subscribe&hub.verify_token=vt&hub.challenge=1158201444")
    one = channel()
    reply = one.handshake(asked, "in")

    assert one.verify(asked, "in", RECEIVED_MS) is None
    assert reply is not None
    assert (reply.body, reply.status) == (b"1158201444", 200)
    for wrong in ("hub.verify_token=vx&hub.challenge=1", "hub.challenge=1", "hub.verify_token=&hub.challenge=1"):
        with pytest.raises(VerifyError):
            one.verify(asked._replace(query=wrong), "in", RECEIVED_MS)
    channel(handshake="forward", verify_token="").verify(
        asked._replace(query="hub.verify_token=theirs"), "in", RECEIVED_MS
    )
    with pytest.raises(VerifyError):
        channel(verify_token="").verify(asked._replace(query="hub.verify_token="), "in", RECEIVED_MS)


@pytest.mark.parametrize("value", [{"messages": ["x"]}, {"messages": {"a": 1}}, {"contacts": 3, "messages": []}])
def test_what_meta_does_not_send(value: dict[str, Any]) -> None:
    with pytest.raises(ParseError):
        told(whatsapp(**value))


def test_ids_that_are_missing_on_a_page() -> None:
    with pytest.raises(ParseError):
        told(page(sender={}, message={"mid": "m1"}))
