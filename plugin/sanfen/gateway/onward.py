"""Passes on what was answered before it was passed on: store-and-forward. The protocol is in ``store/onward.py``."""

import asyncio
from collections.abc import Callable

import structlog

from sanfen.clock import Clock, nap
from sanfen.gateway.relay import Route
from sanfen.gateway.serving import LOOK_MS, Serving, Writes
from sanfen.gateway.upstream import Answer, UpstreamError
from sanfen.store import onward
from sanfen.store.onward import Parcel, Turn

__all__ = ["Onward"]

_AT_ONCE = 32
_AGAIN_MS = 60_000  # a channel that is not configured any more may come back
_ANSWER_BYTES = 65_536

_log = structlog.get_logger("sanfen.gateway")


class Onward(Serving):
    """Sends what waits. ``route_of``: the way of a channel and direction, and whether it repeats what may have arrived."""

    def __init__(self, route_of: Callable[[str, str], tuple[Route | None, bool]], clock: Clock) -> None:
        super().__init__(clock, "passing on waits for the log")
        self._route_of = route_of
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, log: Writes, repeated: frozenset[str]) -> None:
        """Serve until cancelled. ``repeated``: channels on which a cut-off attempt is repeated."""
        try:
            unsure = await self._do(log, lambda c: onward.resume(c, repeated, self._clock.now_ms()))
            if unsure:
                _log.error(
                    "deliveries may or may not have arrived: the service stopped while sending", deliveries=unsure
                )
            await self._forever(log)
        finally:
            if self._sending:  # what is under way may finish and be recorded
                await asyncio.wait(self._sending, timeout=5)

    async def _serve(self, log: Writes) -> None:
        room = _AT_ONCE - len(self._sending)
        parcels = await self._do(log, lambda c: onward.begin(c, self._clock.now_ms(), room)) if room > 0 else []
        for parcel in parcels:
            task = asyncio.create_task(self._carry(log, parcel))
            self._sending.add(task)
            task.add_done_callback(self._carried)
        if not parcels:
            await self._rest(log)

    async def _rest(self, log: Writes) -> None:
        next_ms = await self._do(log, onward.next_try)
        pause_ms = LOOK_MS if next_ms is None else max(25, min(LOOK_MS, next_ms - self._clock.now_ms()))
        await nap(self._clock, pause_ms, self._awake)

    def _carried(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self._awake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a delivery's attempt could not be recorded", error=str(task.exception()))

    async def _carry(self, log: Writes, parcel: Parcel) -> None:
        """One attempt, already marked."""
        route, repeat = self._route_of(parcel.channel, parcel.direction)
        if route is None:
            to = Turn("waiting", self._clock.now_ms() + _AGAIN_MS, "the channel is not configured")
        else:
            to = await self._attempt(route, parcel, repeat=repeat)
        if to.state not in ("passed", "waiting"):
            _log.error("a delivery was not passed on", channel=parcel.channel, state=to.state, reason=to.reason)
        await self._do(log, lambda connection: onward.record(connection, parcel, to))

    async def _attempt(self, route: Route, parcel: Parcel, *, repeat: bool) -> Turn:
        deadline = asyncio.get_running_loop().time() + route.timeout_ms / 1000
        answer: Answer | None = None
        try:
            answer = await route.send(parcel.method, parcel.target, parcel.headers, parcel.body, deadline)
            await answer.read(_ANSWER_BYTES, deadline)
            return onward.after_answer(parcel, answer.status, self._clock.now_ms())
        except UpstreamError as error:
            if answer is not None:  # its head is here: it has the delivery
                return onward.after_answer(parcel, answer.status, self._clock.now_ms())
            return onward.after_break(parcel, self._clock.now_ms(), error.reason, sent=error.sent, repeat=repeat)
        finally:
            if answer is not None:
                answer.release()
