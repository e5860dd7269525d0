"""Orders and who is credited with them, as rows: derived from the journal whenever an order or a late message comes."""

import sqlite3

from sanfen.core.attribution import credits_of
from sanfen.core.events import Key
from sanfen.store import journal

__all__ = ["conversations", "forget", "has", "save"]


def has(connection: sqlite3.Connection, key: Key) -> bool:
    """Whether a conversation has orders."""
    found = connection.execute(
        "SELECT 1 FROM order_rows WHERE shop = ? AND channel = ? AND conversation = ? LIMIT 1", key
    )
    return found.fetchone() is not None


def conversations(connection: sqlite3.Connection) -> list[Key]:
    """Every conversation with orders in the journal."""
    rows = connection.execute("SELECT DISTINCT shop, channel, conversation FROM events WHERE kind = 'order'")
    return [Key(*row) for row in rows]


def save(connection: sqlite3.Connection, key: Key, zone: str) -> None:
    """Credit a conversation's orders anew."""
    for one in credits_of(journal.read(connection, key)):
        first_ms = next(at_ms for at_ms in (one.created_ms, one.paid_ms, one.received_ms) if at_ms is not None)
        connection.execute(
            "INSERT INTO order_rows (shop, channel, conversation, order_id, created_ms, paid_ms, received_ms, amount, silent, "
            "order_by, paid_by, offset_min) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET created_ms = excluded.created_ms, paid_ms = excluded.paid_ms, "
            "received_ms = excluded.received_ms, amount = excluded.amount, silent = excluded.silent, "
            "order_by = excluded.order_by, paid_by = excluded.paid_by, offset_min = excluded.offset_min",
            (*key, *one[:-1], journal.offset_min(first_ms, zone)),  # the view says whose after-sale it is
        )


def forget(connection: sqlite3.Connection, key: Key) -> None:
    """Drop a conversation's credits: its orders are another's now."""
    connection.execute("DELETE FROM order_rows WHERE shop = ? AND channel = ? AND conversation = ?", key)
