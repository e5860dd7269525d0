"""The simulated marketplace and desk: two web servers and the people behind them.

The marketplace posts what customers say to sanfen's ``/in/`` address. The desk gets it from sanfen, and posts its
answers to sanfen's ``/out/`` address, from where they reach the marketplace again. Neither knows that sanfen is there.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from sanfen.clock import Clock
from sanfen.core.events import Mode
from sanfen.demo import script
from sanfen.demo.history import Waiting
from sanfen.demo.wire import check, send

__all__ = ["People"]


class People:
    """Customers, agents, bots, and the person whose phone rings."""

    def __init__(self, clock: Clock, secret: str, notice_secret: str, *, seed: int = 3, every_s: float = 7) -> None:
        self._clock = clock
        self._secret = secret
        self._notice_secret = notice_secret
        self._dice = Random(seed)  # people, not keys
        self._every_s = every_s
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._holders: dict[str, script.Agent] = {}
        self._answered: dict[str, int] = {}
        self._greeted: set[str] = set()
        self._is_over = False
        self._client: aiohttp.ClientSession
        self._waiting: Sequence[Waiting] = ()
        self.hooks_url = ""  # sanfen's address for traffic, known once it listens
        self.board_url = ""  # and for people
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
        if event["conversation"] in self._holders:  # a stranger is left to whoever plays with the demo
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
        if conversation in self._holders and self._dice.random() < 0.8:
            self._start(self._step_in(conversation, str(notice.get("round_id"))))
        return web.json_response({"ok": True})

    # --- the people ------------------------------------------------------------------------------------------------

    def know(self, waiting: Sequence[Waiting]) -> None:
        """Those who wait already when the day begins."""
        self._waiting = waiting
        for one in waiting:
            self._holders[one.customer] = one.agent
            self._greeted.add(one.customer)

    async def run(self) -> None:
        """Customers come and go until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client:
            self._client = client
            try:
                for number, one in enumerate(self._waiting):
                    self._start(
                        self._answer(one.customer, one.asked_ms, wait_s=9 + number * 7 + self._dice.uniform(0, 6))
                    )
                while True:
                    self._start(self._visit(script.customer_name(self._dice)))
                    await self._pause(self._dice.expovariate(1 / self._every_s))
            finally:
                self._is_over = True
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _visit(self, customer: str) -> None:
        """One customer: a question, perhaps a nudge, perhaps another question after the answer."""
        extra = {"customer_type": script.customer_type(self._dice)}
        self._holders[customer] = self._dice.choices(script.AGENTS, [one.share for one in script.AGENTS])[0]
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

    async def _answer(self, customer: str, asked_ms: int, wait_s: float | None = None) -> None:
        """What the desk does with a question: a greeting at once, sometimes a bot, at last a person."""
        dice, agent = self._dice, self._holders[customer]
        if customer not in self._greeted:
            self._greeted.add(customer)
            await self._reply(customer, script.GREETING, agent, script.Reply(Mode.auto, None))
        luck = dice.random() if wait_s is None else 1.0
        if luck < 0.06:
            await self._pause(2)
            await self._reply(customer, script.BOT_SAYS, agent, script.Reply(Mode.bot, script.BOT))
            if luck < 0.02:
                return
        await self._pause(script.think_s(agent, dice) if wait_s is None else wait_s)
        if self._answered.get(customer, 0) < asked_ms and luck > 0.03:
            await self._reply(customer, dice.choice(script.ANSWERS), agent, script.written(dice))

    async def _step_in(self, customer: str, round_id: str) -> None:
        """Somebody who was told takes it, and answers."""
        asked_ms, dice = self._clock.now_ms(), self._dice
        await self._pause(dice.uniform(3, 12))
        url = f"{self.board_url}api/v1/rounds/{round_id}/take"
        with suppress(aiohttp.ClientError, TimeoutError):
            await (await self._client.post(url, json={"by": "值班组长"})).read()
        await self._pause(dice.uniform(6, 30))
        if self._answered.get(customer, 0) < asked_ms:
            await self._reply(customer, dice.choice(script.ANSWERS), self._holders[customer], script.written(dice))

    async def _reply(self, customer: str, text: str, agent: script.Agent, how: script.Reply) -> None:
        at_ms = self._clock.now_ms()
        event: dict[str, Any] = {"id": f"m{next(self._numbers)}", "at": at_ms, "from": "merchant"}
        event |= {"conversation": customer, "agent": agent.name, "mode": how.mode, "text": text}
        if how.bot:
            event["bot"] = how.bot
        if how.mode not in (Mode.auto, Mode.bot):
            self._answered[customer] = at_ms
        await send(self._client, f"{self.hooks_url}/out/taobao", self._secret, at_ms, event)

    async def _pause(self, seconds: float) -> None:
        await self._clock.sleep_ms(int(seconds * 1000))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_over:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
