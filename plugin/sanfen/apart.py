"""A notifier of somebody else's, in a thread with an event loop of its own: whatever it does there, ours goes on.

What blocks, hangs or swallows its cancellation is given up by whoever asked (``notify.ways``) when its time is over, and the next way is
tried. A thread that does not answer then is left behind and another takes its place; after three the notifier is not
asked any more.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import structlog

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.errors import given_up

__all__ = ["Apart"]

_MOST_STUCK = 3
_ANSWERS_S = 0.5  # a loop that is not blocked answers within this
_CLOSING_S = 2

_log = structlog.get_logger("sanfen.notify")


class Apart(Notifier):
    """Stands for a notifier of ``kind``; it is made, asked and closed in the other thread."""

    name = "apart"

    def __init__(self, kind: type[Notifier]) -> None:
        self.kind = kind
        self.name = kind.name  # type: ignore[misc]  # of each its own
        self.limits = kind.limits  # type: ignore[misc]
        self.check = kind.check  # type: ignore[method-assign]
        self.shown = kind.shown  # type: ignore[method-assign]
        self._made: Notifier | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stuck = 0

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """As the other does it. Raises what it raises."""
        if self._stuck >= _MOST_STUCK:
            raise DeliveryError(given_up(self.name, self._stuck), reason="plugin_hangs", retryable=False)
        loop = self._running()
        try:
            return await asyncio.wrap_future(self._there(loop, self._notify(notice, address, secret)))
        except asyncio.CancelledError:  # its time is over
            await self._look(loop)
            raise

    async def _notify(self, notice: Notice, address: str, secret: str | None) -> str:
        if self._made is None:
            self._made = self.kind()
            self._made.guard = self.guard
        return await self._made.notify(notice, address, secret)

    async def close(self) -> None:
        """Let it release its connections, for a moment, and end its loop."""
        loop, made = self._loop, self._made
        self._loop = self._made = None
        if loop is None:
            return
        if made is not None:
            with suppress(Exception):
                async with asyncio.timeout(_CLOSING_S):
                    await asyncio.wrap_future(self._there(loop, made.close()))
        loop.call_soon_threadsafe(loop.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_serve, args=(self._loop,), name=f"sanfen-{self.name}", daemon=True).start()
        return self._loop

    @staticmethod
    def _there(loop: asyncio.AbstractEventLoop, job: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(job, loop)

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave a thread that is blocked."""
        answer: Future[None] = Future()
        loop.call_soon_threadsafe(answer.set_result, None)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWERS_S):
                await asyncio.wrap_future(answer)
                return
        if self._loop is loop:
            self._loop = self._made = None
            self._stuck += 1
            _log.error("a notifier blocks its thread, which is left behind", notifier=self.name, times=self._stuck)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
