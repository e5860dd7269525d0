"""The board and its API: right, escaped, masked, and honest when there is no log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sanfen.board.views import Trouble, build_board_app
from sanfen.config.load import Loaded
from sanfen.config.settings import Settings
from sanfen.core.policy import Hours, Period, Policy
from sanfen.engine.ingest import Engine
from sanfen.meters import Meters
from sanfen.notify.acting import Acting
from sanfen.store import journal
from sanfen.store.db import Database, Readable, Watched
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask, reply

START = 1_673_056_800_000
POLICY = Policy("p", hours=Hours(480, 1440), period=Period(lag_days=0))
HOSTILE = "<script>alert(1)</script>"


class Service:
    def __init__(self, db: Readable | None) -> None:
        self.db = db
        self.front: Any = SimpleNamespace(under_way=0)
        self.acting = Acting({})
        self.policy = "p"
        self.deliveries: dict[tuple[str, str], int] = {("desk", "received"): 7}
        self.meters = Meters()
        self.trouble: Trouble | None = None
        self.is_standby = False
        self.not_adopted: str | None = None
        self.problems = ""
        self.secrets = {("desk", "1"): 3}
        self.loaded = Loaded(Settings(), (POLICY,), ())


Client = TestClient[Any, Any]


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Any) -> AsyncIterator[Client]:
    db, clock = Database.open(tmp_path / "log.db"), FakeClock(START + 100_000)
    engine = Engine(db, (POLICY,), (), clock)
    await engine.adopt()
    events = [
        ask(START - 600_000, "tb_done"),
        reply(START - 540_000, "tb_done"),
        ask(START, "tb_waiting123", text=HOSTILE),
        ask(START - 7_000_000, "tb_long_ago"),
    ]
    await engine.submit(Delivery(START, "default", "in", "POST", "", b""), events)
    await engine.tick({event.key for event in events})
    yield await aiohttp_client(TestServer(build_board_app(Service(db), Settings(), clock)))
    await asyncio.to_thread(db.close)


async def test_the_page_shows_who_waits(client: Client) -> None:
    text = await (await client.get("/?lang=en")).text()

    assert "1:20" in text
    assert "tb**23" in text
    assert "tb_waiting123" not in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("headers", "words"),
    [({"Accept-Language": "en-GB"}, "Waiting now"), ({}, "正在等"), ({"Accept-Language": "zh"}, "正在等")],
)
async def test_the_language_follows_the_reader(client: Client, headers: dict[str, str], words: str) -> None:
    assert words in await (await client.get("/", headers=headers)).text()


async def test_now_counts_the_day(client: Client) -> None:
    now = await (await client.get("/api/v1/now")).json()

    assert now["counts"] == {"met": 1, "late": 0, "missed": 1, "pending": 1, "excluded": 0}
    assert (now["rate"], [one["left_ms"] for one in now["open"]]) == (0.5, [80_000])


async def test_rounds_and_rates_are_the_same_rows(client: Client) -> None:
    rounds = (await (await client.get("/api/v1/rounds?status=met")).json())["rounds"]
    (rate,) = (await (await client.get("/api/v1/rates?by=channel")).json())["rates"]

    assert [row["customer"] for row in rounds] == ["tb**ne"]
    assert (rate["met"], rate["rounds"]) == (1, 2)


async def test_the_questions_of_the_command_line_have_an_address(client: Client) -> None:
    (met,) = (await (await client.get("/api/v1/rounds?status=met")).json())["rounds"]
    told = await (await client.get(f"/api/v1/rounds/{met['id']}")).json()
    (report,) = (await (await client.get("/api/v1/report")).json())["report"]
    budget = (await (await client.get("/api/v1/budget")).json())["budget"]

    assert told["round"]["because"] == "answered_in_time"
    assert {one["customer"] for one in told["messages"]} == {"tb**ne"}
    assert (report["consult_num"], report["no_reply_num"]) == (3, 2)
    assert budget == []  # the policy states no target
    (period,) = (await (await client.get("/api/v1/periods?by=shop")).json())["periods"]
    assert (period["shop"], period["last"], period["hits"], period["units"]) == ("default", "2023-01-07", 1, 2)
    whole = await (await client.get(f"/api/v1/compare?a=live/{period['policy']}&b={period['policy']}")).json()
    assert (whole["same"], whole["differ"]) == (3, 0)
    assert (await client.get("/api/v1/compare?a=nobody")).status == 400
    assert (await client.get("/api/v1/rounds/r0")).status == 404


@pytest.mark.parametrize(
    "path", ["/api/v1/rates?by=moon", "/api/v1/rounds?limit=0", "/api/v1/rounds?limit=x", "/api/v1/rounds?limit=9999"]
)
async def test_a_wrong_question_gets_a_hint(client: Client, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert (await answer.json())["hint"]


async def test_values_cannot_become_sql(client: Client) -> None:
    answer = await client.get("/api/v1/rounds", params={"agent": "' OR 1=1 --"})

    assert (await answer.json())["rounds"] == []


async def test_every_answer_carries_its_guards(client: Client) -> None:
    for path in ("/", "/api/v1/now", "/healthz", "/nowhere", "/static/board.js", "/static/../views.py"):
        answer = await client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_metrics_and_readiness(client: Client) -> None:
    text = await (await client.get("/metrics")).text()

    assert 'sanfen_rounds{outcome="met",policy="p"} 1.0' in text
    assert 'sanfen_deliveries_total{channel="desk",what="received"} 7.0' in text
    assert (await client.get("/readyz")).status == 200


async def test_without_a_log_it_says_so(aiohttp_client: Any) -> None:
    client: Client = await aiohttp_client(TestServer(build_board_app(Service(None), Settings(), FakeClock())))
    page = await client.get("/?lang=en")

    assert (page.status, (await client.get("/readyz")).status, (await client.get("/healthz")).status) == (503, 503, 200)
    assert "relaying without scoring" in await page.text()
    assert (await client.get("/api/v1/now")).status == 503
    assert "sanfen_ready 0.0" in await (await client.get("/metrics")).text()


async def test_a_log_that_is_damaged_under_a_reader_is_said(tmp_path: Path, aiohttp_client: Any) -> None:
    """503 with a mend, and no 500: the writer finds it out by itself a little later."""
    path = tmp_path / "log.db"
    db = Database.open(path)
    said = [ask(START + number, f"c{number}", text="x" * 500) for number in range(300)]
    db.write(lambda c: journal.append(c, Delivery(1, "desk", "in", "POST", "", b""), said)).result()
    await asyncio.to_thread(db.close)
    raw = bytearray(path.read_bytes())
    raw[8_192:-4_096] = b"\xa5" * (len(raw) - 12_288)
    path.write_bytes(raw)
    service = Service(None)
    service.db = Watched(path)
    client: Client = await aiohttp_client(TestServer(build_board_app(service, Settings(storage=path), FakeClock())))
    answers = [await client.get(f"/api/v1/{name}") for name in ("messages", "rounds", "now", "sessions")]

    assert {answer.status for answer in answers} <= {200, 503}
    (said_so,) = {(await answer.json())["title"] for answer in answers if answer.status == 503}
    assert said_so.startswith(f"{path} is damaged")
