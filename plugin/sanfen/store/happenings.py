"""What happens in a log, as it happens: questions, replies with their verdicts, who is told, rounds that are missed."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from sanfen.store.queries import mask

__all__ = ["KINDS", "Happenings"]

KINDS = ("ask", "reply", "escalate", "met", "late", "missed", "excluded")
"""A reply that closes a round is ``met`` or ``late`` instead; ``missed``: its deadline passed without one."""

_AT_ONCE = 200
_DAY_MS = 86_400_000
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
SELECT a.id, a.at_ms, a.way, a.result, a.answer, a.took_ms, o.round, o.person, o.due_ms - r.clock_ms AS step_ms, r.customer,
  r.agent, r.channel
FROM attempts a JOIN outbox o ON o.id = a.outbox
JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round
WHERE a.id > ? AND a.result IS NOT NULL ORDER BY a.id LIMIT ?"""
_MISSED = """
SELECT id, status, reason, customer, agent, channel, due_ms, closed_ms, opened_ms FROM round_rows
WHERE score_set = 'live' AND policy = ? AND day >= date(? / 1000, 'unixepoch', '-1 day') AND status IN ('missed', 'excluded')
  AND coalesce(closed_ms, due_ms, opened_ms) > ?"""


class Happenings:
    """What is new since it was last asked. The first time: nothing, or what began at an instant."""

    def __init__(self, connection: sqlite3.Connection, policy: str, since_ms: int | None = None) -> None:
        """``policy``: whose verdicts are told. ``since_ms``: epoch milliseconds."""
        self._connection = connection
        self._policy = policy
        last_ms, last = connection.execute(
            "SELECT coalesce(max(at_ms), 0), coalesce(max(seq), 0) FROM events"
        ).fetchone()
        self._since_ms = last_ms if since_ms is None else since_ms
        if since_ms is not None:
            (last,) = connection.execute(
                "SELECT coalesce(min(seq) - 1, ?) FROM events WHERE at_ms >= ?", (last, since_ms)
            ).fetchone()
        self._message = last
        (self._attempt,) = connection.execute(
            "SELECT coalesce(max(id), 0) FROM attempts WHERE at_ms < ?", (self._since_ms,)
        ).fetchone()
        self._told: dict[tuple[str, str], int] = {}  # rounds whose end was told

    def new(self, now_ms: int) -> list[dict[str, Any]]:
        """In order of time; customers are masked. ``now_ms``: the service's time, epoch milliseconds."""
        found = [*self._messages(), *self._attempts(), *self._ended(now_ms)]
        return sorted(found, key=lambda one: int(one["at_ms"]))

    def _messages(self) -> Iterator[dict[str, Any]]:
        rows = self._connection.execute(_MESSAGES, (self._policy, self._message, _AT_ONCE)).fetchall()
        for row in rows:
            self._message = row["seq"]
            place = (row["shop"], row["channel"], row["conversation"], self._policy, row["at_ms"])
            one = self._connection.execute(_ROUND, (row["id"], row["id"], *place)).fetchone()
            closes = (
                one is not None and bool(one["closes"]) and row["sender"] != "customer" and one["wait_ms"] is not None
            )
            kind = "ask" if row["sender"] == "customer" else one["status"] if closes else "reply"
            yield {
                "kind": kind,
                "at_ms": row["at_ms"],
                "channel": row["channel"],
                "round": one and one["id"],
                "customer": mask(row["customer"]),
                "agent": row["agent"] or row["bot"],
                "text": row["text"],
                "opens": bool(one and one["opens"]),
                "valid": None if row["valid"] is None else bool(row["valid"]),
                "reason": row["reason"],
                "rule": row["rule"],
                "wait_ms": one["wait_ms"] if closes else None,
            }

    def _attempts(self) -> Iterator[dict[str, Any]]:
        for row in self._connection.execute(_ATTEMPTS, (self._attempt, _AT_ONCE)).fetchall():
            self._attempt = row["id"]
            names = ("at_ms", "channel", "round", "agent", "person", "way", "result", "answer", "took_ms", "step_ms")
            yield {"kind": "escalate", "customer": mask(row["customer"])} | {name: row[name] for name in names}

    def _ended(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """Rounds whose deadline passed, and those that are left out."""
        since_ms = self._since_ms
        for row in self._connection.execute(_MISSED, (self._policy, since_ms, since_ms)).fetchall():
            at_ms = row["closed_ms"] or row["due_ms"] or row["opened_ms"]
            key = (row["id"], row["status"])
            if at_ms > now_ms or key in self._told:
                continue
            self._told[key] = at_ms
            names = ("channel", "agent", "reason")
            yield {"kind": row["status"], "at_ms": at_ms, "round": row["id"], "customer": mask(row["customer"])} | {
                name: row[name] for name in names
            }
        self._told = {key: at_ms for key, at_ms in self._told.items() if at_ms > now_ms - _DAY_MS}
