"""What the conditions of steps look at, read from the log when a step is due."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.conditions import Condition
from sanfen.store import queries, units
from sanfen.store.outbox import Row
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text

__all__ = ["Facts"]

_ONLINE_MS = 600_000
_FRESH_MS = 30_000  # a budget is read anew after this: it takes a scan of the period
_NO_TARGET = 1_000_000_000


class Facts:
    """Answers for conditions; only what they name is looked up."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._budgets: dict[str, tuple[int, int, float]] = {}  # by policy: read at, misses left, burn rate

    def gather(
        self,
        connection: sqlite3.Connection,
        rows: Iterable[Row],
        condition_of: Callable[[str], Condition | None],
        now_ms: int,
    ) -> dict[int, Mapping[str, Any]]:
        """The facts of each row that has a condition, by row."""
        out: dict[int, Mapping[str, Any]] = {}
        for row in rows:
            made = condition_of(row.condition) if row.condition is not None else None
            if made is not None:
                out[row.id] = {name: self._fact(connection, row, name, now_ms) for name in made.names}
        return out

    def _fact(self, connection: sqlite3.Connection, row: Row, name: str, now_ms: int) -> Any:
        agent = row.facts["agent"] or ""
        asked: dict[str, Callable[[], Any]] = {
            "waited": lambda: timedelta(milliseconds=now_ms - row.facts["clock_ms"]),
            "text": lambda: row.facts.get("question") or "",
            "tags": lambda: list(row.facts["tags"]),
            "vip": lambda: "vip" in row.facts["tags"],
            "agent": lambda: agent,
            "agent_open": lambda: queries.open_of(connection, LIVE, row.policy, agent),
            "agent_online": lambda: queries.spoke_since(connection, agent, now_ms - _ONLINE_MS),
            "channel": lambda: row.facts["channel"],
            "hour": lambda: int((instant_text(now_ms, self._zone) or "")[11:13]),
            "budget_left": lambda: self._budget(connection, row.policy, now_ms)[1],
            "burn_rate": lambda: self._budget(connection, row.policy, now_ms)[2],
        }
        return asked[name]()

    def _budget(self, connection: sqlite3.Connection, policy: str, now_ms: int) -> tuple[int, int, float]:
        known = self._budgets.get(policy)
        if known is None or not known[0] <= now_ms < known[0] + _FRESH_MS:
            found = units.known(connection, LIVE, policy)
            rows = units.budgets(connection, found, LIVE, now_ms) if found else []
            left = min((one["left"] for one in rows if one["left"] is not None), default=_NO_TARGET)
            burn = max((one["burn_hour"] for one in rows if one["burn_hour"] is not None), default=0.0)
            known = self._budgets[policy] = (now_ms, left, float(burn))
        return known
