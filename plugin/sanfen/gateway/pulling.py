"""Fetches from channels that only say that there is something. What to fetch, and how far we are, are rows of the log.

A page's events and the cursor behind it are one commit, so a crash anywhere costs nothing and repeats nothing. Those of
one name are fetched one after the other; a failed attempt is tried again, later and later, and at once when the channel
pokes again.
"""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from sanfen.abc import Answer, DeliveryError, Pulled
from sanfen.calls import Calls
from sanfen.clock import Clock, nap
from sanfen.errors import Phrase
from sanfen.gateway.hearing import Heard, Hearing
from sanfen.gateway.journaling import Journaling
from sanfen.gateway.serving import LOOK_MS, Serving, Writes
from sanfen.store import notes
from sanfen.store.journal import Delivery
from sanfen.store.notes import Moved, Note, Waiting

__all__ = ["Pulling"]

_AT_ONCE = 8
_BACK_OFF_MS = (1_000, 5_000, 15_000, 60_000, 300_000)
_ANSWER_BYTES = 8 << 20
_MOST_PAGES = 1_000  # of one attempt; then the others have their turn

_log = structlog.get_logger("sanfen.gateway")


class Pulling(Serving):
    """``channels``: what hears each channel, as the configuration in force has it."""

    def __init__(self, channels: Callable[[], dict[str, Hearing]], journaling: Journaling, clock: Clock) -> None:
        super().__init__(clock, "fetching waits for the log")
        self._channels = channels
        self._journaling = journaling
        self.calls = Calls(most_bytes=_ANSWER_BYTES)
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._next_ms: dict[str, int] = {}

    async def run(self, log: Writes) -> None:
        """Serve until cancelled."""
        try:
            await self._forever(log)
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            await self.calls.close()

    async def _serve(self, log: Writes) -> None:
        now_ms = self._clock.now_ms()
        await self._plan(now_ms)
        busy = set(self._busy)  # what is done by the time of the answer is not in it any more
        due, next_ms = await self._do(log, lambda connection: notes.waiting(connection, now_ms))
        for one in due:
            name = (one.channel, one.pull.name)
            if name not in busy and len(self._busy) < _AT_ONCE:
                task = self._busy[name] = asyncio.create_task(self._fetch(log, one))
                task.add_done_callback(lambda _, name=name: self._done(name))  # type: ignore[misc]
        next_ms = min([*self._next_ms.values(), *([] if next_ms is None else [next_ms]), now_ms + LOOK_MS])
        await nap(self._clock, max(25, next_ms - now_ms), self._awake)

    def _done(self, name: tuple[str, str]) -> None:
        task = self._busy.pop(name)
        self._awake.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("fetching failed", channel=name[0], error=str(task.exception()))

    async def _plan(self, now_ms: int) -> None:
        """Ask for what is to be fetched at the start, and from time to time."""
        for channel, hearing in self._channels().items():
            if now_ms < self._next_ms.get(channel, now_ms):
                continue
            wanted = tuple(hearing.adapter.pulls())
            every_ms = hearing.adapter.pull_every_ms
            self._next_ms[channel] = now_ms + (every_ms or 10 * 365 * 86_400_000)
            if wanted:
                await self._keep(channel, f"/in/{channel}", b"", Heard(), wanted)

    async def _fetch(self, log: Writes, one: Waiting) -> None:
        """Page by page, until there is no more or it fails."""
        for _ in range(_MOST_PAGES):
            hearing = self._channels().get(one.channel)
            if hearing is None:
                await self._put_off(log, one, "the channel is not configured")
                return
            try:
                more, cursor = await self._page(hearing, one)
            except DeliveryError as error:
                await self._put_off(log, one, error.message)
                return
            if not more:
                return
            one = one._replace(cursor=cursor)  # the next page

    async def _page(self, hearing: Hearing, one: Waiting) -> tuple[bool, str | None]:
        """One page, kept; whether there is another. Raises DeliveryError."""
        call = hearing.pull(one.pull, one.cursor, self._clock.now_ms())
        path, answer, pulled, heard = f"/in/{one.channel}", Answer(200, {}, b""), Pulled(), Heard()
        if call is not None:
            answer = await self.calls.send(call)
            path = urlsplit(call.url).path  # without a query, where tokens stand
            if answer.status >= 400:
                raise DeliveryError(Phrase("answered {status}", status=answer.status), reason="http", retryable=True)
            pulled, heard = hearing.pulled(one.pull, answer, one.cursor, self._clock.now_ms())
            if heard.error is not None and pulled == Pulled():  # nothing of it; else what could be read is kept
                if heard.error != one.reason:  # once, however often it is tried
                    await self._keep(one.channel, path, answer.body, heard, ())
                raise DeliveryError(heard.error, reason="unread", retryable=True)
        moved = Moved(one.pull.name, pulled.cursor, one.asked, more=pulled.more)
        body = answer.body if heard.events or heard.error else b""
        await self._keep(one.channel, path, body, heard, (*heard.notes, moved))
        return pulled.more, pulled.cursor or one.cursor

    async def _keep(self, channel: str, path: str, body: bytes, heard: Heard, said: tuple[Note, ...]) -> None:
        """Raises DeliveryError where it is not in the log: then the cursor stands where it stood."""
        delivery = Delivery(self._clock.now_ms(), channel, "in", "PULL", path, body, heard.error, notes=said)
        receipt = await self._journaling.settle(self._journaling.submit(delivery, heard.events), channel, 10_000)
        if receipt is None or receipt.aside:
            raise DeliveryError("the log takes nothing at the moment", reason="store", retryable=True)

    async def _put_off(self, log: Writes, one: Waiting, reason: str) -> None:
        now_ms = self._clock.now_ms()
        if self._throttle.take("off " + one.channel, now_ms) is not None:
            _log.warning("fetching is tried again later", channel=one.channel, reason=reason[:200])
        until_ms = now_ms + _BACK_OFF_MS[min(one.attempts, len(_BACK_OFF_MS) - 1)]
        await self._do(log, lambda connection: notes.put_off(connection, one, until_ms, reason[:200]))
