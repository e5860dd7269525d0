"""What the journal cannot take is kept aside, drained later, or counted: nothing else becomes of a delivery."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sanfen.clock import SystemClock
from sanfen.core.policy import Policy
from sanfen.engine.front import Front
from sanfen.engine.ingest import Engine, Receipt
from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.spill import Spill
from sanfen.testing import ask

START = 1_673_056_800_000
BUDGETS = {"desk": 60_000, "other": 60_000}  # a busy machine is no slow journal


class Door:
    """A front with its files; ``fresh`` is another process's after this one."""

    def __init__(self, folder: Path, name: str = "one") -> None:
        self.folder = folder
        self.spill = Spill(folder / "spill", name)
        self.front = Front(self.spill, SystemClock(), BUDGETS)
        self.db: Database | None = None

    def open(self) -> Database:
        self.db = Database.open(self.folder / "log.db")
        self.front.connect(Engine(self.db, (Policy("p"),), (), SystemClock()), self.db)
        return self.db

    def send(self, number: int, channel: str = "desk") -> "asyncio.Future[Receipt]":
        delivery = Delivery(START + number, channel, "in", "POST", "/in/desk", b"\xff raw")
        return self.front.submit(delivery, [ask(START + number, name=f"q{number}", text="在吗")])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "log.db")) as connection:
            return connection.execute(query).fetchall()

    @property
    def journaled(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM events ORDER BY at_ms")]

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            await asyncio.sleep(0.025)  # bounded
        raise AssertionError(self.front.cause)

    async def mended(self) -> None:
        await self.until(lambda: not self.front.is_mending)
        assert (self.front.cause, self.front.kept, self.front.gaps) == (None, 0, {})

    async def close(self) -> None:
        await self.front.close()
        if self.db is not None:
            await asyncio.to_thread(self.db.close)
        await asyncio.to_thread(self.spill.close)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    made = Door(tmp_path)
    yield made
    await made.close()


async def test_without_a_database_deliveries_are_kept_aside_and_journaled_later(door: Door) -> None:
    door.front.say("the disk is gone")
    receipts = [await door.send(number) for number in range(3)]

    assert receipts == [Receipt(1, 0, aside=True)] * 3
    assert (door.front.cause, door.front.kept) == ("the disk is gone", 3)
    door.open()
    await door.mended()
    assert door.journaled == ["q0", "q1", "q2"]
    assert door.rows("SELECT channel, deliveries, kept, from_ms, until_ms FROM gaps") == [
        ("desk", 0, 3, START, START + 2)
    ]
    assert door.rows("SELECT received_ms, body, events FROM deliveries LIMIT 1") == [(START, b"\xff raw", 1)]
    assert files(door.folder) == []
    assert await door.send(9) == Receipt(1, 0)


async def test_a_commit_that_takes_too_long_is_kept_aside_and_counts_once(door: Door) -> None:
    """The answer need not wait for the disk; when it comes back, the same delivery is not journaled twice."""
    db = door.open()
    gate = threading.Event()
    blocked = db.write(lambda _: gate.wait(30))
    door.front.budgets = {"desk": 100}
    first = await door.send(1)
    assert first.aside
    assert door.front.cause is not None
    assert "behind" in door.front.cause
    second = await door.send(2)
    assert second.aside
    door.front.budgets = BUDGETS
    gate.set()
    await asyncio.wrap_future(blocked)
    await door.mended()

    assert door.journaled == ["q1", "q2"]
    assert door.rows("SELECT count(*) FROM deliveries") == [(2,)]


async def test_a_failed_commit_is_kept_aside(door: Door) -> None:
    db = door.open()
    await door.send(0)
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'not now'); END"
    db.write(lambda connection: connection.execute(refuse)).result()
    kept = await door.send(1)
    assert kept.aside
    db.write(lambda connection: connection.execute("DROP TRIGGER refuse")).result()
    await door.mended()

    assert door.journaled == ["q0", "q1"]


async def test_what_can_be_kept_nowhere_is_counted_also_over_a_kill(door: Door, tmp_path: Path) -> None:
    """Neither log nor spill: the count is in the ledger, and the next process writes it down, once."""
    door.front.say("the disk is gone")
    await door.send(0)
    door.spill._write = _full  # type: ignore[method-assign]
    for number, channel in ((1, "desk"), (2, "desk"), (3, "other")):
        with pytest.raises(StoreError, match="No space left"):
            await door.send(number, channel)
    assert door.front.gap == 3
    for held in (door.spill._file, door.spill._ledger):  # killed: its locks are gone
        if held is not None:
            os.close(held)
    door.spill._file = door.spill._ledger = None

    after = Door(tmp_path, "two")
    after.open()
    await after.mended()
    rows = after.rows("SELECT channel, deliveries, kept FROM gaps ORDER BY deliveries")
    assert rows == [("desk", 0, 1), ("other", 1, 0), ("desk", 2, 0)]
    assert "No space left" in after.rows("SELECT reason FROM gaps WHERE deliveries = 2")[0][0]
    await after.close()
    again = Door(tmp_path, "three")
    again.open()
    await again.mended()
    assert again.rows("SELECT count(*), sum(deliveries) FROM gaps") == [(3, 3)]
    await again.close()


async def test_a_loss_while_losses_are_written_down_is_written_down_too(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = door.open()
    await door.mended()
    lost = [Delivery(START + number, "desk", "in", "POST", "/in/desk", b"", number=number) for number in (1, 2)]
    save = door.front._save

    async def slow(database: Database, gaps: Any) -> None:
        if len(lost) == 1:
            door.front._count(lost.pop(), "the disk is full")
        await save(database, gaps)

    monkeypatch.setattr(door.front, "_save", slow)
    door.front._count(lost.pop(0), "the disk is full")
    await door.front._drain(db)
    await door.front._drain(db)

    assert door.rows("SELECT sum(deliveries) FROM gaps") == [(2,)]


async def test_draining_cut_off_and_repeated_changes_nothing(door: Door, tmp_path: Path) -> None:
    """The same file twice, as after a kill in the middle."""
    door.front.say("gone")
    for number in range(5):
        await door.send(number)
    await door.close()
    (file,) = files(tmp_path)
    saved = file.read_bytes()
    for name in ("two", "three"):
        file.write_bytes(saved)
        after = Door(tmp_path, name)
        after.open()
        await after.mended()
        await after.until(lambda: not file.exists())
        assert after.rows("SELECT count(*) FROM deliveries") == [(5,)]
        assert after.rows("SELECT deliveries, kept FROM gaps") == [(0, 5)]
        await after.close()


@pytest.mark.parametrize("refused", ["q0", "q1"])
async def test_a_delivery_the_journal_refuses_does_not_hold_up_the_others(door: Door, refused: str) -> None:
    door.front.say("gone")
    for number in range(3):
        await door.send(number)
    db = door.open()
    trigger = (
        f"CREATE TRIGGER no BEFORE INSERT ON events WHEN new.id = '{refused}' BEGIN SELECT raise(ABORT, 'refused'); END"
    )
    db.write(lambda connection: connection.execute(trigger)).result()
    await door.mended()

    assert door.journaled == [name for name in ("q0", "q1", "q2") if name != refused]
    assert door.rows("SELECT sum(deliveries), sum(kept) FROM gaps") == [(1, 2)]
    assert "refused" in door.rows("SELECT reason FROM gaps WHERE deliveries = 1")[0][0]


def files(folder: Path) -> list[Path]:
    return list(folder.glob("spill.*.lines"))


def _full(data: bytes) -> None:
    raise OSError(28, "No space left on device")
