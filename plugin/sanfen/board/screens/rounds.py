"""The list of rounds behind any number: its filters are its address."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sanfen.board.pages import COUNTED, language_of
from sanfen.board.screens.desk import Desk, Moment, because
from sanfen.core.reasons import Reason, sentence
from sanfen.errors import InputError
from sanfen.store import queries
from sanfen.store.listing import OF_ROUNDS
from sanfen.store.present import ZONES, waiting, zone_of
from sanfen.store.projection import LIVE

__all__ = ["Rounds"]

_PAGE = 100
_FIELDS = ("first_day", "last_day", "status", "agent", "channel", "reason", "hour", "q")
_CHIPS = ("waiting", "weekday", "wait_from_ms", "wait_to_ms", "policy", "score_set", "shop", "conversation", "longest")
_ASKED = {"status", "channel", "reason", "hour", "weekday", "wait_from_ms", "wait_to_ms", "first_day", "last_day", "shop",
          "conversation"}  # fmt: skip
_OF_API = {
    "score_set",
    "policy",
    "shop",
    "channel",
    "agent",
    "status",
    "reason",
    "conversation",
    "first_day",
    "last_day",
    *OF_ROUNDS,
}
NOBODY = "-"
"""The agent of rounds that nobody holds, in an address."""
REASONS = tuple(str(reason) for reason in Reason if not reason.plain)


class Rounds:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/rounds", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """A page of the list, how many there are and their rate."""
        given = {name: request.query[name] for name in (*_FIELDS, *_CHIPS) if request.query.get(name)}
        number = request.query.get("page", "1")
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 10**6):
            raise InputError(f"page is not a number from 1 on: {number[:20]!r}", hint="write page=2")
        moment = self._desk.moment()
        found = await self._desk.pages.ask(lambda c: _found(c, moment, given, int(number)))
        language = language_of(request)
        for row in found["rows"]:
            row["why"] = because(row, language)
        shown: dict[str, Any] = {
            "given": given,
            "number": int(number),
            "reasons": {name: sentence(Reason(name), language) for name in REASONS},
            "agents": self._desk.names(),
            "links": _links(given, int(number), found["pages"]),
            "chips": {name: _url(given, **{name: None}) for name in _CHIPS if name in given},
            "asked": _of_api(found["filters"]),
        }
        return await self._desk.show("rounds.html", request, **found, **shown)


def _of_api(filters: Mapping[str, str]) -> str | None:
    """The same question to the API; None if it cannot be asked there."""
    asked = {"agent" if name == "unheld" else name: value for name, value in filters.items()}
    return urlencode(asked) if asked.keys() <= _OF_API else None


def _found(connection: sqlite3.Connection, moment: Moment, given: Mapping[str, str], number: int) -> dict[str, Any]:
    filters = {name: value for name, value in given.items() if name in _ASKED}
    filters |= {"score_set": given.get("score_set", LIVE), "policy": given.get("policy", moment.policy.id)}
    if "agent" in given:
        filters |= {"unheld": ""} if given["agent"] == NOBODY else {"agent": given["agent"]}
    if "q" in given:
        filters["about"] = given["q"].strip()
    if "waiting" in given:
        filters["ids"] = json.dumps(_waiting(connection, moment, given["waiting"]))
    counts = queries.counted(connection, **filters)
    total, counted = sum(counts.values()), counts["met"] + counts["late"] + counts["missed"]
    rows = queries.rounds(connection, longest="longest" in given, limit=_PAGE, offset=(number - 1) * _PAGE, **filters)
    asked = queries.questions(connection, rows)
    return {
        "rows": [row | {"question": asked.get(row["id"])} for row in rows],
        "counts": counts,
        "total": total,
        "rate": counts["met"] / counted if counted else None,
        "pages": max(1, -(-total // _PAGE)),
        "filters": filters,
        "names": [row["agent"] for row in queries.rates(connection, by=("agent",), score_set=filters["score_set"],
                                                        policy=filters["policy"]) if row["agent"]],
    }  # fmt: skip


def _waiting(connection: sqlite3.Connection, moment: Moment, zone: str) -> list[str]:
    """Who waits now, in one zone or in all."""
    if zone not in (*ZONES, "all"):
        raise InputError(f"nobody waits so: {zone[:20]!r}", hint="write waiting=all, or one of " + ", ".join(ZONES))
    found = waiting(connection, moment.policy.id, moment.day, moment.now_ms)
    return [one.id for one in found if zone in ("all", zone_of(one, moment.now_ms))]


def _url(given: Mapping[str, str], **changed: str | None) -> str:
    kept = {name: value for name, value in {**given, **changed}.items() if value is not None}
    return "/rounds?" + urlencode(kept)


def _links(given: Mapping[str, str], number: int, pages: int) -> dict[str, str]:
    out = {"counted": _url(given, status=COUNTED), "longest": _url(given, longest=None if "longest" in given else "1")}
    if number > 1:
        out["before"] = _url(given, page=str(number - 1))
    if number < pages:
        out["after"] = _url(given, page=str(number + 1))
    return out
