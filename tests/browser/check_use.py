"""All of it by keys alone, and by touch alone on a phone."""

import re
from typing import Any

from playwright.async_api import Browser, Page
from tests.browser.pages import SCREENS, live, opened_page, rounds
from tests.browser.shop import Board


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
        await page.goto(still.url + (await rounds(page, still.url))[0])
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


async def test_every_screen_by_touch(browser: Browser, still: Board) -> None:
    """Through the navigation, and what one does there: filter, sort, look up, test, language; nothing is out of reach."""
    async with opened_page(browser, width=390, height=844, has_touch=True, is_mobile=True) as page:
        await live(page, still.url)
        for path in SCREENS[2:]:
            await page.tap(f"nav a[href='{path}']")
            await page.wait_for_url(still.url + path)
            small = await page.evaluate("""() => [...document.querySelectorAll('button, .button, select, input')].filter((one) => one.offsetParent)
              .filter((one) => one.getBoundingClientRect().height < 32).map((one) => one.outerHTML)""")
            assert small == [], path
            assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
        await page.tap("nav a[href='/rounds']")
        await page.select_option("select[name=status]", "late")
        await page.tap(".filter button")
        await page.wait_for_url("**/rounds?*status=late*")
        await page.tap("[data-row] a")
        await page.wait_for_url(re.compile(r"/rounds/r\w+"))
        await page.tap("nav a[href='/agents']")
        await page.tap("th a >> nth=1")
        await page.wait_for_selector("th[aria-sort]")
        await page.tap("#language")
        await page.wait_for_selector("html[lang=zh]")
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]


async def test_what_one_does_on_a_screen_by_keys(browser: Browser, still: Board) -> None:
    """Filter, open and go back; sort; ask what would happen: with Tab, arrows and Enter alone."""
    async with opened_page(browser) as page:
        await page.goto(still.url + "/rounds")
        await page.focus("select[name=status]")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/rounds?*status=met*")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/rounds/r\w+"))
        await page.keyboard.press("Escape")
        await page.wait_for_url("**/rounds?*status=met*")
        await page.goto(still.url + "/agents")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("() => document.activeElement.closest('th') !== null"):
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/agents?sort=*")
        await page.goto(still.url + "/rules")
        await page.focus("input[name=hour]")
        await page.keyboard.type("21:30")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#routed")
