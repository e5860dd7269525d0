"""Bots of three frameworks, unmodified but for the Bot API's address, behind a real service and in front of an emulator.

python-telegram-bot runs with the other tests; aiogram and Telegraf need `make test-bots`, which installs them.
"""

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.botapi import BotApi
from tests.e2e.service import eventually
from tests.ports import free_port
from tests.served import served

from sanfen.bootstrap import Service
from sanfen.clock import SystemClock
from sanfen.config.load import load

ROOT = Path(__file__).parent.parent.parent
BOTS = ROOT / "tests" / "bots"
INSTALLED = ROOT / "build" / "bots"  # by make test-bots
CONFIG = """\
version: 1
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: sanfen.db
policy: ours
policies:
  ours: {{based_on: taobao-2022-01, window: 00:00-24:00, midnight: none, replies: {{bot: ignored}}, bots: [faq]}}
channels:
  tg:
    adapter: telegram
    from_shop: {{forward: "http://{api}"}}
    host: upstream
    timeout: 60s
{webhook}\
bots:
  faq: {{token: "111:ptb", mode: {mode}}}
"""


WEBHOOK = """\
    from_customer: {{forward: "http://127.0.0.1:{bot}"}}
    secret: s3cret-TOKEN_1
"""


class Parts:
    """What a test needs of what runs."""

    def __init__(self, api: BotApi, url: str, log: Path, bot_port: int) -> None:
        self.api = api
        self.url = url
        self.log = log
        self.env = {"BASE": f"{url}/out/tg", "HOOK": "https://bot.example/hook", "PORT": str(bot_port)}

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.log}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()


@asynccontextmanager
async def running(folder: Path, mode: str = "bot", *, polls: bool = True) -> AsyncIterator[Parts]:
    """``polls``: the bot asks, so that nothing but the API's address is configured."""
    api = BotApi(SystemClock().now_ms() // 1000)
    hooks, bot_port = free_port(), free_port()
    async with served(api.handle) as where:
        config = folder / "sanfen.yaml"
        webhook = "" if polls else WEBHOOK.format(bot=bot_port)
        text = CONFIG.format(hooks=hooks, board=free_port(), api=where, mode=mode, webhook=webhook)
        config.write_text(text, "utf-8")
        service = Service(load(config))
        await service.start()
        try:
            yield Parts(api, f"http://127.0.0.1:{hooks}", folder / "sanfen.db", bot_port)
        finally:
            await service.stop()


@asynccontextmanager
async def bot(*command: str | Path, env: Mapping[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*map(str, command), env=os.environ | env)
    try:
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            await process.wait()


async def talk(parts: Parts) -> None:
    """Two customers ask, and are answered; what was said is in the log, once, and from whom."""
    for number, text in enumerate(["有货吗", "几天到"], 1):
        await parts.api.say(text, chat=1000 + number)
        await parts.api.answered(number)
    said = "SELECT conversation, sender, text, mode, bot, evidence FROM events ORDER BY conversation, seq"

    await eventually(lambda: len(parts.rows(said)) == 4)  # a bot has its answer before we know that it has
    mode = parts.rows("SELECT DISTINCT mode FROM events WHERE sender = 'merchant'")
    assert parts.rows(said) == [
        ("1001", "customer", "有货吗", "unknown", None, "none"),
        ("1001", "merchant", "收到 有货吗", mode[0][0], "faq", "credential"),
        ("1002", "customer", "几天到", "unknown", None, "none"),
        ("1002", "merchant", "收到 几天到", mode[0][0], "faq", "credential"),
    ]


async def test_python_telegram_bot_polls_through_us(tmp_path: Path) -> None:
    """Its polls' answers bring what customers said; a bot's reply is none, so the rounds wait for a person."""
    async with running(tmp_path) as parts, bot(sys.executable, BOTS / "ptb_bot.py", env=parts.env):
        await talk(parts)

        assert parts.rows("SELECT DISTINCT status FROM rounds") == [("pending",)]
        assert "ptb" not in str(parts.rows("SELECT path FROM deliveries")), "a token is kept nowhere"
        assert parts.rows("SELECT count(*) FROM deliveries WHERE method = 'POST'") == [(0,)], "polls are not kept"


async def test_a_named_bot_whose_drafts_a_person_sends_answers(tmp_path: Path) -> None:
    async with running(tmp_path, "assisted") as parts, bot(sys.executable, BOTS / "ptb_bot.py", env=parts.env):
        await talk(parts)

        assert parts.rows("SELECT DISTINCT status FROM rounds") == [("met",)]


async def registers_and_judges(parts: Parts) -> None:
    """The webhook it registers is ours, and an update whose secret token is wrong neither of us takes."""
    assert await parts.api.registered() == f"{parts.url}/in/tg/hook"
    await talk(parts)
    wrong = {"X-Telegram-Bot-Api-Secret-Token": "s3cret-TOKEN_2"}
    update = {
        "update_id": 900,
        "message": {"message_id": 900, "date": parts.api.clock_s, "chat": {"id": 1, "type": "private"}},
    }
    async with aiohttp.ClientSession() as client:
        for where in (f"{parts.url}/in/tg/hook", f"http://127.0.0.1:{parts.env['PORT']}/hook"):
            for headers in (wrong, {}):
                async with client.post(where, json=update, headers=headers) as answer:
                    assert answer.status in (401, 403), where
    assert parts.rows("SELECT count(*) FROM events") == [(4,)]


async def test_python_telegram_bot_registers_its_webhook_at_our_address(tmp_path: Path) -> None:
    async with (
        running(tmp_path, polls=False) as parts,
        bot(sys.executable, BOTS / "ptb_bot.py", env=parts.env | {"BY_WEBHOOK": "1"}),
    ):
        await registers_and_judges(parts)


@pytest.mark.skipif(not (INSTALLED / "venv").exists(), reason="make test-bots installs it")
async def test_aiogram_registers_its_webhook_at_our_address(tmp_path: Path) -> None:
    python = INSTALLED / "venv/bin/python"
    async with running(tmp_path, polls=False) as parts, bot(python, BOTS / "aiogram_bot.py", env=parts.env):
        await registers_and_judges(parts)


@pytest.mark.skipif(not (INSTALLED / "node_modules").exists() or shutil.which("node") is None, reason="make test-bots")
async def test_telegraf_polls_through_us(tmp_path: Path) -> None:
    env = {"NODE_PATH": str(INSTALLED / "node_modules")}
    async with running(tmp_path) as parts, bot("node", BOTS / "telegraf_bot.js", env=parts.env | env):
        await talk(parts)
