"""WeCom customer service: sealed pokes, pages by cursor, whose calls send, and conversations that are passed on."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import Action, Alias, Message, ParseError, Pull, Request, Unread, VerifyError
from sanfen_adapters.channels.wecom_kf import WecomKfChannel

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
OPTIONS = {"aes_key": AES_KEY, "corp_id": "ww1", "corp_secret": "s", "accounts": ["wk1"]}
POKE = "<xml><Event><![CDATA[kf_msg_or_event]]></Event><Token><![CDATA[T1]]></Token><OpenKfId><![CDATA[wk1]]></OpenKfId></xml>"


def channel(**options: Any) -> WecomKfChannel:
    return WecomKfChannel("shop", "kf", ("token",), OPTIONS | options)


def sealed(text: str, receiver: str = "ww1") -> str:
    key = base64.b64decode(AES_KEY + "=")
    plain = b"r" * 16 + len(text.encode()).to_bytes(4, "big") + text.encode() + receiver.encode()
    padding = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def signed(encrypted: str) -> str:
    at = str(RECEIVED_MS // 1000)
    mac = hashlib.sha1("".join(sorted(("token", at, "n", encrypted))).encode()).hexdigest()  # noqa: S324  # WeCom's
    return f"msg_signature={mac}&timestamp={at}&nonce=n"


def callback(text: str, receiver: str = "ww1") -> Request:
    encrypted = sealed(text, receiver)
    return request(f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode(), query=signed(encrypted))


def talk(**more: Any) -> dict[str, Any]:
    at = {"send_time": 1_795_309_132, "open_kfid": "wk1", "external_userid": "wm1", "msgid": "m1", "msgtype": "text"}
    return at | more


def event(kind: str, **more: Any) -> dict[str, Any]:
    said = {"event_type": kind, "open_kfid": "wk1", "external_userid": "wm1"} | more
    return {"send_time": 1_795_309_132, "msgid": "e1", "origin": 4, "msgtype": "event", "event": said}


def page(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"errcode": 0, "next_cursor": "c2", "has_more": 0, "msg_list": list(messages)} | more


def test_a_poke_is_opened_and_says_what_to_fetch() -> None:
    one, poke = channel(), callback(POKE)

    assert one.verify(poke, "in", RECEIVED_MS) is not None
    assert one.parse(poke, "in", RECEIVED_MS) == [Pull("wk1", "T1")]
    with pytest.raises(VerifyError):
        one.verify(poke._replace(query=poke.query.replace("nonce=n", "nonce=m")), "in", RECEIVED_MS)
    with pytest.raises(ParseError, match="somebody else"):
        one.parse(callback(POKE, "ww2"), "in", RECEIVED_MS)


def test_the_challenge_is_answered_opened() -> None:
    encrypted = sealed("1616140317555161061")
    asked = request(method="GET", query=f"{signed(encrypted)}&echostr={quote(encrypted, safe='')}")
    one = channel()
    one.verify(asked, "in", RECEIVED_MS)
    reply = one.handshake(asked, "in")

    assert reply is not None
    assert reply.body == b"1616140317555161061"
    assert one.parse(asked, "in", RECEIVED_MS) == ()


def test_without_the_key_it_says_so() -> None:
    with pytest.raises(ParseError, match="aes_key"):
        channel(aes_key=None).parse(callback(POKE), "in", RECEIVED_MS)


def test_a_token_first_then_page_by_page() -> None:
    one, poke = channel(), Pull("wk1", "T1")
    token = one.pull(poke, None, RECEIVED_MS)
    first = one.pulled(poke, answer({"errcode": 0, "access_token": "A/1", "expires_in": 7200}), None, RECEIVED_MS)
    call = one.pull(poke, None, RECEIVED_MS)
    said = page(talk(origin=3, text={"content": "在吗"}), has_more=1)
    second = one.pulled(poke, answer(said), None, RECEIVED_MS)
    again = one.pull(poke, second.cursor, RECEIVED_MS)

    assert token is not None
    assert (token.method, token.url) == ("GET", "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww1&corpsecret=s")
    assert (first.more, first.cursor, list(first.facts)) == (True, None, [])
    assert call is not None
    assert call.url == "https://qyapi.weixin.qq.com/cgi-bin/kf/sync_msg?access_token=A%2F1"
    assert json.loads(call.body) == {"token": "T1", "open_kfid": "wk1", "limit": 1000}
    assert lines(second.facts) == ["customer:wm1 wk1/wm1#m1 在吗"]
    assert (second.more, second.cursor) == (True, "c2")
    assert again is not None
    assert json.loads(again.body)["cursor"] == "c2"


def test_a_token_that_is_over_is_fetched_again() -> None:
    one, poke = channel(), Pull("wk1")
    one.pulled(poke, answer({"errcode": 0, "access_token": "A1", "expires_in": 7200}), None, RECEIVED_MS)
    one.pulled(poke, answer(page()), "c1", RECEIVED_MS)
    stale = one.pulled(poke, answer({"errcode": 42001}), "c1", RECEIVED_MS)
    after, later = one.pull(poke, "c1", RECEIVED_MS), channel()
    later.pulled(poke, answer({"errcode": 0, "access_token": "A1", "expires_in": 7200}), None, RECEIVED_MS)
    old = later.pull(poke, "c1", RECEIVED_MS + 7_000_000)

    assert (stale.more, stale.cursor) == (True, None)
    assert after is not None
    assert "gettoken" in after.url
    assert old is not None
    assert "gettoken" in old.url


def test_what_wecom_refuses_is_tried_again_later_and_said() -> None:
    with pytest.raises(ParseError, match="errcode 95000: invalid open_kfid") as caught:
        channel().pulled(Pull("wk1"), answer({"errcode": 95000, "errmsg": "invalid open_kfid"}), None, RECEIVED_MS)

    assert caught.value.hint


def test_without_a_secret_the_workflow_fetches_through_us() -> None:
    one = channel(corp_secret=None)
    fetched = request({"open_kfid": "wk1"}, "cgi-bin/kf/sync_msg", query="access_token=A")
    said = page(talk(origin=5, servicer_userid="lily", text={"content": "在"}))

    assert one.pull(Pull("wk1"), None, RECEIVED_MS) is None
    assert one.verify(fetched, "out", RECEIVED_MS) is None
    assert lines(one.answered(fetched, answer(said), "out", RECEIVED_MS)) == ["human:lily wk1/wm1#m1 在"]
    with pytest.raises(VerifyError, match="access_token"):
        one.verify(fetched._replace(query=""), "out", RECEIVED_MS)


def test_who_speaks_in_a_page() -> None:
    said = page(
        talk(origin=3, msgtype="image", image={"media_id": "x"}), talk(msgid="m2", origin=4, text={"content": "排队中"}),
        talk(msgid="m3", origin=9, text={"content": "?"}),
    )  # fmt: skip
    pulled = channel().pulled(Pull("wk1"), answer(said), None, RECEIVED_MS)

    assert lines(pulled.facts) == ["customer:wm1 wk1/wm1#m1", "auto: wk1/wm1#m2 排队中", "unknown: wk1/wm1#m3 ?"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (event("session_status_change", change_type=1, new_servicer_userid="lily"), ["transfer"]),
        (event("session_status_change", change_type=3, old_servicer_userid="lily"), ["close"]),
        (event("session_status_change", change_type=4, new_servicer_userid="lily"), ["transfer"]),
        (event("user_recall_msg", recall_msgid="m1"), ["recall"]),
        (event("enter_session", scene="1"), []),
        (event("servicer_status_change", status=2), []),
    ],
)
def test_what_happens_to_a_conversation(said: dict[str, Any], kind: list[str]) -> None:
    assert lines(channel().pulled(Pull("wk1"), answer(page(said)), None, RECEIVED_MS).facts) == kind


def test_a_welcome_is_automatic_and_finds_its_conversation() -> None:
    """The call names only a code, which the page gave; the code itself is kept nowhere."""
    one = channel()
    (alias,) = one.pulled(
        Pull("wk1"), answer(page(event("enter_session", welcome_code="CODE"))), None, RECEIVED_MS
    ).facts
    call = request({"code": "CODE", "msgid": "w1", "text": {"content": "欢迎"}}, "cgi-bin/kf/send_msg_on_event")
    (event_,) = one.answered(call, answer({"errcode": 0, "msgid": "w1"}), "out", RECEIVED_MS)

    assert isinstance(alias, Alias)
    assert alias.conversation == "wk1/wm1"
    assert lines([event_]) == [f"auto: {alias.alias}#w1 欢迎"]
    assert "CODE" not in alias.alias


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cgi-bin/kf/send_msg", {"errcode": 95001, "errmsg": "count limit"}),
        ("cgi-bin/gettoken", {"errcode": 0, "access_token": "A"}),
        ("cgi-bin/kf/account/list", {"errcode": 0}),
    ],
)
def test_calls_that_send_nothing(path: str, said: dict[str, Any]) -> None:
    call = request({"touser": "wm1", "open_kfid": "wk1", "text": {"content": "x"}}, path)

    assert channel().answered(call, answer(said), "out", RECEIVED_MS) == ()


def test_a_bot_by_its_name() -> None:
    call = request({"touser": "wm1", "open_kfid": "wk1", "text": {"content": "x"}}, "cgi-bin/kf/send_msg")
    found = channel(bot="xiaoduo").answered(call, answer({"errcode": 0, "msgid": "b1"}), "out", RECEIVED_MS)

    assert lines(found) == ["bot:xiaoduo wk1/wm1#b1 x"]


def test_a_conversation_is_given_to_a_person() -> None:
    one, assign = channel(), Action("assign", "wk1/wm1", agent="lily")
    before = one.act(assign)
    one.pulled(Pull("wk1"), answer({"errcode": 0, "access_token": "A1", "expires_in": 7200}), None, RECEIVED_MS)
    call = one.act(assign)

    assert before is None
    assert one.can("assign")
    assert not one.can("note")
    assert call is not None
    assert call.url.partition("?")[0] == "https://qyapi.weixin.qq.com/cgi-bin/kf/service_state/trans"
    assert json.loads(call.body) == {
        "open_kfid": "wk1", "external_userid": "wm1", "service_state": 3, "servicer_userid": "lily",
    }  # fmt: skip


def test_what_wecom_does_not_send() -> None:
    with pytest.raises(ParseError):
        channel().pulled(Pull("wk1"), answer({"errcode": 0, "msg_list": ["x"]}), None, RECEIVED_MS)


def test_an_unreadable_message_holds_up_no_page() -> None:
    """Else the cursor would stand before it for ever, and every customer after it would go unheard."""
    bad, good = talk(origin=3, msgid="m1", send_time="x"), talk(origin=3, msgid="m2")

    both, alone = (
        channel().pulled(Pull("wk1"), answer({"errcode": 0, "next_cursor": "c2", "msg_list": some}), None, RECEIVED_MS)
        for some in ([bad, good], [bad])
    )

    assert (both.cursor, alone.cursor) == ("c2", "c2")
    assert [type(one) for one in both.facts] == [Message, Unread]
    assert [type(one) for one in alone.facts] == [Unread]


def test_a_token_that_never_works_is_no_endless_round() -> None:
    one = channel()
    one.pulled(Pull("wk1"), answer({"errcode": 0, "access_token": "A1", "expires_in": 7200}), None, RECEIVED_MS)

    with pytest.raises(ParseError, match="errcode 42001"):
        one.pulled(Pull("wk1"), answer({"errcode": 42001}), None, RECEIVED_MS)


@pytest.mark.parametrize("lasts", [None, "7200", [], -1, 0])
def test_a_token_without_an_end_is_used_for_a_minute(lasts: Any) -> None:
    """Were it fetched again at once, there would be no end to it."""
    one = channel()
    one.pulled(Pull("wk1"), answer({"access_token": "A1", "expires_in": lasts}), None, RECEIVED_MS)
    now, later = (one.pull(Pull("wk1"), None, RECEIVED_MS + after_ms) for after_ms in (0, 60_000))

    assert now is not None
    assert "sync_msg" in now.url
    assert later is not None
    assert "gettoken" in later.url


def test_wecom_says_no_in_a_200() -> None:
    assert (
        channel().refusal(answer({"errcode": 95013, "errmsg": "conversation end"})) == "errcode 95013: conversation end"
    )
    assert channel().refusal(answer({"errcode": 0})) is None
