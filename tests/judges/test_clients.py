"""Vendors' own SDKs between us and a recorder: only the URL is changed, and what they send is seen, by whom it was sent."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from intercom import AdminReplyConversationRequest, Intercom
from linebot.v3.messaging import ApiClient as LineClient
from linebot.v3.messaging import Configuration as LineConfiguration
from linebot.v3.messaging import MessagingApi, PushMessageRequest
from linebot.v3.messaging import TextMessage as LineText
from pywa import utils
from pywa.client import WhatsApp
from slack_bolt import App, BoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from sunshine_conversations_client.api.messages_api import MessagesApi
from sunshine_conversations_client.api_client import ApiClient
from sunshine_conversations_client.configuration import Configuration
from sunshine_conversations_client.model.author import Author
from sunshine_conversations_client.model.content import Content
from sunshine_conversations_client.model.message_post import MessagePost
from sunshine_conversations_client.model.text_message import TextMessage
from tests.judges.wecom import AES_KEY, CORP, callback
from tests.recorder import Got, Recorder, Service, post
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client as TwilioClient
from wechatpy.enterprise import WeChatClient

from sanfen.abc import fingerprint
from sanfen.clock import SystemClock

PART = {
    "type": "conversation_part", "id": "4576", "part_type": "comment", "body": "<p>有的</p>", "created_at": 1795309132,
    "updated_at": 1795309132, "notified_at": 1795309132, "assigned_to": None, "attachments": [], "external_id": None,
    "redacted": False, "author": {"type": "admin", "id": "6", "name": "x", "email": "x@y"},
}  # fmt: skip
CONVERSATION = {
    "type": "conversation", "id": "2154", "created_at": 1795309072, "updated_at": 1795309132,
    "conversation_parts": {"type": "conversation_part.list", "total_count": 1, "conversation_parts": [PART]},
}  # fmt: skip
SENT = {
    "id": "60m", "received": "2026-11-22T00:58:52.859Z", "author": {"type": "business", "displayName": "faq"},
    "content": {"type": "text", "text": "有的"}, "source": {"type": "api"},
}  # fmt: skip
PAGE = {
    "errcode": 0, "next_cursor": "c1", "has_more": 0, "msg_list": [{
        "open_kfid": "wk1", "external_userid": "wm1", "msgid": "q1", "send_time": 1795309132, "origin": 3, "msgtype": "text",
        "text": {"content": "有货吗"}}],
}  # fmt: skip


def sync_msg(got: Got) -> Any:
    return PAGE if "cursor" not in got.json else PAGE | {"msg_list": []}


ANSWERS = {
    "/graph/": {"contacts": [{"input": "16505551234", "wa_id": "16505551234"}], "messages": [{"id": "wamid.OUT"}]},
    "/intercom/": CONVERSATION,
    "/slack/api/chat.postMessage": {
        "ok": True,
        "channel": "C1",
        "ts": "1795309132.000200",
        "message": {"text": "有的", "bot_id": "B9"},
    },
    "/line/": {"sentMessages": [{"id": "461230966842064897", "quoteToken": "q"}]},
    "/twilio/2010-04-01": (201, {"sid": "SM2", "to": "+1", "from": "+2", "body": "有的"}),
    "/sunco/": (201, {"messages": [SENT]}),
    "/wecom/cgi-bin/kf/send_msg": {"errcode": 0, "errmsg": "ok", "msgid": "api_1"},
    "/wecom/cgi-bin/gettoken": {"errcode": 0, "access_token": "A1", "expires_in": 7200},
    "/wecom/cgi-bin/kf/sync_msg": sync_msg,
}
CHANNELS = """\
channels:
  meta:
    adapter: meta
    from_customer: {{forward: "{api}/workflow"}}
    from_shop: {{forward: "{api}/graph"}}
    secret: the-app-secret # sanfen: allow W201
  sl: {{adapter: slack, from_shop: {{forward: "{api}/slack"}}, secret: the-signing-secret}}
  sb: {{adapter: slack, from_customer: {{forward: "{api}/workflow"}}, secret: the-signing-secret}}
  ln: {{adapter: line, from_shop: {{forward: "{api}/line"}}, secret: the-channel-secret}}
  tw:
    adapter: twilio
    from_customer: {{forward: "{api}/workflow"}}
    from_shop: {{forward: "{api}/twilio"}}
    secret: the-auth-token
    options: {{url: "https://hooks.example.com/in/tw"}}
  ic: {{adapter: intercom, from_shop: {{forward: "{api}/intercom"}}, secret: the-client-secret}}
  zd: {{adapter: zendesk_sunco, from_shop: {{forward: "{api}/sunco"}}, secret: the-hook-secret}}
  kf:
    adapter: wecom_kf
    from_customer: {{forward: "{api}/workflow"}}
    from_shop: {{forward: "{api}/wecom"}}
    secret: the-kf-token
    options: {{aes_key: {aes}, corp_id: {corp}, corp_secret: s, api: "{api}/wecom"}}
bots:
  faq: {{token: meta-token-of-faq, mode: bot}}
"""


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder(ANSWERS).running() as made:
        yield made


@pytest.fixture(scope="module")
def service(recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("judges")
    channels = CHANNELS.format(api=recorder.url, aes=AES_KEY, corp=CORP)
    with Service(folder, channels).running() as made:
        yield made


def test_pywa_sends(recorder: Recorder, service: Service) -> None:
    with httpx.Client() as session:
        client = WhatsApp(phone_id="55", token="meta-token-of-faq", session=session)
        session.base_url = f"{service.url}/out/meta/v23.0"
        sent = client.send_message(to="16505551234", text="有的")
    (row,) = service.told("meta")
    (got,) = recorder.asked("/graph/v23.0/55/messages")

    assert sent.id == "wamid.OUT"
    assert got.json["text"]["body"] == "有的"
    assert (row["conversation"], row["id"], row["text"]) == ("55/16505551234", "wamid.OUT", "有的")
    assert (row["mode"], row["bot"], row["evidence"]) == ("bot", "faq", "credential")


def test_pywa_verifies_behind_us(recorder: Recorder, service: Service) -> None:
    """The bytes go on as they came, with the signature's header."""
    body = b'{"object":"whatsapp_business_account","entry":[{"changes":[]}],"x":"\\u6709\\/"}'
    mac = hmac.new(b"the-app-secret", body, "sha256").hexdigest()
    status = post(
        f"{service.url}/in/meta", body, {"x-hub-signature-256": f"sha256={mac}", "content-type": "application/json"}
    )
    got = recorder.asked("/workflow")[-1]

    assert status == 200
    assert utils.webhook_updates_validator("the-app-secret", got.body, got.headers["x-hub-signature-256"])
    assert post(f"{service.url}/in/meta", body + b" ", {"x-hub-signature-256": f"sha256={mac}"}) == 401


def test_python_intercom_replies(recorder: Recorder, service: Service) -> None:
    with httpx.Client() as session:
        client = Intercom(token="T", base_url=f"{service.url}/out/ic", httpx_client=session)
        wanted = AdminReplyConversationRequest(message_type="comment", type="admin", admin_id="6", body="有的")
        answered = client.conversations.reply("2154", request=wanted)
    (row,) = service.told("ic")
    (got,) = recorder.asked("/intercom/conversations/2154/reply")

    assert answered.id == "2154"
    assert got.json["body"] == "有的"
    assert (row["conversation"], row["id"], row["mode"], row["agent"]) == ("2154", "4576", "human", "admin:6")
    assert row["credential"] == fingerprint("T")


def test_sunshine_conversations_client_posts(recorder: Recorder, service: Service) -> None:
    settings = Configuration(host=f"{service.url}/out/zd", username="key", password="secret")
    with ApiClient(settings) as api:
        message = MessagePost(author=Author(type="business"), content=Content(TextMessage(type="text", text="有的")))
        answered = MessagesApi(api).post_message("5e1", "c029", message)
    (row,) = service.told("zd")

    assert answered.messages is not None
    assert recorder.asked("/sunco/v2/apps/5e1/conversations/c029/messages")
    assert (row["conversation"], row["id"], row["mode"], row["agent"]) == ("c029", "60m", "unknown", "faq")


def test_wechatpy_sends_and_its_sealed_poke_is_fetched(recorder: Recorder, service: Service) -> None:
    class Client(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
        API_BASE_URL = f"{service.url}/out/kf/cgi-bin/"

    poke, query = callback(
        "<xml><Event>kf_msg_or_event</Event><Token>T1</Token><OpenKfId>wk1</OpenKfId></xml>", "the-kf-token"
    )
    status = post(f"{service.url}/in/kf?{query}", poke, {"content-type": "text/xml"})
    (asked,) = service.told("kf")
    said = {"touser": "wm1", "open_kfid": "wk1", "msgtype": "text", "text": {"content": "稍等"}}
    answered = Client(CORP, "s", access_token="A1").post("kf/send_msg", data=said)
    _, sent = service.told("kf", 2)

    assert status == 200
    assert recorder.asked("/workflow")[-1].body == poke
    assert recorder.asked("/wecom/cgi-bin/kf/sync_msg")[0].json == {"token": "T1", "open_kfid": "wk1", "limit": 1000}
    assert (asked["sender"], asked["conversation"], asked["id"]) == ("customer", "wk1/wm1", "q1")
    assert answered["msgid"] == "api_1"
    assert (sent["mode"], sent["conversation"], sent["id"], sent["text"]) == ("bot", "wk1/wm1", "api_1", "稍等")


def test_slack_sdk_posts(recorder: Recorder, service: Service) -> None:
    client = WebClient(token="xoxb-1", base_url=f"{service.url}/out/sl/api/")
    sent = client.chat_postMessage(channel="C1", text="有的")
    (row,) = service.told("sl")

    assert sent["ts"] == "1795309132.000200"
    assert recorder.asked("/slack/api/chat.postMessage")
    assert (row["conversation"], row["id"], row["mode"], row["bot"]) == ("C1", "1795309132.000200", "bot", "bot:B9")
    assert row["credential"] == fingerprint("xoxb-1")


def test_slack_bolt_verifies_behind_us(recorder: Recorder, service: Service) -> None:
    heard: list[str] = []
    app = App(
        signing_secret="the-signing-secret",
        authorize=lambda **_: AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="x"),
    )
    app.event("message")(lambda event: heard.append(event["text"]))
    event = {"type": "message", "channel": "C1", "ts": "1795309199.000100", "user": "U1", "text": "在吗"}
    body = json.dumps({"type": "event_callback", "team_id": "T1", "event": event}).encode()
    at = str(SystemClock().now_ms() // 1000)
    mac = SignatureVerifier("the-signing-secret").generate_signature(timestamp=at, body=body)
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": str(mac), "content-type": "application/json"}
    status = post(f"{service.url}/in/sb", body, headers)
    got = recorder.asked("/workflow")[-1]
    answer = app.dispatch(BoltRequest(body=got.body.decode(), headers=dict(got.headers)))

    assert status == 200
    assert answer.status == 200
    assert app.dispatch(BoltRequest(body=got.body.decode() + " ", headers=dict(got.headers))).status == 401
    assert [row["text"] for row in service.told("sb")] == ["在吗"]


def test_line_bot_sdk_pushes(recorder: Recorder, service: Service) -> None:
    settings = LineConfiguration(host=f"{service.url}/out/ln", access_token="T")
    with LineClient(settings) as api:
        said = PushMessageRequest(to="U1", messages=[LineText(text="有的")])
        answered = MessagingApi(api).push_message(said, x_line_retry_key=None)
    (row,) = service.told("ln")

    assert answered.sent_messages[0].id == "461230966842064897"
    assert recorder.asked("/line/v2/bot/message/push")[0].json["messages"][0]["text"] == "有的"
    assert (row["conversation"], row["id"], row["mode"]) == ("U1", "461230966842064897", "unknown")
    assert row["credential"] == fingerprint("T")


def test_twilio_sends_and_verifies_behind_us(recorder: Recorder, service: Service) -> None:
    class Http(TwilioHttpClient):  # type: ignore[misc]  # twilio has no types
        def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
            return super().request(
                method, url.replace("https://api.twilio.com", f"{service.url}/out/tw"), *more, **named
            )

    sent = TwilioClient("AC1", "T", http_client=Http()).messages.create(to="+1", from_="+2", body="有的")
    (row,) = service.told("tw")
    form = {"MessageSid": "SM1", "From": "+1", "To": "+2", "Body": "在吗"}
    judge, url = RequestValidator("the-auth-token"), "https://hooks.example.com/in/tw/sms?x=1"
    headers = {
        "x-twilio-signature": judge.compute_signature(url, form),
        "content-type": "application/x-www-form-urlencoded",
    }
    status = post(f"{service.url}/in/tw/sms?x=1", urlencode(form).encode(), headers)
    got = recorder.asked("/workflow/sms")[-1]

    assert sent.sid == "SM2"
    assert (row["conversation"], row["id"], row["mode"]) == ("+1|+2", "SM2", "unknown")
    assert status == 200
    assert judge.validate(url, dict(parse_qsl(got.body.decode())), got.headers["x-twilio-signature"])
    assert post(f"{service.url}/in/tw/sms?x=2", urlencode(form).encode(), headers) == 401
