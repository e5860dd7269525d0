"""Every screen, of a shop with days behind it and customers waiting: right, linked, escaped, masked, in both languages."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import aiohttp
import pytest
from tests.browser.shop import NOW, Board, ask, opened
from tests.faults.ours import locked

SCREENS = (
    "/",
    "/?wall=1",
    "/rounds",
    "/agents",
    "/hours",
    "/hours?show=wait",
    "/hours?show=volume",
    "/budget",
    "/escalations",
    "/rules",
)
HOSTILE = "\"'><script>alert(1)</script>"
LINK = re.compile(r"<a\b[^>]*>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


class Reader:
    """A browser without scripts."""

    def __init__(self, board: Board, client: aiohttp.ClientSession) -> None:
        self.board = board
        self.client = client

    async def get(self, path: str, status: int = 200, headers: dict[str, str] | None = None) -> str:
        async with self.client.get(self.board.url + path, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, (path, text[:300])
            return text

    async def round(self, status: str) -> str:
        found = json.loads(await self.get(f"/api/v1/rounds?status={status}&limit=1"))
        return str(found["rounds"][0]["id"])


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    async with opened(tmp_path, days=4) as board, aiohttp.ClientSession() as client:
        yield Reader(board, client)


def numbers(page: str) -> list[tuple[int, str]]:
    """Every number that says how many rounds are behind it, with where it leads."""
    found = [dict(ATTRIBUTE.findall(link)) for link in LINK.findall(page)]
    own = [(int(one["data-n"]), unescape(one["href"])) for one in found if "data-n" in one]
    tiles = re.findall(r'<a class="tile[^>]*href="([^"]+)"><b data-n="(\d+)"', page)
    return own + [(int(count), unescape(url)) for url, count in tiles]


async def test_every_number_counts_the_rounds_behind_it(reader: Reader) -> None:
    seen: dict[str, int] = {}
    for path in SCREENS:
        for count, url in numbers(await reader.get(path)):
            assert seen.setdefault(url, count) == count, (path, url)
    for url, count in seen.items():
        total = re.search(r'data-total="(\d+)"', await reader.get(url))
        assert total is not None, url
        assert int(total[1]) == count, url

    assert len(seen) > 100
    assert sum(seen.values()) > 1000


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_screen_in_both_languages(reader: Reader, language: str) -> None:
    paths = [*SCREENS, f"/rounds/{await reader.round('late')}", f"/rounds/{await reader.round('pending')}"]
    for path in paths:
        page = await reader.get(path, headers={"Accept-Language": language})
        words = re.sub(r"<[^>]+>", " ", page.partition("<body")[2])

        assert f'<html lang="{language}">' in page, path
        assert "None" not in words, path
        assert "Undefined" not in words, path
        assert not re.search(r"tb_\d", page), path  # customers are masked


async def test_a_page_of_the_list_after_the_other(reader: Reader) -> None:
    first = await reader.get("/rounds?status=met")
    total = int(re.findall(r'data-total="(\d+)"', first)[0])
    second = await reader.get("/rounds?status=met&page=2")

    assert first.count("<tr data-row>") == 100
    assert second.count("<tr data-row>") == min(100, total - 100) > 0
    assert 'href="/rounds?status=met&amp;page=2"' in first
    assert "/api/v1/rounds?" in first


@pytest.mark.parametrize(
    "filters",
    ["status=late&first_day=2026-11-21", "status=met,late&hour=12&weekday=6&wait_from_ms=1000", "agent=-", "waiting=soon",
     "waiting=all&agent=莉莉", "taken=1", "rule=platform-flag&status=late", "rule=never-used", "q=tb_0", "longest=1&reason=cross_midnight"],
)  # fmt: skip
async def test_a_list_is_the_same_by_the_api_in_csv_and_as_sql(reader: Reader, tmp_path: Path, filters: str) -> None:
    page = await reader.get(f"/rounds?{filters}")
    total = int(re.findall(r'data-total="(\d+)"', page)[0])
    by_json, by_csv = [unescape(url) for url in re.findall(r'href="(/api/v1/rounds[^"]*)"', page)]
    rows = json.loads(await reader.get(by_json + "&limit=1000"))["rounds"]
    lines = (await reader.get(by_csv + "&limit=1000")).splitlines()

    assert (len(rows), len(lines) - 1) == (total, total)
    if "waiting" in filters:
        assert "<pre" not in page  # it is another list a moment later
    else:
        sql = unescape(re.findall(r"<pre[^>]*>sanfen query sanfen.db \"(.*?)\"</pre>", page)[0])
        with closing(sqlite3.connect(tmp_path / "sanfen.db")) as log:
            assert len(log.execute(sql).fetchall()) == total
        linked = re.findall(r'href="http://127.0.0.1:8001/sanfen\?sql=([^"]*)"', page)
        assert [unquote_plus(one) for one in linked] == ([] if re.search("q=|rule=|taken=", filters) else [sql])


async def test_what_narrows_a_list_is_seen_and_kept(reader: Reader) -> None:
    page = await reader.get("/rounds?status=met,late&channel=taobao&weekday=6&lang=en")
    form = page.partition('id="filter"')[2].partition("</form>")[0]

    assert '<option value="met,late" selected>met + late</option>' in form
    assert '<input type="hidden" name="channel" value="taobao">' in form
    assert '<input type="hidden" name="weekday" value="6">' in form
    assert "channel taobao ✕" in page
    assert "Saturday ✕" in page


async def test_every_list_is_had_in_both_forms(reader: Reader) -> None:
    for path in ("/agents", "/hours", "/budget", "/escalations?state=failed"):
        links = re.findall(r'href="(/api/v1/[^"]*)"', await reader.get(path))
        assert links, path
        for url in links:
            await reader.get(unescape(url))


async def test_a_round_explains_itself(reader: Reader) -> None:
    page = await reader.get(f"/rounds/{await reader.round('late')}?lang=en&under=pdd-3m")
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))

    assert "a valid reply came after the deadline" in words
    assert "platform-flag (sanfen.yaml:" in words
    assert "the customer is a sub-account ○ no" in words
    assert "under" not in words or "pdd-3m" in words
    assert "deadline 3:00" in words
    assert 'data-do="take"' not in page  # it is answered
    waiting = await reader.get(f"/rounds/{await reader.round('pending')}?lang=en&under=pdd-3m")
    assert 'data-do="take"' in waiting
    assert '<td>pdd-3m</td><td class="pending">pending</td>' in waiting  # there, too, it can still be answered


@pytest.mark.parametrize(
    "path",
    ["/rounds?page=0", "/rounds?page=x", "/rounds?page=" + "9" * 5_000, "/rounds?waiting=no", "/rounds?first_day=x", "/rounds?status=lost", "/rounds?hour=x", "/rounds?hour=24", "/rounds?weekday=7", "/rounds?wait_to_ms=-1", "/rounds?taken=yes",
     "/agents?sort=x", "/hours?show=x",
     "/budget?first_day=1", "/budget?first_day=0001-01-01", "/hours?last_day=9999-12-31", "/escalations?state=x", "/escalations?page=-1", "/rules?hour=x"],
)  # fmt: skip
async def test_a_wrong_address_gets_a_hint(tmp_path: Path, path: str) -> None:
    async with opened(tmp_path, days=0, waiting=()) as board, aiohttp.ClientSession() as client:
        assert json.loads(await Reader(board, client).get(path, 400))["hint"]


async def test_a_browser_gets_a_page_also_where_something_is_wrong(reader: Reader) -> None:
    browser = {"Accept": "text/html,*/*", "Accept-Language": "en"}
    wrong = await reader.get("/rounds?page=<b>", 400, headers=browser)
    gone = await reader.get("/rounds/r0", 404, headers=browser)

    assert "This did not work (400)" in wrong
    assert "page is not a number from 1 on: &#39;&lt;b&gt;&#39;" in wrong
    assert "there is no such round" in gone
    assert json.loads(await reader.get("/rounds/r0", 404))["status"] == 404


async def test_what_is_kept_aside_is_said_on_the_page(reader: Reader, tmp_path: Path) -> None:
    front = reader.board.service.front
    if front._mending is not None:
        await front._mending  # the look that every start takes
    with locked(tmp_path / "sanfen.db"):  # the next one would find that all is well
        front.say("the disk is full")
        page = await reader.get("/", headers={"Accept-Language": "en"})

    assert "Deliveries are kept aside, the figures are incomplete: the disk is full" in page


async def test_an_empty_log_shows_calm_screens(tmp_path: Path) -> None:
    async with opened(tmp_path, days=0, waiting=()) as board, aiohttp.ClientSession() as client:
        reader = Reader(board, client)
        for path in SCREENS:
            await reader.get(path)
        now = await reader.get("/?lang=en")
        await reader.get("/rounds/r0", 404)

    assert '<p id="nobody" class="nobody">✓ Nobody is waiting</p>' in now
    assert 'class="low"' not in now


async def test_what_people_write_stays_text(tmp_path: Path) -> None:
    async with opened(tmp_path, days=1, waiting=()) as board, aiohttp.ClientSession() as client:
        await board.say(ask(NOW - 10_000, HOSTILE, HOSTILE)._replace(id=HOSTILE))
        reader = Reader(board, client)
        found = json.loads(await reader.get("/api/v1/rounds?status=pending"))["rounds"]
        for path in (*SCREENS, f"/rounds/{found[0]['id']}", "/rounds?agent=" + HOSTILE, "/rounds?q=" + HOSTILE):
            page = await reader.get(path)
            assert "<script>alert" not in page, path
            assert len(re.findall("<script(?! src=)", page)) == 0, path


async def test_without_texts_it_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path, days=2, text=False) as board, aiohttp.ClientSession() as client:
        reader = Reader(board, client)
        for path in ("/", "/rounds", f"/rounds/{await reader.round('met')}"):
            page = await reader.get(path, headers={"Accept-Language": "en"})
            assert "(text is not kept)" in page
            assert "还有货" not in page


async def test_the_wall_shows_no_names_and_no_texts(reader: Reader) -> None:
    page = await reader.get("/?wall=1")
    async with reader.client.get(reader.board.url + "/stream?wall=1") as feed:
        async for line in feed.content:
            if line.startswith(b"data:"):
                break
    for text in (page, json.loads(line[5:])["put"]):
        assert "tb**" not in text
        assert "还有货" not in text
        assert 'data-do="take"' not in text


async def test_what_is_said_is_on_the_feed(reader: Reader) -> None:
    async with reader.client.get(reader.board.url + "/stream?lang=en") as feed:
        wanted = ["还有货", "may I ask"]
        async for line in feed.content:
            if line.startswith(b"data:") and wanted[0] in json.loads(line[5:]).get("put", ""):
                if wanted.pop(0) == "may I ask":
                    break
                await reader.board.say(ask(NOW, "tb_new", "may I ask"))

    assert not wanted


async def test_the_language_is_remembered(reader: Reader) -> None:
    async with reader.client.get(reader.board.url + "/?lang=en") as answer:
        cookie = answer.cookies["lang"]
    jar = {"Cookie": "lang=en", "Accept-Language": "zh"}

    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("en", True, "Lax")
    assert '<html lang="en">' in await reader.get("/rounds", headers=jar)


async def test_a_failed_reload_is_shown_with_its_place(tmp_path: Path) -> None:
    async with opened(tmp_path, days=0) as board, aiohttp.ClientSession() as client:
        path = tmp_path / "bad.yaml"
        path.write_text((tmp_path / "sanfen.yaml").read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
        await board.service.reload(path)
        page = unescape(await Reader(board, client).get("/rules"))

    assert "错误[C010]：没有键 'nonsense'" in page
    assert "^^^^^^^^" in page


async def test_a_target_is_shown_as_the_share_it_is(reader: Reader) -> None:
    assert "own &gt;= 90.0 %" in await reader.get("/rules")


async def test_what_would_happen(reader: Reader) -> None:
    page = await reader.get("/rules?channel=taobao&agent=莉莉&hour=21:30")
    routed = page.partition('id="routed"')[2].partition("</section>")[0]

    assert "<b>售后</b>" in routed
    assert "<b>2m</b> → 主管" in routed


async def test_a_test_message_goes_out(reader: Reader) -> None:
    async with reader.client.post(reader.board.url + "/api/v1/people/主管/test", json={}) as answer:
        said: dict[str, Any] = await answer.json()

    (rows,) = [value for value in said.values() if isinstance(value, list)]
    assert [one["result"] for one in rows] == ["told"]
    assert reader.board.told[-1] == "/boss"
