"""The second port's application: status page, read-only API, health, metrics."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Protocol, TypeVar

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sanfen import __version__, charts
from sanfen.board import reports
from sanfen.board.access import Access
from sanfen.board.acts import Acts, Serving
from sanfen.board.feed import Feed
from sanfen.board.guard import guard_of, guarded
from sanfen.board.login import Login
from sanfen.board.pages import Pages, json_answer, json_body, language_of
from sanfen.board.screens.desk import Desk, Shown, Trouble
from sanfen.board.screens.live import Live
from sanfen.catalogue import t
from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.errors import InputError
from sanfen.store import explanation, onward, queries, units
from sanfen.store.erasure import erase
from sanfen.store.figures import figures
from sanfen.store.projection import LIVE

__all__ = ["BOARD", "FEED", "Running", "Trouble", "build_board_app"]

_log = structlog.get_logger("sanfen.board")

T = TypeVar("T")

_STATIC = {"act.js": "text/javascript", "board.js": "text/javascript", "board.css": "text/css"}
_FILTERS = ("score_set", "policy", "shop", "channel", "agent", "status", "reason", "conversation")
_MOST_ROWS = 1000
_BODY_BYTES = 16_384
_BY = ["channel", "secret"]


class Running(Serving, Shown, Protocol):
    """What the board needs of the service."""

    @property
    def policy(self) -> str:
        """The policy rounds are judged by."""

    @property
    def traffic(self) -> Mapping[str, int]:
        """What has become of deliveries since the start, by name."""

    @property
    def secrets(self) -> Mapping[tuple[str, str], int]:
        """How many deliveries each secret has signed since the start, by channel and the secret's name."""


class _Board:
    def __init__(self, service: Running, settings: Settings, clock: Clock) -> None:
        self._service = service
        self._settings = settings
        self._clock = clock
        self.access = Access(settings)
        self.pages = Pages(service, settings)
        folder = files("sanfen.board")
        self._files = {name: (folder / "static" / name).read_bytes() for name in _STATIC}
        self._files["board.css"] += charts.STYLE.encode()

    def adopt(self, settings: Settings) -> None:
        """Show under these from now on, to whoever has their token."""
        self._settings = settings
        self.pages.adopt(settings)
        self.access.adopt(settings)

    async def now(self, request: web.Request) -> web.Response:
        return json_answer(await self._now(language_of(request)))

    async def rounds(self, request: web.Request) -> web.Response:
        given = {name: request.query[name] for name in (*_FILTERS, "first_day", "last_day") if name in request.query}
        limit = request.query.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit) <= _MOST_ROWS):
            raise InputError(f"limit is not a number from 1 to {_MOST_ROWS}: {limit[:20]!r}", hint="write limit=100")
        rows = await self.pages.ask(
            lambda c: queries.rounds(c, limit=int(limit), longest="longest" in request.query, **given)
        )
        return json_answer(
            {"rounds": self._flagged([row | {"customer": queries.mask(row["customer"])} for row in rows])}
        )

    async def round(self, request: web.Request) -> web.Response:
        name, policy = request.match_info["id"], request.query.get("policy")
        found = await self.pages.ask(lambda c: explanation.explain(c, name, policy=policy))
        if found is None:
            raise web.HTTPNotFound
        explanation.hide(found)
        return json_answer(found)

    async def rates(self, request: web.Request) -> web.Response:
        given = {
            name: request.query[name] for name in (*_FILTERS[:5], "first_day", "last_day") if name in request.query
        }
        by = tuple(filter(None, request.query.get("by", "").split(",")))
        if request.query.get("period") == "policy":
            now_ms, who = self._clock.now_ms(), {name: given[name] for name in units.WHO if name in given}
            rows = await self.pages.ask(
                lambda c: [
                    row
                    for name, policy in units.asked_policies(c, given.get("score_set"), given.get("policy"))
                    for row in units.assessed(c, policy, name, now_ms, by=by, **who)
                ]
            )
            return json_answer({"rates": self._flagged(rows)})
        unknown = await self.pages.ask(lambda c: queries.unknown(c, **given))
        rows = await self.pages.ask(lambda c: units.rates(c, by=by, **given))
        return json_answer({"rates": self._flagged(rows), "unknown_replies": unknown})

    async def budget(self, request: web.Request) -> web.Response:
        given: dict[str, Any] = {n: request.query[n] for n in ("shop", "channel", "agent") if n in request.query}
        now_ms = self._clock.now_ms()

        def ask(connection: Any) -> list[dict[str, Any]]:
            found = units.asked_policies(connection, LIVE)
            return [row for name, one in found for row in units.budgets(connection, one, name, now_ms, **given)]

        rows = await self.pages.ask(ask)
        for one in (one for row in rows for one in row["standing"]):
            one["customer"] = queries.mask(one["customer"])
        return json_answer({"budget": self._flagged(rows)})

    async def compare(self, request: web.Request) -> web.Response:
        one, other = (request.query.get(name, "") for name in ("a", "b"))
        return json_answer(
            await self.pages.ask(
                lambda c: queries.compare(c, queries.scored_by(c, one), c, queries.scored_by(c, other))
            )
        )

    async def report(self, request: web.Request) -> web.Response:
        names = ("shop", "channel", "agent", "first_day", "last_day")
        given: dict[str, Any] = {name: request.query[name] for name in names if name in request.query}
        by = tuple(filter(None, request.query.get("by", "").split(",")))
        return json_answer({"report": self._flagged(await self.pages.ask(lambda c: figures(c, by=by, **given)))})

    async def erase(self, request: web.Request) -> web.Response:
        given = await json_body(request)
        customer, shop = given.get("customer"), given.get("shop")
        if not isinstance(customer, str) or not customer or not isinstance(shop, str | None):
            raise InputError("customer is missing", hint='send {"customer": "…"}, and "shop" to narrow it')
        now_ms = self._clock.now_ms()
        done = await self.pages.write(lambda connection: erase(connection, customer, shop, now_ms, "api"))
        _log.warning("a customer's words were erased", messages=done.messages, notices=done.notices)
        return json_answer(done._asdict())

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type=_STATIC[name], charset="utf-8")

    async def health(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok", "version": __version__})

    async def ready(self, _: web.Request) -> web.Response:
        if self._service.is_standby:
            return json_answer({"status": "standby", "reason": t("board_standby")}, status=503)
        trouble = self._service.trouble
        if self._service.db is None or (trouble is not None and trouble.cause is not None):
            facts = {} if trouble is None else trouble._asdict()
            return json_answer({"status": "degraded", "reason": t("board_degraded")} | facts, status=503)
        return json_answer({"status": "ready"})

    async def metrics(self, _: web.Request) -> web.Response:
        registry = CollectorRegistry()
        Gauge("sanfen_ready", "1 while the log can be written", registry=registry).set(self._service.db is not None)
        Gauge(
            "sanfen_clock_off_ms",
            "How far the machine's clock is ahead of the time gone by, since it was set",
            registry=registry,
        ).set(self._clock.off_ms())
        trouble = self._service.trouble or Trouble(None, 0, 0, 0)
        for name, value, word in (
            ("degraded", trouble.cause is not None, "1 while deliveries are kept aside"),
            ("aside", trouble.kept, "Deliveries kept aside that are not in the journal yet"),
            ("lost", trouble.lost, "Deliveries lost that are not written down in the journal yet"),
        ):
            Gauge(f"sanfen_{name}", word, registry=registry).set(value)
        Gauge("sanfen_last_reload_ok", "0 if the last reload changed nothing", registry=registry).set(
            self._service.not_adopted is None
        )
        deliveries = Gauge("sanfen_deliveries", "Deliveries since the start", ["what"], registry=registry)
        for what, count in self._service.traffic.items():
            deliveries.labels(what).set(count)
        signed = Counter("sanfen_signed", "Deliveries by the secret that signed them", _BY, registry=registry)
        for which, count in self._service.secrets.items():
            signed.labels(*which).inc(count)
        if self._service.db is not None:
            counts = await self.pages.ask(lambda c: queries.outcomes(c, score_set=LIVE, policy=self._service.policy))
            gauge = Gauge("sanfen_rounds", "Rounds by outcome", ["policy", "outcome"], registry=registry)
            for outcome, count in counts.items():
                gauge.labels(self._service.policy, outcome).set(count)
            waiting = await self.pages.ask(_outbox)
            passed = Gauge("sanfen_onward", "Stored deliveries by state", ["state"], registry=registry)
            for state, count in (await self.pages.ask(onward.states)).items():
                passed.labels(state).set(count)
            states = Gauge("sanfen_notices", "Notices by state", ["state"], registry=registry)
            for state, count in waiting.items():
                states.labels(state).set(count)
        return web.Response(body=generate_latest(registry), content_type="text/plain")

    async def _now(self, language: str) -> dict[str, Any]:
        zone, now_ms, policy = self._settings.shop.timezone, self._clock.now_ms(), self._service.policy
        found = await self.pages.ask(lambda c: reports.now(c, policy, zone, now_ms, language))
        trouble = self._service.trouble
        return found if trouble is None else found | {"incomplete": True, "trouble": trouble._asdict()}

    def _flagged(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """While something is kept aside or lost and not written down, no live figure is complete."""
        if self._service.trouble is None:
            return rows
        return [row | {"incomplete": True} if row.get("score_set", LIVE) == LIVE else row for row in rows]


FEED = web.AppKey("feed", Feed)
"""To be woken when something was committed."""

BOARD = web.AppKey("board", _Board)
"""What shows the settings, and can go over to others."""


def build_board_app(service: Running, settings: Settings, clock: Clock) -> web.Application:
    """The application of the second port."""
    board = _Board(service, settings, clock)
    app = web.Application(client_max_size=_BODY_BYTES, middlewares=[guard_of(board.access, clock)])
    app.on_response_prepare.append(guarded)
    app[BOARD] = board
    app.add_routes(Login(board.access, board.pages, clock).routes())
    app.add_routes(Acts(service, board.pages, clock).routes())
    desk = Desk(service, board.pages, board.access, clock)
    live = Live(desk)
    app[FEED] = live.feed
    app.on_shutdown.append(lambda _: live.feed.close())
    app.add_routes(live.routes())
    app.router.add_get("/static/{name}", board.static)
    app.router.add_get("/api/v1/now", board.now)
    app.router.add_get("/api/v1/rounds", board.rounds)
    app.router.add_get("/api/v1/rounds/{id}", board.round)
    app.router.add_get("/api/v1/rates", board.rates)
    app.router.add_get("/api/v1/budget", board.budget)
    app.router.add_get("/api/v1/compare", board.compare)
    app.router.add_get("/api/v1/report", board.report)
    app.router.add_post("/api/v1/erase", board.erase)
    app.router.add_get("/healthz", board.health)
    app.router.add_get("/readyz", board.ready)
    app.router.add_get("/metrics", board.metrics)
    return app


def _outbox(connection: Any) -> dict[str, int]:
    return {str(state): int(n) for state, n in connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")}
