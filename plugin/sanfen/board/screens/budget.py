"""How much may still go wrong: the rate against its target, what is used, what is left, where it goes at this pace."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from sanfen.board.pages import api_url, language_of, rounds_url
from sanfen.board.screens.desk import Desk, Moment, Span, span_of
from sanfen.board.screens.plots import Plot, plot
from sanfen.catalogue import t
from sanfen.charts import Point, percent
from sanfen.store import queries, units
from sanfen.store.projection import LIVE

__all__ = ["Budget"]

_WINDOW = 30  # days whose rate a point of the line is
_AHEAD = 7
_SIGNS = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}

_Counted = Callable[[date], tuple[int, int]]


class Budget:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/budget", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """Each target of the policy, and the line of the days asked for."""
        moment, language = self._desk.moment(), language_of(request)
        span = span_of(request, moment.day)
        rows, days = await self._desk.pages.ask(lambda c: _look(c, moment, span))
        chart = _chart(days, moment, span, language)
        api = {"days": api_url("days", **span.asked(moment.policy.id)), "budget": api_url("budget")}
        shown: dict[str, Any] = {"chart": chart, "rows": rows, "signs": _SIGNS, "api": api}
        return await self._desk.show("budget.html", request, span=span, **shown)


def _look(
    connection: sqlite3.Connection, moment: Moment, span: Span
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    rows = units.budgets(connection, moment.policy, LIVE, moment.now_ms)
    before = (date.fromisoformat(span.first) - timedelta(days=_WINDOW)).isoformat()
    days = queries.rates(connection, by=("day",), **(span.asked(moment.policy.id) | {"first_day": before}))
    return rows, {row["day"]: row for row in days}


def _chart(days: Mapping[str, Mapping[str, Any]], moment: Moment, span: Span, language: str) -> Plot:
    """The rate of the thirty days up to each day, and what was late or missed on it; then where the last week leads."""

    def counted(day: date) -> tuple[int, int]:
        row = days.get(day.isoformat())
        return (0, 0) if row is None else (row["rounds"], row["late"] + row["missed"])

    points = []
    for name in span.days:
        value, (_, misses) = _rate(counted, date.fromisoformat(name)), counted(date.fromisoformat(name))
        tip = t("chart_day", language, day=name, rate=percent(value), misses=misses)
        low = value is not None and moment.target is not None and value < moment.target
        link = rounds_url(first_day=name, last_day=name, status="late,missed") if misses else None
        points.append(Point(name, value, misses, low, tip, link, misses))
    ahead = [_rate(counted, date.fromisoformat(span.last), number) for number in range(1, _AHEAD + 1)]
    return plot(
        t("board_rate_line", language),
        points,
        language,
        range_url=rounds_url(status="late,missed"),
        target=moment.target,
        ahead=[value for value in ahead if value is not None],
    )


def _rate(counted: _Counted, last: date, ahead: int = 0) -> float | None:
    """The share met of the window that ends ``ahead`` days after ``last``, if each of those is like the mean of its week."""
    known = [counted(last - timedelta(days=number)) for number in range(_WINDOW - ahead)]
    rounds, misses = (sum(column) + sum(column[:7]) * ahead / 7 for column in zip(*known, strict=True))
    return 1 - misses / rounds if rounds else None
