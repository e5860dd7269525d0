"""Feishu's own SDK, too large for every run: its dispatcher takes what we take, and its client sends through us."""

import json
from pathlib import Path

import lark_oapi as lark
import pytest
from lark_oapi.api.im.v1 import CreateMessageRequest, CreateMessageRequestBody
from tests.adapters.feishu.test_parse import SAID, sealed, signed
from tests.adapters.wire import RECEIVED_MS
from tests.recorder import Recorder, Service

from sanfen.abc import VerifyError
from sanfen_adapters.channels.feishu import FeishuChannel

SENT = {
    "message_id": "om_2", "chat_id": "oc_1", "create_time": "1795309132859", "sender": {"id": "cli_1", "sender_type": "app"},
    "body": {"content": '{"text":"有的"}'},
}  # fmt: skip
ANSWERS = {
    "/open-apis/auth/": {"code": 0, "msg": "ok", "tenant_access_token": "t-1", "expire": 7200},
    "/open-apis/im/v1/messages": {"code": 0, "msg": "success", "data": SENT},
}


@pytest.mark.parametrize("tampered", [False, True])
def test_its_dispatcher_and_ours_agree(*, tampered: bool) -> None:
    asked = signed(sealed(SAID | {"schema": "2.0"}))
    heard: list[str] = []
    handler = (
        lark.EventDispatcherHandler.builder("ekey", "vtok")
        .register_p2_im_message_receive_v1(lambda data: heard.append(data.event.message.message_id))
        .build()
    )
    names = {name: name.title() for name in asked.headers}
    raw = lark.RawRequest()
    raw.uri, raw.body = "/", asked.body
    raw.headers = {
        names[name]: value + ("0" if tampered and "nonce" in name else "") for name, value in asked.headers.items()
    }
    answer = handler.do(raw)
    ours = FeishuChannel("shop", "fs", ("ekey",), {"verification_token": "vtok"})
    changed = asked._replace(headers={name: raw.headers[names[name]] for name in asked.headers})

    if tampered:
        assert (answer.status_code, heard) == (500, [])
        with pytest.raises(VerifyError):
            ours.verify(changed, "in", RECEIVED_MS)
    else:
        assert (answer.status_code, heard) == (200, ["m"])
        assert ours.verify(changed, "in", RECEIVED_MS) is not None


def test_its_client_sends_through_us(tmp_path: Path) -> None:
    with Recorder(ANSWERS).running() as recorder:
        channels = (
            f'channels:\n  fs: {{adapter: feishu, from_shop: {{forward: "{recorder.url}"}}, secret: the-encrypt-key}}\n'
        )
        with Service(tmp_path, channels).running() as service:
            client = lark.Client.builder().app_id("cli_1").app_secret("s").build()
            client.config.domain = (
                f"{service.url}/out/fs"  # domain() takes only an origin: a proxy before us adds the path
            )
            content = json.dumps({"text": "有的"})
            body = CreateMessageRequestBody.builder().receive_id("oc_1").msg_type("text").content(content).build()
            asked = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body).build()
            sent = client.im.v1.message.create(asked)
            (row,) = service.told("fs")

    assert sent.success()
    assert recorder.asked("/open-apis/im/v1/messages")
    assert (row["conversation"], row["id"], row["mode"], row["bot"], row["text"]) == (
        "oc_1",
        "om_2",
        "bot",
        "cli_1",
        "有的",
    )
