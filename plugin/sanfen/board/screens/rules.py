"""The configuration as it is in force, what was said about it, and what would happen to a round."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any

from aiohttp import web

from sanfen.board.pages import language_of
from sanfen.board.screens.desk import Desk, Moment, local
from sanfen.catalogue import said
from sanfen.config import presets
from sanfen.config.findings import Findings
from sanfen.config.frozen import as_written
from sanfen.config.settings import Quiet
from sanfen.config.types import time_text
from sanfen.core.classify import Rule
from sanfen.core.plan import plan_of
from sanfen.core.policy import Ladder, Policy
from sanfen.roster import Roster
from sanfen.routing import instant_of, ladder_of, step_words
from sanfen.store import policies, queries, silences
from sanfen.store.projection import LIVE

__all__ = ["Rules"]

_ASKED = ("channel", "agent", "tag", "hour")
_MATCHES = ("modes", "bots", "agents", "credentials", "channels")


class Rules:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/rules", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """``channel``, ``agent``, ``tag``, ``hour``: a round to route."""
        given = {name: request.query[name] for name in _ASKED if request.query.get(name)}
        moment, language, service = self._desk.moment(), language_of(request), self._desk.service
        loaded, settings = service.loaded, service.loaded.settings
        names = [one.name for one in loaded.rules]
        hits = await self._desk.pages.ask(lambda c: _hits(c, moment, names))
        quiet = await self._desk.pages.ask(lambda c: silences.current(c, moment.now_ms))
        roster = Roster(settings)
        shown: dict[str, Any] = {
            "problems": service.problems,
            "warnings": [said(Findings((one,)), language) for one in loaded.warnings],
            "policies": [_policy(one) for one in loaded.policies],
            "classify": [_rule(one, hits[one.name]) for one in loaded.rules],
            "ladders": [_ladder(one, moment, roster, language) for one in moment.policy.ladders],
            "quiet": [
                *(_silence(one, moment) for one in settings.quiet),
                *(_silence(one, moment) for one in quiet),
            ],
            "channels": list(settings.channels),
            "given": given,
            "routed": self._routed(given, moment, roster, language) if given else None,
            "agents": sorted({agent for group in settings.groups.values() for agent in group}),
        }
        return await self._desk.show("rules.html", request, **shown)

    def _routed(self, given: Mapping[str, str], moment: Moment, roster: Roster, language: str) -> dict[str, Any]:
        """What ``sanfen route`` says."""
        settings = self._desk.service.loaded.settings
        at_ms = instant_of(given, settings.shop.timezone, moment.now_ms)
        channel = given.get("channel") or next(iter(settings.channels), "default")
        tags = filter(None, given.get("tag", "").split(","))
        found = ladder_of(plan_of(moment.policy), settings.shop.id, channel, given.get("agent"), at_ms, tags)
        steps = [] if found is None else found.steps
        return {
            "name": None if found is None else found.name,
            "steps": [step_words(one, moment.policy, roster, given.get("agent"), at_ms, language) for one in steps],
        }


def _hits(connection: sqlite3.Connection, moment: Moment, rules: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many messages each rule decided today, and in how many rounds."""
    day = "strftime('%Y-%m-%d', at_ms / 1000 + offset_min * 60, 'unixepoch')"
    decided = connection.execute(
        "SELECT rule || ' (', count(*) FROM events WHERE kind = 'message' AND rule IS NOT NULL AND at_ms > ? "
        f"AND {day} = ? GROUP BY rule",
        (moment.now_ms - 2 * 86_400_000, moment.day),
    ).fetchall()
    today = {"score_set": LIVE, "policy": moment.policy.id, "first_day": moment.day, "last_day": moment.day}
    return {
        name: (
            sum(count for rule, count in decided if rule.startswith(f"{name} (")),  # whatever its place is
            sum(queries.counted(connection, **today, rule=name).values()),
        )
        for name in rules
    }


def _policy(one: Policy) -> dict[str, Any]:
    """A policy and what it says that is not usual; a preset in its file's own words."""
    stated = presets.stated(one)
    if not stated:
        usual, model = policies.fields(Policy(one.id)), policies.fields(one)
        stated = {field.name: model[field.name] for field in fields_of(Policy) if field.name in model}
        stated = {name: as_written(value) for name, value in stated.items() if value != usual[name]}
    left_out = ("id", "kind", "schema", "sources", "status", "targets", "title", "tz", "version")
    rows = [(name, value, presets.place(one.id, name)) for name, value in stated.items() if name not in left_out]
    return {"id": one.id, "version": one.version[:8], "rows": rows, "targets": one.targets}


def _rule(one: Rule, hits: tuple[int, int]) -> dict[str, Any]:
    match = {name: ", ".join(sorted(getattr(one, name))) for name in _MATCHES if getattr(one, name)}
    if one.text is not None:
        match["text"] = one.text.pattern
    for name in ("min_length", "max_length", "within_ms"):
        if getattr(one, name) is not None:
            match[name] = str(getattr(one, name))
    verdict = one.verdict or one.mode
    return {
        "name": one.name,
        "place": _place(one.place),
        "match": match,
        "verdict": verdict,
        "hits": hits[0],
        "rounds": hits[1],
    }


def _silence(one: Quiet | silences.Silence, moment: Moment) -> dict[str, str]:
    return {
        "from": local(one.from_ms, moment.zone)[:16],
        "until": local(one.until_ms, moment.zone)[:16],
        "why": one.why,
    }


def _place(place: str) -> str:
    """The file's name and the line, without where the file is."""
    return place.rpartition("/")[2]


def _ladder(one: Ladder, moment: Moment, roster: Roster, language: str) -> dict[str, Any]:
    match = {name: ", ".join(sorted(getattr(one, name))) for name in ("shops", "channels", "agents", "tags")}
    if one.hours is not None:
        match["hours"] = "–".join(map(time_text, one.hours))
    return {
        "name": one.name,
        "match": {name: value for name, value in match.items() if value},
        "steps": [step_words(step, moment.policy, roster, None, moment.now_ms, language) for step in one.steps],
    }
