"""What a stranger with a token, or a mistyped address, can ask: named questions, bound values, and no SQL."""

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
from sanfen.core.policy import Hours, Policy
from sanfen.engine.ingest import Engine
from sanfen.meters import Meters
from sanfen.notify.acting import Acting
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask, reply

START = 1_673_056_800_000
QUESTIONS = ["/api/v1/now", "/api/v1/rounds", "/api/v1/rates", "/api/v1/budget", "/api/v1/report", "/api/v1/rounds/x"]
NAMES = ["score_set", "policy", "shop", "channel", "agent", "status", "reason", "conversation", "first_day", "last_day",
         "by", "limit", "longest", "lang"]  # fmt: skip
HOSTILE = [
    "'", '"', "--", ";", "\\", "%00", "a' OR '1'='1", "1; DROP TABLE events", "' UNION SELECT text FROM events --",
    "day); ATTACH 'x' AS y; --", "(SELECT text FROM events)", "sqlite_master", "rowid", "*", "day,day", ",", "_",
    "zeroblob(1000000000)", "printf('%.*c',900000000,'x')", "load_extension('x')", "9" * 400, "-1", "1e9", "NaN",
    "\u0000", "\ud83d\ude00", "x" * 4_000, "../../../etc/passwd", "{{7*7}}", "<script>alert(1)</script>",
]  # fmt: skip


class Service:
    def __init__(self, db: Database) -> None:
        self.db = db
        self.policy = "p"
        self.front: Any = SimpleNamespace(under_way=0)
        self.acting = Acting({})
        self.deliveries: dict[tuple[str, str], int] = {}
        self.meters = Meters()
        self.secrets: dict[tuple[str, str], int] = {}
        self.trouble: Trouble | None = None
        self.not_adopted: str | None = None
        self.problems = ""
        self.is_standby = False
        self.loaded = Loaded(Settings(), (Policy("p"),), ())


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    db, clock = Database.open(tmp_path / "log.db"), FakeClock(START + 100_000)
    engine = Engine(db, (Policy("p", hours=Hours(480, 1440)),), (), clock)
    said = [ask(START, "a", text="CANARY"), reply(START + 1_000, "a")]
    await engine.submit(Delivery(START, "default", "in", "POST", "", b"CANARY"), said)
    made: TestClient[Any, Any] = TestClient(TestServer(build_board_app(Service(db), Settings(), clock)))
    async with made:
        yield made
    await asyncio.to_thread(db.close)


@pytest.mark.parametrize("name", NAMES)
async def test_no_value_of_a_question_is_sql(client: TestClient[Any, Any], name: str) -> None:
    """Every question, every name, everything hostile: an answer or a clear 400, never a 5xx, never more rows."""
    for path in QUESTIONS:
        plain = len(await (await client.get(path)).text())
        for value in HOSTILE:
            answer = await client.get(path, params={name: value})
            text = await answer.text()
            assert answer.status in (200, 400, 404), (path, name, value)
            assert "Traceback" not in text
            assert "CANARY" not in text or path == "/api/v1/now"
            assert answer.status != 200 or len(text) <= plain + len(value) + 200, (path, name, value)


@pytest.mark.parametrize("path", ["/api/v1/sql", "/api/v1/query", "/sql", "/log.db", "/api/v1/rounds.sql", "/-/sql"])
async def test_there_is_no_raw_sql(client: TestClient[Any, Any], path: str) -> None:
    for method in ("GET", "POST"):
        answer = await client.request(method, path, params={"sql": "select 1", "q": "select 1"})
        assert answer.status in (403, 404)


@pytest.mark.parametrize(
    "path", ["/static/../views.py", "/static/%2e%2e/views.py", "/static/board.js%00", "/static//etc/passwd"]
)
async def test_no_file_is_served_but_ours(client: TestClient[Any, Any], path: str) -> None:
    answer = await client.get(path)

    assert answer.status == 404
