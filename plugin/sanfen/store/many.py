"""Many rows by few calls into SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

__all__ = ["insert_many", "parts", "placeholders", "rows_of"]

Row = TypeVar("Row")

_SIZES = (64, 32, 16)  # rows in one statement; fewer are filled up


def parts(rows: Sequence[Row]) -> Iterator[tuple[Sequence[Row], int]]:
    """Rows in parts for one statement each, and of how many rows that is: of few sizes, so that statements stay prepared."""
    start, left = 0, len(rows)
    while left:
        count = next((size for size in _SIZES if left >= size), 0) or 1 << (left - 1).bit_length()
        part = rows[start : start + count]
        yield part, count
        start, left = start + len(part), left - len(part)


def insert_many(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Insert rows by one statement for up to 64 of them: one call into SQLite, during which Python goes on elsewhere.

    ``into``: ``INSERT INTO table (columns)``, the first of which is never NULL. A few rows are filled up with empty ones,
    which are left out again.
    """
    for part, count in parts(rows):
        width = len(part[0])
        values = list(chain.from_iterable(part))
        if count > len(part):
            values += [None] * (width * (count - len(part)))
        connection.execute(_insert(into, width, count, count > len(part), on_conflict), values)


def rows_of(connection: sqlite3.Connection, query: str, asked: Sequence[tuple[str, str, str]]) -> Iterator[Any]:
    """The rows of a query about many things at once. ``query``: with ``{asked}`` where they stand as rows of VALUES."""
    for part, count in parts(asked):
        values = list(chain.from_iterable(part)) + [None] * (3 * (count - len(part)))
        yield from connection.execute(_query(query, count), values)


@lru_cache(maxsize=64)
def _query(query: str, count: int) -> str:
    return query.format(asked=placeholders(3, count))


@lru_cache(maxsize=256)
def _insert(into: str, width: int, count: int, filled: bool, on_conflict: str) -> str:
    source = f"VALUES {placeholders(width, count)}"
    return f"{into} {f'SELECT * FROM ({source}) WHERE column1 IS NOT NULL' if filled else source} {on_conflict}"


@lru_cache(maxsize=256)
def placeholders(width: int, count: int) -> str:
    """So many rows of question marks."""
    return ", ".join([f"({', '.join('?' * width)})"] * count)
