"""Handing deliveries to the engine, and keeping count: received = journaled + aside + gap whenever nothing is under way.

Whatever the engine does (raises, hangs, fails at commit), the caller goes on.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from sanfen.abc import Event
from sanfen.clock import Clock
from sanfen.engine.ingest import Receipt
from sanfen.gateway.deadlines import Deadlines
from sanfen.log import Throttle
from sanfen.store.journal import Delivery

__all__ = ["Counters", "Journaling", "Submits"]

_log = structlog.get_logger("sanfen.gateway")


class Submits(Protocol):
    """The engine, as the gateway knows it."""

    @property
    def cause(self) -> str | None:
        """Why deliveries are kept aside; None while the journal takes them."""

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Queue a delivery; the future resolves when it is safe (committed, or kept aside), or raises."""


@dataclass(slots=True)
class Counters:
    """What happened since the start, for whoever shows metrics."""

    received: int = 0  # deliveries handed to the engine
    journaled: int = 0  # of these, committed
    aside: int = 0  # of these, kept aside until the journal can take them
    gap: int = 0  # of these, lost to the journal
    late: int = 0  # answered before they were safe, because the budget was spent
    forwarded: int = 0  # answers passed on
    undelivered: int = 0  # no answer from the upstream
    poison: int = 0  # authentic, but could not be read
    refused: Counter[str] = field(default_factory=Counter)  # not authentic, by reason
    by_channel: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # all of the above, as ``refused_REASON`` these
    secrets: Counter[tuple[str, str]] = field(default_factory=Counter)  # authentic, by channel and secret

    def add(self, what: str, channel: str) -> None:
        """One more."""
        setattr(self, what, getattr(self, what) + 1)
        self.by_channel[channel, what] += 1

    def refuse(self, reason: str, channel: str) -> None:
        """One more that was not authentic."""
        self.refused[reason] += 1
        self.by_channel[channel, f"refused_{reason}"] += 1


class Journaling:
    """The gateway's side of the journal."""

    def __init__(self, engine: Submits, clock: Clock, counters: Counters) -> None:
        self._engine = engine
        self._clock = clock
        self._throttle = Throttle()
        self._deadlines = Deadlines()
        self.counters = counters

    @property
    def is_degraded(self) -> bool:
        """Whether the journal takes nothing at the moment."""
        return self._engine.cause is not None

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Queue a delivery, at once; never raises. ``settle`` must follow."""
        self.counters.add("received", delivery.channel)
        try:
            return self._engine.submit(delivery, events)
        except Exception as error:  # noqa: BLE001  # the chat goes on without the journal
            future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future

    def note(self, delivery: Delivery) -> None:
        """Add a remark to the journal (a delivery that did not get through); nobody waits for it."""
        try:
            self._engine.submit(delivery, ()).add_done_callback(_seen)
        except Exception as error:  # noqa: BLE001  # as above
            self._say("remark not journaled", delivery.channel, error)

    async def settle(self, future: "asyncio.Future[Receipt]", channel: str, budget_ms: float) -> Receipt | None:
        """The receipt, or None if the delivery is not safe within the budget. The future is never cancelled.

        Its end is counted and logged once, also where nobody waits for it any longer.
        """
        try:
            if not future.done() and budget_ms > 0:
                await self._within(future, budget_ms / 1000)
        except asyncio.CancelledError:
            future.add_done_callback(partial(self._settled, channel))
            raise
        if not future.done():
            self.counters.add("late", channel)
            self._say("neither journaled nor kept aside in time: answered all the same", channel)
            future.add_done_callback(partial(self._settled, channel))
            return None
        return self._settled(channel, future)

    async def _within(self, future: "asyncio.Future[Receipt]", wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        wake = partial(_wake, woken)
        future.add_done_callback(wake)
        self._deadlines.add(woken, loop.time() + wait_s, wake)
        try:
            await woken
        finally:
            self._deadlines.drop(woken)
            future.remove_done_callback(wake)

    def _settled(self, channel: str, future: "asyncio.Future[Receipt]") -> Receipt | None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            receipt = future.result()
            self.counters.add("aside" if receipt.aside else "journaled", channel)
            return receipt
        self.counters.add("gap", channel)
        self._say("a delivery is missing from the journal", channel, error)
        return None

    def _say(self, event: str, channel: str, error: BaseException | None = None) -> None:
        swallowed = self._throttle.take(event + channel, self._clock.now_ms())
        if swallowed is not None:
            cause = None if error is None else f"{type(error).__name__}: {getattr(error, 'message', error)}"
            _log.error(event, channel=channel, cause=cause, more_like_it=swallowed)


def _seen(future: "asyncio.Future[Receipt]") -> None:
    if not future.cancelled():
        future.exception()


def _wake(woken: "asyncio.Future[None]", _: object = None) -> None:
    if not woken.done():
        woken.set_result(None)
