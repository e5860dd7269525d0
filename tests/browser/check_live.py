"""The feed always opens and never lies; the clock is the service's; the eye finds the most urgent first."""

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page
from tests.browser.pages import live, luminance, opened_page
from tests.browser.shop import NOW, Board, ask, configured, history, opened

from sanfen.notify.notice import clock_text
from sanfen.testing import FakeClock

LOADS = 200
CLOCK = "#waiting > li:first-child .left span"
FIRST = "() => { const row = document.querySelector('#waiting > li'); return [row.querySelector('.left span').textContent, Number(row.dataset.due)]; }"


async def text(page: Page, selector: str) -> str:
    return (await page.locator(selector).first.text_content()) or ""


def seconds(clock: str) -> int:
    minutes, rest = clock.removeprefix("-").split(":")
    return (int(minutes) * 60 + int(rest)) * (-1 if clock.startswith("-") else 1)


async def test_what_is_said_is_on_the_screen_with_500_waiting(browser: Browser, tmp_path: Path) -> None:
    """How fast: benchmarks/board.py."""
    async with opened(tmp_path, days=0, waiting=tuple(range(1, 141)) * 4) as board, opened_page(browser) as page:
        await live(page, board.url)
        rows = await page.locator("#waiting > li").count()
        await board.say(ask(NOW, "tb_new_one", "is this still there?"))
        await page.wait_for_selector("#waiting li:has-text('is this still there?')")

        assert rows >= 500
        assert await page.locator("#waiting > li").count() == rows + 1


async def test_every_load_opens_its_feed(browser: Browser, still: Board) -> None:
    async with opened_page(browser) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "/stream" in request.url else None)
        for _ in range(LOADS):
            await live(page, still.url)

        assert len(asked) == LOADS
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]


async def test_a_dead_service_is_seen_and_a_new_one_too(browser: Browser, tmp_path: Path) -> None:
    """The real process, killed for real."""
    loaded = configured(tmp_path, "127.0.0.1:9")
    await history(tmp_path / "sanfen.db", loaded, days=1)

    async def started() -> asyncio.subprocess.Process:
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); from tests.browser.serving import main; main(sys.argv[2])"
        )
        root = str(Path(__file__).parents[2])
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, root, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert made.stdout is not None
        while (said := await made.stdout.readline()) and said != b"serving\n":
            pass  # what it logs stands there too
        return made

    url = f"http://127.0.0.1:{loaded.settings.listen.board_port}"
    first = await started()
    async with opened_page(browser) as page:
        await live(page, url)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        await page.wait_for_selector("#lost:not([hidden])")
        away = (
            await page.locator("main.stale").count(),
            await text(page, "#lost"),
            await page.locator("#live").is_hidden(),
        )
        second = await started()
        try:
            await page.wait_for_selector("#live:not([hidden])")
            back = await page.locator("main.stale").count()
        finally:
            second.send_signal(signal.SIGKILL)
            await second.wait()

    assert away[0] == 1
    assert re.fullmatch(r"Connection lost for \d+ s: what stands here is old", away[1])
    assert away[2]
    assert back == 0


async def test_a_wrong_clock_of_the_browser_does_not_matter(browser: Browser, desk: Board) -> None:
    for off_ms in (-600_000, 600_000):
        async with opened_page(browser) as page:
            await page.add_init_script(f"const was = Date.now; Date.now = () => was() + {off_ms};")
            await live(page, desk.url)
            before_ms = desk.service.clock.now_ms()
            said, due_ms = await page.evaluate(FIRST)
            after_ms = desk.service.clock.now_ms()

            assert (due_ms - after_ms) / 1000 - 1 <= seconds(said) <= (due_ms - before_ms) / 1000 + 1
            await page.wait_for_selector(f"{CLOCK}:text-is('{clock_text((seconds(said) - 2) * 1000)}')")  # it runs


async def test_a_page_that_slept_is_right_again(browser: Browser, tmp_path: Path) -> None:
    """While it sees no time go by, a minute passes at the service."""
    clock = FakeClock(NOW)
    async with opened(tmp_path, lambda: clock, days=0) as board, opened_page(browser) as page:
        await live(page, board.url)
        row = await page.evaluate("() => document.querySelector('#waiting > .calm').id")
        left_ms = await page.evaluate("(id) => document.getElementById(id).dataset.due", row)
        await clock.advance(60_000)
        shown = f"#{row} .left span:has-text('{clock_text(int(left_ms) - NOW - 60_000)}')"
        await page.wait_for_selector(shown)


async def test_the_largest_text_is_the_most_urgent_clock(browser: Browser, still: Board) -> None:
    largest = """() => {
      const sizes = [...document.querySelectorAll('body *')].filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && one.offsetParent)
        .map((one) => [parseFloat(getComputedStyle(one).fontSize), one]);
      const most = Math.max(...sizes.map(([size]) => size));
      return sizes.filter(([size]) => size === most).map(([, one]) => one.closest('li')?.id ?? one.outerHTML);
    }"""
    for path, width in (("/", 1440), ("/", 390), ("/?wall=1", 1920)):
        async with opened_page(browser, width=width) as page:
            await page.goto(still.url + path)
            await page.wait_for_selector("#waiting > li")
            first = await page.evaluate("document.querySelector('#waiting > li').id")

            assert set(await page.evaluate(largest)) == {first}


async def test_nobody_waiting_is_one_calm_line(browser: Browser, tmp_path: Path) -> None:
    async with opened(tmp_path, days=0, waiting=()) as board, opened_page(browser) as page:
        await live(page, board.url)
        reds = await page.evaluate("""() => [...document.querySelectorAll('body *')].filter((one) => one.offsetParent).filter((one) => {
          const { color, backgroundColor } = getComputedStyle(one);
          return [color, backgroundColor].some((one) => ['rgb(196, 50, 10)', 'rgb(168, 42, 8)'].includes(one));
        }).map((one) => one.outerHTML)""")

        assert await page.locator("#nobody").is_visible()
        assert reds == []


async def test_urgency_is_told_by_lightness_whatever_one_sees(browser: Browser, still: Board) -> None:
    """The last zone stands out most, then the second; in both themes and for four ways of seeing."""
    for theme in ("light", "dark"):
        async with opened_page(browser, theme=theme) as page:
            await live(page, still.url)
            devtools = await page.context.new_cdp_session(page)
            for vision in ("none", "protanopia", "deuteranopia", "tritanopia", "achromatopsia"):
                await devtools.send("Emulation.setEmulatedVisionDeficiency", {"type": vision})
                seen: dict[str, float] = {}
                for zone in ("urgent", "soon", "calm"):
                    box: Any = await page.locator(f"#waiting > .{zone}").first.bounding_box()
                    seen[zone] = await luminance(page, box["x"] + box["width"] - 4, box["y"] + 8)
                far = {zone: abs(light - seen["calm"]) for zone, light in seen.items()}

                assert far["urgent"] > far["soon"] > 0, (theme, vision, seen)


async def test_title_badge_and_sound_speak_of_all_that_is_urgent_at_once(browser: Browser, desk: Board) -> None:
    async with opened_page(browser, permissions=["notifications"]) as page:
        await page.add_init_script("""
          window.said = []; window.Notification = class { constructor(title, more) { window.said.push([title, more.tag]); } close() { window.said.push("closed"); } };
          window.Notification.permission = "granted";""")
        await live(page, desk.url)
        await page.click("#sound")
        now_ms = desk.service.clock.now_ms()
        await desk.say(ask(now_ms - 155_000, "tb_u1", "one"), ask(now_ms - 156_000, "tb_u2", "two"))
        await page.wait_for_function("() => document.querySelectorAll('#waiting > .urgent').length >= 2")
        await page.wait_for_function("() => window.said.some(([title]) => title.startsWith('2 '))")
        title, icon = await page.title(), await page.get_attribute("#icon", "href")

        assert re.match(r"\(2\) 0:[0-2]\d 三分 旗舰店", title)
        assert (icon or "").startswith("data:image/png")
        assert await text(page, "#sound") == "Sound on"
        assert {one[1] for one in await page.evaluate("window.said.filter(Array.isArray)")} == {"sanfen"}
        await page.keyboard.press("m")
        assert await text(page, "#sound") == "Muted for 10 min"
