"""Taking, snoozing, handing back and silences, by the API and by a signed link: each is an event of the journal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.board.test_views import Service
from tests.engine.shop import MINUTE, START, Shop

from sanfen.board.views import build_board_app
from sanfen.config.settings import Settings
from sanfen.engine.front import Front
from sanfen.links import Grant, sign
from sanfen.store import keys
from sanfen.store.spill import Spill
from sanfen.testing import FakeClock, ask

Client = TestClient[Any, Any]


class Desk:
    """A shop with one customer waiting, its board, and a browser."""

    def __init__(self, shop: Shop, client: Client) -> None:
        self.shop = shop
        self.client = client
        self.round = str(shop.rows("SELECT id FROM rounds WHERE policy = 'taobao'")[0][0])

    async def act(self, act: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = await self.client.post(f"/api/v1/rounds/{self.round}/{act}", json=body)
        return answer.status, await answer.json()

    def taken_by(self) -> str | None:
        found: str | None = self.shop.rows("SELECT taken_by FROM rounds WHERE policy = 'taobao'")[0][0]
        return found

    def due(self) -> list[tuple[Any, ...]]:
        return self.shop.rows("SELECT step, person FROM escalations ORDER BY id")

    async def link(self, person: str = "boss", lasts_ms: int = MINUTE) -> str:
        key = await asyncio.wrap_future(self.shop.db.write(keys.link_key))
        return "/act/" + sign(key, Grant(self.round, person, self.shop.clock.now_ms() + lasts_ms))


@pytest.fixture
async def desk(tmp_path: Path, aiohttp_client: Any) -> AsyncIterator[Desk]:
    shop = Shop(tmp_path / "log.db", FakeClock(START + 30_000))
    await shop.send(ask(START, "tb_customer"))
    service = Service(shop.db)
    spill = Spill(tmp_path / "spill", "one")
    service.front = Front(spill, shop.clock, {"default": 1_000})
    service.front.connect(shop.engine, shop.db)
    client = await aiohttp_client(TestServer(build_board_app(service, Settings(), shop.clock)))
    yield Desk(shop, client)
    await service.front.close()
    await asyncio.to_thread(spill.close)
    await asyncio.to_thread(shop.db.close)


async def test_taking_a_round_stops_its_ladder(desk: Desk) -> None:
    status, said = await desk.act("take", by="boss")
    await desk.shop.tick(START + 170_000)

    assert (status, said["act"], said["by"]) == (200, "take", "boss")
    assert (desk.taken_by(), desk.due()) == ("boss", [])
    assert desk.shop.rows("SELECT kind, fields FROM events WHERE kind = 'take'") == [("take", '{"agent": "boss"}')]


async def test_handing_back_lets_it_go_on(desk: Desk) -> None:
    await desk.act("take", by="boss")
    await desk.shop.tick(START + 100_000)
    await desk.act("release", by="boss")
    await desk.shop.tick(START + 100_001)

    assert (desk.taken_by(), desk.due()) == (None, [(0, "lead")])


async def test_snoozing_lasts_as_long_as_it_says(desk: Desk) -> None:
    await desk.act("snooze", by="boss", **{"for": "2m"})
    await desk.shop.tick(START + 149_999)
    assert desk.due() == []
    await desk.shop.tick(START + 150_000)
    assert desk.due() == [(1, "boss")]


async def test_calling_for_the_next_step(desk: Desk) -> None:
    await desk.act("escalate", by="boss")

    assert desk.due() == [(0, "lead")]


@pytest.mark.parametrize(
    ("act", "body", "status", "title"),
    [
        ("dance", {"by": "boss"}, 404, "there is nothing at this address"),
        ("take", {}, 400, "by is missing, or no text of 1 to 200 characters"),
        ("take", {"by": ["boss"]}, 400, "by is no text of 1 to 200 characters"),
        ("snooze", {"by": "boss", "for": "2:30"}, 400, "for: not a duration: '2:30'"),
        (
            "reassign",
            {"by": "boss", "to": "lily"},
            400,
            "the channel did not do it: channel default has no way to assign",
        ),
    ],
)
async def test_what_cannot_be_done_is_said(desk: Desk, act: str, body: dict[str, Any], status: int, title: str) -> None:
    found, said = await desk.act(act, **body)

    assert found == status
    assert said["title"].startswith(title)


async def test_a_form_of_another_site_is_no_act(desk: Desk) -> None:
    """A browser sends JSON to another site only if that site agrees, which this one never does."""
    answer = await desk.client.post(f"/api/v1/rounds/{desk.round}/take", data={"by": "mallory"})
    texts = await desk.client.post(
        f"/api/v1/rounds/{desk.round}/take", data='{"by": "mallory"}', headers={"Content-Type": "text/plain"}
    )

    assert (answer.status, texts.status, desk.taken_by()) == (400, 400, None)


@pytest.mark.parametrize("raw", ["", "[]", "{", "[" * 100_000, '"' + "x" * 5_000 + '"', "\xff"])
async def test_a_body_that_is_none(desk: Desk, raw: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await desk.client.post(f"/api/v1/rounds/{desk.round}/take", data=raw.encode("latin-1"), headers=headers)

    assert answer.status in (400, 413)


async def test_an_unknown_round(desk: Desk) -> None:
    answer = await desk.client.post("/api/v1/rounds/r000/take", json={"by": "boss"})

    assert (answer.status, (await answer.json())["title"]) == (404, "there is no such round")


async def test_a_link_shows_first_and_takes_when_it_is_posted(desk: Desk) -> None:
    """Whoever previews the link, a chat robot for one, takes nothing."""
    link = await desk.link()
    page = await desk.client.get(link, headers={"Accept-Language": "en"})
    assert "tb**er" in await page.text()
    assert "data-take" in await page.text()
    assert desk.taken_by() is None

    done = await desk.client.post(link, data={"act": "take"}, headers={"Accept-Language": "zh"})
    assert "已由你处理" in await done.text()
    assert desk.taken_by() == "boss"
    again = await (await desk.client.get(link)).text()
    assert "data-take" not in again


async def test_a_link_that_is_forged_or_out_of_date(desk: Desk) -> None:
    link = await desk.link()
    text, _, mac = link.rpartition(".")
    forged = await desk.client.post(f"{text}.{'A' if mac[0] != 'A' else 'B'}{mac[1:]}")
    desk.shop.clock._now_ms += MINUTE + 1
    old = await desk.client.post(link)

    assert [(await one.json())["title"] for one in (forged, old)] == [
        "this link is not one of ours", "this link is out of date",
    ]  # fmt: skip
    assert desk.taken_by() is None


async def test_silences(desk: Desk) -> None:
    made = await (await desk.client.post("/api/v1/quiet", json={"for": "2h", "why": "move", "by": "boss"})).json()
    listed = await (await desk.client.get("/api/v1/quiet")).json()
    ended = await desk.client.delete(f"/api/v1/quiet/{made['id']}")
    again = await desk.client.delete(f"/api/v1/quiet/{made['id']}")
    odd = await desk.client.delete("/api/v1/quiet/%C2%B2")

    assert (made["until_ms"] - made["from_ms"], listed) == (2 * 60 * MINUTE, {"quiet": [made]})
    assert (ended.status, again.status, odd.status) == (200, 404, 400)
    assert await (await desk.client.get("/api/v1/quiet")).json() == {"quiet": []}
