"""Charts one can look closer at: by keys, by dragging and by touch; each number of theirs opens as many rounds as it says."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from tests.browser.pages import opened_page
from tests.browser.shop import Board

PLOTS = ("/budget", "/hours")


async def shown(page: Page, url: str) -> None:
    await page.goto(url)
    await page.wait_for_selector(".plot-area canvas")


async def behind(page: Page, board: Board, link: str) -> tuple[int, int]:
    """How many rounds a link of the page says, and how many the list has."""
    count, href = await page.evaluate(
        f"() => {{ const one = document.querySelector('{link}'); return [one.dataset.n, one.href]; }}"
    )
    text = await (await page.request.get(href)).text()
    return int(count), int(re.findall(r'data-total="(\d+)"', text)[0])


@pytest.mark.parametrize("path", PLOTS)
async def test_by_keys_day_by_day_and_closer(browser: Browser, still: Board, path: str) -> None:
    async with opened_page(browser) as page:
        await shown(page, still.url + path + "?first_day=2026-11-10")
        whole = await page.evaluate("() => document.querySelector('.plot-part').hidden")
        await page.focus(".plot-area")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("+")
        await page.wait_for_selector(".plot-part:not([hidden])")
        await page.wait_for_function(
            "() => document.activeElement.getAttribute('aria-valuetext').startsWith('2026-11-20')"
        )
        day, part = await behind(page, still, ".plot-day"), await behind(page, still, ".plot-part")
        href = await page.get_attribute(".plot-day", "href")
        await page.keyboard.press("0")
        await page.wait_for_function("() => document.querySelector('.plot-part').hidden")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/rounds?*")

        assert whole
        assert day[0] == day[1] > 0
        assert part[0] == part[1] > day[0]
        assert page.url.endswith(href or "?")
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]


async def test_a_drag_shows_some_days_and_a_click_opens_one(browser: Browser, still: Board) -> None:
    async with opened_page(browser) as page:
        await shown(page, still.url + "/budget")
        box: Any = await page.locator(".u-over").bounding_box()
        y = box["y"] + box["height"] / 2
        await page.mouse.move(box["x"] + box["width"] * 0.5, y)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
        await page.mouse.up()
        await page.wait_for_selector(".plot-part:not([hidden])")
        part = await behind(page, still, ".plot-part")
        assert page.url.endswith("/budget")  # a drag is no click
        await page.mouse.click(box["x"] + box["width"] * 0.5, y)
        await page.wait_for_url("**/rounds?*")

        assert part[0] == part[1] > 0


async def test_by_touch_the_buttons_do_it(browser: Browser, still: Board) -> None:
    async with opened_page(browser, width=390, height=844, has_touch=True, is_mobile=True) as page:
        await shown(page, still.url + "/budget")
        await page.tap(".plot-bar button")
        await page.wait_for_selector(".plot-part:not([hidden])")
        await page.tap(".plot-bar button:last-of-type")
        await page.wait_for_function("() => document.querySelector('.plot-part').hidden")

        assert await page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", PLOTS)
async def test_without_scripts_the_chart_is_there_with_its_links(browser: Browser, still: Board, path: str) -> None:
    async with opened_page(browser, java_script_enabled=False) as page:
        await page.goto(still.url + path)

        assert await page.locator("figure svg").is_visible()
        assert await page.locator("figure svg a[data-n]").count() > 3
