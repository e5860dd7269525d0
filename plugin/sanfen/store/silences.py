"""Planned silences begun by hand while the service runs; those of the configuration stand in its file."""

import sqlite3
from typing import NamedTuple

__all__ = ["Silence", "add", "current", "end"]


class Silence(NamedTuple):
    """Nobody is told from an instant until another. ``by``: who asked for it."""

    id: int
    from_ms: int
    until_ms: int
    why: str
    by: str


def add(connection: sqlite3.Connection, from_ms: int, until_ms: int, why: str, by: str) -> Silence:
    """Begin one."""
    number = connection.execute(
        "INSERT INTO quiet_rows (from_ms, until_ms, why, by) VALUES (?, ?, ?, ?)", (from_ms, until_ms, why, by)
    ).lastrowid
    return Silence(number or 0, from_ms, until_ms, why, by)


def current(connection: sqlite3.Connection, now_ms: int) -> list[Silence]:
    """Those that have not ended."""
    rows = connection.execute(
        "SELECT id, from_ms, until_ms, why, by FROM quiet_rows WHERE until_ms > ? ORDER BY from_ms, id", (now_ms,)
    )
    return [Silence(*row) for row in rows]


def end(connection: sqlite3.Connection, number: int, now_ms: int) -> bool:
    """End one now; whether there was one to end."""
    return (
        connection.execute(
            "UPDATE quiet_rows SET until_ms = ? WHERE id = ? AND until_ms > ?", (now_ms, number, now_ms)
        ).rowcount
        > 0
    )
