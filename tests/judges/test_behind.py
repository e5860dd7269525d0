"""Other people's frameworks as the workflow behind us: what we pass on they still verify, and what they answer is heard."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import bottle
from dingtalk_stream import ChatbotHandler, ChatbotMessage
from tests.recorder import Recorder, Service, post
from wechatpy.crypto import WeChatCrypto
from werobot import WeRoBot
from werobot.contrib.bottle import make_view

from sanfen.clock import SystemClock
from sanfen_adapters.ciphers import flat_xml

TOKEN, AES_KEY, APP = "the-oa-token", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"
ASKED = {
    "conversationId": "cid1", "conversationType": "1", "msgId": "m1", "senderId": "$:s", "senderStaffId": "buyer1",
    "msgtype": "text", "text": {"content": "有货吗"}, "sessionWebhookExpiredTime": 1795314532859, "createAt": 1795309132859,
}  # fmt: skip
CHANNELS = """\
channels:
  oa: {{adapter: wechat_oa, from_customer: {{forward: "{bot}"}}, secret: the-oa-token}}
  sealed:
    adapter: wechat_oa
    from_customer: {{forward: "{bot}"}}
    secret: the-oa-token
    options: {{aes_key: {aes}, app_id: {app}}}
  dt:
    adapter: dingtalk
    from_customer: {{forward: "{api}/workflow"}}
    from_shop: {{forward: "{api}"}}
    secret: the-app-secret
    options: {{rewrite_session_webhook: "true", bot: faq}}
"""


class Quiet(WSGIRequestHandler):
    """Writes no lines."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def werobot() -> Iterator[tuple[str, list[str]]]:
    """A WeRoBot that answers every text; what it heard."""
    robot, heard = WeRoBot(TOKEN, app_id=APP, encoding_aes_key=AES_KEY), list[str]()
    robot.config["SESSION_STORAGE"] = False  # else a file in whatever folder this is

    def answer(message: Any) -> str:
        heard.append(message.content)
        return f"收到 {message.content}"

    robot.add_handler(answer, type="text")
    app = bottle.Bottle()
    app.route("/robot", ["GET", "POST"], make_view(robot))
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/robot", heard
        finally:
            server.shutdown()
            thread.join()


def question(number: int, at: str) -> str:
    return (
        f"<xml><ToUserName><![CDATA[gh_shop]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName><CreateTime>{at}"
        f"</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[有货吗]]></Content><MsgId>{number}</MsgId></xml>"
    )


def query(at: str, **more: str) -> str:
    mac = hashlib.sha1("".join(sorted((TOKEN, at, "n"))).encode()).hexdigest()  # noqa: S324  # WeChat's
    return urlencode({"signature": mac, "timestamp": at, "nonce": "n"} | more)


def test_werobot_verifies_and_answers_behind_us(tmp_path: Path) -> None:
    """Plain and sealed: it takes what we pass on, we refuse what it would refuse, and its passive reply is automatic."""
    with (
        werobot() as (url, heard),
        Service(tmp_path, CHANNELS.format(bot=url, api=url, aes=AES_KEY, app=APP)).running() as service,
    ):
        at = str(SystemClock().now_ms() // 1000)
        plain = question(6054, at).encode()
        sealed = WeChatCrypto(TOKEN, AES_KEY, APP).encrypt_message(question(6055, at), "n", at)
        proof = {"msg_signature": flat_xml(sealed.encode())["MsgSignature"], "encrypt_type": "aes"}
        xml = {"content-type": "text/xml"}
        statuses = [
            post(f"{service.url}/in/oa?{query(at)}", plain, xml),
            post(f"{service.url}/in/sealed?{query(at, **proof)}", sealed.encode(), xml),
        ]
        refused = [
            [
                post(f"{where}?{query(at)}".replace("nonce=n", "nonce=m"), plain, xml)
                for where in (url, f"{service.url}/in/oa")
            ],
            [post(f"{service.url}/in/sealed?{query(at)}", sealed.encode(), xml)],
        ]
        rows = [service.told(channel, 2) for channel in ("oa", "sealed")]

    assert statuses == [200, 200]
    assert refused == [[403, 401], [401]]
    assert heard == ["有货吗", "有货吗"]
    for asked, answered in rows:
        assert (asked["sender"], asked["conversation"], asked["text"]) == ("customer", "gh_shop/o1", "有货吗")
        assert (answered["mode"], answered["conversation"], answered["text"]) == ("auto", "gh_shop/o1", "收到 有货吗")


def test_dingtalk_stream_replies_through_us(tmp_path: Path) -> None:
    """Its model reads what we pass on as we read it, and its handler answers to the address we put there."""
    with Recorder({"/robot/sendBySession": {"errcode": 0, "errmsg": "ok"}}).running() as recorder:
        channels = CHANNELS.format(bot=recorder.url, api=recorder.url, aes=AES_KEY, app=APP)
        asked = ASKED | {"sessionWebhook": f"{recorder.url}/robot/sendBySession?session=S1"}
        with Service(tmp_path, channels).running() as service:
            at = str(SystemClock().now_ms())
            sign = base64.b64encode(hmac.digest(b"the-app-secret", f"{at}\nthe-app-secret".encode(), "sha256")).decode()
            headers = {"timestamp": at, "sign": sign, "content-type": "application/json"}
            status = post(f"{service.url}/in/dt", json.dumps(asked).encode(), headers)
            message = ChatbotMessage.from_dict(recorder.asked("/workflow")[0].json)
            answered = ChatbotHandler().reply_text("有的", message)
            question, answer = service.told("dt", 2)

    assert status == 200
    assert answered == {"errcode": 0, "errmsg": "ok"}
    assert message.session_webhook == f"{service.url}/out/dt/robot/sendBySession?session=S1"
    assert [one.path for one in recorder.asked("sendBySession")] == ["/robot/sendBySession?session=S1"]
    assert (question["conversation"], question["id"], question["customer"], question["text"]) == (
        message.conversation_id, message.message_id, message.sender_staff_id, message.text.content,
    )  # fmt: skip
    assert (answer["conversation"], answer["mode"], answer["bot"], answer["text"]) == ("cid1", "bot", "faq", "有的")
