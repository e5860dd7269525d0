"""The service between its upstream and its clients, for every test of the whole."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.e2e.service import STARTED, Sanfen, Upstream
from tests.served import served


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
    async with served(made.handle) as place:
        made.port = int(place.partition(":")[2])
        yield made


@pytest.fixture
async def sanfen(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Sanfen]:
    made = Sanfen(tmp_path, upstream)
    await made.start()
    yield made
    await made.stop()
