"""Who was told, how, and what became of it; and how long it took until somebody took the round."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sanfen.board.pages import api_url, language_of
from sanfen.board.screens.desk import Desk, Moment, local, page_of, untold
from sanfen.errors import InputError, Phrase
from sanfen.notify.ways import shown_way
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import on_duty
from sanfen.store import queries
from sanfen.store.filters import TAKEN

__all__ = ["Escalations"]

_PAGE = 50
_STATES = ("waiting", "sending", "told", "inhibited", "failed", "unsure")


class Escalations:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/escalations", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """The newest first; ``state`` and ``person`` narrow it."""
        given = {name: request.query[name] for name in ("state", "person") if request.query.get(name)}
        if given.get("state", "told") not in _STATES:
            raise InputError(
                Phrase("no such state: {state!r}", state=given["state"][:20]),
                hint=Phrase("choose from {names}", names=", ".join(_STATES)),
            )
        page = page_of(request)
        moment, language = self._desk.moment(), language_of(request)
        found = await self._desk.pages.ask(lambda c: _look(c, given, (page - 1) * _PAGE))
        for row in found["rows"]:
            row |= {"at": local(row["due_ms"], moment.zone), "says": untold(row["reason"], language)}
        shown: dict[str, Any] = {
            "given": given,
            "page": page,
            "api": api_url("escalations", **given),
            "states": _STATES,
            "people": await self._people(moment),
        }
        return await self._desk.show("escalations.html", request, names=self._desk.names(), **found, **shown)

    async def _people(self, moment: Moment) -> list[dict[str, Any]]:
        """Everybody who can be told, by which ways, what of them may be shown."""
        settings = self._desk.service.loaded.settings
        notifiers = Plugins(named=settings.plugins).notifiers(Guard(settings.outbound))
        out = [
            {
                "name": person.name,
                "ways": [shown_way(notifiers, way) for way in person.ways],
                "there": on_duty(person.duty, moment.now_ms, moment.zone, settings.holidays),
            }
            for person in settings.people.values()
        ]
        for notifier in notifiers.values():
            await notifier.close()
        return out


def _look(connection: sqlite3.Connection, given: Mapping[str, str], offset: int) -> dict[str, Any]:
    rows = queries.escalations(connection, limit=_PAGE + 1, offset=offset, **given)
    taken, took_ms = connection.execute(f"SELECT count(*), avg(took_ms) FROM ({TAKEN})").fetchone()
    counts: dict[str, dict[str, int]] = {}
    for person, state, count in connection.execute(
        "SELECT person, state, count(*) FROM escalations GROUP BY person, state"
    ):
        counts.setdefault(person, {})[state] = count
    return {
        "rows": rows[:_PAGE],
        "more": len(rows) > _PAGE,
        "taken": taken,
        "took_ms": None if took_ms is None else round(took_ms),
        "counts": counts,
        "total": queries.told(connection, **given),
    }
