"""DingTalk robots: an answer goes to an address that becomes ours, and finds its conversation."""

import json
from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Alias, Here, Message, VerifyError
from sanfen_adapters.channels.dingtalk import DingtalkChannel

ASKED = {
    "conversationId": "cid", "msgId": "m", "senderId": "$:s", "createAt": 1_795_309_132_859, "msgtype": "text",
    "text": {"content": " hi"}, "sessionWebhook": "https://oapi.example/robot/sendBySession?session=S1",
}  # fmt: skip
HERE = Here("http://us/in/dt", "http://us/out/dt")


def channel(**options: Any) -> DingtalkChannel:
    return DingtalkChannel("shop", "dt", ("secret",), options)


def test_a_stranger_without_a_staff_id() -> None:
    alias, event = channel().parse(request(ASKED), "in", RECEIVED_MS)

    assert isinstance(alias, Alias)
    assert isinstance(event, Message)
    assert (event.sender, event.customer, event.text, event.rule) == ("somebody", "$:s", "hi", "senderId")
    assert channel().parse(request({"x": 1}), "in", RECEIVED_MS) == ()


def test_an_answer_through_the_address_that_is_ours() -> None:
    one = channel(rewrite_session_webhook="true", bot="faq")
    changed = one.rewrite(request(ASKED), "in", HERE)
    assert changed is not None
    address = json.loads(changed.body)["sessionWebhook"]
    call = request(
        {"msgtype": "text", "text": {"content": "有"}}, "robot/sendBySession", query=address.partition("?")[2]
    )
    alias, _ = one.parse(request(ASKED), "in", RECEIVED_MS)
    (event,) = one.answered(call, answer({"errcode": 0}), "out", RECEIVED_MS)

    assert address == "http://us/out/dt/robot/sendBySession?session=S1"
    assert isinstance(alias, Alias)
    assert (alias.conversation, lines([event])[0].partition("#")[0]) == ("cid", f"bot:faq {alias.alias}")
    assert "S1" not in alias.alias
    assert one.answered(call, answer({"errcode": 310000}), "out", RECEIVED_MS) == ()
    assert one.verify(call, "out", RECEIVED_MS) is None


@pytest.mark.parametrize("address", [None, "", 5, "http://["])
def test_addresses_that_are_none(address: Any) -> None:
    assert (
        channel(rewrite_session_webhook="true").rewrite(request(ASKED | {"sessionWebhook": address}), "in", HERE)
        is None
    )
    assert channel().rewrite(request(ASKED), "in", HERE) is None


def test_messages_to_a_group() -> None:
    call = request(
        {"openConversationId": "cid"}, "v1.0/robot/groupMessages/send", headers={"x-acs-dingtalk-access-token": "t"}
    )

    assert lines(channel().answered(call, answer({"processQueryKey": "k"}), "out", RECEIVED_MS)) == ["bot: cid#k"]
    assert channel().verify(call, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        channel().verify(call._replace(headers={}), "out", RECEIVED_MS)
