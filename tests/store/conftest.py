"""A real log in a real file."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from sanfen.store.db import Database
from sanfen.store.migrations import APPLICATION_ID, schema


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "log.db")
    yield made
    made.close()


@pytest.fixture
def run(db: Database) -> Callable[..., Any]:
    """Run a function of the store in the writer thread, and wait for its commit."""
    return lambda job, *args, **kwargs: db.write(lambda connection: job(connection, *args, **kwargs)).result(timeout=10)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A log of the first version, with a row in it."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        schema.apply(sqlite_utils.Database(connection), stop_before="figures")
        connection.execute("INSERT INTO gap_rows (from_ms, channel, deliveries, reason) VALUES (1, 'c', 1, 'r')")
    return path
