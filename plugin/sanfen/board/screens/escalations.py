"""Who was told, how, and what became of it; and how long it took until somebody took the round."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sanfen.board.pages import language_of
from sanfen.board.screens.desk import Desk, Moment, local
from sanfen.catalogue import TEXTS, t
from sanfen.errors import InputError
from sanfen.notify.ways import shown_way
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import on_duty
from sanfen.store import queries

__all__ = ["Escalations"]

_PAGE = 50
_STATES = ("waiting", "sending", "told", "inhibited", "failed", "unsure")
_TOOK = (
    "SELECT count(*), avg(e.at_ms - o.told_ms) FROM ("
    "SELECT round, policy, min(done_ms) AS told_ms FROM outbox WHERE state = 'told' AND policy = ? GROUP BY round) o "
    "JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round "
    "JOIN events e ON e.shop = r.shop AND e.channel = r.channel AND e.conversation = r.conversation AND e.kind = 'take' "
    "AND e.at_ms >= o.told_ms AND e.at_ms <= coalesce(r.closed_ms, e.at_ms)"
)


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
            raise InputError(f"no such state: {given['state'][:20]!r}", hint="choose from " + ", ".join(_STATES))
        number = request.query.get("page", "1")
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 10**6):
            raise InputError(f"page is not a number from 1 on: {number[:20]!r}", hint="write page=2")
        moment, language = self._desk.moment(), language_of(request)
        found = await self._desk.pages.ask(lambda c: _look(c, moment, given, (int(number) - 1) * _PAGE))
        for row in found["rows"]:
            row |= {"at": local(row["due_ms"], moment.zone), "says": _says(row, language)}
        shown: dict[str, Any] = {
            "given": given,
            "number": int(number),
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


def _look(connection: sqlite3.Connection, moment: Moment, given: Mapping[str, str], offset: int) -> dict[str, Any]:
    rows = queries.escalations(connection, limit=_PAGE + 1, offset=offset, **given)
    taken, took_ms = connection.execute(_TOOK, (moment.policy.id,)).fetchone()
    counts = {
        person: {"told": told, "failed": failed}
        for person, told, failed in connection.execute(
            "SELECT person, sum(state = 'told'), sum(state IN ('failed', 'unsure')) FROM outbox WHERE policy = ? GROUP BY person",
            (moment.policy.id,),
        )
    }
    return {
        "rows": rows[:_PAGE],
        "more": len(rows) > _PAGE,
        "taken": taken,
        "took_ms": None if took_ms is None else round(took_ms),
        "counts": counts,
    }


def _says(row: Mapping[str, Any], language: str) -> str:
    """How a refusal is mended, or why nobody was told."""
    reason = row["reason"] or ""
    for name in (f"mend_{reason}", f"skipped_{reason}"):
        if name in TEXTS:
            return t(name, language)
    return reason
