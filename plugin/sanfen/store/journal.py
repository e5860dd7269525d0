"""The append-only truth: what was delivered, and the events read from it. An event is kept once, whoever repeats it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sanfen.core.events import Event, Key, Message, Store
from sanfen.wire import event_fields, read_event, system_fields

__all__ = [
    "Delivery", "Gap", "append", "erase_customer", "export", "forget_text", "offset_min", "read", "save_gaps",
]  # fmt: skip


class Delivery(NamedTuple):
    """One request as it came. ``error``: why no event could be read from it.

    ``number``: its own, so that journaling it again changes nothing; without one it gets the next free.
    """

    received_ms: int
    channel: str
    direction: str
    method: str
    path: str
    body: bytes
    error: str | None = None
    number: int | None = None


class Gap(NamedTuple):
    """Deliveries of one channel that the journal could not take when they came, from the first to the last of them.

    ``deliveries`` are lost to it; ``kept`` were kept aside and are in it now. Saving a ``number`` again replaces it.
    """

    channel: str
    from_ms: int
    until_ms: int
    deliveries: int
    reason: str
    kept: int = 0
    number: int | None = None

    def grown(self, at_ms: int) -> "Gap":
        """One delivery more."""
        return self._replace(until_ms=max(self.until_ms, at_ms), deliveries=self.deliveries + 1)


_DELIVERY = (
    "INSERT INTO deliveries (seq, received_ms, channel, direction, method, path, events, error, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING"
)
_COLUMNS = (
    "delivery, at_ms, shop, channel, conversation, id, kind, sender, customer, agent, mode, bot, evidence, rule, "
    "credential, customer_type, tags, fields, text"
)
_INSERT = (
    f"INSERT INTO events ({_COLUMNS}, offset_min, chars) VALUES ({', '.join('?' * 21)}) "
    "ON CONFLICT (shop, channel, id) DO NOTHING"
)
_ORDER = "ORDER BY at_ms, seq"
_QUARTER_MS = 900_000  # clocks change at a quarter of an hour


def append(
    connection: sqlite3.Connection,
    delivery: Delivery,
    events: Sequence[Event],
    *,
    keep_text: bool = True,
    zone: str = "UTC",
) -> list[tuple[int, Event]]:
    """Keep a delivery and its events; returns those that are new, with their numbers. Duplicates change nothing.

    Without ``keep_text`` neither messages' text nor the raw body is written; the events returned still have it.
    ``zone``: the shop's, for the local days of figures.
    """
    body = (delivery.body if keep_text else None) or None
    values = (*delivery[:5], len(events), delivery.error, body)
    cursor = connection.execute(_DELIVERY, (delivery.number, *values))
    if not cursor.rowcount:
        if _is_known(connection, delivery):
            return []
        cursor = connection.execute(_DELIVERY, (None, *values))  # another one's number, after a clock was set back
    number = cursor.lastrowid
    fresh: list[tuple[int, Event]] = []
    for event in events:
        stored = event if keep_text or not isinstance(event, Message) else event._replace(text=None)
        length = len("".join(event.text.split())) if isinstance(event, Message) and event.text is not None else None
        cursor = connection.execute(_INSERT, (number, *_row(stored), offset_min(event.at_ms, zone), length))
        if cursor.rowcount:
            fresh.append((cursor.lastrowid or 0, event))
    return fresh


def _is_known(connection: sqlite3.Connection, delivery: Delivery) -> bool:
    found = connection.execute(
        "SELECT received_ms, channel, direction, method, path FROM deliveries WHERE seq = ?", (delivery.number,)
    ).fetchone()
    return tuple(found) == delivery[:5]


def offset_min(at_ms: int, zone: str) -> int:
    """Minutes a zone's clocks are ahead of UTC at an instant."""
    return _offset(at_ms // _QUARTER_MS, zone)


@lru_cache(maxsize=4096)
def _offset(quarter: int, zone: str) -> int:
    moment = datetime.fromtimestamp(quarter * _QUARTER_MS // 1000, ZoneInfo(zone))
    return (moment.utcoffset() or timedelta()) // timedelta(minutes=1)


def read(connection: sqlite3.Connection, key: Key) -> list[Event]:
    """A conversation's events in order of time, ties in order of arrival, its shop's state changes among them."""
    rows = connection.execute(
        f"SELECT seq, {_COLUMNS} FROM events WHERE shop = ? AND channel = ? AND conversation = ? AND kind <> 'store' "
        f"UNION ALL SELECT seq, {_COLUMNS} FROM events WHERE shop = ? AND kind = 'store' {_ORDER}",
        (*key, key.shop),
    )
    return [_event(row[1:]) for row in rows]


def export(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every event as ``sanfen.event/1``, in order of time; replaying it gives the live scores."""
    for row in connection.execute(f"SELECT {_COLUMNS} FROM events {_ORDER}"):
        yield event_fields(_event(tuple(row)))


def forget_text(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Drop message text and raw bodies from before an instant, at most ``limit`` rows each; returns how many."""
    texts = connection.execute(
        "UPDATE events SET text = NULL WHERE seq IN "
        "(SELECT seq FROM events WHERE at_ms < ? AND text IS NOT NULL ORDER BY at_ms LIMIT ?)",
        (before_ms, limit),
    ).rowcount
    bodies = connection.execute(
        "UPDATE deliveries SET body = NULL WHERE seq IN "
        "(SELECT seq FROM deliveries WHERE received_ms < ? AND body IS NOT NULL ORDER BY received_ms LIMIT ?)",
        (before_ms, limit),
    ).rowcount
    return max(texts, bodies)


def erase_customer(connection: sqlite3.Connection, shop: str, customer: str) -> int:
    """Drop what a customer's messages say and their raw bodies, and keep the rounds; returns the messages changed."""
    found = "SELECT delivery FROM events WHERE shop = ? AND customer = ?"
    connection.execute(f"UPDATE deliveries SET body = NULL WHERE seq IN ({found})", (shop, customer))
    return connection.execute(
        "UPDATE events SET text = NULL WHERE shop = ? AND customer = ?", (shop, customer)
    ).rowcount


def save_gaps(connection: sqlite3.Connection, gaps: Iterable[Gap], zone: str = "UTC") -> None:
    """Keep gaps once there is a log again; one that is there already is brought up to date. ``zone``: the shop's."""
    connection.executemany(
        "INSERT INTO gap_rows (channel, from_ms, until_ms, deliveries, reason, kept, id, offset_min) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms, "
        "deliveries = excluded.deliveries, reason = excluded.reason, kept = excluded.kept",
        [(*gap, offset_min(gap.from_ms, zone)) for gap in gaps],
    )


def _row(event: Event) -> tuple[Any, ...]:
    key = event.key
    head = (event.at_ms, key.shop, key.channel, key.conversation, event.id)
    if isinstance(event, Message):
        tags = ",".join(event.tags) or None
        middle = (event.agent, event.mode, event.bot, event.evidence, event.rule, event.credential, event.customer_type)
        return (*head, "message", event.sender, event.customer, *middle, tags, None, event.text)
    kind = "store" if isinstance(event, Store) else type(event).__name__.lower()
    fields = json.dumps(system_fields(event), ensure_ascii=False)
    return (*head, kind, "system", "", None, None, None, None, None, None, None, None, fields, None)


def _event(row: Sequence[Any]) -> Event:
    (_, at_ms, shop, channel, conversation, name, kind, sender, customer, agent, mode, bot, evidence, rule) = row[:14]
    credential, customer_type, tags, fields, text = row[14:]
    key = Key(shop, channel, conversation)
    if kind == "message":
        return Message(
            at_ms, key, name, sender, customer, mode, agent, bot, customer_type, text,
            tuple(tags.split(",")) if tags else (), evidence, credential, rule,
        )  # fmt: skip
    return read_event(
        {"id": name, "at": at_ms, "shop": shop, "channel": channel, "conversation": conversation, "from": "system"}
        | {"event": kind}
        | json.loads(fields)
    )
