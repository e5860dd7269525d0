"""A person's phone over real HTTP, and a worker with one open round."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from sanfen.config.settings import Person, Secret, Settings, Way
from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Key
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.notify.worker import Worker
from sanfen.plugins import Plugins
from sanfen.roster import Target
from sanfen.store import outbox, projection
from sanfen.store.db import Database
from sanfen.testing import FakeClock, ask

__all__ = ["PLAN", "SECRET", "START", "Desk", "Phone", "is_"]

START = 1_673_056_800_000
PLAN = plan_of(Policy(id="p"))
SECRET = "whsec_bm90aWNlcyBhcmUgc2lnbmVkIQ=="


class Phone:
    """A receiver that does what it is told: a status, or ``hang`` or ``reset`` after the request was read."""

    def __init__(self) -> None:
        self.script: list[int | str] = []
        self.notices: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        step = self.script.pop(0) if self.script else 200
        if step == 200 or isinstance(step, str):
            Webhook(SECRET).verify(body, dict(request.headers))
            self.notices.append(json.loads(body))
        if step == "reset":
            assert request.transport is not None
            request.transport.abort()
        headers = {"Retry-After": "30"} if step == 429 else {}
        headers |= {"Location": "/elsewhere"} if step == 302 else {}
        headers["Set-Cookie"] = "session=1; Path=/"
        return web.Response(status=step if isinstance(step, int) else 200, text="ok", headers=headers)


class Desk:
    """A database with one open round, and the worker."""

    def __init__(self, db: Database, ways: tuple[str, ...], **settings: Any) -> None:
        self.db = db
        self.clock = FakeClock(START + 90_000)
        self.settings = Settings(
            people={
                "lead": Person("lead", tuple(Way(way, Secret(SECRET)) for way in ways)),
                **settings.pop("people", {}),
            },
            **settings,
        )
        self.worker = Worker(db, Plugins().notifiers(), self.settings, self.clock)
        self.task: asyncio.Task[None] | None = None

    async def do(self, job: Callable[[Any], Any]) -> Any:
        return await asyncio.wrap_future(self.db.write(job))

    async def escalate(self, *answers: Any) -> Round:
        """A step for the one round; ``answers``: replies that have come meanwhile."""
        done = fold(Conversation(Key("default", "desk", "A")), [ask(START), *answers], PLAN)
        ((one, _),) = done.rounds()
        await self.do(lambda c: projection.save(c, "live", [(one, score(one, PLAN, START + 90_000), PLAN)]))
        await self.due(one)
        return one

    async def due(self, one: Round, step: int = 0, person: str = "lead", **more: Any) -> None:
        """A step of a round is due for somebody."""
        effect = Escalated(START + 90_000, one, "default", step, (person,), **more)
        targets = [Target(person, person)] if more.get("reassign") is None else []
        await self.do(lambda c: outbox.enqueue(c, [outbox.asked(effect, "p", targets, self.clock.now_ms())]))
        self.worker.wake()

    async def row(self) -> tuple[Any, ...]:
        query = "SELECT state, attempts, unknown, reason, next_try_ms FROM outbox"
        return tuple(await self.do(lambda c: c.execute(query).fetchone()))

    async def settle(self, wanted: Callable[[tuple[Any, ...]], bool], turns: int = 400) -> tuple[Any, ...]:
        """Run the worker until the row is as wanted; bounded."""
        if self.task is None:
            self.task = asyncio.create_task(self.worker.run())
        for _ in range(turns):
            row = await self.row()
            if wanted(row):
                return row
            await asyncio.sleep(0.01)  # until the row changes; bounded
        raise AssertionError(await self.row())

    async def until(self, query: str, wanted: int) -> None:
        """Run the worker until a question about the log has this answer; bounded."""
        if self.task is None:
            self.task = asyncio.create_task(self.worker.run())
        found = None
        for _ in range(400):
            (found,) = await self.do(lambda c: c.execute(query).fetchone())
            if found == wanted:
                return
            await asyncio.sleep(0.01)  # until the rows change; bounded
        raise AssertionError((query, found))

    async def stop_worker(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def stop(self) -> None:
        await self.stop_worker()
        await self.worker.close()
        self.db.close()


def is_(state: str) -> Callable[[tuple[Any, ...]], bool]:
    return lambda row: row[0] == state
