"""Many rows by few calls into SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

__all__ = ["insert_many", "parts", "placeholders", "rows_of", "with_rows"]

_SIZES = (64, 32, 16)  # rows in one statement; fewer are filled up


def parts(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[list[Any], int, bool]]:
    """The values of rows in parts for one statement each, of how many rows it is, and whether the last of them are empty.

    There are few sizes, so that statements stay prepared.
    """
    start, left = 0, len(rows)
    while left:
        count = next((size for size in _SIZES if left >= size), 0) or 1 << (left - 1).bit_length()
        values = list(chain.from_iterable(rows[start : start + count]))
        if count > left:
            values += [None] * (len(rows[0]) * (count - left))
        yield values, count, count > left
        start, left = start + count, max(left - count, 0)


def insert_many(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Insert rows by one statement for up to 64 of them: one call into SQLite, during which Python goes on elsewhere.

    ``into``: ``INSERT INTO table (columns)``, the first of which is never NULL. A few rows are filled up with empty ones,
    which are left out again.
    """
    for values, count, filled in parts(rows):
        connection.execute(_insert(into, len(rows[0]), count, filled, on_conflict), values)


def rows_of(connection: sqlite3.Connection, query: str, asked: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """The rows of a query about many things at once. ``query``: with ``{rows}`` where they stand as rows of VALUES."""
    for values, count, _ in parts(asked):
        yield from connection.execute(with_rows(query, len(asked[0]), count), values)


@lru_cache(maxsize=256)
def with_rows(statement: str, width: int, count: int) -> str:
    """A statement with so many rows of question marks for its ``{rows}``."""
    return statement.format(rows=placeholders(width, count))


@lru_cache(maxsize=256)
def _insert(into: str, width: int, count: int, filled: bool, on_conflict: str) -> str:
    source = f"VALUES {placeholders(width, count)}"
    return f"{into} {f'SELECT * FROM ({source}) WHERE column1 IS NOT NULL' if filled else source} {on_conflict}"


@lru_cache(maxsize=256)
def placeholders(width: int, count: int) -> str:
    """So many rows of question marks."""
    return ", ".join([f"({', '.join('?' * width)})"] * count)
