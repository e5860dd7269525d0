"""The second port's application: the board, the API, health and metrics, put together."""

from importlib.resources import files
from typing import Protocol

from aiohttp import web

from sanfen import charts
from sanfen.board.access import Access
from sanfen.board.acts import Acts
from sanfen.board.api.routes import routes
from sanfen.board.api.service import Api
from sanfen.board.feed import Feed
from sanfen.board.guard import guard_of, guarded
from sanfen.board.health import Health
from sanfen.board.login import Login
from sanfen.board.metrics import Measured, Metrics
from sanfen.board.pages import Pages
from sanfen.board.screens.agents import Agents
from sanfen.board.screens.budget import Budget
from sanfen.board.screens.desk import Desk, Trouble
from sanfen.board.screens.escalations import Escalations
from sanfen.board.screens.hours import Hours
from sanfen.board.screens.live import Live
from sanfen.board.screens.rounds import Rounds
from sanfen.board.screens.rules import Rules
from sanfen.board.screens.why import Why
from sanfen.clock import Clock
from sanfen.config.settings import Settings

__all__ = ["BOARD", "FEED", "Running", "Trouble", "build_board_app"]

_STATIC = ("act.js", "board.js", "board.css", "plot.js", "uplot/uplot.js", "uplot/uplot.css")
_KINDS = {"js": "text/javascript", "css": "text/css"}
_BODY_BYTES = 16_384


class Running(Measured, Protocol):
    """What the board needs of the service."""


class _Board:
    def __init__(self, service: Running, settings: Settings, clock: Clock) -> None:
        self._service = service
        self._settings = settings
        self._clock = clock
        self.access = Access(settings)
        self.pages = Pages(service, settings)
        folder = files("sanfen.board")
        self._files = {name.rpartition("/")[2]: (folder / "static" / name).read_bytes() for name in _STATIC}
        self._files["board.css"] += charts.STYLE.encode()

    def adopt(self, settings: Settings) -> None:
        """Show under these from now on, to whoever has their token."""
        self._settings = settings
        self.pages.adopt(settings)
        self.access.adopt(settings)

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[name], content_type=_KINDS[name.rpartition(".")[2]], charset="utf-8")


FEED = web.AppKey("feed", Feed)
"""To be woken when something was committed."""

BOARD = web.AppKey("board", _Board)
"""What shows the settings, and can go over to others."""


def build_board_app(service: Running, settings: Settings, clock: Clock) -> web.Application:
    """The application of the second port."""
    board = _Board(service, settings, clock)
    app = web.Application(client_max_size=_BODY_BYTES, middlewares=[guard_of(board.access, clock, board.pages)])
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
    app.add_routes(Health(service).routes())
    app.router.add_get("/metrics", Metrics(service, board.pages, clock).answer)
    return app
