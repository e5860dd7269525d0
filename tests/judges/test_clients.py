"""Vendors' own SDKs between us and a recorder: only the URL is changed, and what they send is seen, by whom it was sent."""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from intercom import AdminReplyConversationRequest, Intercom
from pywa import utils
from pywa.client import WhatsApp
from sunshine_conversations_client.api.messages_api import MessagesApi
from sunshine_conversations_client.api_client import ApiClient
from sunshine_conversations_client.configuration import Configuration
from sunshine_conversations_client.model.author import Author
from sunshine_conversations_client.model.content import Content
from sunshine_conversations_client.model.message_post import MessagePost
from sunshine_conversations_client.model.text_message import TextMessage
from tests.judges.wecom import AES_KEY, CORP, callback
from tests.recorder import Got, Recorder, Service, post
from wechatpy.enterprise import WeChatClient

from sanfen.abc import fingerprint

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
