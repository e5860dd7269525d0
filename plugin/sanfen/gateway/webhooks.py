"""One delivery, from its bytes to its answer.

    body within limits ─► verify on the raw bytes ─► parse ─► hand to the engine ─► forward ─► wait for the commit ─► answer

The question is in the engine's queue before the first byte goes on, because a workflow may answer before it is asked
back. The forward does not wait for the commit; only the sender's answer does, and that no longer than the channel's
budget. A body that cannot be read is journaled as such and forwarded all the same: whether the chat goes on is not ours
to say. A sender that cannot prove who it is gets 401, and nothing else happens.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import structlog
from aiohttp import web
from yarl import URL

from sanfen.abc import ChannelAdapter, Direction, Event, ParseError, Request, VerifyError
from sanfen.clock import Clock
from sanfen.config.settings import ChannelSettings, Settings
from sanfen.engine.ingest import Receipt
from sanfen.gateway.intake import Target, adapter_request, read_body
from sanfen.gateway.journaling import Journaling
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import Refused, is_local, problem
from sanfen.gateway.relay import Route, answer_of
from sanfen.gateway.upstream import Answer, Upstream, UpstreamError
from sanfen.log import Throttle
from sanfen.store.journal import Delivery

__all__ = ["Traffic", "Verifier", "answer_receipt"]

_log = structlog.get_logger("sanfen.gateway")


class Verifier:
    """Asks an adapter whether a request is authentic, and says 401 where it is not."""

    def __init__(self, journaling: Journaling) -> None:
        self._counters = journaling.counters
        self._throttle = Throttle()

    def check(
        self, request: web.BaseRequest, adapter: ChannelAdapter, wire: Request, direction: Direction, now_ms: int
    ) -> None:
        """Return if authentic. Raises Refused; why, is told to senders on this machine only."""
        try:
            adapter.verify(wire, direction, now_ms)
        except VerifyError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001  # an adapter that fails proves nothing
            refusal = VerifyError(f"the adapter failed: {type(error).__name__}", reason="adapter_failed")
        else:
            return
        self._counters.refused[refusal.reason] += 1
        swallowed = self._throttle.take(adapter.channel + refusal.reason, now_ms)
        if swallowed is not None:
            _log.warning(
                "a delivery is not authentic", channel=adapter.channel, reason=refusal.reason, more_like_it=swallowed
            )
        told: dict[str, Any] = {"reason": refusal.reason, "detail": refusal.message} if is_local(request) else {}
        raise Refused(401, "not authentic", refusal.hint if told else "", **told)


class _Channel(NamedTuple):
    settings: ChannelSettings
    adapter: ChannelAdapter
    routes: dict[Direction, Route | None]
    most_bytes: int


class Traffic:
    """The two-way relay of all channels."""

    def __init__(
        self,
        settings: Settings,
        adapters: Mapping[str, ChannelAdapter],
        journaling: Journaling,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._journaling = journaling
        self._clock = clock
        self._limits = limits
        self._verifier = Verifier(journaling)
        self._throttle = Throttle()
        self._upstreams: dict[tuple[str, str | None, int | None], Upstream] = {}
        self._channels = {name: self._channel(one, adapters[name]) for name, one in settings.channels.items()}

    def _channel(self, settings: ChannelSettings, adapter: ChannelAdapter) -> _Channel:
        if settings.signing == "none":
            _log.warning("this channel takes deliveries from anybody", channel=settings.name, signing="none")
        routes: dict[Direction, Route | None] = {
            "in": self._route(settings, settings.forward_in),
            "out": self._route(settings, settings.forward_out),
        }
        most_bytes = max(self._limits.body_bytes, int(settings.options.get("forward_bytes", 0)))
        return _Channel(settings, adapter, routes, most_bytes)

    def _route(self, settings: ChannelSettings, target: str | None) -> Route | None:
        if not target:
            return None
        url = URL(target, encoded=True)
        origin = (url.scheme, url.raw_host, url.port)
        upstream = self._upstreams.get(origin)
        if upstream is None:
            upstream = self._upstreams[origin] = Upstream(url, self._limits)
        return Route(url, upstream, host=settings.host, timeout_ms=settings.timeout_ms)

    def close(self) -> None:
        """Close the idle upstream connections."""
        for upstream in self._upstreams.values():
            upstream.close()

    async def serve(self, request: web.BaseRequest, direction: Direction, target: Target) -> web.StreamResponse:
        """Answer ANY /in/{channel}/{tail} and /out/{channel}/{tail}. Raises Refused."""
        received_ms = self._clock.now_ms()
        encoded, slash, tail = target.path[len(direction) + 2 :].partition("/")
        channel = self._channels.get(encoded) or self._channels.get(unquote(encoded))
        if channel is None:
            known = sorted(self._channels) if is_local(request) else None
            raise Refused(404, "no such channel", "channels: in the configuration names them", channels=known)
        body = await read_body(request, channel.most_bytes, self._limits)
        wire = adapter_request(request, tail, target.query, body)
        self._verifier.check(request, channel.adapter, wire, direction, received_ms)
        events, error = self._parsed(channel, wire, direction, received_ms)
        delivery = Delivery(
            received_ms, channel.settings.name, direction, request.method, target.journal_path(), body, error
        )
        route = channel.routes[direction]
        if route is None:
            return await self._take(request, delivery, events, channel.settings.ack_budget_ms)
        forward = route.target(tail if slash else None, target.query)
        return await self._relay(request, channel, route, forward, delivery, events)

    def _parsed(
        self, channel: _Channel, wire: Request, direction: Direction, received_ms: int
    ) -> tuple[Sequence[Event], str | None]:
        """The events, or why there are none to be had."""
        error: str | None = None
        events: Sequence[Event] = ()
        encoding = wire.headers.get("content-encoding", "identity").lower()
        if len(wire.body) > self._limits.body_bytes:
            error = f"larger than {self._limits.body_bytes} bytes: forwarded, not read"
        elif wire.body and encoding not in ("", "identity"):
            error = f"content-encoding {encoding[:20]}: forwarded, not read"
        else:
            try:
                events = channel.adapter.parse(wire, direction, received_ms)
            except ParseError as failure:
                error = failure.message
            except Exception as failure:  # noqa: BLE001  # the chat goes on without this adapter
                swallowed = self._throttle.take("parse " + channel.settings.name, received_ms)
                if swallowed is not None:
                    _log.exception("an adapter failed", channel=channel.settings.name, more_like_it=swallowed)
                error = f"the adapter failed: {type(failure).__name__}"
        self._journaling.counters.poison += error is not None
        return events, error

    async def _take(
        self, request: web.BaseRequest, delivery: Delivery, events: Sequence[Event], budget_ms: int
    ) -> web.Response:
        """A delivery that ends here: answered after the commit."""
        if request.method not in ("POST", "PUT"):
            return problem(405, "this address takes deliveries", "send POST", headers={"Allow": "POST"})
        future = self._journaling.submit(delivery, events)
        if delivery.error is not None:
            await self._journaling.settle(future, delivery.channel, budget_ms)
            unread = "content-encoding" in delivery.error
            return problem(415 if unread else 400, delivery.error, "the body was kept for whoever looks into it")
        return await answer_receipt(self._journaling, future, delivery.channel, budget_ms)

    async def _relay(
        self,
        request: web.BaseRequest,
        channel: _Channel,
        route: Route,
        target: bytes,
        delivery: Delivery,
        events: Sequence[Event],
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        started = loop.time()
        kept = delivery if len(delivery.body) <= self._limits.body_bytes else delivery._replace(body=b"")
        future: asyncio.Future[Receipt] | None = None
        if events or delivery.body or delivery.error:  # a bare poll has nothing to keep
            future = self._journaling.submit(kept, events)
        deadline = started + route.timeout_ms / 1000
        answer: Answer | None = None
        body: bytes | None = None
        trouble: UpstreamError | None = None
        try:
            answer = await route.send(request.method, target, request.raw_headers, delivery.body, deadline)
            body = await answer.read(self._limits.buffered_bytes, deadline)
        except UpstreamError as error:
            trouble = error
            self._journaling.counters.undelivered += 1
            self._journaling.note(delivery._replace(body=b"", error=f"not delivered: {error.reason}"))
        finally:
            if answer is not None and (body is not None or trouble is not None):
                answer.release()
        if future is not None:
            await self._commit(future, channel, started)
        if trouble is not None or answer is None:
            return _no_answer(trouble, request, channel)
        self._journaling.counters.forwarded += 1
        return await answer_of(request, answer, body, route.timeout_ms)

    async def _commit(self, future: "asyncio.Future[Receipt]", channel: _Channel, started: float) -> None:
        spent_ms = (asyncio.get_running_loop().time() - started) * 1000
        await self._journaling.settle(future, channel.settings.name, channel.settings.ack_budget_ms - spent_ms)


def _no_answer(trouble: UpstreamError | None, request: web.BaseRequest, channel: _Channel) -> web.Response:
    status = 502 if trouble is None else trouble.status
    title = "the workflow behind did not answer in time" if status == 504 else "the workflow behind cannot be reached"
    reason = trouble.reason if trouble is not None and is_local(request) else None
    hint = f"is it running, and is channels.{channel.settings.name} pointing at it?" if reason else ""
    return problem(status, title, hint, reason=reason)


async def answer_receipt(
    journaling: Journaling, future: "asyncio.Future[Receipt]", channel: str, budget_ms: int
) -> web.Response:
    """What a sender is told who waits for nothing but the commit."""
    receipt = await journaling.settle(future, channel, budget_ms)
    if receipt is not None:
        aside = {"aside": True} if receipt.aside else {}
        return web.json_response({"accepted": receipt.new, "duplicates": receipt.duplicates} | aside)
    return problem(
        503, "not kept yet", "send the same again later: duplicates do no harm", headers={"Retry-After": "5"}
    )
