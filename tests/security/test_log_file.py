"""The log as SQLite sees it: careful, durable, and one writer that never waits for a lock in the middle."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.opening import open_reader

CAREFUL = {"trusted_schema": 0, "cell_size_check": 1, "mmap_size": 0}
WRITER = CAREFUL | {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
READER = CAREFUL | {"query_only": 1}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "new" / "log.db")
    yield made
    made.close()


def pragma(connection: sqlite3.Connection, name: str) -> object:
    found = connection.execute(f"PRAGMA {name}").fetchone()
    return found[0] if found else 0  # mmap_size says nothing where it is not built in


@pytest.mark.parametrize("name", WRITER)
def test_the_writer_is_careful_and_durable(db: Database, name: str) -> None:
    assert db.write(lambda c: pragma(c, name)).result() == WRITER[name]


@pytest.mark.parametrize("name", READER)
def test_readers_are_careful(db: Database, name: str) -> None:
    with closing(open_reader(db.path)) as reader:
        assert pragma(reader, name) == READER[name]


def test_the_writer_takes_its_lock_at_once(db: Database) -> None:
    """A deferred transaction that turns into a writing one fails at once, whatever the busy time-out says."""
    seen: list[str] = []
    db.write(lambda c: c.set_trace_callback(seen.append)).result()
    db.write(lambda c: c.execute("DELETE FROM replays").rowcount).result()

    begun = [one for one in seen if one.upper().startswith("BEGIN")]
    assert begun
    assert set(begun) == {"BEGIN IMMEDIATE"}


def test_every_table_is_strict(db: Database) -> None:
    loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"

    assert {row[0] for row in db.write(lambda c: c.execute(loose).fetchall()).result()} <= {
        "sqlite_schema", "_sqlite_migrations", "sqlite_sequence", "sqlite_stat1", "sqlite_stat4",
    }  # fmt: skip


def test_the_file_and_its_new_folder_are_ours_alone(db: Database) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in db.path.parent.iterdir()}

    assert stat.S_IMODE(db.path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


def test_a_log_that_others_can_read_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.db"
    Database.open(path).close()
    path.chmod(0o644)
    Database.open(path).close()

    said = capfd.readouterr()  # which of them, a test before may have decided
    assert "others on this machine can read the log" in said.out + said.err
    path.chmod(0o600)
    Database.open(path).close()
    assert "others on this machine" not in capfd.readouterr().out


def test_a_tampered_file_runs_nothing_and_is_refused(tmp_path: Path) -> None:
    """A view or trigger somebody put into another program's file is never reached: the file is not ours."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE events (a)")
        other.execute("CREATE VIEW rounds AS SELECT load_extension('x')")
        other.commit()

    for opens in (Database.open, open_reader):
        with pytest.raises(StoreError, match="another program's database"):
            opens(path)
