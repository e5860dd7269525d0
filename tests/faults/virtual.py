"""An event loop whose time goes on only when nothing can be done now: hours pass while real code runs at full speed."""

import asyncio
import math
import selectors
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.jobs import Batch, Single

__all__ = ["VirtualClock", "VirtualLoop", "Waited"]

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the time on; unless a thread is at work, which needs real time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if timeout is None or self.at_work:
            return super().select(None)
        self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs on virtual seconds. What is given to an executor runs at once."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now

    def run_in_executor(self, _executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # the caller's business
            future.set_exception(error)
        return future


class VirtualClock:
    """The service's clock on virtual time."""

    def __init__(self, loop: VirtualLoop, start_ms: int) -> None:
        self._loop = loop
        self._start_ms = start_ms

    def now_ms(self) -> int:
        return self._start_ms + int(self._loop.time() * 1000)

    def off_ms(self) -> int:
        """Nobody sets it."""
        return 0

    async def sleep_ms(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)


class Waited:
    """A database for a virtual loop: time stands still while its writer thread works. ``spoil`` may plant a fault.

    What it says may go wrong: ``lost`` (not done) or ``unsaid`` (done, and reported as failed).
    """

    def __init__(self, db: Database, loop: VirtualLoop, spoil: Callable[[], str | None]) -> None:
        self._db = db
        self._loop = loop
        self._spoil = spoil

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def write(self, job: Callable[..., T]) -> "Future[T]":
        """As the database does it, or not."""
        future: Future[T] = Future()
        self.put(Single(job, future))
        return future

    def put(self, entry: Single | Batch) -> None:
        """The same for what settles itself."""
        fault = self._spoil()
        if fault == "lost":
            entry.settle(StoreError("planted: not done"))
            return
        self._loop.virtual.at_work += 1
        settle = lambda outcome: self._loop.call_soon_threadsafe(self._done, entry, fault, outcome)  # noqa: E731
        self._db.put(cast("Single", _Held(entry, settle)))

    def _done(self, entry: Single | Batch, fault: str | None, outcome: Any) -> None:
        self._loop.virtual.at_work -= 1
        if fault == "unsaid" and not isinstance(outcome, BaseException):
            outcome = StoreError("planted: done, and reported as failed")
        entry.settle(outcome)


class _Held:
    """Work for the writer thread whose outcome goes another way."""

    def __init__(self, entry: Single | Batch, settle: Callable[[Any], object]) -> None:
        self._entry = entry
        self.settle = settle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)
