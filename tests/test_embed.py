"""sanfen inside a bot: the examples as they stand, in front of an emulator of the Bot API."""

import asyncio
import importlib.util
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from tests.botapi import BotApi
from tests.ports import free_port
from tests.served import served

from sanfen.clock import SystemClock
from sanfen.embed import Embedded, embed
from sanfen.errors import ConfigError

EXAMPLES = Path(__file__).parent.parent / "examples"
SECRET = "s3cret-TOKEN_1"
UPDATE = {
    "update_id": 1,
    "message": {
        "message_id": 7, "date": 0, "text": "有货吗", "chat": {"id": 1001, "type": "private"}, "from": {"id": 1001, "is_bot": False},
    },
}  # fmt: skip
SAID = "SELECT sender, text, mode, bot FROM events ORDER BY seq"


def example(name: str, monkeypatch: pytest.MonkeyPatch, api: str) -> ModuleType:
    monkeypatch.setenv("TELEGRAM_TOKEN", "111:ptb")
    monkeypatch.setenv("TELEGRAM_SECRET_TOKEN", SECRET)
    monkeypatch.setenv("TELEGRAM_API", f"http://{api}")
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def config(folder: Path, api: str) -> Path:
    """The example's, at other addresses."""
    text = (EXAMPLES / "embedded.yaml").read_text(encoding="utf-8")
    text = text.replace("https://api.telegram.org", f"http://{api}").replace(
        "data/sanfen.db", str(folder / "sanfen.db")
    )
    path = folder / "sanfen.yaml"
    path.write_text(f'{text}listen: {{hooks: "127.0.0.1:{free_port()}", board: "127.0.0.1:{free_port()}"}}\n', "utf-8")
    return path


def rows(folder: Path, query: str = SAID) -> list[Any]:
    with closing(sqlite3.connect(f"file:{folder / 'sanfen.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def update(name: int = 7) -> dict[str, Any]:
    message = UPDATE["message"]
    assert isinstance(message, dict)
    return UPDATE | {"message": message | {"message_id": name, "date": SystemClock().now_ms() // 1000}}


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_bot_on_aiohttp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in by the route and what goes out by the hook; a forged update reaches the bot, and no figure."""
    api = BotApi(SystemClock().now_ms() // 1000)
    async with served(api.handle) as where:
        bot = example("telegram_bot", monkeypatch, where)
        async with listening(bot.build(str(config(tmp_path, where)))) as url, aiohttp.ClientSession() as client:
            for secret in (SECRET, "forged"):
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                async with client.post(f"{url}/hook", json=update(), headers=headers) as answer:
                    assert answer.status == 200
            assert len(api.sent) == 2, "the bot answers as it did without us"
            assert rows(tmp_path)[:2] == [
                ("customer", "有货吗", "unknown", None),
                ("merchant", "您好，马上有人来。", "bot", "greeter"),
            ]
            assert [row[0] for row in rows(tmp_path)].count("customer") == 1


async def test_a_bot_on_starlette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = BotApi(SystemClock().now_ms() // 1000)
    async with served(api.handle) as where:
        app = example("starlette_bot", monkeypatch, where).build(str(config(tmp_path, where)))
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        life = asyncio.create_task(
            app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, asked.get, told.put)
        )
        await asked.put({"type": "lifespan.startup"})
        assert (await told.get())["type"] == "lifespan.startup.complete"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as client:
            answer = await client.post("/hook", json=update(), headers={"X-Telegram-Bot-Api-Secret-Token": SECRET})
            missing = await client.get("/elsewhere")
        assert (answer.status_code, missing.status_code, len(api.sent)) == (200, 404, 1)
        assert rows(tmp_path) == [
            ("customer", "有货吗", "unknown", None),
            ("merchant", "您好，马上有人来。", "bot", "greeter"),
        ]
        await asked.put({"type": "lifespan.shutdown"})
        assert (await told.get())["type"] == "lifespan.shutdown.complete"
        await life


async def test_whatever_fails_in_here_the_bot_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hook(request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    monkeypatch.setenv("TELEGRAM_TOKEN", "111:ptb")
    monkeypatch.setenv("TELEGRAM_SECRET_TOKEN", SECRET)
    app = web.Application()
    app.router.add_post("/hook/{tail:.*}", hook)
    made = embed(app, config(tmp_path, "127.0.0.1:9"), channel="tg", route="/hook")
    monkeypatch.setattr(made, "_asked", None)

    async with (
        listening(app) as url,
        aiohttp.ClientSession() as client,
        client.post(f"{url}/hook/a", json={"a": 1}) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"a": 1})


def test_a_channel_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "111:ptb")
    monkeypatch.setenv("TELEGRAM_SECRET_TOKEN", SECRET)
    with pytest.raises(ConfigError, match="no channel 'line'"):
        Embedded(config(tmp_path, "127.0.0.1:9"), "line", "/")


def test_what_is_the_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By route and by address; what only looks alike is somebody else's."""
    monkeypatch.setenv("TELEGRAM_TOKEN", "111:ptb")
    monkeypatch.setenv("TELEGRAM_SECRET_TOKEN", SECRET)
    made = Embedded(config(tmp_path, "127.0.0.1:9"), "tg", "/hook/")

    assert [made.tail(path) for path in ("/hook", "/hook/a", "/hooks", "/")] == ["", "a", None, None]
    found = made.called("POST", "http://127.0.0.1:9/bot1:x/getMe?a=1", {"A": "b"}, b"")
    assert found is not None
    assert (found.path, found.query, found.headers) == ("bot1:x/getMe", "a=1", {"a": "b"})
    assert made.called("POST", "http://127.0.0.1:99/bot1:x/getMe", {}, b"") is None
