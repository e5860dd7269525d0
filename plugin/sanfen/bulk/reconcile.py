"""A platform's own daily figures next to ours: unreplied customers and average waits, by agent and day."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sanfen.bulk.columns import Column, Columns, nickname
from sanfen.bulk.sources import Log
from sanfen.errors import InputError, Phrase
from sanfen.store.figures import figures

__all__ = ["Theirs", "reconcile", "theirs"]

_NAMES = {
    "day": ("nonreply_date", "waiting_date", "date", "day", "日期", "统计日期"),
    "agent": ("service_staff_id", "agent", "staff", "客服", "客服昵称", "旺旺", "子账号"),
    "no_reply_num": ("non_reply_num", "no_reply_num", "未回复人数"),
    "total_reply_mean": ("avg_waiting_times", "total_reply_mean", "平均响应时间", "平均响应", "平均等待时间"),
    "customers": ("non_reply_customid", "未回复买家", "未回复客户"),
}
_FIGURES = ("no_reply_num", "total_reply_mean")
_DAY = re.compile(r"([12][0-9]{3})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class Theirs(NamedTuple):
    """One figure of the platform's: customers, or seconds."""

    day: str
    agent: str
    figure: str
    value: float
    customers: tuple[str, ...] = ()


def theirs(path: Path, say: Callable[..., None] = lambda _name, **_values: None) -> list[Theirs]:
    """The figures in a file: the answers of noreplynum.get and avgwaittime.get, or a table. Raises InputError."""
    with Log(path, say=say, guess=_guess, wanted=_HINT) as log:
        out = [one for place, row in log.rows() for one in _read(row, f"{log.name}, {place}")]
    if not out:
        raise InputError(Phrase("{path} has no figure that can be compared", path=path), hint=_HINT)
    return out


def reconcile(connection: sqlite3.Connection, given: Iterable[Theirs]) -> list[dict[str, Any]]:
    """A row for each figure: theirs, ours, the difference, and whom they call unreplied although a person answered."""
    given = sorted(given)
    if not given:
        return []
    rows = figures(connection, by=("agent", "day"), first_day=given[0].day, last_day=given[-1].day)
    ours = {(nickname(row["agent"]), row["day"]): row for row in rows}
    out = []
    for one in given:
        found = ours.get((nickname(one.agent), one.day), {})
        value = found.get(one.figure, 0 if one.figure == "no_reply_num" and found else None)
        out.append(
            {
                "day": one.day,
                "agent": one.agent,
                "figure": one.figure,
                "theirs": one.value,
                "ours": value,
                "difference": None if value is None else round(value - one.value, 3),
                "same": value is not None and abs(value - one.value) < (1 if one.figure == "total_reply_mean" else 0.5),
                "answered_here": _answered(connection, one.day, one.customers),
            }
        )
    return out


def _read(row: dict[str, Any], place: str) -> Iterator[Theirs]:
    if not {"day", "agent"} <= row.keys():
        return
    day = _DAY.match(str(row["day"]))
    if day is None:
        raise InputError(Phrase("{place}: not a day: {day!r}", place=place, day=row["day"]), hint="write 2026-11-21")
    named = tuple(one.strip() for one in re.split(r"[,，;；\s]+", str(row.get("customers", ""))) if one.strip())
    for figure in _FIGURES:
        value = str(row.get(figure, "")).removesuffix("秒").strip()
        if value and not _NUMBER.fullmatch(value):
            raise InputError(
                Phrase("{place}: {figure} is not a number: {value!r}", place=place, figure=figure, value=value),
                hint="customers, or seconds: 38",
            )
        if value:
            date = f"{day[1]}-{day[2]:0>2}-{day[3]:0>2}"
            yield Theirs(date, str(row["agent"]), figure, float(value), named if figure == "no_reply_num" else ())


def _answered(connection: sqlite3.Connection, day: str, customers: Sequence[str]) -> list[str]:
    """Of the customers, those whom a person answered that day by our log."""
    if not customers:
        return []
    rows = connection.execute("SELECT customer FROM customers_daily WHERE day = ? AND replied", (day,))
    answered = {nickname(row[0]) for row in rows}
    return [one for one in customers if nickname(one) in answered]


def _guess(header: Iterable[str]) -> tuple[Columns, bool] | None:
    names = {name.strip().lower(): name for name in header}
    rules = {
        field: Column((names[found],))
        for field, known in _NAMES.items()
        if (found := next((one for one in known if one in names), None)) is not None
    }
    return (
        (Columns(rules), False) if {"day", "agent"} <= rules.keys() and not rules.keys().isdisjoint(_FIGURES) else None
    )


_HINT = "give the answers of noreplynum.get or avgwaittime.get, or a table with 日期, 客服, 未回复人数 or 平均响应时间"
