"""What the page and the API show, as plain data from read-only queries."""

import sqlite3
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.core.reasons import Reason, sentence
from sanfen.store import queries
from sanfen.store.gaps import missing
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text

__all__ = ["now"]

_URGENT = 50
_RECENT = 12


def now(connection: sqlite3.Connection, policy: str, zone: str, now_ms: int, language: str) -> dict[str, Any]:
    """Who waits, what the day looks like, what was decided and who was told last. Customers are masked."""
    local = instant_text(now_ms, ZoneInfo(zone)) or ""
    day = local[:10]
    counts = queries.outcomes(connection, score_set=LIVE, policy=policy, first_day=day, last_day=day)
    decided = counts["met"] + counts["late"] + counts["missed"]
    return {
        "now_ms": now_ms,
        "clock": local[11:19],
        "timezone": zone,
        "day": day,
        "policy": policy,
        "counts": counts,
        "rate": counts["met"] / decided if decided else None,
        "incomplete": missing(connection).touches(day, day),
        "open": [_open(row, now_ms) for row in _waiting(connection, policy, now_ms)],
        "recent": [_recent(row, language) for row in _decided(connection, policy, now_ms)],
        "told": [_told(row, zone) for row in queries.escalations(connection, limit=_RECENT)],
    }


def _waiting(connection: sqlite3.Connection, policy: str, now_ms: int) -> list[sqlite3.Row]:
    """Rounds somebody can still answer: the soonest deadline first, then those that passed it today."""
    return connection.execute(
        "SELECT r.*, (SELECT text FROM events e WHERE e.shop = r.shop AND e.channel = r.channel "
        "AND e.id = json_extract(r.evidence, '$[0]')) AS question FROM round_rows r "
        "WHERE score_set = ? AND policy = ? AND closed_ms IS NULL AND reason IS NULL AND status IN ('pending', 'missed') "
        "AND opened_ms > ? ORDER BY due_ms LIMIT ?",
        (LIVE, policy, now_ms - 3_600_000, _URGENT),
    ).fetchall()


def _decided(connection: sqlite3.Connection, policy: str, now_ms: int) -> list[sqlite3.Row]:
    return connection.execute(
        "SELECT * FROM round_rows WHERE score_set = ? AND policy = ? AND status <> 'pending' "
        "AND coalesce(closed_ms, due_ms) <= ? ORDER BY coalesce(closed_ms, due_ms) DESC LIMIT ?",
        (LIVE, policy, now_ms, _RECENT),
    ).fetchall()


def _open(row: sqlite3.Row, now_ms: int) -> dict[str, Any]:
    names = ("id", "shop", "channel", "agent", "clock_ms", "due_ms", "opened", "messages", "step")
    return {name: row[name] for name in names} | {
        "customer": queries.mask(row["customer"]),
        "question": row["question"],
        "left_ms": None if row["due_ms"] is None else row["due_ms"] - now_ms,
        "span_ms": None if row["due_ms"] is None else row["due_ms"] - row["clock_ms"],
    }


def _recent(row: sqlite3.Row, language: str) -> dict[str, Any]:
    names = ("id", "agent", "status", "reason", "wait_ms")
    return {name: row[name] for name in names} | {
        "customer": queries.mask(row["customer"]),
        "because": sentence(Reason(row["because"]), language),
        "at": (row["closed"] or row["due"] or row["opened"])[11:19],
    }


def _told(row: dict[str, Any], zone: str) -> dict[str, Any]:
    names = ("round", "person", "state", "reason", "answer", "attempts")
    return {name: row[name] for name in names} | {"at": (instant_text(row["due_ms"], ZoneInfo(zone)) or "")[11:19]}
