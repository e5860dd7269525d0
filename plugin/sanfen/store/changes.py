"""What corrections changed: a row for each round whose outcome is another one since an event that came late."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from sanfen.core.events import Event, Key

__all__ = ["Change", "record"]


class Change(NamedTuple):
    """A round before and after; None: it was not there, or is no more."""

    round: str
    before: str | None
    after: str | None


def record(
    connection: sqlite3.Connection, policy: str, event: Event, key: Key, found: Iterable[Change], now_ms: int
) -> None:
    """Keep the changes an event made to a conversation's rounds."""
    cause = type(event).__name__.lower()
    connection.executemany(
        "INSERT INTO change_rows (at_ms, cause, event, policy, round, shop, channel, conversation, before, after) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(now_ms, cause, event.id, policy, one.round, *key, one.before, one.after) for one in found],
    )
