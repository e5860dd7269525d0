"""Debian's chromium, and the shop's board to look at. One browser and one loop for all of these tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright
from tests.browser.pages import ARGUMENTS, CHROMIUM
from tests.browser.shop import WAITING, Board, opened, running


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
async def still(tmp_path_factory: Any) -> AsyncIterator[Board]:
    """A board whose time stands still."""
    async with opened(tmp_path_factory.mktemp("still"), days=8) as board:
        yield board


@pytest.fixture
async def desk(tmp_path: Any) -> AsyncIterator[Board]:
    """A board of a shop whose time goes on; nobody's is over soon."""
    async with opened(tmp_path, running, days=2, waiting=WAITING[4:]) as board:
        yield board
