"""A Chatwoot between a customer and an agent: its webhooks judged, its agent reminded in the conversation, and then another."""

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.ports import free_port
from tests.served import served

from sanfen.clock import SystemClock

SECRET = "the secret of the webhook"
FIXTURES = Path(__file__).parent.parent / "data" / "channels" / "chatwoot"
CONFIG = """\
version: 1
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: {folder}/sanfen.db
policy: ours
policies: {{ours: {{based_on: taobao-2022-01, deadline: 30s, window: 00:00-24:00, midnight: none}}}}
channels:
  chatwoot:
    adapter: chatwoot
    from_customer: {{forward: "http://{desk}/bot"}}
    secret: ${{CHATWOOT_SECRET}}
    options: {{api: "http://{desk}", token: "${{CHATWOOT_TOKEN}}"}}
escalation:
  - name: default
    steps:
      - {{at: 1s, notify: [agent]}}
      - {{at: 2s, reassign: "user:6"}}
"""


class Desk:
    """Chatwoot's API and the bot behind the webhook, as far as they are asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.relayed: list[bytes] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == "/bot":
            self.relayed.append(body)
        else:
            assert request.headers["api_access_token"] == "a token of the test"
            self.calls.append((request.path, json.loads(body)))
        return web.json_response({"ok": True})


def webhook(name: str, **changed: Any) -> tuple[bytes, dict[str, str]]:
    """A recorded body, as of now, signed as Chatwoot signs."""
    given = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["body"] | changed
    body = json.dumps(given, ensure_ascii=False).encode()
    stamp = str(now_s())
    mac = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json", "X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={mac}",
    }  # fmt: skip


def now_s() -> int:
    return SystemClock().now_ms() // 1000


def spawn(config: Path) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"CHATWOOT_SECRET": SECRET, "CHATWOOT_TOKEN": "a token of the test"}
    command = [sys.executable, "-Im", "sanfen.cli", "serve", "-c", str(config)]
    with (config.parent / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


async def test_a_note_then_another_agent_then_an_answer(tmp_path: Path) -> None:
    desk, hooks, board = Desk(), free_port(), free_port()
    async with served(desk.handle) as address, aiohttp.ClientSession() as client:
        path = tmp_path / "sanfen.yaml"
        path.write_text(CONFIG.format(hooks=hooks, board=board, folder=tmp_path, desk=address), encoding="utf-8")
        process = spawn(path)
        try:
            await ready(client, board, process)
            asked, headers = webhook("incoming_contact", created_at=now_s())
            async with client.post(f"http://127.0.0.1:{hooks}/in/chatwoot", data=asked, headers=headers) as answer:
                assert answer.status == 200
            for _ in range(600):
                if len(desk.calls) == 2:
                    break
                await asyncio.sleep(0.05)  # until the API was asked twice; bounded
            replied, headers = webhook("private_note", private=False, created_at=now_s() + 1)
            async with client.post(f"http://127.0.0.1:{hooks}/in/chatwoot", data=replied, headers=headers) as answer:
                assert answer.status == 200
            async with client.get(f"http://127.0.0.1:{board}/api/v1/rounds") as answer:
                (one,) = (await answer.json())["rounds"]
        finally:
            process.terminate()
            process.wait(timeout=30)

    assert desk.relayed == [asked, replied]
    assert [(where.rpartition("/")[2], body.get("assignee_id"), body.get("private")) for where, body in desk.calls] == [
        ("messages", None, True), ("assignments", 6, None),
    ]  # fmt: skip
    assert (one["status"], one["agent"], one["conversation"]) == (
        "met",
        "user:5",
        "1/**",
    )  # masked: it may be a customer


async def ready(client: aiohttp.ClientSession, board: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert process.poll() is None
        try:
            async with client.get(f"http://127.0.0.1:{board}/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)  # until the port answers; bounded
    raise AssertionError("not ready")
