"""Open the log and write to it. The only module that connects.

One connection writes, in one thread: jobs queue up and are committed in groups, each in a savepoint of its own, so one
that fails takes nothing with it. What comes by the thousand goes through a ``Lane``: all that waits in it is one job.
Readers open the file read-only. ``synchronous=FULL``: what a future reports as done survives a power cut.
"""

import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog

from sanfen.errors import StoreError
from sanfen.log import Throttle
from sanfen.store import place
from sanfen.store.jobs import Batch, Single
from sanfen.store.migrations import APPLICATION_ID, migrate, newer

__all__ = ["Database", "open_reader", "store_error", "touch"]

T = TypeVar("T")

_GROUP = 256  # jobs in one commit
_BUSY_MS = 3_000  # how long to wait for a lock another program holds
_IDLE_S = 0.05  # after this long without work the WAL is folded back, if there is enough of it
_FEW_PAGES = 256
_WAL_PAGES = 4_000  # about 16 MiB: fold back even under load
_WAL_BYTES = 64 << 20  # what a reader made it grow to is given back down to this
_CACHE_KIB = 32 << 10

_TROUBLE = (sqlite3.Error, UnicodeError)  # what a damaged schema says of itself may be no text
_CAREFUL = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0")  # a file may have been tampered with

_log = structlog.get_logger("sanfen.store")


class Database:
    """The log, open for writing. Make one with ``open``."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._jobs: queue.SimpleQueue[Single | Batch | None] = queue.SimpleQueue()
        self._rollbacks: list[Callable[[], None]] = []
        self._wal = _Wal(connection)
        self._closed = False
        self._throttle = Throttle()
        self._thread = threading.Thread(target=self._work, name="sanfen-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open or create the log and take the writer's role. Raises StoreError: foreign, damaged, locked, too new."""
        place.check_libraries()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.check_folder(path)
            lock = _take_lock(path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}", hint="check storage: and its rights") from None
        try:
            connection = _connect_writer(path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, connection, lock)

    def write(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Queue a job for the writer thread. Its future resolves after the commit; StoreError if that failed."""
        future: Future[T] = Future()
        self.put(Single(job, future))
        return future

    def put(self, entry: "Single | Batch") -> None:
        """Queue what settles itself; after ``close`` it is settled with StoreError."""
        if self._closed:
            entry.settle(StoreError("the log is closed"))
        else:
            self._jobs.put(entry)

    def on_rollback(self, callback: Callable[[], None]) -> None:
        """Call this, in the writer thread, when a group could not be committed: what it cached is not true."""
        self._rollbacks.append(callback)

    def reader(self) -> sqlite3.Connection:
        """A new read-only connection with rows by name."""
        return open_reader(self.path)

    def close(self) -> None:
        """Finish the queue, fold the WAL back, give up the writer's role. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        os.close(self._lock)

    # --- the writer thread ---

    def _work(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._commit(group)
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

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
        outcomes: list[tuple[Single | Batch, Any]] = []
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for entry in group:
                connection.execute("SAVEPOINT job")
                try:
                    outcomes.append((entry, entry.run(connection)))
                except sqlite3.DatabaseError as error:
                    if not connection.in_transaction:
                        raise
                    connection.execute("ROLLBACK TO job")
                    self._forget()
                    outcomes.append((entry, store_error(self.path, error)))
                except Exception as error:  # noqa: BLE001  # the thread serves everybody: one job must not stop it
                    connection.execute("ROLLBACK TO job")
                    self._forget()
                    outcomes.append((entry, error))
                connection.execute("RELEASE job")
            connection.execute("COMMIT")
        except _TROUBLE as error:
            self._undo(group, error)
            return
        for entry, outcome in outcomes:
            entry.settle(outcome)
        self._wal.committed()

    def _undo(self, group: list[Single | Batch], error: sqlite3.Error | UnicodeError) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.rollback()
        self._forget()
        problem = store_error(self.path, error)
        swallowed = self._throttle.take(problem.message, time.monotonic_ns() // 1_000_000)
        if swallowed is not None:  # it is tried again several times a second
            _log.error("commit failed", error=problem.message, jobs=len(group), more_like_it=swallowed)
        for entry in group:
            entry.settle(problem)
        # After an I/O error a handle is not to be trusted: open a new one, or go on with the old until one opens.
        try:
            fresh = _connect_writer(self.path)
        except StoreError:
            return
        with suppress(sqlite3.Error):
            self._connection.close()
        self._connection = fresh
        self._wal = _Wal(fresh)

    def _forget(self) -> None:
        for callback in self._rollbacks:
            callback()


class _Wal:
    """The write-ahead log, and when to fold it back into the file. Only the writer's own connection does that."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._held = 0  # pages that could not be folded back, or were not yet when last looked at
        self._commits = 0  # since then
        self._each = 64.0  # pages a commit adds; measured when looked at
        self._told = 0  # how long it was when somebody was told

    @property
    def pages(self) -> int:
        """About how many pages wait to be folded back."""
        return self._held + round(self._commits * self._each)

    def committed(self) -> None:
        """A commit more. Folds back where the WAL has grown long, though others wait."""
        self._commits += 1
        if self.pages > max(_WAL_PAGES, self._held + self._held // 4):
            self.fold_back()

    def fold_back(self) -> None:
        """Copy what no reader needs into the file; the next commit begins the WAL anew if that was all."""
        try:
            _, pages, folded = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return
        if self._commits:
            self._each = max(1.0, (pages - self._held) / self._commits)
        self._held, self._commits = (0 if folded == pages else pages), 0
        if self._held > 4 * max(self._told, _WAL_PAGES):
            self._told = self._held
            _log.warning(
                "the write-ahead log grows: another program reads this log and does not end",
                mib=self._held >> 8, hint="end whatever has it open (an editor, a report, a copy)",
            )  # fmt: skip
        elif not self._held:
            self._told = 0


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection with rows by name. Raises StoreError if the file is missing or not a sanfen log."""
    if not path.is_file():
        raise StoreError(f"no such log: {path}", hint="give the file that storage: names, or that --out wrote")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_MS / 1000)
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    with _closed_if_refused(path, connection):
        connection.row_factory = sqlite3.Row
        for pragma in (*_CAREFUL, "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _check_ours(path, connection, empty_too=False)
    return connection


def _connect_writer(path: Path) -> sqlite3.Connection:
    try:
        # Only a file that was not there: closing a descriptor of one that is open drops SQLite's locks on it, and the
        # next program to look into it would fold the WAL back and remove it under us.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", hint="check storage: and its rights") from None
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    with _closed_if_refused(path, connection):
        for pragma in _CAREFUL:
            connection.execute(f"PRAGMA {pragma}")
        _check_ours(path, connection, empty_too=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
    return connection


@contextmanager
def _closed_if_refused(path: Path, connection: sqlite3.Connection) -> Iterator[None]:
    """What goes wrong with a new connection closes it, and is said in our words."""
    try:
        yield
    except _TROUBLE as error:
        connection.close()
        raise store_error(path, error) from None
    except StoreError:
        connection.close()
        raise


def _check_ours(path: Path, connection: sqlite3.Connection, *, empty_too: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and not (empty_too and tables == 0 and application == 0):
        raise StoreError(
            f"{path} is not a sanfen log: it is another program's database" if tables else f"{path} holds no log yet",
            hint="name another file; this one is left untouched",
        )
    unknown = newer(connection)
    if unknown:
        raise StoreError(
            f"{path} was written by a newer sanfen (it has {unknown})", hint="upgrade sanfen, or name another file"
        )


def _take_lock(path: Path) -> int:
    """One writer to a file, also between processes; the system gives the lock back when a process dies."""
    lock = os.open(path.parent / (path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with closing(os.fdopen(lock, "r")) as holder:
            pid = holder.read(20).strip() or "unknown"
        raise StoreError(
            f"{path} is in use by another sanfen (process {pid})", hint="stop it, or give this one its own storage:"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def touch(connection: sqlite3.Connection) -> None:
    """Change nothing, in a commit that has to reach the disk: an empty one would not."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def store_error(path: Path, error: sqlite3.Error | UnicodeError) -> StoreError:
    """SQLite's error as a sentence with a mend."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreError(f"{path} is locked by another program", hint="close what has it open (an editor, a backup)")
    if isinstance(error, UnicodeError) or "not a database" in text or "malformed" in text or "corrupt" in text:
        return StoreError(f"{path} is damaged or no database: {text}", hint="restore a copy, or name another file")
    if "full" in text:
        return StoreError(f"no space left for {path}", hint="free some disk: the chat flows on, its scoring is a gap")
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"cannot write {path}: {text}", hint="check storage: and its rights")
    return StoreError(f"{path}: {text}", hint="check the disk, then restart" if "I/O" in text else "")
