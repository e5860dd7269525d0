"""The second port's application: status page, health, metrics, and the API beside them."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sanfen import __version__, charts
from sanfen.board.access import Access
from sanfen.board.acts import Acts
from sanfen.board.api.routes import routes
from sanfen.board.api.service import Api, Asks
from sanfen.board.feed import Feed
from sanfen.board.guard import guard_of, guarded
from sanfen.board.login import Login
from sanfen.board.pages import Pages, json_answer
from sanfen.board.screens.agents import Agents
from sanfen.board.screens.budget import Budget
from sanfen.board.screens.desk import Desk, Trouble
from sanfen.board.screens.escalations import Escalations
from sanfen.board.screens.hours import Hours
from sanfen.board.screens.live import Live
from sanfen.board.screens.rounds import Rounds
from sanfen.board.screens.rules import Rules
from sanfen.board.screens.why import Why
from sanfen.catalogue import t
from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.store import onward, queries
from sanfen.store.projection import LIVE

__all__ = ["BOARD", "FEED", "Running", "Trouble", "build_board_app"]

_STATIC = {"act.js": "text/javascript", "board.js": "text/javascript", "board.css": "text/css"}
_BODY_BYTES = 16_384
_BY = ["channel", "secret"]


class Running(Asks, Protocol):
    """What the board needs of the service."""

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
    acts = Acts(service, board.pages, clock)
    app.add_routes(acts.routes())
    app.add_routes(routes(Api(service, board.pages, acts, clock)))
    desk = Desk(service, board.pages, board.access, clock)
    live = Live(desk)
    app[FEED] = live.feed
    app.on_shutdown.append(lambda _: live.feed.close())
    for screen in (
        live,
        Rounds(desk),
        Why(desk),
        Agents(desk),
        Hours(desk),
        Budget(desk),
        Escalations(desk),
        Rules(desk),
    ):
        app.add_routes(screen.routes())
    app.router.add_get("/static/{name}", board.static)
    app.router.add_get("/healthz", board.health)
    app.router.add_get("/readyz", board.ready)
    app.router.add_get("/metrics", board.metrics)
    return app


def _outbox(connection: Any) -> dict[str, int]:
    return {str(state): int(n) for state, n in connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")}
