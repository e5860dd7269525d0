"""What serves rows of the log, one look after the other, until it is cancelled."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import structlog

from sanfen.clock import Clock
from sanfen.errors import StoreError
from sanfen.log import Throttle

__all__ = ["LOOK_MS", "Serving", "Writes"]

T = TypeVar("T")

LOOK_MS = 1_000
"""How long nobody looks at most."""

_log = structlog.get_logger("sanfen.gateway")


class Writes(Protocol):
    """The log, as far as this needs it."""

    def write(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Run a job in the writer thread; resolves after its commit."""


class Serving:
    """``waits``: what is logged while the log takes nothing."""

    def __init__(self, clock: Clock, waits: str) -> None:
        self._clock = clock
        self._waits = waits
        self._awake = asyncio.Event()
        self._throttle = Throttle()

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    async def _serve(self, log: Writes) -> None:
        """Do what is due, and rest until something may be. Raises StoreError."""
        raise NotImplementedError

    async def _forever(self, log: Writes) -> None:
        while True:
            self._awake.clear()
            try:
                await self._serve(log)
            except StoreError as error:
                if self._throttle.take("wait", self._clock.now_ms()) is not None:
                    _log.error(self._waits, error=error.message)
                await self._clock.sleep_ms(LOOK_MS)

    async def _do(self, log: Writes, job: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(log.write(job))
