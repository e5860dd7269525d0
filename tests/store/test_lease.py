"""One writer: by the system's lock, and by a number that whoever was stopped finds raised."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sanfen.errors import InUseError, StoreError
from sanfen.store.db import Database
from sanfen.store.lease import Lease, fence_of

INSERT = "INSERT INTO gap_rows (from_ms, channel, deliveries, reason) VALUES (?, 'c', 1, 'r')"


@pytest.fixture
def stopped(db: Database) -> Database:
    """A writer whose heart stands still, as under SIGSTOP."""
    db._lease._closed.set()
    db._lease._thread.join()
    db._lease._closed.clear()
    return db


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    lease = Lease.take(tmp_path / "log.db")
    with pytest.raises(InUseError, match=f"process {os.getpid()}"):
        Lease.take(tmp_path / "log.db")
    lease.close()
    lease.close()
    Lease.take(tmp_path / "log.db").close()


def test_every_opening_raises_the_fence(tmp_path: Path) -> None:
    found = []
    for _ in range(3):
        db = Database.open(tmp_path / "log.db")
        found.append(db.write(fence_of).result())
        db.close()

    assert found == [1, 2, 3]


def test_who_was_stopped_writes_nothing_when_it_wakes(stopped: Database) -> None:
    lost: list[StoreError] = []
    stopped.on_lost(lost.append)
    silent = Lease.heartbeat(stopped.path)
    heir = Database.open(stopped.path, silent=silent)
    late = stopped.write(lambda connection: connection.execute(INSERT, (1,)).rowcount)
    with pytest.raises(InUseError, match="another instance has taken over"):
        late.result(10)
    with pytest.raises(InUseError):
        stopped.write(lambda _: None).result(10)

    assert len(lost) == 1
    assert heir.write(lambda connection: connection.execute(INSERT, (2,)).rowcount).result(10) == 1
    with closing(heir.reader()) as reader:
        assert [row[0] for row in reader.execute("SELECT from_ms FROM gap_rows")] == [2]
    with pytest.raises(InUseError):
        Database.open(stopped.path)  # the heir's lock is the one that counts now
    heir.close()


def test_a_living_writer_is_not_robbed(db: Database) -> None:
    with pytest.raises(InUseError, match="alive again"):
        Database.open(db.path, silent=1)
    assert db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount).result(10) == 1


def test_the_role_cannot_be_taken_in_the_middle_of_a_commit(stopped: Database) -> None:
    """Who was stopped inside a transaction has the database locked: nobody else writes until it goes on or ends."""
    with closing(sqlite3.connect(stopped.path, isolation_level=None)) as inside:
        inside.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            Database.open(stopped.path, silent=Lease.heartbeat(stopped.path))
    assert stopped.write(fence_of).result(10) == 1


def test_of_two_heirs_one_has_the_role(stopped: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stood by; the second comes while the first takes the place of the lock."""
    silent, seize = Lease.heartbeat(stopped.path), Lease.seize

    def and_meanwhile(log: Path) -> Lease:
        monkeypatch.undo()
        with pytest.raises(StoreError):
            Database.open(stopped.path, silent=silent)
        return seize(log)

    monkeypatch.setattr(Lease, "seize", and_meanwhile)
    heir = Database.open(stopped.path, silent=silent)

    assert heir.write(fence_of).result(10) == 2
    with pytest.raises(InUseError):
        Database.open(stopped.path, silent=silent)
    heir.close()
