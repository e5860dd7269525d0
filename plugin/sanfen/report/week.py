"""What a week's page shows, as plain data from read-only queries. Customers are masked."""

import re
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sanfen.core.policy import Policy
from sanfen.errors import InputError, Phrase
from sanfen.store import queries, units
from sanfen.store.figures import figures
from sanfen.store.filters import YEARS, where

__all__ = ["TREND_DAYS", "Week", "week_of"]

TREND_DAYS = 35
_WORST = 10
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class Week(NamedTuple):
    """An ISO week."""

    monday: date

    @classmethod
    def named(cls, text: str) -> "Week":
        """``2026-W47``. Raises InputError."""
        found = _WEEK.fullmatch(text)
        try:
            if found and int(found[1]) in YEARS:
                return cls(date.fromisocalendar(int(found[1]), int(found[2]), 1))
        except ValueError:
            pass
        raise InputError(Phrase("not a week: {text!r}", text=text[:40]), hint="write 2026-W47")

    @classmethod
    def last_whole(cls, now_ms: int, zone: ZoneInfo) -> "Week":
        """The one before the week of an instant."""
        return cls.of_day(datetime.fromtimestamp(now_ms / 1000, zone).date().isoformat()).before

    @classmethod
    def of_day(cls, day: str) -> "Week":
        """The one a local day lies in, 2026-11-21."""
        found = date.fromisoformat(day)
        return cls(found - timedelta(days=found.weekday()))

    @property
    def name(self) -> str:
        """``2026-W47``."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def days(self) -> dict[str, str]:
        """Its first and last local day, as filters."""
        return {"first_day": self.monday.isoformat(), "last_day": (self.monday + timedelta(days=6)).isoformat()}

    @property
    def before(self) -> "Week":
        """The week before it."""
        return Week(self.monday - timedelta(days=7))

    def end_ms(self, zone: ZoneInfo) -> int:
        """The instant at which it is over, less a millisecond."""
        over = datetime.combine(self.monday + timedelta(days=7), time(), zone)
        return int(over.timestamp() * 1000) - 1


def week_of(
    connection: sqlite3.Connection, score_set: str, policy: Policy, week: Week, **filters: str | None
) -> dict[str, Any]:
    """Everything the page shows. Filters: shop, channel. Raises InputError."""
    who = {"score_set": score_set, "policy": policy.id, **filters}
    asked = {**who, **week.days}
    span: dict[str, Any] = {**week.days, **filters}
    target = next(iter(policy.targets), None)
    trend = {
        "first_day": (week.monday - timedelta(days=TREND_DAYS - 7)).isoformat(),
        "last_day": week.days["last_day"],
    }
    return {
        "week": week.name,
        **week.days,
        "score_set": score_set,
        "policy": policy.id,
        "shops": [row["shop"] for row in queries.rates(connection, by=("shop",), **asked)],
        "target": None if target is None else {"op": target.op, "value": float(target.value), "name": target.name},
        "total": _total(connection, asked),
        "before": _total(connection, {**who, **week.before.days}),
        "days": queries.rates(connection, by=("day",), **who, **trend),
        "agents": _agents(connection, who, week),
        "by_shop": queries.rates(connection, by=("shop", "channel"), **asked),
        "hours": queries.rates(connection, by=("day", "hour"), **asked),
        "worst": _worst(connection, asked),
        "excluded": [
            {"reason": name, "rounds": count} for name, count in queries.left_out(connection, **asked).items()
        ],
        "escalations": _escalations(connection, policy.id, week, ZoneInfo(policy.tz)),
        "budget": units.budgets(connection, policy, score_set, week.end_ms(ZoneInfo(policy.tz)), **filters),
        "figures": next(iter(figures(connection, **span)), None),
    }


def _total(connection: sqlite3.Connection, asked: Mapping[str, Any]) -> dict[str, Any]:
    none: dict[str, Any] = dict.fromkeys(("rounds", "met", "late", "missed", "pending", "excluded"), 0)
    rows = units.rates(connection, **asked)
    return rows[0] if rows else none | {"rate": None, "value": None, "mean_wait_ms": None, "incomplete": False}


def _agents(connection: sqlite3.Connection, who: Mapping[str, str | None], week: Week) -> list[dict[str, Any]]:
    """Lowest rate first, with the rate of the week before and the waits nine in ten do not exceed."""
    before = {row["agent"]: row["rate"] for row in queries.rates(connection, by=("agent",), **who, **week.before.days)}
    waits = queries.waits_by(connection, "agent", **who, **week.days)
    rows = queries.rates(connection, by=("agent",), **who, **week.days)
    out = [
        row
        | {"agent": row["agent"], "before": before.get(row["agent"])}
        | {
            "p90_wait_ms": queries.nth_of(waits.get(row["agent"], ()), 9),
            "longest_ms": max(waits.get(row["agent"], [0])),
        }
        for row in rows
    ]
    return sorted(out, key=lambda row: (row["rate"] is None, row["rate"] or 0))


def _worst(connection: sqlite3.Connection, asked: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Those who asked most often and were not answered, then the longest waits, each with its question where that is kept."""
    clause, values = where(asked)
    out: list[dict[str, Any]] = []
    for status, order, most in (
        ("missed", "messages DESC, opened_ms", _WORST // 2),
        ("late", "wait_ms DESC, opened_ms", _WORST),
    ):
        rows = connection.execute(
            "SELECT id, shop, channel, customer, agent, opened, wait_ms, messages, status, because, "
            "(SELECT text FROM events e WHERE e.shop = r.shop AND e.channel = r.channel "
            "AND e.id = json_extract(r.evidence, '$[0]')) AS question "
            f"FROM round_rows r {clause} AND status = ? ORDER BY {order} LIMIT ?",
            (*values, status, most - len(out)),
        )
        out += [dict(row) | {"customer": queries.mask(row["customer"])} for row in rows]
    return out


def _escalations(connection: sqlite3.Connection, policy: str, week: Week, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Who was told how often, how fast, and what did not arrive."""
    span = (week.before.end_ms(zone) + 1, week.end_ms(zone))
    rows = connection.execute(
        "SELECT person, sum(state = 'told') AS told, sum(state IN ('failed', 'unsure')) AS lost, "
        "CAST(avg(CASE WHEN state = 'told' THEN took_ms END) AS INTEGER) AS took_ms FROM escalations "
        "WHERE policy = ? AND kind = 'notify' AND due_ms BETWEEN ? AND ? GROUP BY person ORDER BY told DESC, person",
        (policy, *span),
    )
    return [dict(row) for row in rows if row["told"] or row["lost"]]
