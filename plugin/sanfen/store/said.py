"""What the merchant's side said lately, by what a text is known again: so that a restart does not count anew."""

import sqlite3

from sanfen.core.events import Message
from sanfen.core.repeats import SPAN_MS, mark

__all__ = ["count", "forget"]


def count(connection: sqlite3.Connection, message: Message, most: int) -> int:
    """How often the text of a message was said on its channel in 24 hours, this time among them; at most ``most``."""
    said = mark(message)
    if said is None:
        return 0
    connection.execute(
        "INSERT INTO said_rows (channel, said, at_ms) VALUES (?, ?, ?)", (message.key.channel, said, message.at_ms)
    )
    found = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM said_rows WHERE channel = ? AND said = ? AND at_ms > ? LIMIT ?)",
        (message.key.channel, said, message.at_ms - SPAN_MS, most),
    )
    return int(found.fetchone()[0])


def forget(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Drop what was said before an instant, at most ``limit`` rows; returns how many."""
    return connection.execute(
        "DELETE FROM said_rows WHERE rowid IN (SELECT rowid FROM said_rows WHERE at_ms < ? LIMIT ?)", (before_ms, limit)
    ).rowcount
