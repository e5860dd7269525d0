"""Zendesk messaging: authors, sources, control that is passed to people, and calls by their tokens."""

from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Message, VerifyError, fingerprint
from sanfen_adapters.channels.zendesk_sunco import ZendeskSuncoChannel


def channel(**options: Any) -> ZendeskSuncoChannel:
    return ZendeskSuncoChannel("shop", "zd", ("secret",), options)


def message(source: str = "api", **author: Any) -> dict[str, Any]:
    who = {"type": "business", "displayName": "小王"} | author
    text = {"type": "text", "text": "hi"}
    return {
        "id": "m",
        "received": "2026-11-22T00:58:52.859Z",
        "author": who,
        "content": text,
        "source": {"type": source},
    }


def told(kind: str, payload: dict[str, Any], **options: Any) -> list[str]:
    event = {"id": "e", "createdAt": "2026-11-22T00:58:53.000Z", "type": kind}
    held = {"events": [event | {"payload": {"conversation": {"id": "c"}} | payload}]}
    return lines(channel(**options).parse(request(held), "in", RECEIVED_MS))


def test_a_call_is_unknown_until_the_file_says_whose_it_is() -> None:
    assert told("conversation:message", {"message": message()}) == ["unknown:小王 c#m hi"]
    assert told("conversation:message", {"message": message()}, human_sources=["api"]) == ["human:小王 c#m hi"]


@pytest.mark.parametrize(("people", "found"), [(["zd-agentWorkspace"], ["handoff"]), ([], [])])
def test_control_that_is_passed(people: list[str], found: list[str]) -> None:
    held = {"conversation": {"id": "c", "activeSwitchboardIntegration": {"name": "zd-agentWorkspace"}}}

    assert told("switchboard:passControl", held, people=people) == found


@pytest.mark.parametrize("kind", ["conversation:read", "conversation:create", "user:merge"])
def test_other_events(kind: str) -> None:
    assert told(kind, {}) == []


def test_what_a_call_sent_and_by_whose_token() -> None:
    sent = request({"content": {}}, "v2/apps/a/conversations/c/messages", headers={"authorization": "Basic T"})
    said = {"messages": [message(), message(type="user", userId="u")]}
    (event,) = channel().answered(sent, answer(said, 201), "out", RECEIVED_MS)

    assert lines([event]) == ["unknown:小王 c#m hi"]
    assert isinstance(event, Message)
    assert event.credential == fingerprint("Basic T")
    assert channel().answered(sent, answer(said, 400), "out", RECEIVED_MS) == ()
    assert channel().answered(sent._replace(path="v2/apps/a/users"), answer(said, 201), "out", RECEIVED_MS) == ()
    assert channel().verify(sent, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        channel().verify(sent._replace(headers={}), "out", RECEIVED_MS)
