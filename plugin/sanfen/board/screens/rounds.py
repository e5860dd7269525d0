"""The list of rounds behind any number: its filters are its address."""

import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sanfen.board.pages import COUNTED, NOBODY, api_url, language_of
from sanfen.board.screens.desk import Desk, Moment, because, page_of, usual_ms
from sanfen.catalogue import t
from sanfen.core.reasons import Reason, sentence
from sanfen.core.score import Outcome
from sanfen.errors import InputError, Phrase
from sanfen.notify.notice import clock_text
from sanfen.store import queries
from sanfen.store.filters import shown
from sanfen.store.present import ZONES, limits_of, waiting_ids
from sanfen.store.projection import LIVE

__all__ = ["Rounds"]

_PAGE = 100
_FIELDS = ("first_day", "last_day", "status", "agent", "reason", "hour", "q")
_CHIPS = (
    "waiting", "taken", "rule", "weekday", "wait_from_ms", "wait_to_ms", "policy", "score_set", "shop", "channel", "conversation", "longest",
)  # fmt: skip
_NUMBERS = {"hour": 23, "weekday": 6, "taken": 1, "wait_from_ms": 10**15, "wait_to_ms": 10**15}
"""Filters that are numbers from 0 on, and their greatest."""
_OUTCOMES = tuple(map(str, Outcome))
_NOT_ASKED = ("longest", "q", "waiting")
_UNSEEN = {"about", "conversation", "rule", "taken"}
"""What cannot be asked in Datasette: customers have other names there, and tables are closed."""
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
        page = page_of(request)
        _check(given)
        moment = self._desk.moment()
        found = await self._desk.pages.ask(lambda c: _found(c, moment, given, page))
        language = language_of(request)
        for row in found["rows"]:
            row["why"] = because(row, language)
        shown: dict[str, Any] = {
            "given": given,
            "page": page,
            "reasons": {name: sentence(Reason(name), language) for name in REASONS},
            "links": _links(given, page, found["pages"]),
            "chips": [_chip(name, given, moment, language) for name in _CHIPS if name in given and name != "longest"],
            "kept": [name for name in _CHIPS if name in given],
            "asked": api_url("rounds", **_of_api(given, moment)),
            "query": None if "waiting" in given else self._query(_filters(given, moment)),
        }
        return await self._desk.show("rounds.html", request, **found, **shown)

    def _query(self, filters: Mapping[str, Any]) -> dict[str, str | None]:
        """The list as SQL, and where Datasette asks it, if all it asks for can be seen there."""
        settings = self._desk.service.loaded.settings
        sql = f"SELECT * FROM rounds WHERE {shown(filters)} ORDER BY opened_ms DESC"
        to = None if _UNSEEN & set(filters) else settings.listen.datasette
        return {
            "sql": sql,
            "log": settings.storage.name,
            "datasette": None if to is None else f"{to}?{urlencode({'sql': sql})}",
        }


def _filters(given: Mapping[str, str], moment: Moment) -> dict[str, Any]:
    """What the log is asked, but for who waits now."""
    filters: dict[str, Any] = {name: value for name, value in given.items() if name not in _NOT_ASKED}
    filters |= {"score_set": given.get("score_set", LIVE), "policy": given.get("policy", moment.policy.id)}
    if given.get("agent") == NOBODY:
        filters["agent"] = ""
    if "q" in given:
        filters["about"] = given["q"].strip()
    return filters


def _check(given: Mapping[str, str]) -> None:
    """Raises InputError for an outcome there is not, and for what is no number where one is meant."""
    for status in filter(None, given.get("status", "").split(",")):
        if status not in _OUTCOMES:
            raise InputError(
                Phrase("no such status: {status!r}", status=status[:20]),
                hint=Phrase("choose from {names}", names=", ".join(_OUTCOMES)),
            )
    for name, most in _NUMBERS.items():
        text = given.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= most):
            raise InputError(
                Phrase(
                    "{name} is not a number from {least} to {most}: {text!r}",
                    name=name,
                    least=0,
                    most=most,
                    text=text[:20],
                ),
                hint=Phrase("write {name}={most}, or another one", name=name, most=most),
            )


def _of_api(given: Mapping[str, str], moment: Moment) -> dict[str, Any]:
    """The same question to the API."""
    more = {name: given[name] for name in ("waiting",) if name in given} | (
        {"longest": "1"} if "longest" in given else {}
    )
    return _filters(given, moment) | more


def _found(connection: sqlite3.Connection, moment: Moment, given: Mapping[str, str], page: int) -> dict[str, Any]:
    filters = _filters(given, moment)
    if "waiting" in given:
        filters["ids"] = _waiting(connection, moment, given["waiting"])
    counts = queries.counted(connection, **filters)
    total, counted = sum(counts.values()), counts["met"] + counts["late"] + counts["missed"]
    rows = queries.rounds(connection, longest="longest" in given, limit=_PAGE, offset=(page - 1) * _PAGE, **filters)
    asked = queries.questions(connection, rows)
    return {
        "rows": [row | {"question": asked.get(row["id"])} for row in rows],
        "counts": counts,
        "total": total,
        "rate": counts["met"] / counted if counted else None,
        "pages": max(1, -(-total // _PAGE)),
        "names": [row["agent"] for row in queries.rates(connection, by=("agent",), score_set=filters["score_set"],
                                                        policy=filters["policy"]) if row["agent"]],
    }  # fmt: skip


def _waiting(connection: sqlite3.Connection, moment: Moment, zone: str) -> list[str]:
    """Who waits now, in one zone or in all."""
    if zone not in (*ZONES, "all"):
        raise InputError(
            Phrase("nobody waits so: {zone!r}", zone=zone[:20]),
            hint=Phrase("write waiting=all, or one of {names}", names=", ".join(ZONES)),
        )
    return waiting_ids(connection, moment.policy.id, moment.day, moment.now_ms, zone)


def _chip(name: str, given: Mapping[str, str], moment: Moment, language: str) -> tuple[str, str]:
    """A filter that has no field of its own, in words, and the address without it."""
    value = given[name]
    if name == "waiting":
        limit = clock_text(limits_of(usual_ms(moment.policy)).get(value, 0))
        value = t(f"board_zone_{value}", language, limit=limit)
    elif name.startswith("wait_") and value.isdigit():
        value = clock_text(int(value))
    says = t(f"chip_{name}", language, value=value) if name != "weekday" else _weekday(value, language)
    return says, _url(given, **{name: None})


def _weekday(value: str, language: str) -> str:
    """Its name; SQLite's week begins on Sunday."""
    return t(f"weekday_{(int(value) - 1) % 7}", language) if value.isdigit() else value


def _url(given: Mapping[str, str], **changed: str | None) -> str:
    kept = {name: value for name, value in {**given, **changed}.items() if value is not None}
    return "/rounds?" + urlencode(kept)


def _links(given: Mapping[str, str], page: int, pages: int) -> dict[str, str]:
    out = {"counted": _url(given, status=COUNTED), "longest": _url(given, longest=None if "longest" in given else "1")}
    if page > 1:
        out["before"] = _url(given, page=str(page - 1))
    if page < pages:
        out["after"] = _url(given, page=str(page + 1))
    return out
