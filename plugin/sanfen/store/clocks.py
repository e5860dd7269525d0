"""Steps of the machine's clock, as rows, and the time the service goes by while one is not over."""

import sqlite3

from sanfen.store.projection import LIVE

__all__ = ["held", "hold", "record", "release"]


def record(connection: sqlite3.Connection, now_ms: int, step_ms: int, boot: str, ahead_ms: int) -> int:
    """Keep a step, mark the rounds under way as suspect, note the time to go on by; returns how many rounds."""
    rounds = connection.execute(
        "UPDATE round_rows SET suspect = 1 WHERE score_set = ? AND next_ms IS NOT NULL", (LIVE,)
    ).rowcount
    connection.execute("INSERT INTO clock_rows (at_ms, step_ms, rounds) VALUES (?, ?, ?)", (now_ms, step_ms, rounds))
    hold(connection, boot, ahead_ms)
    return rounds


def hold(connection: sqlite3.Connection, boot: str, ahead_ms: int) -> None:
    """Note the time to go on by, for whoever comes after us in this boot."""
    connection.execute("UPDATE lease_rows SET boot = ?, ahead_ms = ?", (boot, ahead_ms))


def release(connection: sqlite3.Connection) -> None:
    """The wall clock is followed again."""
    connection.execute("UPDATE lease_rows SET boot = NULL, ahead_ms = NULL")


def held(connection: sqlite3.Connection, boot: str) -> int | None:
    """How far time is ahead of the machine's elapsed time, if it was noted in this boot."""
    row = connection.execute("SELECT ahead_ms FROM lease_rows WHERE boot = ?", (boot,)).fetchone()
    return None if row is None or row[0] is None else int(row[0])
