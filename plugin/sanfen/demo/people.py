"""The simulated marketplace and desk: two web servers and the people behind them.

The marketplace posts what customers say to sanfen's ``/in/`` address. The desk gets it from sanfen, and posts its
answers to sanfen's ``/out/`` address, from where they reach the marketplace again. Neither knows that sanfen is there.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from sanfen.clock import Clock
from sanfen.core.events import Mode
from sanfen.demo import script
from sanfen.demo.wire import check, send

__all__ = ["People"]


class People:
    """Customers, agents, bots, and the person whose phone rings."""

    def __init__(self, clock: Clock, secret: str, notice_secret: str, *, seed: int = 3, every_s: float = 20) -> None:
        self._clock = clock
        self._secret = secret
        self._notice_secret = notice_secret
        self._dice = Random(seed)  # people, not keys
        self._every_s = every_s
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._holders: dict[str, script.Agent] = {}
        self._answered: dict[str, int] = {}
        self._client: aiohttp.ClientSession
        self.hooks_url = ""  # sanfen's address for traffic, known once it listens
        self.unsigned = 0  # forwarded requests whose signature did not survive: must stay 0
        self.notices: list[dict[str, Any]] = []

    # --- the servers -----------------------------------------------------------------------------------------------

    def desk_app(self) -> web.Application:
        """The workflow that was there before: receives what customers say."""
        app = web.Application()
        app.router.add_post("/in", self._desk_hears)
        return app

    def market_app(self) -> web.Application:
        """The marketplace's API: receives what the desk answers, and shows it to the customer."""
        app = web.Application()
        app.router.add_post("/out", self._customer_sees)
        return app

    def phone_app(self) -> web.Application:
        """The webhook of the people who are told when a round nears its deadline."""
        app = web.Application()
        app.router.add_post("/notice/{person}", self._phone_rings)
        return app

    async def _desk_hears(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.unsigned += not check(self._secret, request.headers, body)
        event = json.loads(body)
        self._start(self._answer(event["conversation"], event["at"]))
        return web.json_response({"ok": True})

    async def _customer_sees(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.unsigned += not check(self._secret, request.headers, body)
        return web.json_response({"ok": True})

    async def _phone_rings(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.unsigned += not check(self._notice_secret, request.headers, body)
        notice = json.loads(body)
        self.notices.append({"person": request.match_info["person"], "round": notice.get("round_id")})
        conversation = notice.get("conversation")
        if isinstance(conversation, str) and self._dice.random() < 0.8:
            self._start(self._step_in(conversation))
        return web.json_response({"ok": True})

    # --- the people ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Customers come and go until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client:
            self._client = client
            try:
                while True:
                    self._start(self._visit(script.customer_name(self._dice)))
                    await self._pause(self._dice.expovariate(1 / self._every_s))
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _visit(self, customer: str) -> None:
        """One customer: a question, perhaps a nudge, perhaps another question after the answer."""
        staff = self._dice.random() < 0.02
        extra = {"customer_type": "platform_staff"} if staff else {}
        for _ in range(self._dice.choice((1, 1, 2, 2, 3))):
            asked_ms = await self._say(customer, self._dice.choice(script.QUESTIONS), extra)
            for _ in range(self._dice.choice((0, 0, 1, 2))):
                await self._pause(self._dice.uniform(15, 70))
                if self._answered.get(customer, 0) < asked_ms:
                    await self._say(customer, self._dice.choice(script.FOLLOW_UPS), extra)
            await self._pause(self._dice.uniform(60, 400))

    async def _say(self, customer: str, text: str, extra: dict[str, str]) -> int:
        at_ms = self._clock.now_ms()
        event = {
            "id": f"c{next(self._numbers)}",
            "at": at_ms,
            "from": "customer",
            "conversation": customer,
            "text": text,
        }
        await send(self._client, f"{self.hooks_url}/in/taobao", self._secret, at_ms, event | extra)
        return at_ms

    async def _answer(self, customer: str, asked_ms: int) -> None:
        """What the desk does with a question: a greeting at once, sometimes a bot, at last a person."""
        first = customer not in self._holders
        agent = self._holders.setdefault(customer, self._dice.choice(script.AGENTS))
        if first:
            await self._reply(customer, script.GREETING, agent, Mode.auto)
        luck = self._dice.random()
        if luck < 0.08:
            await self._pause(2)
            await self._reply(customer, "您的问题小微已经收到，稍后为您处理", agent, Mode.bot, script.BOT)
            if luck < 0.05:
                return
        await self._pause(script.think_s(agent, self._dice))
        if self._answered.get(customer, 0) < asked_ms and luck < 0.97:
            assisted = self._dice.random() < 0.2
            mode, bot = (Mode.assisted, script.ASSISTED_BOT) if assisted else (Mode.human, None)
            await self._reply(customer, self._dice.choice(script.ANSWERS), agent, mode, bot)

    async def _step_in(self, customer: str) -> None:
        """Somebody who was told answers."""
        asked_ms = self._clock.now_ms()
        await self._pause(self._dice.uniform(8, 35))
        if self._answered.get(customer, 0) < asked_ms:
            await self._reply(customer, self._dice.choice(script.ANSWERS), self._dice.choice(script.AGENTS), Mode.human)

    async def _reply(self, customer: str, text: str, agent: script.Agent, mode: Mode, bot: str | None = None) -> None:
        at_ms = self._clock.now_ms()
        event: dict[str, Any] = {"id": f"m{next(self._numbers)}", "at": at_ms, "from": "merchant"}
        event |= {"conversation": customer, "agent": agent.name, "mode": mode, "text": text}
        if bot:
            event["bot"] = bot
        if mode in (Mode.human, Mode.assisted):
            self._answered[customer] = at_ms
        await send(self._client, f"{self.hooks_url}/out/taobao", self._secret, at_ms, event)

    async def _pause(self, seconds: float) -> None:
        await self._clock.sleep_ms(int(seconds * 1000))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
