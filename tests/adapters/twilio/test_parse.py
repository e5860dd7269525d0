"""Twilio: forms, authors of conversations, answers in TwiML, and calls by their accounts."""

from urllib.parse import urlencode

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Message, Request, VerifyError, fingerprint
from sanfen_adapters.channels.twilio import TwilioChannel

CHANNEL = TwilioChannel("shop", "tw", ("secret",), {"url": "https://x.example/in/tw"})
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def form(**fields: str) -> Request:
    return request(urlencode(fields).encode(), headers=FORM)


def added(source: str) -> Request:
    return form(
        EventType="onMessageAdded", ConversationSid="CH1", MessageSid="IM1", Author="a", Source=source, Body="hi"
    )


SMS = form(MessageSid="SM1", From="+1", To="+2", Body="hi")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (added("SMS"), ["customer:a CH1#IM1 hi"]),
        (added("API"), ["unknown:a CH1#IM1 hi"]),
        (form(EventType="onConversationStateUpdated", ConversationSid="CH1", StateTo="closed"), ["close"]),
        (form(EventType="onConversationStateUpdated", ConversationSid="CH1", StateTo="inactive"), []),
        (form(EventType="onMessageRemoved", ConversationSid="CH1", MessageSid="IM1"), ["recall"]),
        (form(MessageSid="SM1", From="+1", To="+2", MessageStatus="delivered"), []),
        (request({"MessageSid": "SM1"}), []),
    ],
)
def test_what_comes(asked: Request, found: list[str]) -> None:
    assert lines(CHANNEL.parse(asked, "in", RECEIVED_MS)) == found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<Response><Message>welcome</Message></Response>", ["auto: +1|+2", "welcome"]),
        (b"<Response><Message><Body>welcome</Body></Message></Response>", ["auto: +1|+2", "welcome"]),
        (b"<Response/>", None),
        (b"", None),
    ],
)
def test_an_answer_in_the_answer(body: bytes, words: list[str] | None) -> None:
    found = lines(CHANNEL.answered(SMS, answer(body, content_type="text/xml"), "in", RECEIVED_MS))

    assert [[one.partition("#")[0], one.partition("#")[2].partition(" ")[2]] for one in found] == (
        [words] if words else []
    )


@pytest.mark.parametrize(
    ("path", "said", "line"),
    [
        ("2010-04-01/Accounts/AC1/Messages.json", {"sid": "SM2", "to": "+1", "from": "+2", "body": "hi"}, "unknown: +1|+2#SM2 hi"),
        ("v1/Conversations/CH1/Messages", {"sid": "IM2", "conversation_sid": "CH1", "author": "wang", "body": "hi"},
         "unknown:wang CH1#IM2 hi"),
    ],
)  # fmt: skip
def test_what_a_call_sent_and_by_whose_account(path: str, said: dict[str, str], line: str) -> None:
    call = request(b"To=x", path, headers=FORM | {"authorization": "Basic QQ=="})
    (event,) = CHANNEL.answered(call, answer(said, 201), "out", RECEIVED_MS)

    assert lines([event]) == [line]
    assert isinstance(event, Message)
    assert event.credential == fingerprint("Basic QQ==")
    assert CHANNEL.answered(call, answer(said, 400), "out", RECEIVED_MS) == ()
    assert CHANNEL.verify(call, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        CHANNEL.verify(call._replace(headers={}), "out", RECEIVED_MS)
