"""Many rows by one statement."""

import sqlite3
from contextlib import closing

import pytest

from sanfen.store.many import insert_many


@pytest.mark.parametrize("count", [0, 1, 2, 3, 13, 63, 64, 65, 131])
def test_every_row_is_there_once_and_nothing_else(count: int) -> None:
    rows = [(number, None if number % 3 else "text", b"bytes") for number in range(1, count + 1)]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB) STRICT")
        insert_many(connection, "INSERT INTO t (a, b, c)", rows)

        assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == rows


def test_rows_that_are_there_are_replaced() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT")
        for text in ("old", "new"):
            rows = [(number, text) for number in (3, 1, 2)]
            insert_many(connection, "INSERT INTO t (a, b)", rows, "ON CONFLICT (a) DO UPDATE SET b = excluded.b")

        assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == [(1, "new"), (2, "new"), (3, "new")]
