"""One delivery, from its bytes to its answer.

    body within limits ─► verify on the raw bytes ─► parse ─► hand to the engine ─► forward ─► wait for the commit ─► answer

Where the channel wants no more than that somebody took it (``ack: store``), and the workflow takes longer than the channel
waits, it is answered when three quarters of its patience are over and the delivery is kept; the workflow is waited for on.

The question is in the engine's queue before the first byte goes on, because a workflow may answer before it is asked
back. The forward does not wait for the commit; only the sender's answer does, and that no longer than the channel's
budget. A body that cannot be read is journaled as such and forwarded all the same: whether the chat goes on is not ours
to say. A sender that cannot prove who it is gets 401, and nothing else happens.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, unquote

import structlog
from aiohttp import web
from yarl import URL

from sanfen.abc import Answer as Told
from sanfen.abc import ChannelAdapter, Direction, Event, Here, Request
from sanfen.clock import Clock
from sanfen.config.settings import ChannelSettings, Settings
from sanfen.engine.ingest import Receipt
from sanfen.gateway.hearing import Heard, Hearing, Stream, heard_headers, narrowed
from sanfen.gateway.intake import Target, adapter_request, read_body
from sanfen.gateway.journaling import Journaling
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import Refused, is_local, problem
from sanfen.gateway.relay import Route, answer_of
from sanfen.gateway.upstream import Answer, Upstream, UpstreamError
from sanfen.gateway.verifier import Verifier
from sanfen.outbound import Guard
from sanfen.proxies import trust_of
from sanfen.store.journal import Delivery
from sanfen.store.onward import packed

__all__ = ["Traffic", "answer_receipt"]

_PATIENCE = 0.75  # of what a channel waits for an answer

_log = structlog.get_logger("sanfen.gateway")


class _Channel(NamedTuple):
    settings: ChannelSettings
    hearing: Hearing
    routes: dict[Direction, Route | None]
    most_bytes: int
    patience_s: float | None  # how long its answer may wait for the workflow's; None: as long as that takes


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
        self._verifier = Verifier(journaling, settings.channels, clock)
        self._directory = settings.directory
        self._base = settings.listen.hooks_url or f"http://{settings.listen.hooks_host}:{settings.listen.hooks_port}"
        self._guard = Guard(settings.outbound, private=True)
        self._is_trusted = trust_of(settings.listen.trusted_proxies)
        self._upstreams: dict[tuple[str, str | None, int | None], Upstream] = {}
        self._channels = {name: self._channel(one, adapters[name]) for name, one in settings.channels.items()}
        self._late: set[asyncio.Task[_Reached]] = set()

    def _channel(self, settings: ChannelSettings, adapter: ChannelAdapter) -> _Channel:
        if settings.signing == "none":
            _log.warning("this channel takes deliveries from anybody", channel=settings.name, signing="none")
        routes: dict[Direction, Route | None] = {
            "in": self._route(settings, settings.forward_in),
            "out": self._route(settings, settings.forward_out),
        }
        most_bytes = max(self._limits.body_bytes, int(settings.options.get("forward_bytes", 0)))
        here = Here(*(f"{self._base}/{direction}/{quote(settings.name)}" for direction in ("in", "out")))
        hearing = Hearing(adapter, self._directory, self._limits.body_bytes, self._journaling.counters, here)
        patience_ms = _PATIENCE * (settings.deadline_ms or getattr(adapter, "deadline_ms", None) or math.inf)
        waits = patience_ms >= settings.timeout_ms or adapter.ack == "passthrough"  # the target is given up sooner
        return _Channel(settings, hearing, routes, most_bytes, None if waits else patience_ms / 1000)

    def _route(self, settings: ChannelSettings, target: str | None) -> Route | None:
        if not target:
            return None
        url = URL(target, encoded=True)
        origin = (url.scheme, url.raw_host, url.port)
        upstream = self._upstreams.get(origin)
        if upstream is None:
            upstream = self._upstreams[origin] = Upstream(url, self._limits, self._guard)
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
        hearing = channel.hearing
        replay_key = self._verifier.check(request, hearing.adapter, wire, direction, received_ms)
        reply = hearing.handshake(wire, direction, received_ms)
        if reply is not None:
            return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})
        heard = hearing.request(wire, direction, received_ms)
        where = (channel.settings.name, direction, request.method, hearing.shown(target.journal_path()))
        delivery = Delivery(received_ms, *where, body, heard.error, replay_key=replay_key, notes=heard.notes)
        route = channel.routes[direction]
        if route is None:
            return await self._take(request, delivery, heard.events, channel.settings.ack_budget_ms)
        sent = hearing.rewritten(wire, direction, received_ms)
        going = _Going(request, channel, route, route.target(tail if slash else None, sent.query), wire, sent.body)
        stored = channel.settings.delivery != "relay" and request.method in ("POST", "PUT", "PATCH", "DELETE")
        stored = stored and sent is wire and not hearing.hears_answers(direction)
        if stored and len(body) <= self._limits.body_bytes and not self._journaling.is_degraded:
            answer = await self._store(going, delivery, heard.events)
            if answer is not None:
                return answer
            return await self._send(going, delivery)
        return await self._relay(going, delivery, heard)

    async def _take(
        self, request: web.BaseRequest, delivery: Delivery, events: Sequence[Event], budget_ms: int
    ) -> web.Response:
        """A delivery that ends here: answered after the commit."""
        if request.method not in ("POST", "PUT"):
            return problem(405, "this address takes deliveries", "send POST", headers={"Allow": "POST"})
        future = self._journaling.submit(delivery, events)
        if delivery.error is not None and not events:
            await self._journaling.settle(future, delivery.channel, budget_ms)
            unread = delivery.error.startswith(("content-encoding", "content-type"))
            return problem(415 if unread else 400, delivery.error, "the body was kept for whoever looks into it")
        return await answer_receipt(self._journaling, future, delivery.channel, budget_ms)

    @property
    def hearings(self) -> dict[str, Hearing]:
        """What hears each channel."""
        return {name: one.hearing for name, one in self._channels.items()}

    def route_of(self, channel: str, direction: str) -> tuple[Route | None, bool]:
        """The way of what was stored, if there still is one, and whether what may have arrived is sent again."""
        found = self._channels.get(channel)
        if found is None:
            return None, False
        return found.routes["in" if direction == "in" else "out"], found.settings.delivery == "store-repeat"

    async def _store(self, going: "_Going", delivery: Delivery, events: Sequence[Event]) -> web.Response | None:
        """Answer when it is kept; it is passed on afterwards. None: it can be kept nowhere, and must go on at once."""
        headers = tuple((bytes(name), bytes(value)) for name, value in going.request.raw_headers)
        future = self._journaling.submit(delivery._replace(onward=packed(going.target, headers)), events)
        budget_ms = going.channel.settings.ack_budget_ms
        answer = await answer_receipt(self._journaling, future, delivery.channel, budget_ms)
        return None if future.done() and answer.status == 503 else answer

    async def _relay(self, going: "_Going", delivery: Delivery, heard: Heard) -> web.StreamResponse:
        foreign = (delivery.error or "").startswith("content-type")  # a picture on its way is nothing for a journal
        large = len(delivery.body) > self._limits.body_bytes
        kept = delivery._replace(body=b"") if large or foreign else delivery
        future: asyncio.Future[Receipt] | None = None
        told_later = delivery.direction == "out" and going.channel.hearing.hears_answers("out")
        if not heard.is_nothing or (delivery.body and not told_later):  # a poll, or a call, has nothing to keep
            future = self._journaling.submit(kept, heard.events)
        return await self._send(going, delivery, future)

    async def _send(
        self, going: "_Going", delivery: Delivery, future: "asyncio.Future[Receipt] | None" = None
    ) -> web.StreamResponse:
        """Pass it on, wait for the commit, answer with the answer."""
        request, channel, route = going.request, going.channel, going.route
        started = asyncio.get_running_loop().time()
        listens = channel.hearing.hears_answers("in" if delivery.direction == "in" else "out")
        reaching = self._reach(going, delivery, started + route.timeout_ms / 1000, listens=listens)
        if channel.patience_s is None or future is None or delivery.direction == "out":
            answer, body, trouble = await reaching
        else:
            task = asyncio.create_task(reaching)
            if not await self._in_time(task, channel.patience_s, delivery.channel):
                budget_ms = channel.settings.ack_budget_ms
                return await answer_receipt(self._journaling, future, delivery.channel, budget_ms)
            answer, body, trouble = task.result()
        told: asyncio.Future[Receipt] | None = None
        watch: _Watch | None = None
        if listens and answer is not None and trouble is None:
            if body is None:
                watch = self._watch(going, delivery, answer)
            else:
                told = self._told(going, delivery, answer, body)
        for one in (future, told):
            if one is not None:
                await self._commit(one, channel, started)
        if trouble is not None or answer is None:
            return _no_answer(trouble, request, channel)
        self._journaling.counters.add("forwarded", delivery.channel)
        try:
            return await answer_of(request, answer, body, route.timeout_ms, watch.feed if watch else None)
        finally:
            if watch is not None:
                await watch.end()

    async def _reach(self, going: "_Going", delivery: Delivery, deadline: float, *, listens: bool) -> "_Reached":
        """The target's answer, or why there is none."""
        request, answer, body, trouble = going.request, None, None, None
        try:
            sender = None if self._is_trusted(request.remote) else request.remote
            headers = narrowed(request.raw_headers) if listens else request.raw_headers
            answer = await going.route.send(request.method, going.target, headers, going.body, deadline, sender)
            body = await answer.read(self._limits.buffered_bytes, deadline)
        except UpstreamError as error:
            trouble = error
            self._journaling.counters.add("undelivered", delivery.channel)
            self._journaling.note(delivery._replace(body=b"", error=f"not delivered: {error.reason}", notes=()))
        finally:
            if answer is not None and (body is not None or trouble is not None):
                answer.release()
        return _Reached(answer, body, trouble)

    async def _in_time(self, task: "asyncio.Task[_Reached]", patience_s: float, channel: str) -> bool:
        """Whether the target answers before the channel would give up and send the same again; else it goes on by itself."""
        try:
            done, _ = await asyncio.wait({task}, timeout=patience_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            self._late.add(task)
            task.add_done_callback(partial(self._came_late, channel))
        return bool(done)

    def _came_late(self, channel: str, task: "asyncio.Task[_Reached]") -> None:
        self._late.discard(task)
        if task.cancelled() or task.exception() is not None:
            return
        answer, body, trouble = task.result()
        if answer is not None and trouble is None:
            self._journaling.counters.add("forwarded", channel)
            if body is None:
                answer.release()

    def _told(
        self, going: "_Going", delivery: Delivery, answer: Answer, body: bytes
    ) -> "asyncio.Future[Receipt] | None":
        """What a whole answer tells, on its way into the journal; None where it tells nothing."""
        now_ms = self._clock.now_ms()
        direction: Direction = "in" if delivery.direction == "in" else "out"
        given = Told(answer.status, heard_headers(answer.raw_headers), body)
        heard = going.channel.hearing.answer(going.wire, given, direction, now_ms)
        return self._heard(delivery, heard, now_ms, body)

    def _watch(self, going: "_Going", delivery: Delivery, answer: Answer) -> "_Watch":
        direction: Direction = "in" if delivery.direction == "in" else "out"
        head = Told(answer.status, heard_headers(answer.raw_headers), b"")
        stream = going.channel.hearing.stream(going.wire, head, direction)
        return _Watch(self, stream, delivery)

    def _heard(self, delivery: Delivery, heard: Heard, now_ms: int, body: bytes) -> "asyncio.Future[Receipt] | None":
        """Journal what an answer told, beside the request it answered."""
        if heard.is_nothing:
            return None
        kept = Delivery(
            now_ms, delivery.channel, delivery.direction, "ANSWER", delivery.path, body, heard.error, notes=heard.notes
        )
        return self._journaling.submit(kept, heard.events)

    async def _commit(self, future: "asyncio.Future[Receipt]", channel: _Channel, started: float) -> None:
        spent_ms = (asyncio.get_running_loop().time() - started) * 1000
        await self._journaling.settle(future, channel.settings.name, channel.settings.ack_budget_ms - spent_ms)


class _Reached(NamedTuple):
    """What became of passing it on. ``body``: None where it is still being written."""

    answer: Answer | None
    body: bytes | None
    trouble: UpstreamError | None


class _Going(NamedTuple):
    """A request on its way on."""

    request: web.BaseRequest
    channel: _Channel
    route: Route
    target: bytes
    wire: Request  # as it came
    body: bytes  # as it goes on


class _Watch:
    """Journals what an answer tells while it is passed on; the passing on does not wait for it."""

    def __init__(self, traffic: Traffic, stream: Stream, delivery: Delivery) -> None:
        self._traffic = traffic
        self._stream = stream
        self._delivery = delivery
        self._futures: list[asyncio.Future[Receipt]] = []

    def feed(self, chunk: bytes) -> None:
        """The next bytes have gone on."""
        now_ms = self._traffic._clock.now_ms()  # noqa: SLF001  # of the same module
        self._keep(self._stream.feed(chunk, now_ms), now_ms, chunk)

    async def end(self) -> None:
        """The last bytes have gone on, or nobody wants them any more."""
        now_ms = self._traffic._clock.now_ms()  # noqa: SLF001
        self._keep(self._stream.end(now_ms), now_ms, b"")
        for future in self._futures:
            await self._traffic._journaling.settle(future, self._delivery.channel, 0)  # noqa: SLF001

    def _keep(self, heard: Heard, now_ms: int, body: bytes) -> None:
        future = self._traffic._heard(self._delivery, heard, now_ms, body)  # noqa: SLF001
        if future is not None:
            self._futures.append(future)


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
