from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.notify.desk import Desk, Phone
from tests.notify.live import Ends
from tests.served import served

from sanfen.store.db import Database


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    made = Phone()
    async with served(made.handle) as address:
        made.url = f"webhook+http://{address}/notice"
        yield made


@pytest.fixture
async def desk(tmp_path: Path, phone: Phone) -> AsyncIterator[Desk]:
    made = Desk(Database.open(tmp_path / "log.db"), (phone.url,))
    yield made
    await made.stop()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    async with served(made.handle) as address:
        made.address = address
        yield made
