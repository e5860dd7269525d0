"""The service between its upstream and its clients, for every test of the whole."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.e2e.service import STARTED, Sanfen, Upstream


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """A test that fails before it has stopped its services leaves none running."""
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest.fixture
async def sanfen(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Sanfen]:
    made = Sanfen(tmp_path, upstream)
    await made.start()
    yield made
    await made.stop()
