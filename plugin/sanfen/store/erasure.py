"""Erasing what a customer said, and showing who a customer is, on request; and keeping account of both."""

import sqlite3
from typing import Any, NamedTuple

from sanfen.store import journal, outbox
from sanfen.store.queries import mask

__all__ = ["Erased", "erase", "erasures", "unmask"]


class Erased(NamedTuple):
    """What was found and emptied."""

    messages: int
    notices: int


def erase(connection: sqlite3.Connection, customer: str, shop: str | None, now_ms: int, by: str) -> Erased:
    """Drop what a customer's messages say, their raw bodies, and what notices quoted; rounds and scores stay.

    ``shop``: None for every shop. ``by``: who asked for it, for the account. What was there is overwritten in the file,
    not only marked as free.
    """
    (before,) = connection.execute("PRAGMA secure_delete").fetchone()
    connection.execute("PRAGMA secure_delete = ON")
    try:
        known = "SELECT DISTINCT shop FROM events WHERE customer = ? AND shop = coalesce(?, shop)"
        total = Erased(0, 0)
        for (name,) in connection.execute(known, (customer, shop)).fetchall():
            found = Erased(
                journal.erase_customer(connection, name, customer), outbox.erase_customer(connection, name, customer)
            )
            connection.execute(
                "INSERT INTO erasure_rows (at_ms, shop, customer, messages, notices, by) VALUES (?, ?, ?, ?, ?, ?)",
                (now_ms, name, mask(customer), *found, by),
            )
            total = Erased(total.messages + found.messages, total.notices + found.notices)
    finally:
        connection.execute(f"PRAGMA secure_delete = {before}")
    return total


def unmask(connection: sqlite3.Connection, round_id: str, now_ms: int, by: str) -> dict[str, str] | None:
    """Who the customer of a round is. ``by``: who asked for it, for the account. None if there is no such round."""
    row = connection.execute(
        "SELECT shop, channel, conversation, customer FROM round_rows WHERE id = ? LIMIT 1", (round_id,)
    ).fetchone()
    if row is None:
        return None
    shop, channel, conversation, customer = row
    connection.execute(
        "INSERT INTO unmask_rows (at_ms, shop, round, by) VALUES (?, ?, ?, ?)", (now_ms, shop, round_id, by)
    )
    return {"round": round_id, "shop": shop, "channel": channel, "conversation": conversation, "customer": customer}


def erasures(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The account, newest first; empty for a log of a version that kept none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'erasure_rows'").fetchone():
        return []
    rows = connection.execute("SELECT at_ms, shop, customer, messages, notices, by FROM erasure_rows ORDER BY id DESC")
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows]
