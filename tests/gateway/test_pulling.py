"""Fetching after a poke: a real server, a real log, and a crash in between."""

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.served import served

from sanfen.abc import (
    Answer,
    Call,
    ChannelAdapter,
    Direction,
    Fact,
    Here,
    ParseError,
    Pull,
    Pulled,
    Request,
    each,
    json_object,
)
from sanfen.core.classify import NOBODY
from sanfen.engine.front import Front
from sanfen.engine.ingest import Engine
from sanfen.gateway.hearing import Hearing
from sanfen.gateway.journaling import Counters, Journaling
from sanfen.gateway.pulling import Pulling
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.spill import Spill
from sanfen.testing import FakeClock

PAGES = {"": ("1", 1, ["a", "b"]), "1": ("2", 1, ["c"]), "2": ("3", 0, ["d"]), "3": ("3", 0, [])}


class Poked(ChannelAdapter):
    """Pages by cursor, after a token."""

    name = "poked"
    token = ""

    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Everybody."""

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        return ()

    def pull(self, pull: Pull, cursor: str | None, now_ms: int) -> Call | None:
        where = f"page?cursor={cursor or ''}&access_token={self.token}" if self.token else "token"
        return Call("GET", f"http://{self.options['api']}/{where}", {}, b"")

    def pulled(self, pull: Pull, answer: Answer, cursor: str | None, received_ms: int) -> Pulled:
        body = json_object(answer.body)
        if "token" in body:
            self.token = body["token"]
            return Pulled(more=True)
        if "messages" not in body:
            raise ParseError("no page")
        place = self.place(received_ms)
        facts = each(body["messages"], lambda one: [place.ask("c", one, None)], or_raise=False)
        return Pulled(facts, body["next"], bool(body["more"]))


class Desk:
    """The parts of a service that fetching needs."""

    def __init__(self, folder: Path, api: str) -> None:
        self.clock = FakeClock(1_795_309_140_000)
        self.db = Database.open(folder / "log.db")
        self.engine = Engine(self.db, (), (), self.clock)
        self.front = Front(Spill(folder / "spill", "test"), self.clock)
        self.front.connect(self.engine, self.db)
        counters = Counters()
        hearing = Hearing(Poked("shop", "kf", (), {"api": api}), NOBODY, 1 << 20, counters, Here("", ""))
        self.pulling = Pulling(lambda: {"kf": hearing}, Journaling(self.front, self.clock, counters), self.clock)
        self.front.on_stored = self.pulling.wake
        self.task = asyncio.create_task(self.pulling.run(self.db))

    async def poke(self) -> None:
        delivery = Delivery(self.clock.now_ms(), "kf", "in", "POST", "/in/kf", b"{}", notes=(Pull("desk", "t"),))
        await self.front.submit(delivery, ())

    def rows(self, query: str) -> list[Any]:
        return self.db.write(lambda connection: connection.execute(query).fetchall()).result()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():  # nothing to await: the log is asked
                await self.clock.advance(25)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.front.close()
        await asyncio.to_thread(self.db.close)
        await asyncio.to_thread(self.front._spill.close)

    def ids(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM events ORDER BY seq")]


def page(request: web.Request) -> web.Response:
    if request.path == "/token":
        return web.json_response({"token": "a"})
    after, more, messages = PAGES[request.query["cursor"]]
    return web.json_response({"messages": messages, "next": after, "more": more})


async def test_pages_are_fetched_to_the_end_and_each_message_once(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return page(request)

    async with served(handler) as api:
        desk = Desk(tmp_path, api)
        await desk.poke()
        await desk.until(lambda: desk.rows("SELECT cursor FROM pull_rows WHERE done = asked") == [("3",)])

        assert desk.ids() == ["a", "b", "c", "d"]
        assert "access_token" not in str(desk.rows("SELECT path FROM deliveries"))
        await desk.stop()


async def test_after_a_stop_in_between_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """The second page never comes; the next start asks for it, and for no page before it."""
    asked: list[str] = []
    hang = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.query.get("cursor", "token"))
        if asked[-1] == "1" and not hang.is_set():
            await hang.wait()
        return page(request)

    async with served(handler) as api:
        first = Desk(tmp_path, api)
        await first.poke()
        await first.until(lambda: "1" in asked)
        await first.stop()
        hang.set()
        again = Desk(tmp_path, api)
        await again.until(lambda: again.rows("SELECT cursor FROM pull_rows WHERE done = asked") == [("3",)])

        assert again.ids() == ["a", "b", "c", "d"]
        # A page that the log could not take at once is fetched again, and is the same page.
        assert [name for name, _ in groupby(asked)] == ["token", "", "1", "token", "1", "2"]
        await again.stop()


async def test_what_fails_is_tried_again_later(tmp_path: Path) -> None:
    """An error of the channel's, a page that is none: the cursor stays, and nothing is lost."""
    answers = [web.Response(status=500), web.json_response({"errcode": 95007})]

    async def handler(request: web.Request) -> web.Response:
        return answers.pop(0) if answers and request.path == "/page" else page(request)

    async with served(handler) as api:
        desk = Desk(tmp_path, api)
        await desk.poke()
        await desk.until(lambda: desk.rows("SELECT attempts, reason FROM pull_rows") == [(2, "no page")])

        assert desk.ids() == []
        await desk.until(lambda: desk.ids() == ["a", "b", "c", "d"])
        ((body,),) = desk.rows("SELECT body FROM deliveries WHERE error = 'no page'")
        assert json.loads(body) == {"errcode": 95007}
        await desk.stop()


async def test_what_cannot_be_read_holds_up_nothing(tmp_path: Path) -> None:
    """It is kept with its reason, and the page after it is fetched."""

    async def handler(request: web.Request) -> web.Response:
        bad = request.query.get("cursor") == "1"
        return web.json_response({"messages": [{}], "next": "2", "more": 1}) if bad else page(request)

    async with served(handler) as api:
        desk = Desk(tmp_path, api)
        await desk.poke()
        await desk.until(lambda: desk.rows("SELECT cursor FROM pull_rows WHERE done = asked") == [("3",)])

        assert desk.ids() == ["a", "b", "d"]
        ((body,),) = desk.rows("SELECT body FROM deliveries WHERE error IS NOT NULL")
        assert json.loads(body)["messages"] == [{}]
        await desk.stop()


async def test_addresses_are_guarded(tmp_path: Path) -> None:
    """An adapter's options lead nowhere the operator's guard forbids."""
    desk = Desk(tmp_path, "169.254.169.254")
    await desk.poke()
    await desk.until(lambda: bool(desk.rows("SELECT reason FROM pull_rows WHERE reason IS NOT NULL")))

    assert "169.254.169.254" in desk.rows("SELECT reason FROM pull_rows")[0][0]
    await desk.stop()


async def test_a_name_is_looked_at_when_it_is_connected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it led to before: there is no moment between the look and the connection."""
    desk = Desk(tmp_path, "api.example.com:80")

    async def inside(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside)
    await desk.poke()
    await desk.until(lambda: bool(desk.rows("SELECT reason FROM pull_rows WHERE reason IS NOT NULL")))

    assert "not public" in desk.rows("SELECT reason FROM pull_rows")[0][0]
    await desk.stop()
