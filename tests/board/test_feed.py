"""The live feed: whole at first, then what differs; silent listeners cost nothing, and all of them are let go at the end."""

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sanfen.board.access import Refusal
from sanfen.board.feed import Entry, Feed, Look, Picture
from sanfen.store.present import Waiting


def row(name: str, step: int = 0) -> Entry:
    one = Waiting(name, "s", "c", "tb", None, "pending", 0, 0, 180_000, 1, step, None, None, "在吗", None)
    return Entry(one, 2)


class Source:
    """What a log would say."""

    def __init__(self) -> None:
        self.rows: dict[str, Entry] | None = {"a": row("a")}
        self.parts = {"day": "one"}
        self.looked = 0

    async def take(self, _: Picture | None) -> Picture:
        self.looked += 1
        parts = dict(self.parts)
        return Picture(self.looked, None if self.rows is None else dict(self.rows), lambda _: parts)


class Listener:
    def __init__(self, response: Any) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        """The next event that says something beside the beat."""
        async for line in self._response.content:
            if line.startswith(b"data: "):
                said: dict[str, Any] = json.loads(line[6:])
                if len(said) > 1:
                    return said
        return {}


def words(entry: Entry, look: Look, _: int) -> str:
    return f"{look.language}:{entry.one.id}{entry.one.step} "


async def served(aiohttp_client: Any, source: Source, check: Any = lambda: None) -> tuple[Feed, TestClient[Any, Any]]:
    feed = Feed(source.take, words)

    async def stream(request: web.Request) -> web.StreamResponse:
        return await feed.serve(request, Look(request.query.get("lang", "zh")), check)

    app = web.Application()
    app.router.add_get("/stream", stream)
    app.on_shutdown.append(lambda _: feed.close())
    client: TestClient[Any, Any] = await aiohttp_client(TestServer(app))
    return feed, client


async def test_all_of_it_then_what_differs(aiohttp_client: Any) -> None:
    source = Source()
    feed, client = await served(aiohttp_client, source)
    listener = Listener(await client.get("/stream"))
    first = await listener.next()

    source.rows = {"a": source.rows["a"], "b": row("b")} if source.rows else None
    feed.wake()
    second = await listener.next()
    source.rows = {"b": row("b", step=1)}
    source.parts = {"day": "two"}
    feed.wake()
    third = await listener.next()

    assert (first["put"], first["all"], first["parts"]) == ("zh:a0 ", True, {"day": "one"})
    assert (second["put"], "gone" in second, "parts" in second) == ("zh:b0 ", False, False)
    assert (third["put"], third["gone"], third["parts"]) == ("zh:b1 ", ["a"], {"day": "two"})


async def test_each_listener_in_his_language_and_one_look_for_all(aiohttp_client: Any) -> None:
    source = Source()
    _, client = await served(aiohttp_client, source)
    listeners = [Listener(await client.get(f"/stream?lang={lang}")) for lang in ("zh", "en", "en")]

    assert [(await one.next())["put"] for one in listeners] == ["zh:a0 ", "en:a0 ", "en:a0 "]
    assert source.looked <= 2


async def test_without_a_log_it_says_that_it_is_blind(aiohttp_client: Any) -> None:
    source = Source()
    feed, client = await served(aiohttp_client, source)
    listener = Listener(await client.get("/stream"))
    await listener.next()
    source.rows = None
    feed.wake()

    assert (await listener.next())["blind"] is True
    source.rows = {"a": row("a")}
    feed.wake()
    assert (await listener.next())["put"] == "zh:a0 "


async def test_whoever_may_not_look_any_more_is_let_go(aiohttp_client: Any) -> None:
    allowed = [True]

    def check() -> None:
        if not allowed[0]:
            raise Refusal(401, "a token is needed", "")

    feed, client = await served(aiohttp_client, Source(), check)
    response = await client.get("/stream")
    await Listener(response).next()
    allowed[0] = False
    feed.wake()

    await asyncio.wait_for(response.content.read(), 30)
    assert response.content.at_eof()


async def test_nobody_listens_nobody_looks(aiohttp_client: Any) -> None:
    source = Source()
    feed, client = await served(aiohttp_client, source)
    response = await client.get("/stream")
    await Listener(response).next()
    response.close()
    while feed._task is None or not feed._task.done():
        feed.wake()
        await asyncio.sleep(0.01)
    looked = source.looked
    feed.wake()

    assert (source.looked, feed._picture) == (looked, None)


async def test_the_end_of_the_service_ends_every_feed(aiohttp_client: Any) -> None:
    feed, client = await served(aiohttp_client, Source())
    responses = [await client.get("/stream") for _ in range(3)]
    for one in responses:
        await Listener(one).next()
    await feed.close()

    assert all([not (await asyncio.wait_for(one.content.read(), 30)).strip() for one in responses])
