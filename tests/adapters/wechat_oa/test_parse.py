"""WeChat official accounts: sessions of the staff's tool, answers in the answer, and what staff typed, fetched by the minute."""

import json
from typing import Any

import pytest
from tests.adapters.wire import RECEIVED_MS, answer, lines, request

from sanfen.abc import ParseError, Pull, Request, VerifyError
from sanfen_adapters.channels.wechat_oa import WechatOaChannel

OPTIONS = {"app_id": "wx1", "app_secret": "s", "account": "gh_shop", "bot": "faq"}
NOW_S = RECEIVED_MS // 1000


def channel(**options: Any) -> WechatOaChannel:
    return WechatOaChannel("shop", "oa", ("token",), OPTIONS | options)


def xml(**fields: str) -> Request:
    inside = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return request(f"<xml><ToUserName>gh_shop</ToUserName><FromUserName>o1</FromUserName>{inside}</xml>".encode())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (xml(MsgType="voice", MsgId="7", Recognition="在吗"), ["customer:o1 gh_shop/o1#7 在吗"]),
        (xml(MsgType="event", Event="kf_create_session", KfAccount="lily@shop"), ["transfer"]),
        (xml(MsgType="event", Event="kf_switch_session", FromKfAccount="a@shop", ToKfAccount="b@shop"), ["transfer"]),
        (xml(MsgType="event", Event="kf_close_session", KfAccount="lily@shop"), ["close"]),
        (xml(MsgType="event", Event="subscribe"), []),
        (xml(), []),
    ],
)
def test_what_comes(asked: Request, found: list[str]) -> None:
    assert lines(channel().parse(asked, "in", RECEIVED_MS)) == found


@pytest.mark.parametrize("body", [b"success", b"", b'{"a": 1}'])
def test_answers_that_say_nothing(body: bytes) -> None:
    assert channel().answered(xml(MsgType="text"), answer(body), "in", RECEIVED_MS) == ()


def test_what_a_call_sent() -> None:
    call = request({"touser": "o1", "text": {"content": "hi"}}, "cgi-bin/message/custom/send", query="access_token=A")
    found = lines(channel().answered(call, answer({"errcode": 0}), "out", RECEIVED_MS))

    assert [one.partition("#")[0] for one in found] == ["bot:faq gh_shop/o1"]
    assert channel().answered(call, answer({"errcode": 45015}), "out", RECEIVED_MS) == ()
    assert channel(account=None).answered(call, answer({"errcode": 0}), "out", RECEIVED_MS) == ()
    assert channel().verify(call, "out", RECEIVED_MS) is None
    with pytest.raises(VerifyError):
        channel().verify(call._replace(query=""), "out", RECEIVED_MS)


def row(code: int, **more: Any) -> dict[str, Any]:
    return {"openid": "o1", "opercode": code, "text": "hi", "time": NOW_S, "worker": "lily@shop"} | more


def test_what_staff_typed_is_fetched_by_the_minute() -> None:
    """The customer's lines are the callback's; a full page goes on where it ended."""
    one, staff = channel(), Pull("staff")
    token = one.pull(staff, None, RECEIVED_MS)
    one.pulled(staff, answer({"access_token": "A1", "expires_in": 7200}), None, RECEIVED_MS)
    first = one.pull(staff, None, RECEIVED_MS)
    said = {"recordlist": [row(2003), row(2002), row(1000)], "number": 10_000, "msgid": 77}
    page = one.pulled(staff, answer(said), None, RECEIVED_MS)
    second = one.pull(staff, page.cursor, RECEIVED_MS + 1000)
    last = one.pulled(staff, answer({"recordlist": [], "number": 0, "msgid": 78}), page.cursor, RECEIVED_MS)
    soon, later = one.pull(staff, last.cursor, RECEIVED_MS), one.pull(staff, last.cursor, RECEIVED_MS + 60_000)

    assert one.pulls() == [staff]
    assert token is not None
    assert token.url == "https://api.weixin.qq.com/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s"
    assert first is not None
    assert json.loads(first.body) == {"starttime": NOW_S - 600, "endtime": NOW_S - 5, "msgid": 1, "number": 10_000}
    assert [one.partition("#")[0] for one in lines(page.facts)] == ["human:lily@shop gh_shop/o1"]
    assert page.more
    assert second is not None
    assert json.loads(second.body) == {"starttime": NOW_S - 600, "endtime": NOW_S - 5, "msgid": 77, "number": 10_000}
    assert not last.more
    assert soon is None
    assert later is not None
    assert json.loads(later.body)["starttime"] == NOW_S - 5


def test_without_a_secret_nothing_is_fetched() -> None:
    assert not channel(app_secret=None).pulls()


def test_what_wechat_refuses() -> None:
    with pytest.raises(ParseError, match="errcode 40013"):
        channel().pulled(Pull("staff"), answer({"errcode": 40013, "errmsg": "invalid appid"}), None, RECEIVED_MS)


def test_the_challenge() -> None:
    reply = channel().handshake(request(method="GET", query="echostr=42&nonce=n"), "in")

    assert reply is not None
    assert reply.body == b"42"
