"""Many rows by few calls into SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

__all__ = ["insert_many", "placeholders"]

_ROWS = 64  # in one statement


def insert_many(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Insert rows by one statement for up to 64 of them: one call into SQLite, during which Python goes on elsewhere.

    ``into``: ``INSERT INTO table (columns)``, the first of which is never NULL. The rows are filled up with empty ones,
    which are left out again, so that there are few statements and they stay prepared.
    """
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        count = 1 << (len(part) - 1).bit_length()
        width = len(part[0])
        values = list(chain.from_iterable(part)) + [None] * (width * (count - len(part)))
        if count == len(part):
            source = f"VALUES {placeholders(width, count)}"
        else:
            source = f"SELECT * FROM (VALUES {placeholders(width, count)}) WHERE column1 IS NOT NULL"
        connection.execute(f"{into} {source} {on_conflict}", values)


@lru_cache(maxsize=256)
def placeholders(width: int, count: int) -> str:
    """So many rows of question marks."""
    return ", ".join([f"({', '.join('?' * width)})"] * count)
