"""A browser logs in, comes back by links from elsewhere, and out again; the pages beside the screens are readable."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser
from tests.browser.pages import live, opened_page, violations
from tests.ports import free_port
from tests.served import served

from sanfen.bootstrap import Service
from sanfen.config.load import load

TOKEN, WALL = "0123456789abcdef" * 4, "fedcba9876543210" * 4
CONFIG = """\
version: 1
shop: {{name: 旗舰店}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}"}}
storage: sanfen.db
admin: {{token: {token}, tokens: [{{value: {wall}, name: wall, role: viewer}}]}}  # sanfen: allow W110
"""


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a board that wants a token."""
    path, port = tmp_path / "sanfen.yaml", free_port()
    path.write_text(CONFIG.format(hooks=free_port(), board=port, token=TOKEN, wall=WALL), encoding="utf-8")
    service = Service(load(path, {}))
    await service.start()
    yield f"http://127.0.0.1:{port}"
    await service.stop()


async def test_in_by_keys_back_by_a_link_and_out(browser: Browser, board: str) -> None:
    async with opened_page(browser, width=390, height=800) as page:
        await page.goto(board + "/rounds?status=late")
        await page.keyboard.type("wrong token" * 5)
        await page.keyboard.press("Enter")
        assert await page.locator("#wrong").text_content() == "This token is not valid"
        await page.locator("#token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await page.wait_for_url(board + "/rounds?status=late")

        async def elsewhere(_: web.Request) -> web.Response:
            return web.Response(text=f'<a href="{board}/agents">here</a>', content_type="text/html")

        async with served(elsewhere) as address:
            await page.goto(f"http://{address.replace('127.0.0.1', 'localhost')}/")  # another site
            await page.get_by_text("here").click()
            await page.wait_for_url(board + "/agents")
        await page.locator("form[action='/logout'] button").click()
        await page.wait_for_url(board + "/login")
        await page.goto(board + "/agents")
        assert page.url.startswith(board + "/login?")
        policies = [said for said in page.complaints if "Content Security Policy" in said]  # type: ignore[attr-defined, unused-ignore]
        assert policies == []


async def test_a_viewers_wall_is_live_and_cannot_act(browser: Browser, board: str) -> None:
    async with opened_page(browser) as page:
        await page.goto(board + "/login")
        await page.locator("#token").fill(WALL)
        await page.keyboard.press("Enter")
        await page.wait_for_url(board + "/")
        await live(page, board + "/")
        csrf = await page.locator("meta[name=csrf]").get_attribute("content")
        act: Any = await page.request.post(
            f"{board}/api/v1/quiet", data={"for": "1h", "why": "x"}, headers={"X-CSRF-Token": csrf or ""}
        )

        assert (act.status, (await act.json())["title"]) == (403, "this token may look only")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_pages_beside_the_screens_are_readable(
    browser: Browser, board: str, language: str, theme: str
) -> None:
    async with opened_page(browser, language=language, theme=theme, width=390, height=800) as page:
        await page.goto(f"{board}/login?next=/api/docs")
        for done in (False, True):
            if done:
                await page.locator("#token").fill(TOKEN)
                await page.keyboard.press("Enter")
                await page.wait_for_url(board + "/api/docs")
            assert await violations(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
