"""What deliveries tell besides events: other names of conversations, and what is to be fetched.

``applied`` stands at the door of the journal: from there on an event belongs to the conversation, whatever it was called.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from sanfen.abc import Alias, Pull
from sanfen.core.events import Event

__all__ = ["Moved", "Note", "Waiting", "applied", "forget", "packed", "put_off", "unpacked", "waiting"]


class Moved(NamedTuple):
    """What was asked for, the ``asked``th time, is here up to a cursor. ``more``: there is more of it."""

    name: str
    cursor: str | None
    asked: int
    more: bool


Note = Alias | Pull | Moved


class Waiting(NamedTuple):
    """Something to be fetched."""

    channel: str
    pull: Pull
    cursor: str | None
    asked: int  # which of its pokes was the last
    attempts: int
    reason: str | None = None  # why the last attempt failed


_KINDS: dict[str, type[Alias] | type[Pull] | type[Moved]] = {"alias": Alias, "pull": Pull, "moved": Moved}


def packed(notes: Sequence[Note]) -> list[list[Any]]:
    """As JSON can hold them."""
    return [[type(one).__name__.lower(), *one] for one in notes]


def unpacked(rows: Sequence[Sequence[Any]]) -> tuple[Note, ...]:
    """What ``packed`` gave. Raises KeyError, TypeError."""
    return tuple(_KINDS[kind](*rest) for kind, *rest in rows)


def applied(
    connection: sqlite3.Connection, batch: Sequence[tuple[Any, Sequence[Event]]]
) -> list[tuple[Any, Sequence[Event]]]:
    """Keep the deliveries' notes in their order; the deliveries with their events under their conversations' names."""
    out: list[tuple[Any, Sequence[Event]]] = []
    named: dict[str, bool] = {}
    for delivery, events in batch:
        for note in delivery.notes:
            _keep(connection, delivery.channel, note, delivery.received_ms)
            named.pop(delivery.channel, None)
        if events:
            channel = delivery.channel
            if channel not in named:
                found = connection.execute("SELECT 1 FROM alias_rows WHERE channel = ? LIMIT 1", (channel,)).fetchone()
                named[channel] = found is not None
            if named[channel]:
                events = [_renamed(connection, event) for event in events]  # noqa: PLW2901  # the same events
        out.append((delivery, events))
    return out


def _renamed(connection: sqlite3.Connection, event: Event) -> Event:
    row = connection.execute(
        "SELECT conversation FROM alias_rows WHERE channel = ? AND alias = ?",
        (event.key.channel, event.key.conversation),
    ).fetchone()
    return event if row is None else event._replace(key=event.key._replace(conversation=row[0]))


def _keep(connection: sqlite3.Connection, channel: str, note: Note, at_ms: int) -> None:
    if isinstance(note, Alias):
        if note.alias != note.conversation:
            connection.execute(
                "INSERT INTO alias_rows (channel, alias, conversation, until_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET conversation = excluded.conversation, until_ms = max(until_ms, excluded.until_ms)",
                (channel, note.alias, note.conversation, at_ms + note.keep_ms),
            )
    elif isinstance(note, Pull):
        connection.execute(
            "INSERT INTO pull_rows (channel, name, token, asked, next_try_ms) VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE "
            "SET token = excluded.token, asked = asked + 1, next_try_ms = excluded.next_try_ms, attempts = 0",
            (channel, note.name, note.token, at_ms),
        )
    else:
        connection.execute(
            "UPDATE pull_rows SET cursor = coalesce(?, cursor), attempts = 0, reason = NULL, "
            "done = CASE WHEN ? THEN done ELSE max(done, ?) END WHERE channel = ? AND name = ?",
            (note.cursor, note.more, note.asked, channel, note.name),
        )


# --- what is to be fetched --------------------------------------------------------------------------------------------


def waiting(connection: sqlite3.Connection, now_ms: int) -> tuple[list[Waiting], int | None]:
    """What is to be fetched now, and when the next of the others is to be tried."""
    rows = connection.execute(
        "SELECT channel, name, token, cursor, asked, attempts, reason, next_try_ms FROM pull_rows WHERE done < asked "
        "ORDER BY next_try_ms"
    ).fetchall()
    due = [Waiting(row[0], Pull(row[1], row[2]), row[3], row[4], row[5], row[6]) for row in rows if row[7] <= now_ms]
    return due, min((row[7] for row in rows if row[7] > now_ms), default=None)


def put_off(connection: sqlite3.Connection, one: Waiting, until_ms: int, reason: str) -> None:
    """An attempt failed; unless it was asked for again meanwhile, it waits."""
    connection.execute(
        "UPDATE pull_rows SET attempts = attempts + 1, next_try_ms = ?, reason = ? WHERE channel = ? AND name = ? AND asked = ?",
        (until_ms, reason, one.channel, one.pull.name, one.asked),
    )


def forget(connection: sqlite3.Connection, now_ms: int, limit: int) -> int:
    """Drop names whose time is over, at most ``limit``; returns how many."""
    return connection.execute(
        "DELETE FROM alias_rows WHERE rowid IN (SELECT rowid FROM alias_rows WHERE until_ms < ? LIMIT ?)",
        (now_ms, limit),
    ).rowcount
