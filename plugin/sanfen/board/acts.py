"""What people do about a waiting customer: by the API, or by a signed link in a notice; and silences begun by hand.

An act is an event like any other: journaled, seen by every policy, and found again after a restart.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

import structlog
from aiohttp import web

from sanfen.abc import Action, DeliveryError
from sanfen.board.pages import HasLog, Pages, form_of, json_answer, json_body, word_of
from sanfen.clock import Clock
from sanfen.config.types import parse_duration
from sanfen.core.events import Escalate, Event, Key, Release, Snooze, Take
from sanfen.engine.front import Front
from sanfen.errors import InputError
from sanfen.links import Grant, read
from sanfen.notify.acting import Acting
from sanfen.notify.notice import clock_text
from sanfen.store import keys, queries, silences
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
    """The handlers. Each answers JSON, but those of a link, which a person opens."""

    def __init__(self, service: Serving, pages: Pages, clock: Clock) -> None:
        self._service = service
        self._pages = pages
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [
            web.post("/api/v1/rounds/{id}/{act}", self.act),
            web.get("/api/v1/quiet", self.list_silences),
            web.post("/api/v1/quiet", self.begin_silence),
            web.delete("/api/v1/quiet/{id}", self.end_silence),
            web.get("/act/{token}", self.show),
            web.post("/act/{token}", self.follow),
        ]

    # --- the API ---

    async def act(self, request: web.Request) -> web.Response:
        """``take``, ``snooze``, ``release``, ``escalate``, ``reassign``: JSON with ``by``, and ``for`` or ``to``."""
        given = await json_body(request)
        one = await self._round(request.match_info["id"])
        by = word_of(given, "by")
        if request.match_info["act"] == "reassign":
            return json_answer(await self._reassign(one, by, word_of(given, "to")))
        return json_answer(await self._do(one, request.match_info["act"], by, given.get("for")))

    async def list_silences(self, _: web.Request) -> web.Response:
        """Those that have not ended."""
        found = await self._pages.ask(lambda c: silences.current(c, self._clock.now_ms()))
        return json_answer({"quiet": [one._asdict() for one in found]})

    async def begin_silence(self, request: web.Request) -> web.Response:
        """JSON with ``for``, ``why`` and ``by``."""
        given = await json_body(request)
        now_ms = self._clock.now_ms()
        until_ms, why, by = now_ms + _duration(given.get("for", "")), word_of(given, "why"), word_of(given, "by")
        made = await self._pages.write(lambda c: silences.add(c, now_ms, until_ms, why, by))
        _log.warning("a silence begins", by=by, why=why, until_ms=until_ms)
        return json_answer(made._asdict())

    async def end_silence(self, request: web.Request) -> web.Response:
        """End one now."""
        number = request.match_info["id"]
        if not (number.isascii() and number.isdigit() and len(number) < 16):  # below 2**63
            raise InputError(f"not the number of a silence: {number[:20]!r}", hint="sanfen quiet list shows them")
        if not await self._pages.write(lambda c: silences.end(c, int(number), self._clock.now_ms())):
            raise web.HTTPNotFound(reason="no silence of that number is on")
        _log.warning("a silence was ended by hand", number=int(number))
        return json_answer({"ended": int(number)})

    # --- links ---

    async def show(self, request: web.Request) -> web.Response:
        """The page of a link. It takes the round by itself where scripts run; a preview of the link does not."""
        return await self._page(request, await self._grant(request), done=None)

    async def follow(self, request: web.Request) -> web.Response:
        """Do what the page's button says."""
        grant = await self._grant(request)
        act = (await form_of(request)).get("act", "take")
        one = await self._round(grant.round_id)
        await self._do(one, act, grant.person, None)
        return await self._page(request, grant, done=act)

    async def _grant(self, request: web.Request) -> Grant:
        key = await self._pages.write(keys.link_key)
        return read(key, request.match_info["token"], self._clock.now_ms())

    async def _page(self, request: web.Request, grant: Grant, *, done: str | None) -> web.Response:
        one = await self._round(grant.round_id)
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
        return self._pages.render("act.html", request, one=shown)

    # --- doing it ---

    async def _do(self, one: Mapping[str, Any], act: str, by: str, lasts: Any) -> dict[str, Any]:
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
                made = Snooze(now_ms, key, name, by, now_ms + (_SNOOZE_MS if lasts is None else _duration(lasts)))
            case _:
                raise InputError(f"no such act: {act[:20]!r}", hint="take, snooze, release, escalate or reassign")
        delivery = Delivery(now_ms, key.channel, "act", "POST", f"/rounds/{one['id']}/{act}", b"")
        await self._service.front.submit(delivery, [made])
        _log.info("somebody acted", act=act, by=by, round=one["id"])
        return {"round": one["id"], "act": act, "by": by, "at_ms": now_ms, "status": one["status"]}

    async def _reassign(self, one: Mapping[str, Any], by: str, to: str) -> dict[str, Any]:
        try:
            said = await self._service.acting.act(one["channel"], Action("assign", one["conversation"], agent=to))
        except DeliveryError as error:
            raise InputError(f"the channel did not do it: {error.message}", hint="assign it in the channel") from None
        _log.info("somebody reassigned a conversation", by=by, to=to, round=one["id"])
        return {"round": one["id"], "act": "reassign", "by": by, "to": to, "answer": said}

    async def _round(self, name: str) -> dict[str, Any]:
        found = await self._pages.ask(lambda c: queries.round_of(c, name, score_set="live"))
        if found is None:
            raise web.HTTPNotFound(reason="there is no such round")
        return found


def _duration(value: Any) -> int:
    try:
        return parse_duration(value)
    except ValueError as error:
        sentence, _, mend = str(error).partition("; ")
        raise InputError(f"for: {sentence}", hint=mend) from None
