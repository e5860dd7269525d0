"""What waits for the writer thread: single jobs, and lanes in which many small ones become one."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["Batch", "Job", "Lane", "Single"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Any]

_MOST = 256  # items in one batch


class Lane(Generic[Item, Result]):
    """Jobs of one kind from one event loop. What waits in a row is run by one call and settled by one call.

    ``run``: in the writer thread, the items in order to their results. ``apart``: called where it raises and all it wrote
    is undone; one that fails by itself has an exception for its result, what ``apart`` raises fails them all, as does
    ``run`` where there is no ``apart``. What they hold in memory is theirs to mend. ``settle``: on the event loop, after
    the commit; each future with its result, or with the exception, also where nobody waits for it any more.
    """

    def __init__(
        self,
        put: Callable[["Batch"], None],
        run: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[Result]],
        settle: Callable[["asyncio.Future[Any]", Result | BaseException], None],
        apart: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[Result]] | None = None,
    ) -> None:
        self._put = put
        self._settle = settle
        self.run = run
        self.apart = apart
        self.loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[Item, asyncio.Future[Any]]] = []

    def put(self, item: Item) -> "asyncio.Future[Any]":
        """Queue an item; what was put in one turn of the loop is handed over at its end."""
        loop = self.loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((item, future))
        if len(self._waiting) == 1:
            loop.call_soon(self._hand_over)
        return future

    def _hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _MOST):
            self._put(Batch(self, waiting[start : start + _MOST]))

    def settled(self, outcomes: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
        """On the event loop: everybody is told."""
        for future, outcome in outcomes:
            self._settle(future, outcome)


class Single:
    """One job and its future."""

    __slots__ = ("future", "job")
    size = 1

    def __init__(self, job: Job, future: "Future[Any]") -> None:
        self.job = job
        self.future = future

    def run(self, connection: sqlite3.Connection) -> Any:
        """The job's result."""
        return self.job(connection)

    def again(self, connection: sqlite3.Connection, error: Exception) -> Any:  # noqa: ARG002  # it is one already
        """What becomes of it when it has failed."""
        return error

    def settle(self, outcome: Any) -> None:
        """Tell whoever waits; an exception is raised there."""
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Batch:
    """Items of a lane, one job."""

    __slots__ = ("lane", "waiting")

    def __init__(self, lane: Lane[Any, Any], waiting: list[tuple[Any, "asyncio.Future[Any]"]]) -> None:
        self.lane = lane
        self.waiting = waiting

    @property
    def size(self) -> int:
        """How many items."""
        return len(self.waiting)

    def run(self, connection: sqlite3.Connection) -> Sequence[Any]:
        """A result for each item."""
        return self.lane.run(connection, [item for item, _ in self.waiting])

    def again(self, connection: sqlite3.Connection, error: Exception) -> Any:
        """What becomes of each item when together they have failed, and all they wrote is undone."""
        if self.lane.apart is None:
            return error
        return self.lane.apart(connection, [item for item, _ in self.waiting])

    def settle(self, outcome: Any) -> None:
        """Tell whoever waits; an exception is raised in each future."""
        failed = isinstance(outcome, BaseException)
        results = [outcome] * len(self.waiting) if failed else outcome
        told = [(future, result) for (_, future), result in zip(self.waiting, results, strict=True)]
        if self.lane.loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.lane.loop.call_soon_threadsafe(self.lane.settled, told)
