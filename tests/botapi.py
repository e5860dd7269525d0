"""The Bot API, as far as a bot needs it that answers: getMe, polling, webhooks, sending. One bot, 111:ptb."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

__all__ = ["BotApi"]

ME = {"id": 111, "is_bot": True, "first_name": "FAQ", "username": "faq_bot", "can_join_groups": True}


class BotApi:
    """``say`` makes a customer speak; ``sent`` is what the bot answered. ``clock_s``: its time, whole seconds."""

    def __init__(self, clock_s: int) -> None:
        self.clock_s = clock_s
        self.sent: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.hook: dict[str, str] = {}
        self._updates: list[dict[str, Any]] = []
        self._number = 0
        self._more = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        """Any method of the Bot API, GET or POST, JSON, form or multipart."""
        method = request.path.rpartition("/")[2].lower()
        json_body = request.content_type == "application/json"
        given = dict(request.query) | (await request.json() if json_body else dict(await request.post()))
        self.calls.append(method)
        assert request.path.startswith("/bot111:ptb/"), request.path
        result: Any = True
        if method == "getme":
            result = ME
        elif method == "getupdates":
            result = await self._poll(int(given.get("offset") or 0), float(given.get("timeout") or 0))
        elif method == "setwebhook":
            self.hook = {name: str(value) for name, value in given.items()}
            async with self._more:
                self._more.notify_all()
        elif method == "sendmessage":
            result = self._message(int(given["chat_id"]), ME, str(given["text"]))
            self.sent.append(result)
            async with self._more:
                self._more.notify_all()
        return web.json_response({"ok": True, "result": result})

    async def say(self, text: str, chat: int = 1001) -> None:
        """A customer writes."""
        person = {"id": chat, "is_bot": False, "first_name": "买家"}
        update = {"update_id": 500 + len(self._updates), "message": self._message(chat, person, text)}
        self._updates.append(update)
        if self.hook.get("url"):
            headers = {"X-Telegram-Bot-Api-Secret-Token": self.hook.get("secret_token", "")}
            async with asyncio.timeout(60), aiohttp.ClientSession() as client:
                while not await self._delivered(client, update, headers):  # noqa: ASYNC110  # nothing tells us
                    await asyncio.sleep(0.05)  # as Telegram does, until it is taken; bounded
        async with self._more:
            self._more.notify_all()

    async def _delivered(self, client: aiohttp.ClientSession, update: dict[str, Any], headers: dict[str, str]) -> bool:
        async with client.post(self.hook["url"], json=update, headers=headers) as answer:
            return answer.status == 200

    async def answered(self, count: int) -> None:
        """Wait until the bot has sent so many messages."""
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: len(self.sent) >= count), 60)

    async def registered(self) -> str:
        """Wait until the bot has a webhook; its address."""
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: bool(self.hook)), 60)
        return self.hook["url"]

    async def _poll(self, offset: int, timeout_s: float) -> list[dict[str, Any]]:
        def fresh() -> list[dict[str, Any]]:
            return [one for one in self._updates if one["update_id"] >= offset]

        async with self._more:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait_for(fresh), min(timeout_s, 2))
        return fresh()

    def _message(self, chat: int, sender: dict[str, Any], text: str) -> dict[str, Any]:
        self._number += 1
        place = {"id": chat, "type": "private", "first_name": "买家"}
        made = {"message_id": self._number, "from": sender, "chat": place, "date": self.clock_s, "text": text}
        return json.loads(json.dumps(made))  # type: ignore[no-any-return]
