"""Two commands from nothing to a living board: the real demo as a process of its own, and a customer who talks to it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.browser.pages import live, opened_page
from tests.ports import free_port

QUESTION = "do you have the blue one in M?"
SANFEN = [sys.executable, "-Im", "sanfen.cli"]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[str]:
    """The address of its board."""
    ports = ["--port", str(free_port()), "--board-port", str(free_port()), "--no-browser"]
    environment = os.environ | {"LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *SANFEN, "demo", *ports, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    while not (line := await process.stdout.readline()).startswith(b"board"):
        assert line, "the demo ended"
    yield line.split()[1].decode().rstrip("/")
    process.terminate()
    await process.communicate()


async def said(folder: Path, *words: str) -> None:
    """``sanfen say`` in the second terminal; it finds the demo by its folder."""
    process = await asyncio.create_subprocess_exec(
        *SANFEN, "say", *words, cwd=folder, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def test_a_living_board_and_a_customer_who_comes_and_is_answered(
    browser: Browser, demo: str, tmp_path: Path
) -> None:
    async with opened_page(browser) as page:
        await live(page, demo)
        rows = await page.locator("#waiting > li").count()
        calm = "() => document.querySelector('#waiting > .calm .left span').textContent"
        await page.wait_for_function(f"(was) => ({calm})() !== was", arg=await page.evaluate(calm))  # it runs
        await said(tmp_path, QUESTION, "--from", "buyer:me")
        mine = page.locator("#waiting > li", has_text=QUESTION)
        await mine.wait_for()
        await said(tmp_path, "one moment please", "--from", "agent:小美", "--auto")
        waiting = (await (await page.request.get(f"{demo}/api/v1/rounds?customer=me&waiting=all")).json())["rounds"]
        assert [one["status"] for one in waiting] == ["pending"]  # nobody wrote that
        assert await mine.count() == 1
        await said(tmp_path, "it is, and it ships today", "--from", "agent:小美")
        await mine.wait_for(state="detached")

        assert rows >= 8
        assert page.complaints == []  # type: ignore[attr-defined, unused-ignore]
