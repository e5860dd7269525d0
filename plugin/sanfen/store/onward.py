"""Deliveries that are answered once they are kept, and passed on afterwards: store-and-forward, as rows.

In order within a conversation: a row is not taken up while an earlier one of its conversation is under way. Before any byte
leaves, the row says that an attempt is under way; a definite failure takes that back. Where nobody knows whether the bytes
arrived, the row ends as ``unsure``, unless the operator wants it repeated.
"""

import json
import sqlite3
from typing import NamedTuple

__all__ = [
    "Parcel", "Turn", "after_answer", "after_break", "begin", "forget", "next_try", "packed", "record", "resume", "states",
]  # fmt: skip

_BACK_OFF_MS = (1_000, 5_000, 15_000, 60_000, 300_000)
_GIVE_UP_MS = 86_400_000
_COME_AGAIN = frozenset({408, 425, 429})


class Parcel(NamedTuple):
    """One delivery to be passed on."""

    number: int
    channel: str
    direction: str
    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    created_ms: int
    attempts: int


class Turn(NamedTuple):
    """What becomes of a row after an attempt: waiting, passed, refused, unsure or failed."""

    state: str
    next_try_ms: int
    reason: str | None


# --- the protocol: pure -----------------------------------------------------------------------------------------------


def after_answer(parcel: Parcel, status: int, now_ms: int) -> Turn:
    """The other side has answered: it has it, refuses it, or asks for another try."""
    if status < 400:
        return Turn("passed", now_ms, None)
    reason = f"answered {status}"
    return (
        Turn("refused", now_ms, reason)
        if status < 500 and status not in _COME_AGAIN
        else _later(parcel, now_ms, reason)
    )


def after_break(parcel: Parcel, now_ms: int, reason: str, *, sent: bool, repeat: bool) -> Turn:
    """No answer. ``sent``: bytes may have arrived; ``repeat``: the operator wants another try all the same."""
    return Turn("unsure", now_ms, reason) if sent and not repeat else _later(parcel, now_ms, reason)


def _later(parcel: Parcel, now_ms: int, reason: str) -> Turn:
    if now_ms - parcel.created_ms > _GIVE_UP_MS:
        return Turn("failed", now_ms, reason)
    return Turn("waiting", now_ms + _BACK_OFF_MS[min(parcel.attempts, len(_BACK_OFF_MS)) - 1], reason)


# --- the table --------------------------------------------------------------------------------------------------------


def packed(target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> str:
    """Where to and under which head, as ``Delivery.onward`` keeps it."""
    return json.dumps([target.decode("latin-1"), [[n.decode("latin-1"), v.decode("latin-1")] for n, v in headers]])


def begin(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Parcel]:
    """Take rows whose time has come, the first of each conversation, and mark an attempt. Commit before a byte leaves."""
    rows = connection.execute(
        "SELECT number, channel, direction, method, head, body, created_ms, attempts + 1 FROM onward_rows f "
        "WHERE state = 'waiting' AND next_try_ms <= ? AND NOT EXISTS (SELECT 1 FROM onward_rows g "
        "WHERE g.channel = f.channel AND g.direction = f.direction AND g.conversation = f.conversation "
        "AND g.state IN ('waiting', 'sending') AND g.number < f.number) ORDER BY number LIMIT ?",
        (now_ms, limit),
    ).fetchall()
    connection.executemany(
        "UPDATE onward_rows SET state = 'sending', attempts = attempts + 1 WHERE number = ?", [row[:1] for row in rows]
    )
    return [_parcel(row) for row in rows]


def record(connection: sqlite3.Connection, parcel: Parcel, to: Turn) -> None:
    """What became of an attempt. What is over is kept without its body."""
    over = to.state != "waiting"
    connection.execute(
        "UPDATE onward_rows SET state = ?, next_try_ms = ?, reason = ?, done_ms = ?, "
        "body = CASE WHEN ? THEN NULL ELSE body END, head = CASE WHEN ? THEN '' ELSE head END WHERE number = ?",
        (to.state, to.next_try_ms, to.reason, to.next_try_ms if over else None, over, over, parcel.number),
    )


def resume(connection: sqlite3.Connection, repeated: frozenset[str], now_ms: int) -> int:
    """At start: attempts a crash cut off. Waiting again on channels that repeat, else unsure; returns how many are unsure."""
    cut = connection.execute("SELECT number, channel FROM onward_rows WHERE state = 'sending'").fetchall()
    unsure = [(now_ms, number) for number, channel in cut if channel not in repeated]
    connection.executemany(
        "UPDATE onward_rows SET state = 'unsure', done_ms = ?, reason = 'the service stopped while sending', head = '', "
        "body = NULL WHERE number = ?",
        unsure,
    )
    connection.execute("UPDATE onward_rows SET state = 'waiting', next_try_ms = ? WHERE state = 'sending'", (now_ms,))
    return len(unsure)


def next_try(connection: sqlite3.Connection) -> int | None:
    """When the next row's time comes, epoch milliseconds."""
    found = connection.execute("SELECT min(next_try_ms) FROM onward_rows WHERE state = 'waiting'").fetchone()[0]
    return None if found is None else int(found)


def states(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows are in each state."""
    return {
        str(state): int(n) for state, n in connection.execute("SELECT state, count(*) FROM onward_rows GROUP BY state")
    }


def forget(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Drop rows that were passed on before an instant; what went wrong stays. Returns how many."""
    return connection.execute(
        "DELETE FROM onward_rows WHERE number IN "
        "(SELECT number FROM onward_rows WHERE state = 'passed' AND done_ms < ? LIMIT ?)",
        (before_ms, limit),
    ).rowcount


def _parcel(row: tuple[object, ...]) -> Parcel:
    number, channel, direction, method, head, body, created_ms, attempts = row
    target, headers = json.loads(str(head))
    pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    return Parcel(
        number, channel, direction, method, target.encode("latin-1"), pairs, body or b"", created_ms, attempts,  # type: ignore[arg-type]
    )  # fmt: skip
