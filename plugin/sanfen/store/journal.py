"""The append-only truth: what was delivered, and the events read from it. An event is kept once, whoever repeats it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sanfen.core.events import Event, Key, Message
from sanfen.store import notes
from sanfen.store.many import insert_many, rows_of
from sanfen.store.notes import Note, Stray
from sanfen.wire import event_fields, read_event, system_fields

__all__ = [
    "Delivery", "Gap", "Kept", "amend", "append", "erase_customer", "export", "find", "forget_replays", "forget_text",
    "last_numbers", "note_claim",
    "offset_min", "read", "read_many", "save_gaps", "store_events", "unknown", "write",
]  # fmt: skip


class Delivery(NamedTuple):
    """One request as it came. ``error``: why no event could be read from it.

    ``number``: its own, so that journaling it again changes nothing; without one it gets the next free.
    ``replay_key``: by what a second one is known, where its events' ids are not to be trusted.
    ``onward``: where it is to be passed on to after it was answered (``store.onward.packed``).
    ``notes``: what it told besides events.
    """

    received_ms: int
    channel: str
    direction: str
    method: str
    path: str
    body: bytes
    error: str | None = None
    number: int | None = None
    replay_key: bytes | None = None
    onward: str | None = None
    notes: tuple[Note, ...] = ()


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


_TOLD = "id, kind, sender, customer, agent, mode, bot, evidence, rule, credential, customer_type, tags, fields, text"
_COLUMNS = f"shop, channel, conversation, at_ms, {_TOLD}"
_DELIVERIES = "INSERT INTO deliveries (seq, received_ms, channel, direction, method, path, events, error, body)"
_EVENTS = f"INSERT INTO events (seq, delivery, {_COLUMNS}, offset_min, chars)"
_KNOWN = (
    "WITH asked (shop, channel, id) AS (VALUES {rows}) SELECT shop, channel, id FROM asked WHERE EXISTS "
    "(SELECT 1 FROM events e WHERE e.shop = asked.shop AND e.channel = asked.channel AND e.id = asked.id)"
)
_MANY = (
    "WITH asked (number, shop, channel, conversation) AS (VALUES {rows}) "
    f"SELECT number, seq, at_ms, {_TOLD} FROM asked CROSS JOIN events e "
    "ON e.shop = asked.shop AND e.channel = asked.channel AND e.conversation = asked.conversation WHERE kind <> 'store'"
)
_NUMBERS = "SELECT coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM deliveries), 0)"
_ORDER = "ORDER BY at_ms, seq"
_QUARTER_MS = 900_000  # clocks change at a quarter of an hour


class Numbers(NamedTuple):
    """The last that were given."""

    event: int
    delivery: int


class Kept(NamedTuple):
    """A delivery, how many events it carried, and those of them that are new. None: it is journaled already.

    ``again``: messages that are there already, seen once more. ``strays``: names it explained that events still bear.
    """

    delivery: Delivery | None
    carried: int
    events: Sequence[Event]
    again: Sequence[Message] = ()
    strays: tuple[Stray, ...] = ()


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
    last = last_numbers(connection)
    kept = unknown(connection, [(delivery, events)], last)
    write(connection, kept, last, keep_text=keep_text, zone=zone)
    return list(enumerate(kept[0].events, last.event + 1))


def last_numbers(connection: sqlite3.Connection) -> Numbers:
    """The last that were given, 0 where none was."""
    return Numbers(*connection.execute(_NUMBERS).fetchone())


def unknown(
    connection: sqlite3.Connection, batch: Sequence[tuple[Delivery, Sequence[Event]]], last: Numbers
) -> list[Kept]:
    """What of these deliveries is not journaled yet; of several events with one id the first."""
    named = notes.applied(connection, batch)
    # Numbers rise, so there are almost never any.
    numbers = [one.number for one, *_ in named if one.number is not None and one.number <= last.delivery]
    held = _held(connection, numbers)
    asked = [[(event.key[0], event.key[1], event.id) for event in events] for _, events, _ in named]
    seen = set(rows_of(connection, _KNOWN, [name for names in asked for name in names]))
    out: list[Kept] = []
    for (delivery, events, strays), names in zip(named, asked, strict=True):
        if delivery.replay_key is not None and not _is_first(connection, delivery, delivery.replay_key):
            out.append(Kept(None, len(events), (), (), strays))
            continue
        kept = delivery
        if delivery.number is not None:
            before = held.setdefault(delivery.number, delivery)
            if before is not delivery:
                if before[:5] == delivery[:5]:
                    out.append(Kept(None, len(events), (), (), strays))
                    continue
                kept = delivery._replace(number=None)  # another one's number, after a clock was set back
        fresh: list[Event] = []
        again: list[Message] = []
        for event, name in zip(events, names, strict=True):
            if name not in seen:
                seen.add(name)
                fresh.append(event)
            elif type(event) is Message:
                again.append(event)
        out.append(Kept(kept, len(events), fresh, again, strays))
    return out


def write(
    connection: sqlite3.Connection, batch: Sequence[Kept], last: Numbers, *, keep_text: bool, zone: str
) -> Numbers:
    """Keep deliveries and their new events, in order; returns the last numbers now. See ``append``."""
    seq = last.event
    free = max([last.delivery, *[one.delivery.number or 0 for one in batch if one.delivery is not None]])
    deliveries: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    for delivery, carried, fresh, *_ in batch:
        if delivery is None:
            continue
        received_ms, channel, direction, method, path, body, error, number, _, onward, _ = delivery
        if number is None:
            number = free = free + 1
        kept = (body or None) if keep_text else None
        deliveries.append((number, received_ms, channel, direction, method, path, carried, error, kept))
        for event in fresh:
            seq += 1
            events.append(_row(event, seq, number, zone, keep_text=keep_text))
        if onward is not None and (fresh or not carried):  # a repeated one is passed on already
            _pass_on(connection, number, delivery, fresh)
    insert_many(connection, _DELIVERIES, deliveries)
    insert_many(connection, _EVENTS, events)
    return Numbers(seq, free)


def _pass_on(connection: sqlite3.Connection, number: int, delivery: Delivery, events: Sequence[Event]) -> None:
    conversation = events[0].key.conversation if events else ""
    connection.execute(
        "INSERT INTO onward_rows (number, channel, direction, conversation, method, head, body, created_ms, next_try_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, delivery.channel, delivery.direction, conversation, delivery.method, delivery.onward, delivery.body,
            delivery.received_ms, delivery.received_ms,
        ),
    )  # fmt: skip


def find(connection: sqlite3.Connection, event: Event) -> Event | None:
    """What is kept under an event's id, in its conversation."""
    row = connection.execute(
        f"SELECT at_ms, {_TOLD} FROM events WHERE shop = ? AND channel = ? AND id = ? AND conversation = ?",
        (event.key.shop, event.key.channel, event.id, event.key.conversation),
    ).fetchone()
    return None if row is None else _event(event.key, *row)


def amend(connection: sqlite3.Connection, message: Message, zone: str) -> None:
    """A message as it is known now. Fold its conversation again."""
    connection.execute(
        "UPDATE events SET at_ms = ?, offset_min = ?, agent = ?, mode = ?, bot = ?, evidence = ?, rule = ?, credential = ?, "
        "text = ?, chars = ? WHERE shop = ? AND channel = ? AND id = ?",
        (
            message.at_ms, offset_min(message.at_ms, zone), message.agent, _plain(message.mode), message.bot,
            _plain(message.evidence), message.rule, message.credential, message.text, _chars(message.text), message.key.shop,
            message.key.channel, message.id,
        ),
    )  # fmt: skip


def note_claim(connection: sqlite3.Connection, event: Event, said_ms: int) -> None:
    """Keep the time an event claimed, where another was taken for it."""
    connection.execute(
        "UPDATE events SET said_ms = ? WHERE shop = ? AND channel = ? AND id = ? AND said_ms IS NULL",
        (said_ms, event.key.shop, event.key.channel, event.id),
    )


def _held(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Delivery]:
    """The deliveries that have these numbers, without what they carried."""
    found: dict[int, Delivery] = {}
    for number in numbers:
        row = connection.execute(
            "SELECT received_ms, channel, direction, method, path FROM deliveries WHERE seq = ?", (number,)
        ).fetchone()
        if row is not None:
            found[number] = Delivery(row[0], row[1], row[2], row[3], row[4], b"", number=number)
    return found


def _chars(text: str | None) -> int | None:
    """How long a message is, without its blanks."""
    return None if text is None else len("".join(text.split()))


def _is_first(connection: sqlite3.Connection, delivery: Delivery, key: bytes) -> bool:
    return bool(
        connection.execute(
            "INSERT INTO replays (channel, key, received_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (delivery.channel, key, delivery.received_ms),
        ).rowcount
    )


def forget_replays(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Drop what replays are known by, from before an instant, at most ``limit`` rows; returns how many."""
    return connection.execute(
        "DELETE FROM replays WHERE rowid IN (SELECT rowid FROM replays WHERE received_ms < ? LIMIT ?)",
        (before_ms, limit),
    ).rowcount


def offset_min(at_ms: int, zone: str) -> int:
    """Minutes a zone's clocks are ahead of UTC at an instant."""
    return _offset(at_ms // _QUARTER_MS, zone)


@lru_cache(maxsize=4096)
def _offset(quarter: int, zone: str) -> int:
    moment = datetime.fromtimestamp(quarter * _QUARTER_MS // 1000, ZoneInfo(zone))
    return (moment.utcoffset() or timedelta()) // timedelta(minutes=1)


def read(connection: sqlite3.Connection, key: Key) -> list[Event]:
    """A conversation's events in order of time, ties in order of arrival, its shop's state changes among them."""
    return read_many(connection, [key], {})[0]


def read_many(
    connection: sqlite3.Connection, keys: Sequence[Key], stores: dict[str, dict[int, Event]]
) -> list[list[Event]]:
    """The same of many conversations. ``stores``: what ``store_events`` gave before, by shop; what it lacks is added."""
    found: list[dict[int, Event]] = [{} for _ in keys]
    for number, seq, *told in rows_of(connection, _MANY, [(number, *key) for number, key in enumerate(keys)]):
        found[number][seq] = _event(keys[number], *told)
    for shop in {key[0] for key in keys} - stores.keys():
        stores[shop] = store_events(connection, shop)
    return [_in_order(own, stores[key[0]]) for key, own in zip(keys, found, strict=True)]


def store_events(connection: sqlite3.Connection, shop: str) -> dict[int, Event]:
    """A shop's state changes, by their numbers."""
    rows = connection.execute(f"SELECT seq, {_COLUMNS} FROM events WHERE shop = ? AND kind = 'store'", (shop,))
    return {row[0]: _event(Key(*row[1:4]), *row[4:]) for row in rows}


def _in_order(own: dict[int, Event], store: dict[int, Event]) -> list[Event]:
    if not store and len(own) < 2:
        return list(own.values())
    both = {**own, **store}
    return [both[seq] for seq in sorted(both, key=lambda seq: (both[seq].at_ms, seq))]


def export(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every event as ``sanfen.event/1``, in order of time; replaying it gives the live scores."""
    for row in connection.execute(f"SELECT {_COLUMNS} FROM events {_ORDER}"):
        yield event_fields(_event(Key(*row[:3]), *row[3:]))


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


def _row(event: Event, seq: int, delivery: int, zone: str, *, keep_text: bool) -> tuple[Any, ...]:
    if type(event) is Message:
        at_ms, key, name, sender, customer, mode, agent, bot, customer_type, text, tags, evidence, credential, rule = (
            event
        )
        return (
            seq, delivery, *key, at_ms, name, "message", _plain(sender), customer, agent, _plain(mode), bot, _plain(evidence),
            rule, credential, customer_type, ",".join(tags) or None if tags else None, None, text if keep_text else None,
            _offset(at_ms // _QUARTER_MS, zone), _chars(text),
        )  # fmt: skip
    fields = json.dumps(system_fields(event), ensure_ascii=False)
    return (
        seq, delivery, *event.key, event.at_ms, event.id, type(event).__name__.lower(), "system", "", None, None, None, None,
        None, None, None, None, fields, None, offset_min(event.at_ms, zone), None,
    )  # fmt: skip


def _plain(word: str) -> str:
    """An enumeration's word as a plain text: what is not one is slow to bind."""
    return word if type(word) is str else str(word)


def _event(
    key: Key, at_ms: int, name: str, kind: str, sender: str, customer: str, agent: str | None, mode: str, bot: str | None,
    evidence: str, rule: str | None, credential: str | None, customer_type: str, tags: str | None, fields: str,
    text: str | None,
) -> Event:  # fmt: skip
    if kind == "message":
        return Message(
            at_ms, key, name, sender, customer, mode, agent, bot, customer_type, text,
            tuple(tags.split(",")) if tags else (), evidence, credential, rule,
        )  # fmt: skip
    return read_event({"id": name, "at": at_ms, "event": kind, "from": "system"} | key._asdict() | json.loads(fields))
