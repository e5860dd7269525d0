"""Who answers how: a row for each agent, each number a link to its rounds."""

import sqlite3
from typing import Any

from aiohttp import web

from sanfen.board.pages import api_url, language_of
from sanfen.board.screens.desk import Desk, Moment, Span, span_of
from sanfen.catalogue import t
from sanfen.charts import spark
from sanfen.errors import InputError, Phrase
from sanfen.store import queries
from sanfen.store.figures import figures

__all__ = ["Agents"]

_TREND_DAYS = 14
_TALK = ("first_reply_mean", "total_reply_mean", "longest_reply")
_SORTS = ("agent", "rate", "rounds", "met", "late", "missed", "excluded", *_TALK, "p90_ms", "by_machine")


class Agents:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/agents", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """``sort`` names a column, with a minus the other way round; ``agent`` shows one."""
        moment, language = self._desk.moment(), language_of(request)
        span, only = span_of(request, moment.day), request.query.get("agent")
        sort = request.query.get("sort", "-rounds")
        column = sort.removeprefix("-")
        if column not in _SORTS:
            raise InputError(
                Phrase("no such column: {column!r}", column=column[:20]),
                hint=Phrase("choose from {names}", names=", ".join(_SORTS)),
            )
        rows, whole = await self._desk.pages.ask(lambda c: (_rows(c, moment, span, only), _whole(c, moment, span)))
        known = sorted((one for one in rows if one[column] is not None), key=lambda one: one[column])
        rows = known[:: -1 if sort.startswith("-") else 1] + [one for one in rows if one[column] is None]
        for one in rows:
            title = t("chart_trend", language, agent=one["agent"] or t("nobody", language))
            one["spark"] = spark(title, one["trend"], target=moment.target)
        shown: dict[str, Any] = {
            "rows": rows,
            "whole": whole,
            "sort": sort,
            "sorts": _SORTS,
            "only": only,
            "api": {
                "rates": api_url("agents", **span.asked(moment.policy.id), agent=only),
                "talk": api_url("report", by="agent", first_day=span.first, last_day=span.last, agent=only),
            },
        }
        return await self._desk.show("agents.html", request, span=span, **shown)


def _whole(connection: sqlite3.Connection, moment: Moment, span: Span) -> dict[str, Any]:
    rows = queries.rates(connection, by=(), **span.asked(moment.policy.id))
    return rows[0] if rows else dict.fromkeys(("rounds", "met", "late", "missed", "excluded"), 0) | {"rate": None}


def _rows(connection: sqlite3.Connection, moment: Moment, span: Span, only: str | None) -> list[dict[str, Any]]:
    asked = span.asked(moment.policy.id)
    counts = queries.rates(connection, by=("agent",), **asked, agent=only)
    talk = {row["agent"]: row for row in figures(connection, by=("agent",), first_day=span.first, last_day=span.last)}
    daily = {(row["agent"], row["day"]): row["rate"] for row in queries.rates(connection, by=("agent", "day"), **asked)}
    waits = queries.waits_by(connection, "agent", **asked)
    machine = _machine(connection, span)
    out = []
    for row in counts:
        name = row["agent"]
        own = talk.get(name, {})
        low = row["rate"] is not None and moment.target is not None and row["rate"] < moment.target
        out.append(
            row
            | {key: own.get(key) for key in _TALK}
            | {"p90_ms": queries.nth_of(waits.get(name, ()), 9), "by_machine": machine.get(name), "low": low}
            | {"trend": [daily.get((name, day)) for day in span.days[-_TREND_DAYS:]]}
        )
    return out


def _machine(connection: sqlite3.Connection, span: Span) -> dict[str, float]:
    """Which share of what was sent in an agent's name no person wrote."""
    day = "strftime('%Y-%m-%d', at_ms / 1000 + offset_min * 60, 'unixepoch')"
    rows = connection.execute(
        "SELECT agent, avg(mode IN ('auto', 'bot', 'broadcast')) FROM events WHERE kind = 'message' AND sender = 'merchant' "
        f"AND agent IS NOT NULL AND {day} BETWEEN ? AND ? GROUP BY agent",
        tuple(span),
    )
    return {str(agent): float(share) for agent, share in rows}
