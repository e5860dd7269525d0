"""sanfen inside a bot that is there already: its messages are heard where they pass, and nothing is relayed.

    embedded = embed(app, "sanfen.yaml", channel="tg", route="/hook")          # aiohttp: what comes in by this route
    session = ClientSession(trace_configs=[embedded.outgoing()])               # and what goes out to the channel's API

    app = EmbeddedASGI(app, "sanfen.yaml", channel="tg", route="/hook")        # Starlette, FastAPI: the same
    client = httpx.AsyncClient(event_hooks=app.embedded.hooks())

Rounds, escalation, the board and the API are those of ``sanfen serve``, in the bot's own process. ``from_shop`` of the
channel says which addresses are the channel's API. Whatever fails in here, the bot does not notice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from sanfen.abc import Answer, Direction, Request, VerifyError
from sanfen.bootstrap import Service
from sanfen.clock import Clock
from sanfen.config.load import load
from sanfen.errors import ConfigError, Phrase
from sanfen.gateway.hearing import Heard
from sanfen.log import Throttle
from sanfen.store.journal import Delivery

__all__ = ["Embedded", "EmbeddedASGI", "embed"]

_log = structlog.get_logger("sanfen.embed")
_MOST_BYTES = 1 << 20  # of a body that is heard; a longer one passes unheard

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Embedded:
    """One channel's ears in somebody else's process, and the service behind them."""

    def __init__(self, config: Path | str, channel: str, route: str, clock: Clock | None = None) -> None:
        """``route``: where the channel's deliveries arrive; what follows it is their path. Raises ConfigError."""
        self.service = Service(load(Path(config)), clock)
        found = self.service.loaded.settings.channels.get(channel)
        if found is None:
            known = ", ".join(self.service.loaded.settings.channels) or Phrase("none")
            raise ConfigError(
                Phrase("no channel {channel!r} in {config}", channel=channel, config=config),
                hint=Phrase("there are: {known}", known=known),
            )
        self.channel = channel
        self.route = "/" + route.strip("/")
        self._api = (found.forward_out or "").rstrip("/")
        self._budget_ms = found.ack_budget_ms
        self._tasks: set[asyncio.Task[None]] = set()
        self._throttle = Throttle()

    async def start(self) -> None:
        """Open the log, serve the board. Raises ConfigError, InUseError."""
        await self.service.start()

    async def stop(self) -> None:
        """Finish what was heard, close the log."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        await self.service.stop()

    # --- what both kinds of application ask ---

    def tail(self, path: str) -> str | None:
        """What follows the route; None: it is not the channel's."""
        if self.route == "/":
            return path.lstrip("/")
        return path[len(self.route) :].lstrip("/") if path == self.route or path.startswith(self.route + "/") else None

    async def asked(self, wire: Request, direction: Direction) -> bool:
        """Hear a request before it is answered; whether it is authentic, and its answer may be heard too."""
        return bool(await self._guarded(lambda: self._asked(wire, direction)))

    async def answered(self, wire: Request, answer: Answer, direction: Direction) -> None:
        """Hear an answer before it is passed on."""
        await self._guarded(lambda: self._answered(wire, answer, direction))

    async def _asked(self, wire: Request, direction: Direction) -> bool:
        doors = self.service.doors
        hearing, now_ms = doors.hearings()[self.channel], self.service.clock.now_ms()
        try:
            hearing.adapter.verify(wire, direction, now_ms)
        except VerifyError as error:
            doors.journaling.counters.refused[error.reason] += 1
            return False
        heard = hearing.request(wire, direction, now_ms)
        if not heard.is_nothing:
            await self._keep(wire, direction, heard, now_ms, wire.method, wire.body)
        return True

    async def _answered(self, wire: Request, answer: Answer, direction: Direction) -> None:
        hearing = self.service.doors.hearings()[self.channel]
        if not hearing.hears_answers(direction):
            return
        now_ms = self.service.clock.now_ms()
        plain = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        heard = hearing.answer(wire, answer._replace(headers=plain), direction, now_ms)
        if not heard.is_nothing:
            await self._keep(wire, direction, heard, now_ms, "ANSWER", answer.body)

    async def _keep(
        self, wire: Request, direction: Direction, heard: Heard, now_ms: int, method: str, body: bytes
    ) -> None:
        doors = self.service.doors
        path = doors.hearings()[self.channel].shown(f"/{direction}/{self.channel}/{wire.path}")
        delivery = Delivery(now_ms, self.channel, direction, method, path, body, heard.error, notes=heard.notes)
        journaling = doors.journaling
        await journaling.settle(journaling.submit(delivery, heard.events), self.channel, self._budget_ms)

    async def _guarded(self, what: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await what()
        except Exception:  # noqa: BLE001  # the bot goes on whatever happens in here
            swallowed = self._throttle.take("embed", self.service.clock.now_ms())
            if swallowed is not None:
                _log.exception("a message was not heard", channel=self.channel, more_like_it=swallowed)
            return None

    def called(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request | None:
        """A call of the bot's as it would arrive at us; None: it goes somewhere else."""
        if not self._api or not (url == self._api or url.startswith((self._api + "/", self._api + "?"))):
            return None
        path, _, query = url[len(self._api) :].lstrip("/").partition("?")
        return Request(method, path, query, {name.lower(): value for name, value in headers.items()}, body)

    # --- aiohttp ---

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Hears what comes in by the route, and what the bot answers."""
        tail = self.tail(request.path)
        if tail is None or (request.content_length or 0) > _MOST_BYTES:
            response: web.StreamResponse = await handler(request)
            return response
        body = await request.read()  # the handler reads the same bytes again
        headers = {name.lower(): value for name, value in request.headers.items()}
        wire = Request(request.method, tail, request.query_string, headers, body)
        heard = await self.asked(wire, "in")
        response = await handler(request)
        said = getattr(response, "body", None)
        if heard and isinstance(said, bytes):
            kept = {name.lower(): value for name, value in response.headers.items()}
            await self.answered(wire, Answer(response.status, kept, said), "in")
        return response

    def outgoing(self) -> aiohttp.TraceConfig:
        """For a ``ClientSession``: hears the calls of the channel's API, and their answers when the bot reads them."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._begun)
        trace.on_request_chunk_sent.append(_sent)
        trace.on_request_end.append(self._ended)
        trace.on_response_chunk_received.append(self._read)
        return trace

    async def _begun(self, _: Any, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
        context.body, context.wire = b"", None
        context.url = str(params.url)

    async def _ended(self, _: Any, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
        response = params.response
        context.wire = self.called(params.method, context.url, response.request_info.headers, context.body)
        context.head = Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, b"")
        if context.wire is not None and response.status < 400:
            await self.asked(context.wire, "out")

    async def _read(self, _: Any, context: SimpleNamespace, params: aiohttp.TraceResponseChunkReceivedParams) -> None:
        if context.wire is not None:
            await self.answered(context.wire, context.head._replace(body=params.chunk), "out")

    async def _running(self, _app: web.Application) -> AsyncIterator[None]:
        await self.start()
        yield
        await self.stop()

    # --- httpx ---

    def hooks(self) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
        """For an ``httpx.AsyncClient``'s ``event_hooks``: the same; answers that are streamed are not heard."""
        return {"response": [self._responded]}

    async def _responded(self, response: Any) -> None:
        request = response.request
        wire = self.called(request.method, str(request.url), dict(request.headers), request.content)
        if wire is None or "event-stream" in response.headers.get("content-type", ""):
            return
        said = await response.aread()  # the bot reads the same bytes again
        if response.status_code < 400 and await self.asked(wire, "out"):
            kept = {name.lower(): value for name, value in response.headers.items()}
            await self.answered(wire, Answer(response.status_code, kept, said), "out")


async def _sent(_: Any, context: SimpleNamespace, params: aiohttp.TraceRequestChunkSentParams) -> None:
    if len(context.body) <= _MOST_BYTES:
        context.body += params.chunk


def embed(app: web.Application, config: Path | str, *, channel: str, route: str) -> Embedded:
    """Put ears into an aiohttp application; call it before the application starts. Raises ConfigError."""
    made = Embedded(config, channel, route)
    app.middlewares.insert(0, made.middleware)
    app.cleanup_ctx.append(made._running)  # noqa: SLF001  # of this module
    return made


class EmbeddedASGI:
    """The same around an ASGI application, which must know lifespan (Starlette, FastAPI)."""

    def __init__(self, app: Any, config: Path | str, *, channel: str, route: str) -> None:
        """Raises ConfigError."""
        self.app = app
        self.embedded = Embedded(config, channel, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, as the application does."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        tail = self.embedded.tail(scope.get("path", "")) if scope["type"] == "http" else None
        if tail is None:
            await self.app(scope, receive, send)
            return
        messages, body = await _whole(receive)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        wire = Request(scope["method"], tail, scope.get("query_string", b"").decode("latin-1"), headers, body)
        heard = len(body) <= _MOST_BYTES and await self.embedded.asked(wire, "in")
        told = _Told(self.embedded, wire, send) if heard else None
        await self.app(scope, _again(messages, receive), told.send if told else send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.embedded.start()
            return message

        async def said(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await self.embedded.stop()
            await send(message)

        await self.app(scope, heard, said)


class _Told:
    """Collects an answer while it is sent; before its last part goes, it is heard."""

    def __init__(self, embedded: Embedded, wire: Request, send: Send) -> None:
        self._embedded = embedded
        self._wire = wire
        self._send = send
        self._answer = Answer(0, {}, b"")

    async def send(self, message: Message) -> None:
        """Pass a part on."""
        if message["type"] == "http.response.start":
            headers = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in message.get("headers", ())}
            self._answer = Answer(message["status"], headers, b"")
        elif message["type"] == "http.response.body" and len(self._answer.body) <= _MOST_BYTES:
            self._answer = self._answer._replace(body=self._answer.body + message.get("body", b""))
            if not message.get("more_body"):
                await self._embedded.answered(self._wire, self._answer, "in")
        await self._send(message)


async def _whole(receive: Receive) -> tuple[list[Message], bytes]:
    """A request's messages up to the end of its body."""
    messages: list[Message] = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages, body


def _again(messages: list[Message], receive: Receive) -> Receive:
    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again
