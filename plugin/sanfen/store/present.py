"""The present: who waits for an answer now, and how urgently."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal, NamedTuple

from sanfen.store.projection import LIVE

__all__ = ["ZONES", "Waiting", "Zone", "in_order", "limits_of", "waiting", "waiting_ids", "zone_of"]

Zone = Literal["urgent", "soon", "calm", "over"]
ZONES: tuple[Zone, ...] = ("urgent", "soon", "calm", "over")
"""In the last sixth of the time to answer, in its second half, before, after its end."""

_SHOWN_OVER_MS = 3_600_000  # a deadline passed so long ago is history
_DAYS = 8  # the longest that a deadline lies ahead, and a weekend
_OPEN = (
    "SELECT id, shop, channel, customer, agent, status, opened_ms, clock_ms, due_ms, messages, step, taken_by, rests_ms, "
    "(SELECT text FROM events e WHERE e.shop = r.shop AND e.channel = r.channel AND e.id = json_extract(r.evidence, '$[0]')), "
    "(SELECT json_array(kind, wanted, person, state) FROM outbox o WHERE o.round = r.id AND o.policy = r.policy "
    "ORDER BY o.id DESC LIMIT 1) "
    "FROM round_rows r WHERE score_set = ? AND policy = ? AND day IN (SELECT value FROM json_each(?)) "
    "AND status IN ('pending', 'missed') AND closed_ms IS NULL AND reason IS NULL AND (due_ms IS NULL OR due_ms > ?)"
)


class Waiting(NamedTuple):
    """A round somebody can still answer. Times are epoch milliseconds; ``last``: kind, name, person and state of the last step."""

    id: str
    shop: str
    channel: str
    customer: str
    agent: str | None
    status: str
    opened_ms: int
    clock_ms: int | None
    due_ms: int | None
    messages: int
    step: int
    taken_by: str | None
    rests_ms: int | None
    question: str | None
    last: tuple[str, str, str, str] | None

    @property
    def span_ms(self) -> int | None:
        """How long there is, or was, to answer."""
        return None if self.due_ms is None or self.clock_ms is None else self.due_ms - self.clock_ms


def waiting(connection: sqlite3.Connection, policy: str, day: str, now_ms: int) -> list[Waiting]:
    """Who waits under a policy, the most urgent first; deadlines passed up to an hour ago stand last. ``day``: today's."""
    days = [(date.fromisoformat(day) - timedelta(days=number)).isoformat() for number in range(_DAYS)]
    rows = connection.execute(_OPEN, (LIVE, policy, json.dumps(days), now_ms - _SHOWN_OVER_MS))
    found = (Waiting._make((*row[:-1], tuple(json.loads(row[-1])) if row[-1] else None)) for row in rows)
    return in_order(found, now_ms)


def in_order(found: Iterable[Waiting], now_ms: int) -> list[Waiting]:
    """Who can still be answered in time, the soonest first; then whose deadline passed, the latest first."""
    return sorted(found, key=lambda one: _rank(one, now_ms))


def _rank(one: Waiting, now_ms: int) -> tuple[int, int, str]:
    if one.due_ms is None:
        return 1, one.opened_ms, one.id
    return (0, one.due_ms, one.id) if one.due_ms >= now_ms else (2, -one.due_ms, one.id)


def limits_of(span_ms: int) -> dict[str, int]:
    """With how much left the more urgent zones begin, of so much time to answer."""
    return {"urgent": span_ms // 6, "soon": span_ms // 2}


def zone_of(one: Waiting, now_ms: int) -> Zone:
    """How urgent it is."""
    if one.due_ms is None or one.span_ms is None:
        return "calm"
    left_ms = one.due_ms - now_ms
    if left_ms < 0:
        return "over"
    return "urgent" if left_ms * 6 <= one.span_ms else "soon" if left_ms * 2 <= one.span_ms else "calm"


def waiting_ids(connection: sqlite3.Connection, policy: str, day: str, now_ms: int, zone: str) -> list[str]:
    """The rounds of who waits now, in one zone or in ``all``."""
    found = waiting(connection, policy, day, now_ms)
    return [one.id for one in found if zone in ("all", zone_of(one, now_ms))]
