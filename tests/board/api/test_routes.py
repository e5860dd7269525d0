"""Every endpoint that is documented answers, every answer fits its schema, and its columns are those of the views."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.board.test_access import LOADED, Service
from tests.engine.shop import MINUTE, START, Shop

from sanfen.board.api.columns import names_of
from sanfen.board.api.endpoints import Endpoint
from sanfen.board.api.routes import PREFIX
from sanfen.board.api.table import ENDPOINTS
from sanfen.board.views import build_board_app
from sanfen.config.load import Loaded
from sanfen.config.settings import Person, Settings, Way
from sanfen.core.classify import Rule
from sanfen.core.events import Key, Order
from sanfen.engine.front import Front
from sanfen.store import views
from sanfen.store.spill import Spill
from sanfen.testing import FakeClock, ask, reply

Client = TestClient[Any, Any]
GETS = [one for one in ENDPOINTS if one.method == "GET"]
PEOPLE = {"lead": Person("lead", (Way("console:"),))}
_NEEDED = {"id": "", "a": "taobao", "b": "live/taobao"}


class Log:
    """A small shop with something in every view, its board, and a client."""

    def __init__(self, shop: Shop, client: Client) -> None:
        self.shop = shop
        self.client = client
        self.round = str(shop.rows("SELECT id FROM rounds WHERE policy = 'taobao' ORDER BY opened_ms LIMIT 1")[0][0])

    async def get(self, path: str, **headers: str) -> Any:
        return await self.client.get(PREFIX + path, headers=headers)

    async def rows(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await (await self.get(path)).json())[path.split("?", maxsplit=1)[0].strip("/")]
        return found

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        answer = await self.client.post(PREFIX + path, json=body)
        return answer.status, await answer.json()


@pytest.fixture
async def log(tmp_path: Path, aiohttp_client: Any) -> AsyncIterator[Log]:
    shop = Shop(tmp_path / "log.db", FakeClock(START + 30 * MINUTE))
    await shop.engine.adopt()
    for number in range(7):
        at_ms = START + number * MINUTE
        await shop.send(ask(at_ms, f"tb_customer{number}", text=f"=1+{number}"))
        if number % 2:
            await shop.send(reply(at_ms + 30_000, f"tb_customer{number}", agent="lily"))
    made = Order(START + 10 * MINUTE, Key("default", "default", "tb_customer1"), "o1", "o1", "created", 990)
    await shop.send(made)
    await shop.tick(START + 10 * MINUTE)
    gap = "INSERT INTO gap_rows (from_ms, until_ms, channel, deliveries, reason) VALUES (?, ?, 'desk', 2, 'test')"
    await asyncio.wrap_future(shop.db.write(lambda c: c.execute(gap, (START, START + 1)).rowcount))
    service = Service()
    service.db = shop.db
    service.policy = "taobao"
    rule = Rule("typed", verdict="valid", place="sanfen.yaml:3")
    service.loaded = Loaded(Settings(people=PEOPLE), LOADED.policies, (rule,))
    spill = Spill(tmp_path / "spill", "one")
    service.front = Front(spill, shop.clock, {"default": 1_000})
    service.front.connect(shop.engine, shop.db)
    client = await aiohttp_client(TestServer(build_board_app(service, Settings(), shop.clock)))
    yield Log(shop, client)
    await service.front.close()
    await asyncio.to_thread(spill.close)
    await asyncio.to_thread(shop.db.close)


async def schema_of(log: Log, one: Endpoint) -> dict[str, Any]:
    spec = await (await log.client.get("/openapi.json")).json()
    found: dict[str, Any] = spec["paths"][PREFIX + one.path][one.method.lower()]["responses"]["200"]["content"]
    return dict(found["application/json"]["schema"])


def address(log: Log, one: Endpoint) -> str:
    asked = [f"{p.name}={_NEEDED[p.name]}" for p in one.parameters if p.is_needed and p.name != "id"]
    name = "taobao-2022-01" if one.path.startswith("/policies") else log.round
    return one.path.replace("{id}", name) + ("?" + "&".join(asked) if asked else "")


@pytest.mark.parametrize("one", GETS, ids=lambda one: one.path)
async def test_every_question_is_answered_as_documented(log: Log, one: Endpoint) -> None:
    answer = await log.get(address(log, one))
    found = await answer.json()

    assert answer.status == 200
    jsonschema.validate(found, await schema_of(log, one), jsonschema.Draft202012Validator)
    if one.columns and one.name not in ("onward", "unread", "clock_steps", "changes", "audit", "quiet", "budget"):
        assert found[one.name], "the log of this test has something of everything"
    assert '"tb_customer1"' not in json.dumps(found)


async def test_acts_are_answered_as_documented(log: Log) -> None:
    sent = {
        "/rounds/{id}/take": {"by": "boss"}, "/rounds/{id}/snooze": {"by": "boss", "for": "2m"},
        "/rounds/{id}/release": {"by": "boss"}, "/rounds/{id}/escalate": {"by": "boss"},
        "/rounds/{id}/unmask": {"by": "boss"}, "/people/{name}/test": {}, "/quiet": {"for": "1h", "why": "move", "by": "boss"},
        "/erase": {"customer": "tb_customer3"}, "/rounds/{id}/reassign": {"by": "boss", "to": "lily"},
    }  # fmt: skip
    posts = {one.path: one for one in ENDPOINTS if one.method == "POST"}
    assert posts.keys() == sent.keys()
    for path, body in sent.items():
        status, found = await log.post(path.replace("{id}", log.round).replace("{name}", "lead"), **body)
        if path == "/erase":
            assert (status, found["title"]) == (403, "this needs a token")  # tests/board/test_access.py has one
        elif path.endswith("reassign"):
            assert (status, found["hint"]) == (400, "assign it in the channel")
        else:
            assert status == 200, found
            jsonschema.validate(found, await schema_of(log, posts[path]), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", views.NAMES)
async def test_columns_are_the_views(log: Log, name: str) -> None:
    (one,) = (endpoint for endpoint in ENDPOINTS if endpoint.path == f"/{name}")
    known = [row[1] for row in log.shop.rows(f"PRAGMA table_info({name})")]

    assert [column for column in names_of(one.columns) if column in known] == known
    assert set(names_of(one.columns)) - set(known) <= {"incomplete"}


@pytest.mark.parametrize("name", ["rounds", "messages", "rates_hourly", "sessions", "rounds?longest=true"])
async def test_pages_together_are_the_whole(log: Log, name: str) -> None:
    whole, sign = await log.rows(f"/{name}"), "&" if "?" in name else "?"
    pages: list[dict[str, Any]] = []
    path: str | None = f"/{name}{sign}limit=1"
    while path:
        answer = await log.get(path)
        found = await answer.json()
        pages += found[name.split("?", maxsplit=1)[0]]
        assert len(pages) <= len(whole)
        assert (found["next"] is None) == ("Link" not in answer.headers)
        path = found["next"] and f"/{name}{sign}limit=1&cursor={found['next']}"

    assert pages == whole
    assert len(whole) > 1


async def test_new_rows_do_not_shift_the_next_page(log: Log) -> None:
    first = await (await log.get("/rounds?limit=3&policy=taobao")).json()
    await log.shop.send(ask(START + 20 * MINUTE, "late"))
    second = await (await log.get(f"/rounds?limit=3&policy=taobao&cursor={first['next']}")).json()
    names = [row["id"] for row in first["rounds"] + second["rounds"]]

    assert len(set(names)) == 6


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv"), ("?format=csv", "application/json")]
)
async def test_a_spreadsheet_opens_what_it_is_given(log: Log, query: str, accept: str) -> None:
    """Known as UTF-8, and what a customer wrote is no formula."""
    answer = await log.get("/messages" + query, Accept=accept)
    rows = list(csv.DictReader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    expected = await log.rows("/messages")

    assert (answer.content_type, answer.charset) == ("text/csv", "utf-8")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="messages.csv"'
    assert [row["id"] for row in rows] == [row["id"] for row in expected]
    assert {row["text"] for row in rows if row["text"]} == {f"'=1+{number}" for number in range(7)}
    empty = await log.get("/clock_steps?format=csv")
    assert (await empty.read()).decode("utf-8-sig") == "id,at,step_ms,rounds,at_ms\n"


async def test_one_object_a_line(log: Log) -> None:
    answer = await log.get("/rounds", Accept="application/x-ndjson")

    assert answer.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in (await answer.text()).splitlines()] == await log.rows("/rounds")


WRONG = [
    ("/rounds?agnet=lily", "there is no parameter 'agnet' here", "did you mean agent?"),
    ("/rounds?status=slow", "status cannot be 'slow'", "choose from met, late, missed, pending, excluded"),
    ("/rounds?limit=1001", "limit is not a number from 1 to 1000: '1001'", "at most so many rows"),
    ("/rounds?limit=%D9%A3", "limit is not a number from 1 to 1000: '٣'", "at most so many rows"),
    ("/rounds?limit=1&limit=1", "limit is given more than once", "give one limit"),
    ("/rounds?first_day=2026-13-01", "not a day: '2026-13-01'", "write 2026-11-01"),
    ("/rounds?cursor=x", "not the mark of a page: 'x'", "take `next`"),
    ("/rounds?cursor=2026-01-01.0", "not the mark of a page: '2026-01-01.0'", "take `next`"),
    ("/rates_daily?cursor=5.0", "not the mark of a page: '5.0'", "take `next`"),
    ("/rounds?longest=maybe", "longest is neither true nor false: 'maybe'", "write longest=true"),
    ("/rates?by=moon", "by cannot be 'moon'", "choose from shop, channel, agent, day, week, month, hour"),
    ("/rates?by=", "by cannot be ''", "choose from shop"),
    ("/rounds?agent=%00", "agent holds characters that cannot be shown", "only this agent"),
    ("/rounds?format=xml", "format cannot be 'xml'", "choose from json, csv, nl"),
    ("/compare?a=taobao", "b is missing", "the other one"),
    ("/now?limit=1", "there is no parameter 'limit' here", "known here: lang"),
]


@pytest.mark.parametrize(("path", "title", "hint"), WRONG)
async def test_a_wrong_question_is_said_with_its_mend(log: Log, path: str, title: str, hint: str) -> None:
    answer = await log.get(path)
    said = await answer.json()

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert (said["title"], said["status"], said["docs"]) == (title, 400, "/api/docs")
    assert said["hint"].startswith(hint)


@pytest.mark.parametrize("path", [*(row[0] for row in WRONG), "/rounds/r0", "/policies/none", "/nowhere"])
async def test_what_is_wrong_is_said_in_the_language_that_is_asked(log: Log, path: str) -> None:
    chinese = re.compile("[\u4e00-\u9fff]")
    for asked in ({"Accept-Language": "zh-CN,zh;q=0.9"}, {"Cookie": "lang=zh", "Accept-Language": "en"}):
        said = await (await log.get(path, **asked)).json()

        assert chinese.search(said["title"])
        assert chinese.search(said["hint"]) or "lang" in said["hint"]
    said = await (await log.get(path, **{"Accept-Language": "en", "Cookie": "lang=en"})).json()
    assert not chinese.search(said["title"] + said["hint"])


async def test_a_method_that_is_not_taken_is_said_with_those_that_are(log: Log) -> None:
    answer = await log.client.put(PREFIX + "/rounds", headers={"Accept-Language": "en"})
    said = await answer.json()

    assert (answer.status, said["title"], said["hint"]) == (405, "this address does not take PUT", "it takes GET,HEAD")


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"why": "move", "by": "a"}, "for is missing"),
        ({"for": "2h", "why": "move", "buy": "a"}, "there is no field 'buy' here"),
        ({"for": 2, "why": "move", "by": "a"}, "for is no text of 1 to 200 characters"),
        ({"for": "2h", "why": "", "by": "a"}, "why is no text of 1 to 200 characters"),
        ({"for": "2h", "why": "a\nb", "by": "a"}, "why holds characters that cannot be shown"),
        ({"for": "2h", "why": "move"}, "by is missing, or no text of 1 to 200 characters"),
    ],
)
async def test_a_body_is_checked_the_same_way(log: Log, body: dict[str, Any], title: str) -> None:
    status, said = await log.post("/quiet", **body)

    assert (status, said["title"]) == (400, title)


@pytest.mark.parametrize("name", ["nope", "..%2F..%2Fpyproject.toml", "%2Fetc%2Fpasswd", "taobao-2022-01.yaml", "%00"])
async def test_only_shipped_policies_are_shown(log: Log, name: str) -> None:
    assert (await log.get(f"/policies/{name}")).status in (400, 404)


async def test_narrowing(log: Log) -> None:
    assert {row["agent"] for row in await log.rows("/rounds?agent=lily")} == {"lily"}
    assert {row["agent"] for row in await log.rows("/rounds?agent=")} == {None}
    assert {row["status"] for row in await log.rows("/rounds?status=met,missed")} == {"met", "missed"}
    assert {row["status"] for row in await log.rows("/rounds?status=met&status=late")} == {"met"}
    assert await log.rows("/rounds?hour=9") == await log.rows("/rounds?weekday=0") == []
    assert len(await log.rows("/rounds?hour=10&weekday=6&about=tb_customer1&policy=taobao")) == 1
    assert len(await log.rows("/rounds?wait_from_ms=30000&wait_to_ms=30001&policy=taobao")) == 3
    assert len(await log.rows("/rounds?conversation=tb_customer1&policy=taobao")) == 1
    assert len(await log.rows(f"/messages?since_ms={START}&until_ms={START + 1}&policy=")) in (0, 1)
    assert [row["round"] for row in await log.rows(f"/escalations?round={log.round}")] == [log.round] * len(
        log.shop.rows(f"SELECT 1 FROM escalations WHERE round = '{log.round}'")
    )
    assert [row["agent"] for row in await log.rows("/agents?policy=taobao")] == ["", "lily"]
    assert (await log.rows("/days"))[0]["day"] == "2023-01-07"


async def test_unmasking_shows_one_customer_and_is_on_account(log: Log) -> None:
    assert (await log.rows("/rounds?limit=1"))[0]["customer"] == "tb**r6"
    status, shown = await log.post(f"/rounds/{log.round}/unmask", by="boss")
    (account,) = await log.rows("/audit")

    assert (status, shown["customer"], shown["conversation"]) == (200, "tb_customer0", "tb_customer0")
    assert [account[name] for name in ("act", "by", "round", "shop", "customer")] == ["unmask", "boss", log.round, "default", None]  # fmt: skip
    assert (await log.post("/rounds/r0/unmask", by="boss"))[0] == 404
    assert len(await log.rows("/audit")) == 1


async def test_a_test_message_says_what_became_of_it(log: Log) -> None:
    status, found = await log.post("/people/lead/test")
    unknown = await log.post("/people/laed/test")

    assert (status, [row["result"] for row in found["ways"]]) == (200, ["told"])
    assert (unknown[0], unknown[1]["hint"]) == (400, "did you mean lead? people: lead")


async def test_text_that_is_not_kept_is_told_from_none(log: Log) -> None:
    await asyncio.wrap_future(log.shop.db.write(lambda c: c.execute("UPDATE events SET text = NULL").rowcount))
    found = await (await log.get(f"/rounds/{log.round}")).json()
    first = found["messages"][0]

    assert (first["text"], first["chars"]) == (None, 4)
    assert found["round"]["because"] == "no_valid_reply"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_page_of_documents_names_everything(log: Log, language: str) -> None:
    """It loads nothing from elsewhere, and has no script at all."""
    answer = await log.client.get(f"/api/docs?lang={language}")
    text = await answer.text()

    assert answer.status == 200
    for one in ENDPOINTS:
        assert one.says[language == "zh"] in text.replace("&#39;", "'").replace("&#34;", '"')
        assert PREFIX + one.path in text
        assert not [p.name for p in (*one.parameters, *one.body) if f"<code>{p.name}</code>" not in text]
    assert "<script" not in text
    assert "http://" not in text.replace("http://127.0.0.1:8971", "")


def test_both_languages_say_all() -> None:
    pairs = [one.says for one in ENDPOINTS] + [p.says for one in ENDPOINTS for p in (*one.parameters, *one.body)]

    assert not [english for english, chinese in pairs if not any("\u4e00" <= letter <= "\u9fff" for letter in chinese)]
