"""Lanes: many small jobs are one, and everybody hears of his own."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.jobs import Lane

INSERT = "INSERT INTO gap_rows (from_ms, channel, deliveries, reason) VALUES (?, 'c', 1, 'r')"


def settle(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def lane(db: Database, sizes: list[int]) -> Lane[int, int]:
    def run(connection: sqlite3.Connection, items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        for item in items:
            connection.execute(INSERT, (item,))
        if 13 in items:
            raise RuntimeError("mine")
        return [item * 2 for item in items]

    return Lane(db.put, run, settle)


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM gap_rows").fetchone()[0])


async def test_what_waits_in_a_row_is_one_job(db: Database) -> None:
    sizes: list[int] = []
    numbers = lane(db, sizes)
    futures = [numbers.put(number) for number in range(10)]

    assert await asyncio.gather(*futures) == [number * 2 for number in range(10)]
    assert sizes == [10]
    assert db.write(count).result() == 10


async def test_a_lane_that_raises_takes_back_what_it_wrote(db: Database) -> None:
    numbers = lane(db, [])
    futures = [numbers.put(number) for number in (12, 13)]
    after = asyncio.wrap_future(db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount))

    for future in futures:
        with pytest.raises(RuntimeError, match="mine"):
            await future
    assert await after == 1
    assert db.write(count).result() == 1


async def test_after_close_a_lane_says_so(db: Database) -> None:
    numbers = lane(db, [])
    db.close()

    with pytest.raises(StoreError, match="closed"):
        await numbers.put(1)
