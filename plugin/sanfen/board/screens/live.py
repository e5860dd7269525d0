"""Now and Wall: the page, and the feed that keeps it true."""

import asyncio
import sqlite3
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web

from sanfen.board.feed import Entry, Feed, Look, Picture
from sanfen.board.pages import Pages, language_of
from sanfen.board.screens import now
from sanfen.board.screens.desk import Desk, Moment, usual_ms
from sanfen.catalogue import t
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.errors import SanfenError
from sanfen.log import Throttle
from sanfen.notify.notice import clock_text
from sanfen.routing import ladder_of
from sanfen.store.present import Waiting, limits_of, waiting, zone_of

__all__ = ["Live"]

_FRESH_S = 0.8  # the day's figures are read anew after this
_PERIOD_S = 5.0  # those of the whole period

_log = structlog.get_logger("sanfen.board")


class Live:
    """The screen that is open all day."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pages: Pages = desk.pages
        self._throttle = Throttle()
        self._plan: tuple[Policy, Plan] | None = None
        self._parts: tuple[float, _Parts] | None = None
        self._period: tuple[float, dict[str, Any]] = (0.0, {})
        self.feed = Feed(self._take, self._word)

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/", self.page), web.get("/stream", self.stream)]

    async def page(self, request: web.Request) -> web.Response:
        """The whole page as it stands; 503 where there is no log."""
        look = Look(language_of(request), "wall" in request.query)
        picture = await self._take(None)
        blind = picture.rows is None
        shown = {
            "entries": list((picture.rows or {}).values()),
            "now_ms": picture.now_ms,
            "parts": picture.parts(look),
            "wall": look.is_wall,
            "people": self._desk.names(),
        }
        return await self._desk.show("now.html", request, status=503 if blind else 200, **shown, row=self._row(look))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events."""
        return await self.feed.serve(
            request, Look(language_of(request), "wall" in request.query), lambda: self._desk.check(request)
        )

    async def _take(self, before: Picture | None) -> Picture:
        """What there is to see now. ``before``: what was seen last; a page that is just loaded has nothing."""
        moment, now_s = self._desk.moment(), asyncio.get_running_loop().time()
        fresh = before is not None and self._parts is not None and now_s - self._parts[0] < _FRESH_S
        try:
            period = self._period[1] if before is not None and now_s - self._period[0] < _PERIOD_S else None
            found, facts = await self._pages.ask(lambda c: self._look(c, moment, period, with_day=not fresh))
        except (SanfenError, sqlite3.Error, web.HTTPException) as error:
            if self._throttle.take("blind", moment.now_ms) is not None:
                _log.warning("the board cannot be shown", error=str(error))
            return Picture(moment.now_ms, None, lambda look: {"trouble": self._trouble(look.language, blind=True)})
        known = (before.rows if before else None) or {}
        rows: dict[str, Entry] = {}
        for one in found:
            old = known.get(one.id)
            rows[one.id] = old if old is not None and old.one == one else Entry(one, self._steps(one, moment))
        if facts is not None and period is None:
            self._period = now_s, facts["period"]
        if facts is not None or self._parts is None:
            self._parts = now_s, _Parts(self, facts or {}, moment)
        return Picture(moment.now_ms, rows, self._parts[1])

    @staticmethod
    def _look(
        connection: sqlite3.Connection, moment: Moment, period: dict[str, Any] | None, *, with_day: bool
    ) -> tuple[list[Waiting], dict[str, Any] | None]:
        found = waiting(connection, moment.policy.id, moment.day, moment.now_ms)
        return found, now.day_of(connection, moment, found, period) if with_day else None

    def _steps(self, one: Waiting, moment: Moment) -> int:
        """How many steps its ladder has."""
        if self._plan is None or self._plan[0] is not moment.policy:
            self._plan = moment.policy, plan_of(moment.policy)
        ladder = ladder_of(self._plan[1], one.shop, one.channel, one.agent, one.opened_ms)
        return 0 if ladder is None else len(ladder.steps)

    def _row(self, look: Look) -> dict[str, Any]:
        return {"wall": look.is_wall, "zone_of": zone_of, "ticks_of": now.ticks_of}

    def _word(self, entry: Entry, look: Look, now_ms: int) -> str:
        return self._pages.text("pieces/row.html", look.language, entry=entry, now_ms=now_ms, row=self._row(look))

    def _trouble(self, language: str, *, blind: bool = False) -> str:
        service = self._desk.service
        trouble, told = service.trouble, None
        if trouble is not None:
            facts = {"cause": trouble.cause or "–", "kept": trouble.kept, "lost": trouble.lost}
            told = t("board_aside", language, **facts)
        shown = {"told": told, "blind": blind, "standby": service.is_standby, "not_adopted": service.not_adopted}
        return self._pages.text("pieces/trouble.html", language, **shown)

    def worded(self, look: Look, facts: Mapping[str, Any], moment: Moment) -> dict[str, str]:
        """The pieces of the page beside the list."""
        shown = dict(facts) | {
            "wall": look.is_wall,
            "policy": moment.policy.id,
            "target": moment.target,
            "gauge": now.gauge_of(facts["period"], look.language),
            "chart": now.hours_chart(facts["hours"], facts["day"], moment.target, look.language),
            "limits": {zone: clock_text(left_ms) for zone, left_ms in limits_of(usual_ms(moment.policy)).items()},
        }
        return {
            "trouble": self._trouble(look.language),
            "day": self._pages.text("pieces/day.html", look.language, **shown),
        }


class _Parts:
    """The pieces in words, made once for each look."""

    def __init__(self, live: Live, facts: Mapping[str, Any], moment: Moment) -> None:
        self._live = live
        self._facts = facts
        self._moment = moment
        self._known: dict[Look, dict[str, str]] = {}

    def __call__(self, look: Look) -> Mapping[str, str]:
        if look not in self._known:
            self._known[look] = self._live.worded(look, self._facts, self._moment)
        return self._known[look]
