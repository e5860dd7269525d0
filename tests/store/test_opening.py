"""A log is opened if it is ours and of this version; anything else is said in one sentence, and left as it is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sanfen.errors import InUseError, StoreError
from sanfen.store.db import Database
from sanfen.store.opening import open_reader, upgrade


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a database at all, but longer than a header of SQLite would be " * 4, "damaged or no database"),
        (None, "another program's database"),
    ],
)
def test_a_file_of_somebody_else_is_left_untouched(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "theirs.db"
    if content is None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (a)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    for opens in (Database.open, open_reader):
        with pytest.raises(StoreError, match=words) as error:
            opens(path)
        assert error.value.hint

    assert path.read_bytes() == before


def test_a_log_of_a_newer_version_is_refused(db: Database) -> None:
    tomorrow = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('sanfen', 'of_tomorrow', '')"
    db.write(lambda connection: connection.execute(tomorrow)).result()
    db.close()
    with pytest.raises(StoreError, match="newer sanfen \\(it has of_tomorrow\\)"):
        Database.open(db.path)
    with pytest.raises(StoreError, match="newer sanfen"):
        open_reader(db.path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path):
        with pytest.raises(StoreError, match="no such log"):
            open_reader(path)


def test_a_log_of_an_earlier_version_is_said_to_be_one(old: Path) -> None:
    """Its views lack what is asked for: better one sentence with the mend than a missing column."""
    with pytest.raises(StoreError, match="was written by an earlier sanfen") as error:
        open_reader(old)
    assert f"sanfen check --upgrade {old}" in error.value.hint

    upgrade(old)
    with closing(open_reader(old)) as connection:
        assert connection.execute("SELECT deliveries FROM gaps").fetchone()[0] == 1


def test_views_of_an_earlier_version_are_enough(old: Path) -> None:
    upgrade(old)
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("DROP VIEW gaps")
        connection.execute("CREATE VIEW gaps AS SELECT 1 AS less")

    with pytest.raises(StoreError, match="earlier"):
        open_reader(old)


def test_what_is_being_written_is_not_upgraded(old: Path) -> None:
    db = Database.open(old)
    with pytest.raises(InUseError):
        upgrade(old)
    db.close()
