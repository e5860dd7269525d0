"""What could not be kept is counted, and written down as soon as something can be written."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sanfen.core.policy import Policy
from sanfen.engine.front import Front
from sanfen.engine.ingest import Engine
from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask

START = 1_673_056_800_000


def delivery(at_ms: int, channel: str = "desk") -> Delivery:
    return Delivery(at_ms, channel, "in", "POST", "", b"")


async def gaps(db: Database) -> list[tuple[Any, ...]]:
    query = "SELECT channel, from_ms, until_ms, deliveries, reason FROM gaps ORDER BY channel"
    return await asyncio.wrap_future(db.write(lambda connection: connection.execute(query).fetchall()))


async def test_without_a_database_deliveries_become_a_gap(tmp_path: Path) -> None:
    front = Front()
    front.say("the disk is gone")
    for at_ms, channel in ((START, "desk"), (START + 5, "desk"), (START + 9, "other")):
        with pytest.raises(StoreError, match="the disk is gone"):
            await front.submit(delivery(at_ms, channel), [ask(at_ms)])
    await asyncio.sleep(0)  # the last future's callback
    db = Database.open(tmp_path / "log.db")
    front.connect(Engine(db, (Policy("p"),), (), FakeClock(START)), db)

    assert await gaps(db) == [
        ("desk", START, START + 5, 2, "the disk is gone"),
        ("other", START + 9, START + 9, 1, "the disk is gone"),
    ]
    assert (await front.submit(delivery(START + 20), [ask(START + 20)])).new == 1
    db.close()


async def test_a_failed_commit_is_a_gap_too(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "log.db")
    front = Front()
    front.connect(Engine(db, (Policy("p"),), (), FakeClock(START)), db)
    db.write(lambda connection: connection.execute("ALTER TABLE events RENAME TO gone")).result()
    with pytest.raises(StoreError):
        await front.submit(delivery(START), [ask(START)])
    assert front.gaps["desk"].deliveries == 1
    db.write(lambda connection: connection.execute("ALTER TABLE gone RENAME TO events")).result()
    await front.submit(delivery(START + 1), [ask(START + 1)])

    assert [row[:4] for row in await gaps(db)] == [("desk", START, START, 1)]
    assert front.gaps == {}
    db.close()
