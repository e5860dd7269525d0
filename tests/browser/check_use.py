"""All of it by keys alone, and by touch alone on a phone; readable by everyone, whole in both languages."""

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.async_api import Browser, Page
from tests.browser.pages import SCREENS, live, opened_page
from tests.browser.shop import Board

from sanfen.board import pages
from sanfen.catalogue import TEXTS
from sanfen.core import reasons

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
LATE = "/rounds?status=late"


async def rounds(page: Page, board: Board) -> list[str]:
    """A round that is answered late and one that is open."""
    out = []
    for status in ("late", "pending"):
        answer = await page.request.get(f"{board.url}/api/v1/rounds?status={status}&limit=1")
        out.append(f"/rounds/{(await answer.json())['rounds'][0]['id']}")
    return out


async def named(page: Page, name: str) -> None:
    """Say who one is, when asked."""
    await page.wait_for_selector("#who[open]")
    await page.keyboard.type(name)
    await page.keyboard.press("Enter")


# --- without a mouse ---------------------------------------------------------------------------------------------------


async def test_see_take_why_and_back_by_keys(browser: Browser, desk: Board) -> None:
    async with opened_page(browser) as page:
        await live(page, desk.url)
        await page.keyboard.press("j")
        first = await page.evaluate("() => document.activeElement.closest('li').id")
        await page.keyboard.press("j")
        second = await page.evaluate("() => document.activeElement.closest('li').id")
        await page.keyboard.press("k")
        assert await page.evaluate("() => document.activeElement.closest('li').id") == first != second

        await page.keyboard.press("t")
        await named(page, "主管")
        await page.wait_for_selector(f"#{first} [data-do=release]")
        assert "with 主管" in (await page.locator(f"#{first} .ladder").text_content() or "")

        await page.keyboard.press("e")
        await page.wait_for_url(f"**/rounds/{first}")
        assert await page.locator("h1").text_content()
        await page.keyboard.press("Escape")
        await page.wait_for_url(desk.url + "/")
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]


async def test_what_was_taken_is_handed_back(browser: Browser, desk: Board) -> None:
    async with opened_page(browser) as page:
        await live(page, desk.url)
        row = await page.evaluate("() => document.querySelector('#waiting > li').id")
        await page.click(f"#{row} [data-do=take]")
        await named(page, "主管")
        await page.click(f"#{row} [data-do=release]")  # the name is known by now
        await page.wait_for_selector(f"#{row} [data-do=take]")


async def test_what_cannot_be_done_is_said(browser: Browser, desk: Board) -> None:
    """This channel has no way to give a conversation to another agent."""
    async with opened_page(browser) as page:
        await live(page, desk.url)
        await page.keyboard.press("j")
        await page.keyboard.press("r")
        await page.wait_for_selector("#give[open]")
        await page.keyboard.type("小美")
        await page.keyboard.press("Enter")
        await named(page, "主管")
        await page.wait_for_selector("#toast:has-text('Not done: the channel did not do it')")


async def test_every_key_of_the_list(browser: Browser, still: Board) -> None:
    goes = {"r": "/rounds", "a": "/agents", "h": "/hours", "b": "/budget", "e": "/escalations", "c": "/rules", "n": "/"}
    async with opened_page(browser) as page:
        await page.goto(still.url + "/rules")
        for key, path in goes.items():
            await page.keyboard.press("g")
            await page.keyboard.press(key)
            await page.wait_for_url(still.url + path)
        await page.keyboard.press("?")
        assert await page.locator("#keys").is_visible()
        await page.keyboard.press("Escape")
        await page.keyboard.press("/")
        await page.wait_for_url("**/rounds#filter")
        await page.wait_for_selector(".filter input:focus")
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/rounds/r\w+"))
        await page.keyboard.press("l")
        await page.wait_for_selector("html[lang=zh]")
        await page.goto(still.url + "/hours")
        assert await page.get_attribute("html", "lang") == "zh"  # it is remembered


async def test_focus_is_seen_and_stays_where_it_was(browser: Browser, desk: Board) -> None:
    """While rows come, go and change under it."""
    async with opened_page(browser) as page:
        await live(page, desk.url)
        row = await page.evaluate("() => document.querySelector('#waiting > li:nth-child(2)').id")
        await page.focus(f"#{row} [data-do=reassign]")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Tab")
        outline = await page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
        await page.request.post(f"{desk.url}/api/v1/rounds/{row}/snooze", data={"by": "主管", "for": "5m"})
        await page.wait_for_selector(f"#{row} [data-rests]")

        assert outline == "3px"
        assert await page.evaluate("() => [document.activeElement.closest('li').id, document.activeElement.dataset.do]") == [
            row, "reassign",
        ]  # fmt: skip


async def test_who_it_is_and_a_test_message_by_a_click(browser: Browser, still: Board) -> None:
    async with opened_page(browser) as page:
        await page.goto(still.url + (await rounds(page, still))[0])
        masked = await page.locator("[data-customer]").text_content() or ""
        await page.click("[data-unmask]")
        await named(page, "主管")
        await page.wait_for_selector("[data-customer]:has-text('tb_')")
        audit = await (await page.request.get(f"{still.url}/api/v1/audit")).json()
        await page.goto(still.url + "/escalations")
        await page.click("[data-test=主管]")
        await page.wait_for_selector("output:has-text('told')")

        assert masked.startswith("tb**")
        assert [(one["act"], one["by"]) for one in audit["audit"]] == [("unmask", "主管")]
        assert still.told[-1] == "/boss"


# --- on a phone -----------------------------------------------------------------------------------------------------------


async def test_see_take_why_and_back_by_touch(browser: Browser, desk: Board) -> None:
    async with opened_page(browser, width=390, height=844, has_touch=True, is_mobile=True) as page:
        await live(page, desk.url)
        row = await page.evaluate("() => document.querySelector('#waiting > li').id")
        top: Any = await page.locator("#waiting > li").first.bounding_box()
        buttons = await page.locator(f"#{row} button:visible").count()
        size: Any = await page.locator(f"#{row} [data-do=take]").bounding_box()

        assert top["y"] < 200  # the list comes first
        assert buttons == 1
        assert size["height"] >= 40
        await page.tap(f"#{row} [data-do=take]")
        await page.fill("#by", "主管")
        await page.tap("#who button[value=ok]")
        await page.wait_for_selector(f"#{row} [data-do=release]")
        await page.tap(f"#{row} .what a")
        await page.wait_for_url(f"**/rounds/{row}")
        await page.tap(".brand")
        await page.wait_for_selector("#waiting")


async def test_a_swipe_to_the_left_reassigns(browser: Browser, desk: Board) -> None:
    async with opened_page(browser, width=390, height=844, has_touch=True, is_mobile=True) as page:
        await live(page, desk.url)
        box: Any = await page.locator("#waiting > li").first.bounding_box()
        devtools = await page.context.new_cdp_session(page)
        y = box["y"] + 20
        await devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 300, "y": y}]})
        await devtools.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": 150, "y": y}]})
        await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        await page.wait_for_selector("#give[open]")


# --- for everyone, in both languages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, still: Board, language: str, theme: str) -> None:
    async with opened_page(browser, language=language, theme=theme) as page:
        found = []
        for path in (*SCREENS, *await rounds(page, still), "/login", "/api/docs"):
            await page.goto(still.url + path)
            await page.wait_for_selector("main")
            await page.evaluate(AXE)
            result = await page.evaluate(
                "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
            )
            assert len(result["passes"]) > 10  # it did look
            found += [
                (path, one["id"], node["target"], node["failureSummary"])
                for one in result["violations"]
                for node in one["nodes"][:3]
            ]

        assert found == []
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """English twice as long, every text of the catalogue between brackets."""
    words = {name: f"⟦{english} {english}⟧" for name, (english, _) in TEXTS.items()}
    monkeypatch.setitem(pages._WORDS, "en", words)
    for name, (_, chinese) in list(TEXTS.items()):
        monkeypatch.setitem(TEXTS, name, (words[name], chinese))
    for reason, (english, chinese) in list(reasons._SENTENCES.items()):
        monkeypatch.setitem(reasons._SENTENCES, reason, (f"⟦{english} {english}⟧", chinese))


@pytest.mark.parametrize("width", [390, 1440])
async def test_nothing_overflows_in_a_language_twice_as_long(
    browser: Browser, still: Board, doubled: None, width: int
) -> None:
    async with opened_page(browser, width=width) as page:
        wide = []
        for path in (*SCREENS, *await rounds(page, still)):
            await page.goto(still.url + path)
            await page.wait_for_selector("main")
            if await page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                wide.append((path, await page.evaluate("() => document.documentElement.scrollWidth")))

        assert wide == []


async def test_every_text_is_from_the_catalogue(browser: Browser, still: Board, doubled: None) -> None:
    """What stands outside the brackets is data: names, numbers, addresses, codes."""
    loose = """() => {
      const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const said = walk.currentNode, parent = said.parentElement;
        if (parent.closest('code, pre, kbd, script, datalist, option, .brand, .facts, .what a, .text, .said, #language, svg')) continue;
        let all = parent, text = said.data;
        while (all.parentElement && !/⟦.*⟧/s.test(all.textContent) && all.tagName !== 'TD' && all.tagName !== 'LI') all = all.parentElement;
        text = text.replace(/⟦[^⟧]*⟧/gs, '').trim();
        if (/[A-Za-z\\u4e00-\\u9fff]{3,}/.test(text)) out.push(text);
      }
      return out;
    }"""
    data = re.compile(
        r"^(⟦.*|.*⟧|r[0-9a-f]{8,}.*|tb\*\*.*|.*\b(taobao|default|own|never-used|platform-flag|greeting)\b.*|webhook.*|→ .*|.*值班组长.*|.*主管.*|售后.*|"
        r"sanfen\.yaml:\d+|(in)?valid|hours|unit|judge|wait_from|due|replies|bots|no_reply|midnight|transfer|exclude|period|report|targets?|session"
        r"|▲ .*|.*\d{2}:\d{2}.*|norm .*|human|agent_clock|JSON|CSV|API|· (auto|human) · +(· )?field( ·)*( +·)?|[\d.,]+ ?s?)$",
        re.DOTALL,
    )
    async with opened_page(browser) as page:
        found = []
        for path in (*SCREENS, *await rounds(page, still)):
            await page.goto(still.url + path)
            await page.wait_for_selector("main")
            found += [(path, one) for one in await page.evaluate(loose) if not data.match(one)]

        assert sorted({one for _, one in found}) == []
