"""Write to the log.

One connection writes, in one thread: jobs queue up and are committed in groups, each in a savepoint of its own, so one
that fails takes nothing with it. What comes by the thousand goes through a ``Lane``: all that waits in it is one job.
Readers open the file read-only. ``synchronous=FULL``: what a future reports as done survives a power cut.

A handle that failed is used no more: a new one is opened and looked at first. A log that turns out damaged, or that another
instance has taken over, is *lost*: nothing more is written, and who asked to be told is told.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from sanfen.errors import DamagedError, InUseError, Phrase, StoreError
from sanfen.log import Throttle
from sanfen.store import files, place
from sanfen.store.jobs import Batch, Single
from sanfen.store.lease import Lease, fence_of, raise_fence
from sanfen.store.migrations import APPLICATION_ID
from sanfen.store.opening import TROUBLE, closed_if_refused, connect_writer, open_reader
from sanfen.store.trouble import store_error, unwritable
from sanfen.store.wal import Wal

__all__ = ["Database", "Readable", "Watched", "touch"]

T = TypeVar("T")

_GROUP = 256  # jobs in one commit
_IDLE_S = 0.05  # after this long without work the WAL is folded back, if there is enough of it
_FEW_PAGES = 256

_log = structlog.get_logger("sanfen.store")


class Readable(Protocol):
    """A log that can be read, and written where it is ours."""

    def write(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Run a job and commit it; StoreError in the future where that cannot be."""

    def reader(self) -> sqlite3.Connection:
        """A new read-only connection with rows by name."""


class Watched:
    """The log of another instance."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":  # noqa: ARG002  # another instance's
        """Refused: only its own instance writes."""
        future: Future[T] = Future()
        sentence = Phrase("{path} is written by another instance", path=self._path)
        future.set_exception(InUseError(sentence, hint="ask that one"))
        return future

    def reader(self) -> sqlite3.Connection:
        """A new read-only connection with rows by name. Raises StoreError."""
        return open_reader(self._path)


class Database:
    """The log, open for writing. Make one with ``open``."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lease: Lease, fence: int) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = connection
        self._lease, self._fence = lease, fence
        self._jobs: queue.SimpleQueue[Single | Batch | None] = queue.SimpleQueue()
        self._wal = Wal(connection, self._is_ours)
        self._rollbacks: list[Callable[[], None]] = []
        self._losses: list[Callable[[StoreError], None]] = []
        self.on_commit: Callable[[], None] = lambda: None  # in the writer thread, after each commit; it must not wait
        self._closed: StoreError | None = None
        self._throttle = Throttle()
        self._thread = threading.Thread(target=self._work, name="sanfen-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, *, silent: int | None = None) -> "Database":
        """Open or create the log and take the writer's role.

        ``silent``: the heartbeat of a holder that shows none any more (``Lease.heartbeat``); the role is taken from it.
        Raises InUseError, DamagedError, or StoreError: foreign, locked, too new.
        """
        place.check_libraries()
        lease: Lease | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.check_folder(path)
            lease = _taken(path, silent)
            connection = connect_writer(path, migrating=lease is not None)
            with closed_if_refused(path, connection):
                lease, fence = _claim(path, connection, lease, silent)
        except BaseException as error:
            if lease is not None:
                lease.close()
            if isinstance(error, OSError):
                raise unwritable(path, error) from None
            raise
        files.make_reserve(path)
        return cls(path, connection, lease, fence)

    def write(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Queue a job for the writer thread. Its future resolves after the commit; StoreError if that failed."""
        future: Future[T] = Future()
        self.put(Single(job, future))
        return future

    def put(self, entry: "Single | Batch") -> None:
        """Queue what settles itself; after ``close`` it is settled with StoreError."""
        if self._closed is not None:
            entry.settle(self._closed)
        else:
            self._jobs.put(entry)

    def on_rollback(self, callback: Callable[[], None]) -> None:
        """Call this, in the writer thread, when a group could not be committed: what it cached is not true."""
        self._rollbacks.append(callback)

    def on_lost(self, callback: Callable[[StoreError], None]) -> None:
        """Call this, in the writer thread, when the log is damaged (DamagedError) or another's (InUseError)."""
        self._losses.append(callback)

    def reader(self) -> sqlite3.Connection:
        """A new read-only connection with rows by name."""
        return open_reader(self.path)

    def close(self) -> None:
        """Finish the queue, fold the WAL back, give up the writer's role. Safe to call twice."""
        self._closed = self._closed or StoreError("the log is closed")
        self._jobs.put(None)
        self._thread.join()
        self._lease.close()

    # --- the writer thread ---

    def _work(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._commit(group)
        if self._connection is not None and self._is_ours():
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._drop_handle()

    def _next_group(self) -> tuple[list[Single | Batch], bool]:
        group: list[Single | Batch] = []
        size = 0
        while size < _GROUP:
            try:
                idle_s = _IDLE_S if self._wal.pages >= _FEW_PAGES else None
                entry = self._jobs.get(block=not group, timeout=None if group else idle_s)
            except queue.Empty:
                if not group:
                    self._wal.fold_back()
                break
            if entry is None:
                return group, False
            size += entry.size
            before = group[-1] if group else None
            if isinstance(before, Batch) and isinstance(entry, Batch) and before.lane is entry.lane:
                before.waiting += entry.waiting
            else:
                group.append(entry)
        return group, True

    def _commit(self, group: list[Single | Batch]) -> None:
        try:
            connection = self._handle()
            self._begin(connection)
            outcomes = [self._run(connection, entry, alone=len(group) == 1) for entry in group]
            connection.execute("COMMIT")
        except (*TROUBLE, StoreError) as error:
            self._undo(group, error)
            return
        for entry, outcome in zip(group, outcomes, strict=True):
            entry.settle(outcome)
        self.on_commit()
        self._wal.committed()

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if fence_of(connection) != self._fence:
            taken = Phrase("another instance has taken over {path}", path=self.path)
            raise InUseError(taken, hint="this one writes no more")

    def _run(self, connection: sqlite3.Connection, entry: Single | Batch, *, alone: bool) -> Any:
        """A job's outcome; one that fails takes nothing with it. ``alone``: the transaction is all its own."""
        if not alone:
            connection.execute("SAVEPOINT job")
        try:
            outcome = entry.run(connection)
        except Exception as error:  # noqa: BLE001  # the thread serves everybody: one job must not stop it
            problem = store_error(self.path, error, connection) if isinstance(error, sqlite3.DatabaseError) else error
            if not connection.in_transaction or isinstance(problem, DamagedError):
                try:
                    failed = StoreError(Phrase("a job failed: {error}", error=error))
                    raise problem if isinstance(problem, StoreError) else failed from None
                finally:
                    del problem  # with its traceback it would keep the file open
            if alone:
                connection.execute("ROLLBACK")
                self._begin(connection)
            else:
                connection.execute("ROLLBACK TO job")
            if isinstance(entry, Single):
                self._forget()
            outcome = entry.again(connection, problem)
        if not alone:
            connection.execute("RELEASE job")
        return outcome

    def _undo(self, group: list[Single | Batch], error: sqlite3.Error | UnicodeError | StoreError) -> None:
        with suppress(sqlite3.Error):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.rollback()
        self._forget()
        problem = error if isinstance(error, StoreError) else store_error(self.path, error)
        swallowed = self._throttle.take(problem.message, time.monotonic_ns() // 1_000_000)
        if swallowed is not None:  # it is tried again several times a second
            _log.error("commit failed", error=problem.message, jobs=len(group), more_like_it=swallowed)
        if isinstance(problem, (InUseError, DamagedError)):
            self._lose(problem)
        elif "no space" in problem.message:
            files.release_reserve(self.path)
        elif "locked" not in problem.message:
            self._drop_handle()  # after an I/O error it is not to be trusted
        for entry in group:
            entry.settle(problem)

    def _lose(self, problem: StoreError) -> None:
        self._closed = problem
        self._drop_handle()
        for callback in self._losses:
            callback(problem)

    def _drop_handle(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _handle(self) -> sqlite3.Connection:
        """The connection; a new one where the last one failed. Raises StoreError."""
        if isinstance(self._closed, InUseError | DamagedError):
            raise self._closed
        if self._connection is None:
            fresh = connect_writer(self.path, migrating=False)
            with closed_if_refused(self.path, fresh):
                # What a failed sync left in the WAL may be gone from the disk: fold it back before anything builds on it.
                if fresh.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    held = Phrase("{path}: readers hold the old state", path=self.path)
                    raise StoreError(held, hint="it is tried again")
                files.check_small(self.path, fresh)
            self._connection = fresh
            self._wal = Wal(fresh, self._is_ours)
        return self._connection

    def _is_ours(self) -> bool:
        try:
            return self._connection is not None and fence_of(self._connection) == self._fence
        except sqlite3.Error:
            return False

    def _forget(self) -> None:
        for callback in self._rollbacks:
            callback()


def _taken(path: Path, silent: int | None) -> Lease | None:
    """The lock; None where its holder shows no heartbeat, and the role is to be taken from it."""
    try:
        return Lease.take(path)
    except InUseError:
        if silent is None:
            raise
        return None


def _claim(path: Path, connection: sqlite3.Connection, lease: Lease | None, silent: int | None) -> tuple[Lease, int]:
    """Raise the fence. Without a lock of ours, put one in the place of a holder's that still shows no heartbeat, in the
    same transaction: of two who take its place only one finds it silent. Returns the lock, and our number.
    """
    connection.execute("BEGIN IMMEDIATE")
    if lease is None and Lease.heartbeat(path) != silent:
        connection.execute("ROLLBACK")
        raise InUseError(Phrase("{path} is in use by another sanfen, which is alive again", path=path))
    fence = raise_fence(connection)
    try:
        ours = lease or Lease.seize(path)
    except OSError as error:
        raise unwritable(path, error) from None  # a StoreError: whoever opened the connection closes it
    try:
        connection.execute("COMMIT")
    except BaseException:
        ours.close()
        raise
    return ours, fence


def touch(connection: sqlite3.Connection) -> None:
    """Change nothing, in a commit that has to reach the disk: an empty one would not."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
