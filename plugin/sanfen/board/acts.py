"""What people do about a waiting customer: by the API, or by a signed link in a notice.

An act is an event like any other: journaled, seen by every policy, and found again after a restart.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

import structlog
from aiohttp import web

from sanfen.abc import Action, DeliveryError
from sanfen.board.access import no_round
from sanfen.board.pages import HasLog, Pages, form_of
from sanfen.clock import Clock
from sanfen.core.events import Escalate, Event, Key, Release, Snooze, Take
from sanfen.engine.front import Front
from sanfen.errors import InputError, Phrase
from sanfen.links import Grant, read
from sanfen.notify.acting import Acting
from sanfen.notify.notice import clock_text
from sanfen.store import keys, queries
from sanfen.store.journal import Delivery

__all__ = ["Acts", "Serving"]

_SNOOZE_MS = 300_000

_log = structlog.get_logger("sanfen.board")


class Serving(HasLog, Protocol):
    """What acts need of the service."""

    @property
    def front(self) -> Front:
        """Takes events."""

    @property
    def acting(self) -> Acting:
        """Reaches the channels' own APIs."""


class Acts:
    """Does them; and the pages of links, which a person opens."""

    def __init__(self, service: Serving, pages: Pages, clock: Clock) -> None:
        self._service = service
        self._pages = pages
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where the pages of links stand."""
        return [web.get("/act/{token}", self.show), web.post("/act/{token}", self.follow)]

    # --- links ---

    async def show(self, request: web.Request) -> web.Response:
        """The page of a link. It takes the round by itself where scripts run; a preview of the link does not."""
        return await self._page(request, await self._grant(request), done=None)

    async def follow(self, request: web.Request) -> web.Response:
        """Do what the page's button says."""
        grant = await self._grant(request)
        act = (await form_of(request)).get("act", "take")
        one = await self.round_of(grant.round_id)
        await self.do(one, act, grant.person)
        return await self._page(request, grant, done=act)

    async def _grant(self, request: web.Request) -> Grant:
        key = await self._pages.write(keys.link_key)
        return read(key, request.match_info["token"], self._clock.now_ms())

    async def _page(self, request: web.Request, grant: Grant, *, done: str | None) -> web.Response:
        one = await self.round_of(grant.round_id)
        waited_ms = one["wait_ms"] or max(0, self._clock.now_ms() - (one["clock_ms"] or one["opened_ms"]))
        shown = {
            "customer": queries.mask(one["customer"]),
            "channel": one["channel"],
            "status": one["status"],
            "waited": clock_text(waited_ms),
            "taken_by": one["taken_by"],
            "person": grant.person,
            "done": done,
        }
        return self._pages.render("alone/act.html", request, one=shown)

    # --- doing it ---

    async def do(self, one: Mapping[str, Any], act: str, by: str, lasts_ms: int | None = None) -> dict[str, Any]:
        """Take, snooze, release or escalate a round. Raises InputError."""
        now_ms = self._clock.now_ms()
        key, name = Key(one["shop"], one["channel"], one["conversation"]), f"act.{uuid4().hex}"
        made: Event
        match act:
            case "take":
                made = Take(now_ms, key, name, by)
            case "release":
                made = Release(now_ms, key, name, by)
            case "escalate":
                made = Escalate(now_ms, key, name, by)
            case "snooze":
                made = Snooze(now_ms, key, name, by, now_ms + (lasts_ms or _SNOOZE_MS))
            case _:
                raise InputError(
                    Phrase("no such act: {act!r}", act=act[:20]), hint="take, snooze, release, escalate or reassign"
                )
        delivery = Delivery(now_ms, key.channel, "act", "POST", f"/rounds/{one['id']}/{act}", b"")
        await self._service.front.submit(delivery, [made])
        _log.info("somebody acted", act=act, by=by, round=one["id"])
        return {"round": one["id"], "act": act, "by": by, "at_ms": now_ms, "status": one["status"]}

    async def reassign(self, one: Mapping[str, Any], by: str, to: str) -> dict[str, Any]:
        """Give the conversation to another agent, in the channel. Raises InputError."""
        try:
            said = await self._service.acting.act(one["channel"], Action("assign", one["conversation"], agent=to))
        except DeliveryError as error:
            raise InputError(
                Phrase("the channel did not do it: {error}", error=error.message), hint="assign it in the channel"
            ) from None
        _log.info("somebody reassigned a conversation", by=by, to=to, round=one["id"])
        return {"round": one["id"], "act": "reassign", "by": by, "to": to, "answer": said}

    async def round_of(self, name: str) -> dict[str, Any]:
        """A live round's row. Raises Refusal."""
        found = await self._pages.ask(lambda c: queries.round_of(c, name, score_set="live"))
        if found is None:
            raise no_round()
        return found
