"""Notices reach a real receiver over HTTP, or the row says why not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from sanfen.config.settings import Person, Quiet, Secret, Settings, Way
from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Key
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.notify.worker import Worker
from sanfen.plugins import Plugins
from sanfen.store import outbox, projection
from sanfen.store.db import Database
from sanfen.testing import FakeClock, ask, reply

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


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    made = Phone()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"webhook+http://127.0.0.1:{runner.addresses[0][1]}/notice"
    yield made
    await runner.cleanup()


class Desk:
    """A database with one open round, and the worker."""

    def __init__(self, db: Database, ways: tuple[str, ...], **settings: Any) -> None:
        self.db = db
        self.clock = FakeClock(START + 90_000)
        self.settings = Settings(
            people={
                "lead": Person("lead", tuple(Way(way, Secret(SECRET)) for way in ways), settings.pop("hours", None))
            },
            **settings,
        )
        self.worker = Worker(db, Plugins().notifiers(), self.settings.people, self.settings, self.clock)
        self.task: asyncio.Task[None] | None = None

    async def do(self, job: Callable[[Any], Any]) -> Any:
        return await asyncio.wrap_future(self.db.write(job))

    async def escalate(self, *answers: Any) -> Round:
        """A step for the one round; ``answers``: replies that have come meanwhile."""
        done = fold(Conversation(Key("default", "desk", "A")), [ask(START), *answers], PLAN)
        ((one, _),) = done.rounds()
        await self.do(lambda c: projection.save_round(c, "live", one, score(one, PLAN, START + 90_000), PLAN))
        step = Escalated(START + 90_000, one, "default", 0, ("lead",))
        await self.do(lambda c: outbox.enqueue(c, step, "p", self.clock.now_ms()))
        return one

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

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.worker.close()
        self.db.close()


@pytest.fixture
async def desk(tmp_path: Path, phone: Phone) -> AsyncIterator[Desk]:
    made = Desk(Database.open(tmp_path / "log.db"), (phone.url,))
    yield made
    await made.stop()


def is_(state: str) -> Callable[[tuple[Any, ...]], bool]:
    return lambda row: row[0] == state


async def test_a_signed_notice_is_told_once(desk: Desk, phone: Phone) -> None:
    """Verified by the reference library; says who waits, masked, and how long."""
    one = await desk.escalate()
    row = await desk.settle(is_("told"))
    (notice,) = phone.notices

    assert row[:3] == ("told", 1, 1)
    assert (notice["round_id"], notice["person"], notice["waited_ms"], notice["due_ms"]) == (
        one.id,
        "lead",
        90_000,
        one.due_ms,
    )
    assert "1:30" in notice["text"]


async def test_answered_meanwhile_is_not_told(desk: Desk, phone: Phone) -> None:
    await desk.escalate(reply(START + 60_000))
    row = await desk.settle(is_("inhibited"))

    assert (row[3], phone.notices) == ("round_met", [])


async def test_a_refusal_is_tried_again_after_a_pause(desk: Desk, phone: Phone) -> None:
    phone.script = [500]
    await desk.escalate()
    refused = await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    assert refused[2:4] == (0, "http_500")
    await desk.clock.advance(1_000)

    assert (await desk.settle(is_("told")))[1] == 2


async def test_the_pause_asked_for_is_kept(desk: Desk, phone: Phone) -> None:
    phone.script = [429]
    await desk.escalate()
    row = await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")

    assert row[4] == START + 90_000 + 30_000


async def test_gone_is_final(desk: Desk, phone: Phone) -> None:
    phone.script = [410]
    await desk.escalate()

    assert (await desk.settle(is_("failed")))[3] == "http_410"


async def test_a_lost_answer_is_tried_once_more_and_never_a_third_time(desk: Desk, phone: Phone) -> None:
    """The request arrived, the answer did not: at most two messages, and the row says that nobody knows."""
    phone.script = ["reset", "reset", "reset"]
    await desk.escalate()
    await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    await desk.clock.advance(1_000)
    row = await desk.settle(is_("unsure"))

    assert (row[2], len(phone.notices)) == (2, 2)


async def test_the_next_way_is_tried_at_once(tmp_path: Path, phone: Phone) -> None:
    """Nobody listens at the first address."""
    desk = Desk(Database.open(tmp_path / "log.db"), ("webhook+http://127.0.0.1:1/x", phone.url))
    await desk.escalate()
    await desk.settle(is_("told"))
    tries = await desk.do(lambda c: c.execute("SELECT result FROM attempts ORDER BY id").fetchall())
    await desk.stop()

    assert tries == [("refused",), ("told",)]


async def test_a_crash_while_sending_costs_at_most_one_more(tmp_path: Path, phone: Phone) -> None:
    """The row was marked and claimed when the process died: it is sent again after its lease."""
    desk = Desk(Database.open(tmp_path / "log.db"), (phone.url,))
    await desk.escalate()
    (row,) = await desk.do(lambda c: outbox.claim(c, desk.clock.now_ms(), 1, 60_000))
    await desk.do(lambda c: outbox.begin(c, row))
    desk.clock._now_ms += 60_000
    told = await desk.settle(is_("told"))
    await desk.stop()

    assert (told[1:3], len(phone.notices)) == ((2, 2), 1)


async def test_quiet_and_off_duty_are_said(tmp_path: Path, phone: Phone) -> None:
    quiet = Quiet(START, START + 10**6, "maintenance")
    cases: list[tuple[dict[str, Any], str]] = [({"quiet": (quiet,)}, "quiet"), ({"hours": (0, 60)}, "off_duty")]
    for number, (settings, reason) in enumerate(cases):
        desk = Desk(Database.open(tmp_path / f"{number}.db"), (phone.url,), **settings)
        await desk.escalate()
        row = await desk.settle(is_("inhibited"))
        await desk.stop()

        assert (row[3], phone.notices) == (reason, [])


async def test_an_unknown_scheme_is_a_failure_everybody_sees(tmp_path: Path) -> None:
    desk = Desk(Database.open(tmp_path / "log.db"), ("pigeon:home",))
    await desk.escalate()
    row = await desk.settle(is_("failed"))
    await desk.stop()

    assert row[3] == "no_notifier"


async def test_redirects_are_not_followed(desk: Desk, phone: Phone) -> None:
    phone.script = [302]
    await desk.escalate()

    assert (await desk.settle(is_("failed")))[3] == "http_302"


async def test_what_one_receiver_sets_another_never_sees(desk: Desk, phone: Phone) -> None:
    """No cookies between notices: two people may have the same host behind them."""
    phone.script = [429]
    await desk.escalate()
    await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    await desk.clock.advance(30_000)
    await desk.settle(is_("told"))

    assert "cookie" not in phone.headers


async def test_many_at_once_are_all_told(tmp_path: Path, phone: Phone) -> None:
    """More than the worker sends at the same time: each once, none left."""
    desk = Desk(Database.open(tmp_path / "log.db"), (phone.url,))
    one = await desk.escalate()
    for step in range(1, 60):
        more = Escalated(START + 90_000, one, "default", step, ("lead",))
        await desk.do(lambda c, more=more: outbox.enqueue(c, more, "p", desk.clock.now_ms()))  # type: ignore[misc]
    await desk.settle(lambda _: len(phone.notices) == 60)
    await desk.stop()

    assert len({notice["id"] for notice in phone.notices}) == 60
