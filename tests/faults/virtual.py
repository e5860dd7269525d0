"""An event loop whose time goes on only when nothing can be done now: hours pass while real code runs at full speed."""

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable
from contextvars import Context
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sanfen.errors import StoreError
from sanfen.store.db import _FEW_PAGES, Database

__all__ = ["ONE", "VirtualClock", "VirtualDatabase", "VirtualLoop", "commit_fault", "every"]

ONE = 0.01  # how often each fault happens

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the time on. There is one thread and nothing from outside to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and for nothing that could come")
        if timeout > 0:
            self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs on virtual seconds. What is given to an executor runs at once."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

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


class VirtualDatabase(Database):
    """The log without its thread: what was put in one turn of the loop is committed, as one group, at its end.

    So a run is the same again from the same seed. What ``spoil`` says may go wrong with each entry: ``lost`` (not
    done) or ``unsaid`` (done, and reported as failed).
    """

    _loop: VirtualLoop
    _spoil: Callable[[], str | None] = staticmethod(lambda: None)
    _turn: asyncio.Handle | None = None

    @classmethod
    def on(cls, loop: VirtualLoop, path: Path, spoil: Callable[[], str | None] = lambda: None) -> "VirtualDatabase":
        """Open the log for a loop."""
        made = cls.open(path)
        assert isinstance(made, VirtualDatabase)
        made._loop, made._spoil = loop, spoil
        return made

    def put(self, entry: Any) -> None:
        fault = self._spoil()
        if fault == "lost":
            entry.settle(StoreError("planted: not done"))
            return
        spoilt: Any = _Unsaid(entry) if fault == "unsaid" else entry
        super().put(spoilt)
        self._turn = self._turn or self._loop.call_soon(self._write_all)

    def _write_all(self) -> None:
        self._turn = None
        while not self._jobs.empty():
            self._commit(self._next_group()[0])
        if self._wal.pages >= _FEW_PAGES:
            self._wal.fold_back()

    def _work(self) -> None:
        """The thread's work is done above, and by ``close``."""

    def close(self) -> None:
        self._closed = self._closed or StoreError("the log is closed")
        self._jobs.put(None)
        super()._work()
        super().close()


class _Unsaid:
    """An entry that is carried out, and whose answer gets lost."""

    def __init__(self, entry: Any) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def settle(self, outcome: Any) -> None:
        failed = isinstance(outcome, BaseException)
        self._entry.settle(outcome if failed else StoreError("planted: done, and reported as failed"))


async def every(seconds: float, job: Callable[[], Awaitable[object]]) -> None:
    """A chore, again and again, as the service's scheduler would have it."""
    while True:
        await asyncio.sleep(seconds)
        await job()


def commit_fault(dice: Random) -> str | None:
    """What becomes of a commit: nearly always nothing; else ``lost``, or ``unsaid``, each as often as any fault."""
    roll = dice.random() / ONE
    return "lost" if roll < 1 else "unsaid" if roll < 2 else None
