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
    """Insert rows by statements of many rows each: one call into SQLite, during which Python goes on elsewhere.

    ``into``: ``INSERT INTO table (columns)``.
    """
    start, left = 0, len(rows)
    while left:
        count = min(_ROWS, 1 << (left.bit_length() - 1))  # few sizes, so that statements stay prepared
        statement = f"{into} VALUES {placeholders(len(rows[0]), count)} {on_conflict}"
        connection.execute(statement, list(chain.from_iterable(rows[start : start + count])))
        start, left = start + count, left - count


@lru_cache(maxsize=256)
def placeholders(width: int, count: int) -> str:
    """So many rows of question marks."""
    return ", ".join([f"({', '.join('?' * width)})"] * count)
