"""What the API answers to questions: the same queries the command line asks. Customers are masked."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from sanfen.board.access import Refusal, no_round
from sanfen.board.api import reports
from sanfen.board.api.endpoints import Asked, Body, Handler, Rows
from sanfen.board.api.service import Api
from sanfen.config import presets
from sanfen.core.policy import Ladder
from sanfen.notify.ways import shown_way
from sanfen.store import explanation, listing, queries, silences, units
from sanfen.store import happenings as happened
from sanfen.store.figures import figures
from sanfen.store.gaps import marked
from sanfen.store.present import waiting_ids
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text

__all__ = [
    "budget", "compare", "happenings", "now", "people", "periods", "policies", "policy", "quiet", "rates", "rates_by", "report", "round_", "rules", "view_of",
]  # fmt: skip

_LADDER = TypeAdapter(Ladder)
_PAGE = ("limit", "cursor", "longest")
_HIDDEN = ("customer", "conversation")


async def now(api: Api, asked: Asked) -> Body:
    """Who waits, and what the day looks like."""
    zone, now_ms = api.service.loaded.settings.shop.timezone, api.clock.now_ms()
    policy = api.service.policy
    found = await api.pages.ask(lambda c: reports.now(c, policy, zone, now_ms, asked.language))
    trouble = api.service.trouble
    return Body(found if trouble is None else found | {"incomplete": True, "trouble": trouble._asdict()})


async def happenings(api: Api, asked: Asked) -> Rows:
    """What happened after a mark."""
    cursor, since_ms, now_ms = asked.values["cursor"], asked.values["since_ms"], api.clock.now_ms()
    mark = None if cursor is None else happened.mark_of(cursor)

    def ask(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], happened.Mark]:
        begin = mark or happened.mark_at(connection, since_ms)
        return happened.happenings(connection, api.service.policy, begin, now_ms)

    rows, behind = await api.pages.ask(ask)
    return Rows(rows, str(behind))


def view_of(name: str) -> Handler:
    """The handler that reads a view page by page."""
    return partial(_view, name)


async def _view(name: str, api: Api, asked: Asked) -> Rows:
    limit, after, longest = (asked.values.get(one) for one in _PAGE)
    filters = {key: value for key, value in asked.values.items() if key not in _PAGE}
    zone, now_ms = filters.pop("waiting", None), api.clock.now_ms()

    def ask(connection: sqlite3.Connection) -> listing.Page:
        if zone is not None:
            policy, day = filters["policy"] or api.service.policy, _day(api, now_ms)
            narrower = {"score_set": LIVE, "policy": policy, "ids": waiting_ids(connection, policy, day, now_ms, zone)}
            filters.update(narrower)
        found = listing.listed(
            connection, name, limit=limit or 100, after=after, longest=bool(longest), filters=filters
        )
        rows = marked(connection, found.rows) if name == "rounds" else found.rows
        return listing.Page(list(map(_shown, rows)), found.next)

    page = await api.pages.ask(ask)
    return Rows(_flagged(api, page.rows), page.next)


def _day(api: Api, now_ms: int) -> str:
    """The local day of an instant."""
    return (instant_text(now_ms, ZoneInfo(api.service.loaded.settings.shop.timezone)) or "")[:10]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it may be seen, with its lists and flags as such."""
    for name in _HIDDEN:
        if row.get(name):
            row[name] = queries.mask(row[name])
    if "incomplete" in row:
        row["incomplete"] = bool(row["incomplete"])
        if "evidence" in row:
            row["evidence"] = json.loads(row["evidence"])
    return row


async def round_(api: Api, asked: Asked) -> Body:
    """Why a round has its outcome."""
    name, policy = asked.values["id"], asked.values["policy"]
    found = await api.pages.ask(lambda c: explanation.explain(c, name, policy=policy, now_ms=api.clock.now_ms()))
    if found is None:
        raise no_round()
    explanation.hide(found)
    return Body(found)


async def rates(api: Api, asked: Asked) -> Rows:
    """Counts and rates, grouped."""
    given = dict(asked.values)
    return await _rates(api, given.pop("by"), given)


def rates_by(*by: str) -> Handler:
    """The handler whose groups are fixed."""

    async def handle(api: Api, asked: Asked) -> Rows:
        return await _rates(api, by, asked.values)

    return handle


async def _rates(api: Api, by: Sequence[str], given: Mapping[str, Any]) -> Rows:
    unknown = await api.pages.ask(lambda c: queries.unknown(c, **given))
    rows = await api.pages.ask(lambda c: units.rates(c, by=by, **given))
    return Rows(_flagged(api, rows), more={"unknown_replies": unknown})


async def periods(api: Api, asked: Asked) -> Rows:
    """The policy's own period as it stands."""
    given, now_ms = dict(asked.values), api.clock.now_ms()
    by, score_set, policy = (given.pop(name) for name in ("by", "score_set", "policy"))

    def ask(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        return [
            row
            for name, one in units.asked_policies(connection, score_set, policy)
            for row in units.assessed(connection, one, name, now_ms, by=by, **given)
        ]

    return Rows(_flagged(api, await api.pages.ask(ask)))


async def budget(api: Api, asked: Asked) -> Rows:
    """How many more misses each target bears."""
    now_ms = api.clock.now_ms()

    def ask(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        found = units.asked_policies(connection, LIVE)
        return [row for name, one in found for row in units.budgets(connection, one, name, now_ms, **asked.values)]

    rows = await api.pages.ask(ask)
    for one in (one for row in rows for one in row["standing"]):
        one["customer"] = queries.mask(one["customer"])
    return Rows(_flagged(api, rows))


async def compare(api: Api, asked: Asked) -> Body:
    """Which rounds two score sets see differently."""
    one, other = asked.values["a"], asked.values["b"]
    return Body(
        await api.pages.ask(lambda c: queries.compare(c, queries.scored_by(c, one), c, queries.scored_by(c, other)))
    )


async def report(api: Api, asked: Asked) -> Rows:
    """Figures that follow no policy."""
    given = dict(asked.values)
    by = given.pop("by")
    return Rows(_flagged(api, await api.pages.ask(lambda c: figures(c, by=by, **given))))


async def policies(_: Api, asked: Asked) -> Rows:
    """The shipped policies."""
    rows = []
    for name in presets.names():
        model = presets.model(name)
        title, status = model.title, model.status
        shown = "" if title is None else ((title.zh or title.en) if asked.language == "zh" else title.en)
        confidence, as_of = (status.confidence, status.as_of) if status else ("", None)
        rows.append({"id": name, "title": shown or "", "confidence": confidence or "", "as_of": as_of})
    return Rows(rows)


async def policy(_: Api, asked: Asked) -> Body:
    """The keys of a shipped policy, with its sources. Only of a shipped one: elsewhere the name may be a file's."""
    name = asked.values["id"]
    if name not in presets.names():
        raise Refusal(404, "there is no such policy", "the shipped ones: /api/v1/policies")
    return Body(presets.tree(name))


async def people(api: Api, _: Asked) -> Rows:
    """Who can be told, without their addresses' secrets."""
    notifiers = api.notifiers()
    rows = []
    for one in api.service.loaded.settings.people.values():
        ways = [shown_way(notifiers, way) for way in one.ways]
        hours = None if one.duty.hours is None else list(one.duty.hours)
        rows.append({"name": one.name, "ways": ways, "hours_min": hours, "agents": sorted(one.agents)})
    return Rows(rows)


async def rules(api: Api, _: Asked) -> Body:
    """The configuration as it is in force: policies, classification, ladders, what it was warned of."""
    loaded = api.service.loaded
    classify = [
        {"name": one.name, "verdict": one.verdict, "mode": one.mode, "place": one.place} for one in loaded.rules
    ]
    ladders = [_LADDER.dump_python(one, mode="json") for one in loaded.policies[0].ladders]
    warnings = [
        {"code": one.code, "message": one.message, "place": f"{one.line}:{one.column}"} for one in loaded.warnings
    ]
    return Body(
        {
            "policies": [{"id": one.id, "version": one.version} for one in loaded.policies],
            "classify": classify, "ladders": ladders, "warnings": warnings, "not_adopted": api.service.not_adopted,
        }
    )  # fmt: skip


async def quiet(api: Api, _: Asked) -> Rows:
    """Silences that have not ended."""
    found = await api.pages.ask(lambda c: silences.current(c, api.clock.now_ms()))
    return Rows([one._asdict() for one in found])


def _flagged(api: Api, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """While something is kept aside or lost and not written down, no live figure is complete."""
    if api.service.trouble is None:
        return rows
    return [
        row | {"incomplete": True} if "incomplete" in row and row.get("score_set", LIVE) == LIVE else row
        for row in rows
    ]
