"""The screen that is open all day: what the day looks like beside the list of who waits."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sanfen.board.pages import COUNTED, rounds_url
from sanfen.board.screens.desk import Moment, local
from sanfen.catalogue import t
from sanfen.charts import Bar, Svg, bars, gauge, percent
from sanfen.store import queries, units
from sanfen.store.gaps import missing
from sanfen.store.present import ZONES, Waiting, zone_of
from sanfen.store.projection import LIVE

__all__ = ["day_of", "gauge_of", "hours_chart", "period_of", "ticks_of"]

_TOLD = 8
_PERIOD_DAYS = 30
_FEWEST = 11  # hours beside the first, so that a day that has just begun is no single broad bar


def day_of(
    connection: sqlite3.Connection,
    moment: Moment,
    waiting: Sequence[Waiting],
    period: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Today's counts, agents and hours, the running period (``period``, if it is known already), who was told last."""
    asked: dict[str, str | None] = {"score_set": LIVE, "policy": moment.policy.id}
    today = asked | {"first_day": moment.day, "last_day": moment.day}
    counts = queries.outcomes(connection, **today)
    return {
        "day": moment.day,
        "counts": counts,
        "incomplete": missing(connection).touches(moment.day, moment.day),
        "agents": _agents(queries.rates(connection, by=("agent",), **today), waiting, moment),
        "hours": queries.rates(connection, by=("hour",), **today),
        "period": period or period_of(connection, moment),
        "zones": _zones(waiting, moment.now_ms),
        "told": [
            row | {"at": local(row["due_ms"], moment.zone)[11:19]}
            for row in queries.escalations(connection, limit=_TOLD)
        ],
    }


def _zones(waiting: Sequence[Waiting], now_ms: int) -> dict[str, int]:
    """How many wait in each zone."""
    found = Counter(zone_of(one, now_ms) for one in waiting)
    return {zone: found[zone] for zone in ZONES}


def ticks_of(one: Waiting, steps: int) -> list[bool]:
    """The steps of its ladder, and which are behind it."""
    return [number < one.step for number in range(max(steps, one.step))]


def period_of(connection: sqlite3.Connection, moment: Moment) -> dict[str, Any]:
    """The running period of the first target with a budget; without one, the last thirty days."""
    for row in units.budgets_left(connection, moment.policy, LIVE, moment.now_ms):
        if row["left"] is not None:
            return row
    first = (date.fromisoformat(moment.day) - timedelta(days=_PERIOD_DAYS - 1)).isoformat()
    days = {"first_day": first, "last_day": moment.day}
    rows = units.rates(connection, score_set=LIVE, policy=moment.policy.id, **days)
    found: dict[str, Any] = rows[0] if rows else {"value": None, "units": 0, "late": 0, "missed": 0}
    return days | {
        "target": None, "wanted": None, "left": None, "value": found["value"], "units": found["units"],
        "used": found["late"] + found["missed"], "holds": None,
    }  # fmt: skip


def _agents(rates: Sequence[dict[str, Any]], waiting: Sequence[Waiting], moment: Moment) -> list[dict[str, Any]]:
    """Who works today, whoever lets a customer wait longest first."""
    rows = {row["agent"]: row for row in rates if row["agent"]}
    names = dict.fromkeys([*rows, *(one.agent for one in waiting if one.agent)])
    out = []
    for name in names:
        mine = [one for one in waiting if one.agent == name]
        since = [one.clock_ms for one in mine if one.clock_ms is not None]
        row = rows.get(name, {"rate": None, "rounds": 0, "met": 0, "late": 0, "mean_wait_ms": None})
        low = row["rate"] is not None and moment.target is not None and row["rate"] < moment.target
        out.append(
            {"name": name, "open": len(mine), "since_ms": min(since, default=None), "low": low}
            | {"answered": row["met"] + row["late"]}
            | {key: row[key] for key in ("rate", "rounds", "mean_wait_ms")}
        )
    return sorted(out, key=lambda one: (one["since_ms"] or moment.now_ms, one["name"]))


def gauge_of(period: Mapping[str, Any], language: str) -> Svg | None:
    """The rate as a bar with a mark where its target is; None where the target is no share."""
    value, wanted = period["value"], period["wanted"]
    if wanted is None or wanted > 1:
        return None
    return gauge(t("board_rate", language), value or 0.0, wanted, is_low=period["holds"] is False)


def hours_chart(rows: Sequence[dict[str, Any]], day: str, target: float | None, language: str, width: int = 380) -> Svg:
    """Today by hour: the bar is how many rounds, the number above it the rate."""
    items = []
    known = {row["hour"]: row for row in rows if row["rounds"]}
    first, last = min(known, default=8), max(known, default=8)
    for hour in range(min(first, max(0, last - _FEWEST)), max(last, min(first, 23 - _FEWEST) + _FEWEST) + 1):
        row = known.get(hour, {"rounds": 0, "rate": None})
        rate = row["rate"]
        tip = t("chart_hour", language, hour=hour, rounds=row["rounds"], rate=percent(rate, 1))
        link = rounds_url(first_day=day, last_day=day, hour=hour, status=COUNTED) if row["rounds"] else None
        low = rate is not None and target is not None and rate < target
        note = "" if rate is None else percent(rate, 0)[:-1]
        items.append(Bar(str(hour), row["rounds"], note, low, tip, link, row["rounds"]))
    return bars(t("board_by_hour", language), items, width=width, height=150)
