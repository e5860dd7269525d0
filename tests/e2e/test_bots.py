"""A bot behind the real service: its stream goes on as it comes, and a question is there before the answer to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.recorder import Service
from tests.served import served

CHANNELS = """\
channels:
  dify: {{adapter: botengine, from_customer: {{forward: "http://{bot}"}}, signing: none, options: {{bot: dify}}}}
  rasa:
    adapter: botengine
    from_customer: {{forward: "http://{bot}"}}
    from_shop: {{forward: "http://{bot}/callbacks"}}
    signing: none
    options: {{bot: rasa}}
bots:
  rasa: {{mode: assisted}}
"""
ASKED = {"inputs": {}, "query": "有货吗", "response_mode": "streaming", "conversation_id": "", "user": "buyer1"}


class Bot:
    """Dify, which writes on only when its first words were read; and Rasa, which calls back before it answers."""

    def __init__(self) -> None:
        self.read = asyncio.Event()
        self.callback = ""
        self.got: list[bytes] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(await request.read())
        if request.path.startswith("/callbacks"):
            return web.Response()
        if request.path.startswith("/webhooks/callback"):
            said = {"recipient_id": "A", "text": "草稿"}
            async with aiohttp.ClientSession() as client, client.post(self.callback, json=said) as answer:
                assert answer.status == 200
            return web.json_response([])
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(piece("有"))
        await asyncio.wait_for(self.read.wait(), 30)
        await stream.write(piece("货") + b'data: {"event": "message_end"}\n\n')
        await stream.write_eof()
        return stream


def piece(text: str) -> bytes:
    event = {"event": "message", "message_id": "d1", "conversation_id": "c-1", "answer": text}
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


@asynccontextmanager
async def running(bot: Bot, folder: Path) -> AsyncIterator[tuple[Service, aiohttp.ClientSession]]:
    async with served(bot.handle) as address, aiohttp.ClientSession() as client:
        service = Service(folder, CHANNELS.format(bot=address))
        bot.callback = f"{service.url}/out/rasa/callback"
        context = service.running()
        await asyncio.to_thread(context.__enter__)
        try:
            yield service, client
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)


async def test_a_stream_goes_on_as_it_comes(tmp_path: Path) -> None:
    bot = Bot()
    async with running(bot, tmp_path) as (service, client):
        async with client.post(f"{service.url}/in/dify/v1/chat-messages", json=ASKED) as answer:
            first = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 30)
            bot.read.set()
            rest = await answer.read()
        later = ASKED | {"conversation_id": "c-1", "query": "多少钱"}
        async with client.post(f"{service.url}/in/dify/v1/chat-messages", json=later) as answer:
            await answer.read()
        rows = await asyncio.to_thread(service.told, "dify", 3)

    assert first == piece("有")
    assert rest.startswith(piece("货"))
    assert [line(row) for row in rows[:2]] == ["customer buyer1 有货吗", "bot:dify buyer1 有货"]
    assert {row["conversation"] for row in rows} == {"buyer1"}, "the conversation's own id is another name of it"


async def test_a_question_is_there_before_its_answer_calls_back(tmp_path: Path) -> None:
    bot = Bot()
    async with running(bot, tmp_path) as (service, client):
        asked = {"sender": "A", "message": "在吗"}
        async with client.post(f"{service.url}/in/rasa/webhooks/callback/webhook", json=asked) as answer:
            assert (answer.status, await answer.json()) == (200, [])
        rows = await asyncio.to_thread(service.told, "rasa", 2)

    assert [line(row) for row in rows] == ["customer A 在吗", "assisted:rasa A 草稿"]
    assert rows[0]["at_ms"] <= rows[1]["at_ms"]


def line(row: dict[str, Any]) -> str:
    who = row["sender"] if row["sender"] == "customer" else f"{row['mode']}:{row['bot']}"
    return f"{who} {row['conversation']} {row['text']}"
