"""What people are to be told, as rows: put there with the round's own commit, taken off only when it is done.

The promise: a due step reaches the person at least once, and at most twice. Before any byte leaves, the row says that an
attempt is under way (``unknown``); a definite refusal takes that back, a time-out or a crash leaves it. After two
attempts of unknown outcome nobody knows whether the person was told, and the row is ``unsure``: seen on the board and in
the log, sent no more.
"""

import json
import sqlite3
from typing import Any, NamedTuple

from sanfen.core.days import NEVER
from sanfen.core.effects import Escalated

__all__ = [
    "Row",
    "Transition",
    "after_refusal",
    "after_unknown",
    "begin",
    "claim",
    "enqueue",
    "inhibit",
    "may_send",
    "next_try",
    "put_off",
    "record",
    "release",
    "round_status",
]

MOST_UNKNOWN = 2
_BACK_OFF_MS = (1_000, 5_000, 15_000, 60_000, 300_000)
_GIVE_UP_MS = 3_600_000  # a person who could not be told for an hour is not told of this step any more


class Row(NamedTuple):
    """One person to be told of one step of one round."""

    id: int
    round: str
    policy: str
    ladder: str
    step: int
    person: str
    due_ms: int
    way: int
    unknown: int
    attempts: int
    facts: dict[str, Any]


class Transition(NamedTuple):
    """What becomes of a row after an attempt."""

    state: str
    way: int
    unknown: int
    next_try_ms: int
    reason: str | None


# --- the protocol: pure -----------------------------------------------------------------------------------------------


def may_send(unknown: int) -> bool:
    """Whether another attempt keeps the promise of at most two messages."""
    return unknown < MOST_UNKNOWN


def after_refusal(
    row: Row, ways: int, now_ms: int, *, retryable: bool, reason: str, retry_after_ms: int | None = None
) -> Transition:
    """Definitely not delivered: take the mark back, then the next way at once, or this one again later."""
    unknown = row.unknown - 1
    if row.way + 1 < ways:
        return Transition("waiting", row.way + 1, unknown, now_ms, reason)
    if not retryable or now_ms - row.due_ms > _GIVE_UP_MS:
        return Transition("failed", row.way, unknown, now_ms, reason)
    pause_ms = max(_BACK_OFF_MS[min(row.attempts, len(_BACK_OFF_MS)) - 1], retry_after_ms or 0)
    return Transition("waiting", 0, unknown, now_ms + pause_ms, reason)


def after_unknown(row: Row, ways: int, now_ms: int, reason: str) -> Transition:
    """Perhaps delivered: once more, at once by the next way if there is one; never a third time."""
    if not may_send(row.unknown):
        return Transition("unsure", row.way, row.unknown, now_ms, reason)
    way = min(row.way + 1, ways - 1)
    pause_ms = 0 if way != row.way else _BACK_OFF_MS[0]
    return Transition("waiting", way, row.unknown, now_ms + pause_ms, reason)


# --- the table --------------------------------------------------------------------------------------------------------


def enqueue(connection: sqlite3.Connection, effect: Escalated, policy: str, now_ms: int) -> int:
    """Put a step's people in the outbox; who is there already stays as they are. Returns how many are new."""
    one = effect.round
    asked = connection.execute(
        "SELECT text FROM events WHERE shop = ? AND channel = ? AND id = ?",
        (one.key.shop, one.key.channel, one.opening_id),
    ).fetchone()
    facts = {
        "shop": one.key.shop,
        "channel": one.key.channel,
        "conversation": one.key.conversation,
        "customer": one.customer,
        "agent": one.agent,
        "opened_ms": one.opened_ms,
        "clock_ms": one.clock_ms,
        "due_ms": None if one.due_ms >= NEVER else one.due_ms,
        "question": asked[0] if asked else None,
    }
    text = json.dumps(facts, ensure_ascii=False)
    return sum(
        connection.execute(
            "INSERT INTO outbox (round, policy, ladder, step, person, due_ms, created_ms, next_try_ms, facts) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (one.id, policy, effect.ladder, effect.step, person, effect.at_ms, now_ms, now_ms, text),
        ).rowcount
        for person in effect.notify
    )


def claim(connection: sqlite3.Connection, now_ms: int, limit: int, lease_ms: int) -> list[Row]:
    """Take rows whose time has come, oldest first. A row not settled within its lease comes again."""
    rows = connection.execute(
        "SELECT id, round, policy, ladder, step, person, due_ms, way, unknown, attempts, facts FROM outbox "
        "WHERE state IN ('waiting', 'sending') AND next_try_ms <= ? ORDER BY next_try_ms LIMIT ?",
        (now_ms, limit),
    ).fetchall()
    for row in rows:
        connection.execute(
            "UPDATE outbox SET state = 'sending', next_try_ms = ? WHERE id = ?", (now_ms + lease_ms, row[0])
        )
    return [Row._make((*row[:-1], json.loads(row[-1]))) for row in rows]


def release(connection: sqlite3.Connection, now_ms: int) -> int:
    """At a start nobody is sending, whatever the rows say: what was under way at the end comes again now."""
    return connection.execute("UPDATE outbox SET next_try_ms = ? WHERE state = 'sending'", (now_ms,)).rowcount


def begin(connection: sqlite3.Connection, row: Row) -> Row | None:
    """Mark an attempt as under way. Commit this before any byte leaves. None: somebody else has taken the row up.

    Whoever was stopped for longer than his lease holds a row of the past; the count of attempts tells.
    """
    marked = connection.execute(
        "UPDATE outbox SET unknown = unknown + 1, attempts = attempts + 1 "
        "WHERE id = ? AND attempts = ? AND state = 'sending'",
        (row.id, row.attempts),
    ).rowcount
    return row._replace(unknown=row.unknown + 1, attempts=row.attempts + 1) if marked else None


def record(
    connection: sqlite3.Connection,
    row: Row,
    to: Transition,
    *,
    now_ms: int,
    way: str,
    result: str,
    answer: str,
    took_ms: int,
) -> None:
    """Keep an attempt and what became of the row. ``result``: told, refused or unknown.

    The row follows its last attempt; of an earlier one that ends late it learns only that the person was told.
    """
    connection.execute(
        "INSERT INTO attempts (outbox, at_ms, way, result, answer, took_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (row.id, now_ms, way, result, answer, took_ms),
    )
    done_ms = None if to.state in ("waiting", "sending") else now_ms
    connection.execute(
        "UPDATE outbox SET state = ?, way = ?, unknown = ?, next_try_ms = ?, reason = ?, answer = ?, done_ms = ? "
        "WHERE id = ? AND state <> 'told' AND (attempts = ? OR ? = 'told')",
        (to.state, to.way, to.unknown, to.next_try_ms, to.reason, answer, done_ms, row.id, row.attempts, to.state),
    )


def inhibit(connection: sqlite3.Connection, row: Row, reason: str, now_ms: int) -> None:
    """Nobody needs to be told any more; the row says why."""
    connection.execute(
        "UPDATE outbox SET state = 'inhibited', reason = ?, done_ms = ? WHERE id = ?", (reason, now_ms, row.id)
    )


def put_off(connection: sqlite3.Connection, row: Row, until_ms: int, reason: str) -> None:
    """Try again at an instant, without an attempt."""
    connection.execute(
        "UPDATE outbox SET state = 'waiting', next_try_ms = ?, reason = ? WHERE id = ?", (until_ms, reason, row.id)
    )


def round_status(connection: sqlite3.Connection, row: Row, score_set: str) -> str | None:
    """The outcome of the row's round as it stands, or None if there is no such round any more."""
    found = connection.execute(
        "SELECT status FROM round_rows WHERE score_set = ? AND policy = ? AND id = ?",
        (score_set, row.policy, row.round),
    ).fetchone()
    return None if found is None else str(found[0])


def next_try(connection: sqlite3.Connection) -> int | None:
    """When the next row's time comes, epoch milliseconds."""
    found = connection.execute("SELECT min(next_try_ms) FROM outbox WHERE state IN ('waiting', 'sending')").fetchone()
    return None if found is None or found[0] is None else int(found[0])
