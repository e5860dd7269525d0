"""What happens in a log, as it happens: questions, replies with their verdicts, who is told, rounds that are missed."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sanfen.errors import InputError, Phrase
from sanfen.store.queries import mask

__all__ = ["WHAT", "Mark", "Unsaid", "happenings", "mark_at", "mark_of"]

WHAT = ("ask", "reply", "escalate", "met", "late", "missed", "excluded")
"""A reply that closes a round is ``met`` or ``late`` instead; ``missed``: its deadline passed without one."""

_AT_ONCE = 200
_DIGITS = 16
_MANY = 10_000
_FIELDS = (
    "key", "what", "at_ms", "channel", "round", "customer", "agent", "text", "opens", "valid", "reason", "rule", "wait_ms",
    "person", "way", "result", "answer", "took_ms", "step_after_ms",
)  # fmt: skip
_LATE_MS = 60_000  # what is written so long after it happened is told all the same
_MESSAGES = """
SELECT e.seq, e.id, e.at_ms, e.shop, e.channel, e.conversation, e.customer, e.sender, e.agent, e.bot, e.mode, e.text, e.rule,
  v.valid, v.reason
FROM events e LEFT JOIN verdicts v
  ON v.score_set = 'live' AND v.policy = ? AND v.shop = e.shop AND v.channel = e.channel AND v.event = e.id
WHERE e.kind = 'message' AND e.seq > ? ORDER BY e.seq LIMIT ?"""
_ROUND = """
SELECT id, status, reason, wait_ms, json_extract(evidence, '$[0]') = ? AS opens, json_extract(evidence, '$[#-1]') = ? AS closes
FROM round_rows WHERE score_set = 'live' AND shop = ? AND channel = ? AND conversation = ? AND policy = ? AND opened_ms <= ?
ORDER BY opened_ms DESC LIMIT 1"""
_ATTEMPTS = """
SELECT a.id, a.at_ms, a.way, a.result, a.answer, a.took_ms, o.round, o.person, o.due_ms - r.clock_ms AS step_after_ms, r.customer,
  r.agent, r.channel
FROM attempts a JOIN outbox o ON o.id = a.outbox
JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round
WHERE a.id > ? AND a.result IS NOT NULL ORDER BY a.id LIMIT ?"""
_MISSED = """
SELECT id, status, reason, customer, agent, channel, due_ms, closed_ms, opened_ms FROM round_rows
WHERE score_set = 'live' AND policy = ? AND day >= date(? / 1000, 'unixepoch', '-1 day') AND status IN ('missed', 'excluded')
  AND coalesce(closed_ms, due_ms, opened_ms) BETWEEN ? AND ?"""


class Mark(NamedTuple):
    """How far somebody has been told: the last message, the last attempt, and until when rounds had ended, milliseconds."""

    message: int
    attempt: int
    ended_ms: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


def mark_of(text: str) -> Mark:
    """A mark as it was written. Raises InputError."""
    parts = text.split("-")
    if len(parts) != len(Mark._fields) or not all(
        one.isascii() and one.isdigit() and len(one) < _DIGITS for one in parts
    ):
        raise InputError(
            Phrase("not the mark of a page: {after!r}", after=text[:40]), hint="take `next` of the page before"
        )
    return Mark(*map(int, parts))


def mark_at(connection: sqlite3.Connection, since_ms: int | None) -> Mark:
    """Before all that happened since an instant, epoch milliseconds; None: after all that has happened."""
    last_ms, last = connection.execute("SELECT coalesce(max(at_ms), 0), coalesce(max(seq), 0) FROM events").fetchone()
    from_ms = last_ms if since_ms is None else since_ms
    if since_ms is not None:
        (last,) = connection.execute(
            "SELECT coalesce(min(seq) - 1, ?) FROM events WHERE at_ms >= ?", (last, since_ms)
        ).fetchone()
    (attempt,) = connection.execute("SELECT coalesce(max(id), 0) FROM attempts WHERE at_ms < ?", (from_ms,)).fetchone()
    return Mark(last, attempt, from_ms)


def happenings(
    connection: sqlite3.Connection, policy: str, mark: Mark, now_ms: int
) -> tuple[list[dict[str, Any]], Mark]:
    """What is new after a mark, in order of time, and the mark behind it. Customers are masked.

    ``policy``: whose verdicts are told. ``now_ms``: epoch milliseconds. What ended in the last minute before the mark is told
    once more, since it may have been written late: ``key`` says what is the same.
    """
    messages, last = _messages(connection, policy, mark.message)
    attempts, attempt = _attempts(connection, mark.attempt)
    found = [*messages, *attempts, *_ended(connection, policy, mark.ended_ms - _LATE_MS, now_ms)]
    ordered = sorted(({name: one.get(name) for name in _FIELDS} for one in found), key=lambda one: one["at_ms"] or 0)
    return ordered, Mark(last, attempt, max(mark.ended_ms, now_ms))


def _messages(connection: sqlite3.Connection, policy: str, after: int) -> tuple[list[dict[str, Any]], int]:
    out = []
    rows = connection.execute(_MESSAGES, (policy, after, _AT_ONCE)).fetchall()
    for row in rows:
        place = (row["shop"], row["channel"], row["conversation"], policy, row["at_ms"])
        one = connection.execute(_ROUND, (row["id"], row["id"], *place)).fetchone()
        closes = one is not None and bool(one["closes"]) and row["sender"] != "customer" and one["wait_ms"] is not None
        out.append(
            {
                "key": f"message {row['seq']}",
                "what": "ask" if row["sender"] == "customer" else one["status"] if closes else "reply",
                "at_ms": row["at_ms"],
                "channel": row["channel"],
                "round": one and one["id"],
                "customer": mask(row["customer"]),
                "agent": row["agent"] or row["bot"],
                "text": row["text"],
                "opens": bool(one and one["opens"]),
                "valid": row["valid"],
                "reason": row["reason"],
                "rule": row["rule"],
                "wait_ms": one["wait_ms"] if closes else None,
            }
        )
    return out, rows[-1]["seq"] if rows else after


def _attempts(connection: sqlite3.Connection, after: int) -> tuple[list[dict[str, Any]], int]:
    names = ("at_ms", "channel", "round", "agent", "person", "way", "result", "answer", "took_ms", "step_after_ms")
    rows = connection.execute(_ATTEMPTS, (after, _AT_ONCE)).fetchall()
    out = [
        {"key": f"attempt {row['id']}", "what": "escalate", "customer": mask(row["customer"])}
        | {name: row[name] for name in names}
        for row in rows
    ]
    return out, rows[-1]["id"] if rows else after


def _ended(connection: sqlite3.Connection, policy: str, from_ms: int, now_ms: int) -> Iterator[dict[str, Any]]:
    """Rounds whose deadline passed, and those that are left out."""
    for row in connection.execute(_MISSED, (policy, from_ms, from_ms, now_ms)).fetchall():
        at_ms = row["closed_ms"] or row["due_ms"] or row["opened_ms"]
        own = {"key": f"{row['status']} {row['id']}", "what": row["status"], "at_ms": at_ms, "round": row["id"]}
        yield own | {"customer": mask(row["customer"])} | {name: row[name] for name in ("channel", "agent", "reason")}


class Unsaid:
    """Keeps what was told once from being told again."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def of(self, found: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Those that were not there yet."""
        for one in found:
            if one["key"] not in self._said:
                self._said[one["key"]] = one["at_ms"]
                yield one
        if len(self._said) > _MANY:
            last_ms = max(self._said.values())
            self._said = {key: at_ms for key, at_ms in self._said.items() if at_ms > last_ms - 10 * _LATE_MS}
