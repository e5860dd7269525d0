"""What deliveries tell besides events: other names of conversations, and what is to be fetched.

``applied`` stands at the door of the journal: from there on an event belongs to the conversation, whatever it was called.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from sanfen.abc import Alias, Pull
from sanfen.core.events import Event, Key

__all__ = [
    "Moved",
    "Note",
    "Stray",
    "Waiting",
    "applied",
    "forget",
    "packed",
    "put_off",
    "rename",
    "unpacked",
    "waiting",
]


class Moved(NamedTuple):
    """What was asked for, the ``asked``th time, is here up to a cursor. ``more``: there is more of it."""

    name: str
    cursor: str | None
    asked: int
    more: bool


Note = Alias | Pull | Moved


class Stray(NamedTuple):
    """A name under which earlier events of a conversation were kept, before anybody knew whose it is."""

    shop: str
    channel: str
    alias: str
    conversation: str


class Waiting(NamedTuple):
    """Something to be fetched."""

    channel: str
    pull: Pull
    cursor: str | None
    asked: int  # which of its pokes was the last
    attempts: int
    reason: str | None = None  # why the last attempt failed


_TARGET = "SELECT conversation FROM alias_rows WHERE channel = ? AND alias = ?"
_HOLDERS = """
WITH RECURSIVE shops (shop) AS (
  SELECT min(shop) FROM events UNION ALL SELECT (SELECT min(shop) FROM events WHERE shop > shops.shop) FROM shops WHERE shop IS NOT NULL
)
SELECT shop FROM shops WHERE shop IS NOT NULL
AND EXISTS (SELECT 1 FROM events e WHERE e.shop = shops.shop AND e.channel = :channel AND e.conversation = :alias)
"""
_KINDS: dict[str, type[Alias] | type[Pull] | type[Moved]] = {"alias": Alias, "pull": Pull, "moved": Moved}


def packed(notes: Sequence[Note]) -> list[list[Any]]:
    """As JSON can hold them."""
    return [[type(one).__name__.lower(), *one] for one in notes]


def unpacked(rows: Sequence[Sequence[Any]]) -> tuple[Note, ...]:
    """What ``packed`` gave. Raises KeyError, TypeError."""
    return tuple(_KINDS[kind](*rest) for kind, *rest in rows)


def applied(
    connection: sqlite3.Connection, batch: Sequence[tuple[Any, Sequence[Event]]]
) -> list[tuple[Any, Sequence[Event], tuple[Stray, ...]]]:
    """Keep the deliveries' notes in their order; the deliveries with their events under their conversations' names.

    With each delivery the names it explained under which there are events already, in the log or earlier in the batch.
    """
    if not any(delivery.notes for delivery, _ in batch) and not any(
        _is_named(connection, channel) for channel in {delivery.channel for delivery, events in batch if events}
    ):
        return [(delivery, events, ()) for delivery, events in batch]
    out: list[tuple[Any, Sequence[Event], tuple[Stray, ...]]] = []
    named: dict[str, bool] = {}
    seen: set[Key] = set()
    for delivery, events in batch:
        strays: list[Stray] = []
        for note in delivery.notes:
            if isinstance(note, Alias):
                strays += _known_as(connection, delivery.channel, note, delivery.received_ms, seen)
            else:
                _keep(connection, delivery.channel, note, delivery.received_ms)
            named.pop(delivery.channel, None)
        if events:
            channel = delivery.channel
            if channel not in named:
                named[channel] = _is_named(connection, channel)
            if named[channel]:
                events = [_renamed(connection, event) for event in events]  # noqa: PLW2901  # the same events
        seen.update(event.key for event in events)
        out.append((delivery, events, tuple(strays)))
    return out


def _known_as(connection: sqlite3.Connection, channel: str, note: Alias, at_ms: int, seen: set[Key]) -> list[Stray]:
    """Keep another name of a conversation, and say where there are events under it.

    Names lead to one conversation at once: what was another name of this one leads there too. Two that name each other
    are one conversation, and the newest word says which name it has.
    """
    if note.alias == note.conversation:
        return []
    target = _target(connection, channel, note.conversation) or note.conversation
    if target == note.alias:
        connection.execute("DELETE FROM alias_rows WHERE channel = ? AND alias = ?", (channel, note.conversation))
        target = note.conversation
    before = _target(connection, channel, note.alias)
    connection.execute(
        "INSERT INTO alias_rows (channel, alias, conversation, until_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET conversation = excluded.conversation, until_ms = max(until_ms, excluded.until_ms)",
        (channel, note.alias, target, at_ms + note.keep_ms),
    )
    if before == target:
        return []
    connection.execute(
        "UPDATE alias_rows SET conversation = ? WHERE channel = ? AND conversation = ?", (target, channel, note.alias)
    )
    held = connection.execute(_HOLDERS, {"channel": channel, "alias": note.alias}).fetchall()
    shops = {row[0] for row in held} | {key[0] for key in seen if key[1:] == (channel, note.alias)}
    return [Stray(shop, channel, note.alias, target) for shop in sorted(shops)]


def _target(connection: sqlite3.Connection, channel: str, name: str) -> str | None:
    """The conversation another name leads to."""
    row = connection.execute(_TARGET, (channel, name)).fetchone()
    return None if row is None else str(row[0])


def _is_named(connection: sqlite3.Connection, channel: str) -> bool:
    """Whether any conversation of a channel has another name."""
    return connection.execute("SELECT 1 FROM alias_rows WHERE channel = ? LIMIT 1", (channel,)).fetchone() is not None


def _renamed(connection: sqlite3.Connection, event: Event) -> Event:
    target = _target(connection, event.key.channel, event.key.conversation)
    return event if target is None else event._replace(key=event.key._replace(conversation=target))


def rename(connection: sqlite3.Connection, stray: Stray) -> None:
    """Give a stray's events to its conversation. Fold that anew afterwards."""
    connection.execute(
        "UPDATE events SET conversation = ? WHERE shop = ? AND channel = ? AND conversation = ?",
        (stray.conversation, stray.shop, stray.channel, stray.alias),
    )


def _keep(connection: sqlite3.Connection, channel: str, note: Pull | Moved, at_ms: int) -> None:
    if isinstance(note, Pull):
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
