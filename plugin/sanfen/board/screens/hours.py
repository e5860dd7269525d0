"""When customers come and when they wait: today by hour, the week as a heat map, how long the waits were."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from aiohttp import web

from sanfen.board.pages import COUNTED, api_url, language_of, rounds_url
from sanfen.board.screens.desk import Desk, Moment, Span, span_of, usual_ms
from sanfen.board.screens.now import hours_chart
from sanfen.board.screens.plots import Plot, plot
from sanfen.catalogue import t
from sanfen.charts import Bar, Cell, Point, Svg, bars, heat, percent
from sanfen.errors import InputError, Phrase
from sanfen.notify.notice import clock_text
from sanfen.store import queries
from sanfen.store.queries import nth_of

__all__ = ["Hours"]

_SHOWS = ("rate", "volume", "wait")
_PARTS = (0, 1, 2, 4, 6, 8, 10, 12, 16, 24, 48)
"""Where the bars of the distribution begin, in twelfths of the time there is to answer."""


class Hours:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/hours", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """``show``: rate, volume or wait."""
        moment, language = self._desk.moment(), language_of(request)
        span, show = span_of(request, moment.day), request.query.get("show", "rate")
        if show not in _SHOWS:
            raise InputError(
                Phrase("cannot show {show!r}", show=show[:20]),
                hint=Phrase("choose from {names}", names=", ".join(_SHOWS)),
            )
        found = await self._desk.pages.ask(lambda c: _look(c, moment, span))
        asked = span.asked(moment.policy.id)
        free = self._desk.service.loaded.settings.holidays | moment.policy.holidays
        shown: dict[str, Any] = {
            "today": hours_chart(found["today"], moment.day, moment.target, language, 720),
            "week": _week(found["week"], moment, span, show, language, free),
            "daily": _daily(found["daily"], moment, span, language),
            "waits": _waits(found["waits"], moment, span, language),
            "api": {
                "today": api_url("hours", **asked | {"first_day": moment.day, "last_day": moment.day}),
                "week": api_url("rates", by="day,hour", **asked),
                "waits": api_url("rounds", **asked, status="met,late", longest="1"),
            },
            "show": show,
            "shows": _SHOWS,
            "holidays": sorted(free.intersection(span.days)),
        }
        return await self._desk.show("hours.html", request, span=span, **shown)


def _look(connection: sqlite3.Connection, moment: Moment, span: Span) -> dict[str, Any]:
    asked = span.asked(moment.policy.id)
    today = asked | {"first_day": moment.day, "last_day": moment.day}
    return {
        "today": queries.rates(connection, by=("hour",), **today),
        "week": queries.rates(connection, by=("day", "hour"), **asked),
        "daily": queries.waits_by(connection, "day", **asked),
        "waits": queries.waits(connection, _bounds(moment), **asked),
    }


def _week(
    rows: Sequence[Mapping[str, Any]], moment: Moment, span: Span, show: str, language: str, free: frozenset[str]
) -> Svg:
    """Weekdays by hours; a holiday marks its weekday."""
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        answered = row["met"] + row["late"]
        cell = sums[date.fromisoformat(row["day"]).weekday(), row["hour"]]
        for number, value in enumerate((row["rounds"], row["met"], answered, (row["mean_wait_ms"] or 0) * answered)):
            cell[number] += value
    most = max((cell[0] for cell in sums.values()), default=1) or 1
    cells = {}
    for (weekday, hour), (rounds, met, answered, waited_ms) in sums.items():
        if rounds:
            rate, wait_ms = met / rounds, waited_ms // answered if answered else None
            name = t(f"weekday_{weekday}", language)
            says = {"name": name, "hour": hour, "rounds": rounds, "rate": percent(rate, 1)}
            tip = t("chart_week_hour", language, wait="–" if wait_ms is None else clock_text(wait_ms), **says)
            link = rounds_url(
                weekday=(weekday + 1) % 7, hour=hour, first_day=span.first, last_day=span.last, status=COUNTED
            )
            low = moment.target is not None and rate < moment.target
            note = {
                "rate": percent(rate, 0)[:-1],
                "volume": str(rounds),
                "wait": "–" if wait_ms is None else clock_text(wait_ms),
            }
            cells[weekday, hour] = Cell(note[show], rounds / most, low, tip, link, rounds)
    hours = moment.policy.hours
    known = [hour for _, hour in cells] + ([hours.open_min // 60, -(-hours.close_min // 60) - 1] if hours else [0, 23])
    first, last = max(0, min(known)), min(23, max(known))
    cells = {(weekday, hour - first): one for (weekday, hour), one in cells.items()}
    marked = {date.fromisoformat(day).weekday() for day in free.intersection(span.days)}
    names = [t(f"weekday_{one}", language) + (" ☆" if one in marked else "") for one in range(7)]
    return heat(t("board_week", language), names, [str(hour) for hour in range(first, last + 1)], cells)


def _daily(waits: Mapping[str, Sequence[int]], moment: Moment, span: Span, language: str) -> Plot:
    """The wait of each day that nine in ten did not exceed, and that of one in two."""
    points, halves = [], []
    for day in span.days:
        known = waits.get(day, ())
        ninth, half = nth_of(known, 9), nth_of(known, 5)
        says = {"ninth": "–" if ninth is None else clock_text(ninth), "half": "–" if half is None else clock_text(half)}
        tip = t("chart_waits_day", language, day=day, rounds=len(known), **says)
        link = rounds_url(first_day=day, last_day=day, status="met,late", longest=1) if known else None
        low = ninth is not None and ninth > usual_ms(moment.policy) > 0
        points.append(Point(day, ninth, len(known), low, tip, link, len(known)))
        halves.append(half)
    target = usual_ms(moment.policy) or None
    url = rounds_url(status="met,late", longest=1)
    return plot(
        t("board_waits_daily", language), points, language, range_url=url, unit="ms", target=target, second=halves
    )


def _bounds(moment: Moment) -> list[int]:
    return [(usual_ms(moment.policy) or 180_000) * part // 12 for part in _PARTS]


def _waits(counts: Sequence[int], moment: Moment, span: Span, language: str) -> Svg:
    """How long customers waited for a valid reply; past the deadline is marked."""
    bounds = _bounds(moment)
    items = []
    for number, count in enumerate(counts):
        start, end = bounds[number], bounds[number + 1] if number + 1 < len(bounds) else None
        label = f"{clock_text(start)}–" + (clock_text(end) if end is not None else "")
        filters = {"first_day": span.first, "last_day": span.last, "status": "met,late"}
        link = rounds_url(wait_from_ms=start, wait_to_ms=end, **filters) if count else None
        tip = t("chart_waits", language, label=label, rounds=count)
        items.append(Bar(label, count, str(count) if count else "", _PARTS[number] >= 12, tip, link, count))
    return bars(t("board_waits", language), items)
