"""The log's files apart from their content: whose they are, who locks them, room kept free for bad times, damage put aside."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import structlog

from sanfen.errors import DamagedError, Phrase
from sanfen.store.migrations import APPLICATION_ID

__all__ = ["check_small", "holder", "is_ours", "make_reserve", "put_aside", "release_reserve"]

_RESERVE_BYTES = 4 << 20
_CHECKED_BYTES = 64 << 20  # a larger log is not read through while deliveries wait
_APPLICATION_AT = 68  # in the header of a SQLite file
_SIDES = ("-wal", "-shm", "")  # the WAL first: a new log must never find an old one

_log = structlog.get_logger("sanfen.store")


def is_ours(path: Path) -> bool:
    """Whether a file that SQLite cannot read was a log of ours, by its raw header or by the header its WAL holds."""
    for side in ("", "-wal"):
        with suppress(OSError), path.with_name(path.name + side).open("rb") as file:
            head = file.read(1 << 16)
            if side:
                return APPLICATION_ID.to_bytes(4, "big") in head
            if head[_APPLICATION_AT : _APPLICATION_AT + 4] == APPLICATION_ID.to_bytes(4, "big"):
                return True
    return False


def put_aside(path: Path) -> Path:
    """Move a damaged log out of the way, never delete it; returns its new name. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 0
    while True:
        name = f"{path.name}.damaged-{stamp}" + (f"-{number}" if number else "")
        if not path.with_name(name).exists():
            break
        number += 1
    for side in _SIDES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(path.with_name(name + side))
    return path.with_name(name)


def holder(path: Path) -> str | None:
    """Who has a lock on the log, as far as the system tells: ``program (process 123)``."""
    inodes = set()
    for side in _SIDES:
        with suppress(OSError):
            inodes.add(path.with_name(path.name + side).stat().st_ino)
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if (
                "->" not in fields
                and "WRITE" in fields
                and int(fields[5].rsplit(":", 1)[1]) in inodes
                and int(fields[4]) != os.getpid()
            ):
                name = Path(f"/proc/{fields[4]}/comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {fields[4]})"
    return None


def check_small(path: Path, connection: sqlite3.Connection) -> None:
    """Read a log through if it is small enough to do so now. Raises DamagedError."""
    if path.stat().st_size <= _CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DamagedError(
                Phrase("{path} is damaged: {found}", path=path, found=found),
                hint="restore a copy, or name another file",
            )


def make_reserve(path: Path) -> None:
    """Keep some room on the log's disk, to be released when it is full. Nothing happens where there is too little."""
    with suppress(OSError):
        place = _reserve(path)
        if not place.exists():
            free = os.statvfs(path.parent)
            size = min(_RESERVE_BYTES, free.f_bavail * free.f_frsize // 16)
            file = os.open(place, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(file, 0, max(1, size))
            except OSError:
                place.unlink()
            finally:
                os.close(file)


def release_reserve(path: Path) -> None:
    """Give the reserved room up: once, it is made again when the service opens the log the next time."""
    with suppress(OSError):
        _reserve(path).unlink()
        _log.error("the disk is full: reserved room was released", log=str(path))


def _reserve(path: Path) -> Path:
    return path.with_name(path.name + ".reserve")
