"""Who may write to a log: a lock of the system, and a number in the log that only grows.

The lock goes with its process. A process that is stopped (SIGSTOP, a suspended machine) keeps its lock without being alive,
so it also shows a heartbeat; where that stands still, a standby may take the role over, and the number goes up. Every
transaction asks for the number first. Who was stopped finds another's there, and writes nothing.
"""

import fcntl
import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

from sanfen.errors import InUseError, Phrase

__all__ = ["Lease", "fence_of", "raise_fence"]

_BEAT_S = 0.5
_FENCE = "SELECT fence FROM lease_rows WHERE one = 1"


class Lease:
    """The lock, held until ``close``. Its file's time of change is the heartbeat."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self._closed = threading.Event()
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._thread = threading.Thread(target=self._beat, name="sanfen-heartbeat", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, log: Path) -> "Lease":
        """Take the lock of a log. Raises InUseError if another process has it, OSError."""
        path = _lock_path(log)
        while True:
            file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(file)
                raise InUseError(
                    Phrase("{log} is in use by another sanfen (process {pid})", log=log, pid=pid),
                    hint="stop it, give this one its own storage:, or start it with --standby",
                ) from None
            with suppress(FileNotFoundError):
                if os.fstat(file).st_ino == path.stat().st_ino:
                    return cls(path, file)
            os.close(file)  # it was replaced meanwhile

    @classmethod
    def seize(cls, log: Path) -> "Lease":
        """Put a lock of our own in the place of a stopped process's. Only for who is raising the fence. Raises OSError."""
        path = _lock_path(log)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        file = os.open(fresh, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.replace(path)
        return cls(path, file)

    @staticmethod
    def heartbeat(log: Path) -> int:
        """What changes twice a second while the holder is alive."""
        try:
            return _lock_path(log).stat().st_mtime_ns
        except OSError:
            return 0

    def close(self) -> None:
        """Give the lock back. Safe to call twice."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join()
            os.close(self._file)

    def _beat(self) -> None:
        while not self._closed.wait(_BEAT_S):
            with suppress(OSError):
                os.utime(self._file, ns=(time.monotonic_ns(), time.monotonic_ns()))


def fence_of(connection: sqlite3.Connection) -> int:
    """The number of the process that may write; 0 before there was one."""
    row = connection.execute(_FENCE).fetchone()
    return 0 if row is None else int(row[0])


def raise_fence(connection: sqlite3.Connection) -> int:
    """Make the role ours, in the caller's transaction; returns our number."""
    connection.execute(
        "INSERT INTO lease_rows (one, fence, pid) VALUES (1, 1, ?) "
        "ON CONFLICT (one) DO UPDATE SET fence = fence + 1, pid = excluded.pid",
        (os.getpid(),),
    )
    return fence_of(connection)


def _lock_path(log: Path) -> Path:
    return log.parent / (log.name + ".lock")
