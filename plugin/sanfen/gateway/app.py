"""The traffic port's application: ANY /in/…, ANY /out/…, POST /events, GET /healthz."""

from collections.abc import AsyncIterator, Iterator, Mapping

from aiohttp import web
from yarl import URL

from sanfen.abc import ChannelAdapter
from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.gateway.door import server_options
from sanfen.gateway.events import EVENTS, Events
from sanfen.gateway.hearing import Hearing
from sanfen.gateway.intake import target_of
from sanfen.gateway.journaling import Counters, Journaling, Submits
from sanfen.gateway.limits import Limits
from sanfen.gateway.middlewares import Handler, guarded
from sanfen.gateway.onward import Onward
from sanfen.gateway.problems import Refused
from sanfen.gateway.pulling import Pulling
from sanfen.gateway.relay import Route, leave_no_mark
from sanfen.gateway.webhooks import Traffic

__all__ = ["COUNTERS", "DOORS", "ONWARD", "PULLING", "Doors", "build_traffic_app"]

COUNTERS = web.AppKey("counters", Counters)
"""Where the application keeps its counters."""
ONWARD = web.AppKey("onward", Onward)
"""What passes on the stored deliveries; to be run while there is a log."""
PULLING = web.AppKey("pulling", Pulling)
"""What fetches from channels that only poke; to be run while there is a log."""


def build_traffic_app(
    settings: Settings,
    adapters: Mapping[str, ChannelAdapter],
    engine: Submits,
    clock: Clock,
    *,
    limits: Limits | None = None,
) -> web.Application:
    """The application of the traffic port. ``adapters``: one for each channel of the settings."""
    limits = limits or Limits()
    app = web.Application(handler_args=server_options(clock, limits))
    app[COUNTERS] = Counters()
    app.on_response_prepare.append(leave_no_mark)
    journaling = Journaling(engine, clock, app[COUNTERS])
    app[DOORS] = front = Doors(journaling, clock, limits)
    front.adopt(settings, adapters)
    app[ONWARD] = Onward(front.route_of, clock)
    app[PULLING] = Pulling(front.hearings, journaling, clock)
    app.cleanup_ctx.append(front.running)
    app.router.register_resource(_Everything(guarded(front.dispatch)))
    return app


class Doors:
    """Decides by the raw path; the framework's router decodes, and what is passed on must stay as it came."""

    _traffic: Traffic
    _events: Events

    def __init__(self, journaling: Journaling, clock: Clock, limits: Limits) -> None:
        self.journaling = journaling
        self._parts = (journaling, clock, limits)
        self._most = limits.in_flight
        self._serving = 0

    def adopt(self, settings: Settings, adapters: Mapping[str, ChannelAdapter]) -> None:
        """Serve by these from the next request on; one that has begun is finished under those it began with."""
        traffic = Traffic(settings, adapters, *self._parts)
        events = Events(settings, adapters.get(EVENTS), *self._parts)
        if hasattr(self, "_traffic"):
            self._traffic.close()
        self._traffic, self._events = traffic, events

    def route_of(self, channel: str, direction: str) -> tuple[Route | None, bool]:
        """As the configuration in force has it."""
        return self._traffic.route_of(channel, direction)

    def hearings(self) -> dict[str, Hearing]:
        """Of the configuration in force, by channel."""
        return self._traffic.hearings

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """The relay while the application runs."""
        yield
        self._traffic.close()

    async def dispatch(self, request: web.Request) -> web.StreamResponse:
        """Answer any request. Raises Refused."""
        target = target_of(request)
        path = target.path
        if path == "/healthz":
            return web.json_response({"status": "ok"})
        if self._serving >= self._most:
            raise Refused(503, "too many requests at a time", "come again", close=True, headers={"Retry-After": "1"})
        self._serving += 1
        try:
            if path.startswith("/in/"):
                return await self._traffic.serve(request, "in", target)
            if path.startswith("/out/"):
                return await self._traffic.serve(request, "out", target)
            if path == "/events":
                return await self._events.serve(request, target)
        finally:
            self._serving -= 1
        raise Refused(404, "nothing is here", "the addresses are /in/{channel}, /out/{channel} and /events")


DOORS = web.AppKey("doors", Doors)
"""What serves by the settings, and can go over to others."""


class _Everything(web.AbstractResource):
    """One resource for every path and method: the dispatch above decides, without decoding and patterns."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._route = web.ResourceRoute("*", handler, self)

    @property
    def canonical(self) -> str:
        """The prefix it stands under."""
        return "/"

    async def resolve(self, _request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:
        """Always itself."""
        return web.UrlMappingMatchInfo({}, self._route), set()

    def url_for(self, **_kwargs: str) -> URL:
        """No address of its own."""
        return URL("/")

    def add_prefix(self, prefix: str) -> None:
        """It cannot be part of another application's paths."""
        raise RuntimeError(f"the traffic application cannot be mounted under {prefix}")

    def get_info(self) -> dict[str, str]:  # type: ignore[override]
        """What the framework's introspection shows."""
        return {"path": "/"}

    def raw_match(self, _path: str) -> bool:
        """Every path is ours."""
        return True

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter((self._route,))
