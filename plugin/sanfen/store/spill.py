"""Where deliveries wait while the journal cannot take them: append-only files, on another path than the log's.

A line is a delivery with its events, and a checksum. What ``append`` reports as done survives a power cut. Each process
writes a file of its own and holds its lock; a file whose lock can be had belongs to nobody any more (closed, or its owner
died) and is drained into the journal and then removed. Deliveries have numbers and events have ids, so draining a file a
second time changes nothing.

Beside them stands a ledger of what could be kept nowhere. It is as long from the first as it will ever be, and is written
in place, so that the count can be kept on a full disk too.
"""

import base64
import fcntl
import json
import os
import queue
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sanfen.core.events import Event
from sanfen.errors import Phrase, SanfenError, StoreError
from sanfen.store.journal import Delivery, Gap
from sanfen.store.notes import packed, unpacked
from sanfen.wire import event_fields, read_event

__all__ = ["Aside", "Damaged", "Spill", "entries"]

MOST_BYTES = 1 << 30  # of one process's file; what comes after is a gap
_MOST_PENDING_BYTES = 64 << 20  # handed over and not yet on disk
_SLOT = 32_768
_BATCH = 100


class Aside(NamedTuple):
    """A delivery that waits for the journal."""

    delivery: Delivery
    events: tuple[Event, ...]


class Damaged(NamedTuple):
    """A line that cannot be read. ``mark``: the same number whenever it is met."""

    mark: int


class Spill:
    """The files of one path. Everything that touches a disk runs in a thread of its own, or is called in one."""

    def __init__(self, path: Path, name: str) -> None:
        """``name``: of this process, unlike any other's. No file is made before one is needed, but for the ledger."""
        self._path = path
        self._name = name
        self._part = 0
        self._file: int | None = None
        self._bytes = 0
        self._pending_bytes = 0
        self._ledger: int | None = None
        self._turn = 0
        self.written = 0
        """Deliveries this process has put into files; grows before their futures resolve."""
        self._lock = threading.Lock()  # of the file in use, which draining closes
        self._jobs: queue.SimpleQueue[tuple[bytes | list[Gap], Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sanfen-spill", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """What the files' names begin with."""
        return self._path

    def append(self, delivery: Delivery, events: Sequence[Event]) -> "Future[None]":
        """Keep a delivery; resolves when it is on disk, or raises StoreError in the future."""
        line = _line(delivery, events)
        self._pending_bytes += len(line)
        if self._pending_bytes > _MOST_PENDING_BYTES:
            self._pending_bytes -= len(line)
            future: Future[None] = Future()
            future.set_exception(StoreError(Phrase("{path}: the disk is slower than what arrives", path=self._path)))
            return future
        return self._put(line)

    def note(self, gaps: Iterable[Gap]) -> "Future[None]":
        """Write the ledger anew: all gaps that are not in the log yet. StoreError in the future if that failed."""
        return self._put(list(gaps))

    def close(self) -> None:
        """Finish what was handed over; remove the ledger if it is empty. Safe to call twice."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def _put(self, job: bytes | list[Gap]) -> "Future[None]":
        future: Future[None] = Future()
        self._jobs.put((job, future))
        return future

    # --- draining: called in any thread ---

    def waiting(self) -> int:
        """How many deliveries wait in files."""
        return sum(_count(one) for one in self._files())

    def left(self) -> int:
        """How many of the deliveries waiting in files are not of this process's ``written``; negative when it drained some."""
        while True:
            with self._lock:  # between a line's write and its being counted nobody looks
                written = self.written
            waiting = self.waiting()
            with self._lock:
                if written == self.written:
                    return waiting - written

    def has_orphans(self) -> bool:
        """Whether a process that is no more has left deliveries or losses behind."""
        for path in [*self._files(), *self._path.parent.glob(f"{self._path.name}.*.gaps")]:
            if path != self._ledger_path and (file := _taken(path)) is not None:
                os.close(file)
                return True
        return False

    def orphaned_gaps(self) -> list[tuple[Path, list[Gap]]]:
        """Ledgers of processes that are no more, each with its gaps. ``drop`` each when its gaps are in the log."""
        found = []
        for path in sorted(self._path.parent.glob(f"{self._path.name}.*.gaps")):
            if path != self._ledger_path and (file := _taken(path)) is not None:
                found.append((path, _read_ledger(file)))
                os.close(file)
        return found

    def drop(self, ledger: Path) -> None:
        """Remove an orphaned ledger; not one that has an owner after all: it was looked at as it was being made."""
        if (file := _taken(ledger)) is not None:
            ledger.unlink(missing_ok=True)
            os.close(file)

    def batches(self) -> Iterator[list[Aside | Damaged]]:
        """What waits, oldest file first; a file is removed when the batch after its last one is asked for."""
        with self._lock:
            self._let_go()
        for path in self._files():
            file = _taken(path)
            if file is None:
                continue  # another process still writes it
            with os.fdopen(file, "rb") as lines:
                batch: list[Aside | Damaged] = []
                for one in entries(lines):
                    batch.append(one)
                    if len(batch) >= _BATCH:
                        yield batch
                        batch = []
                if batch:
                    yield batch
                path.unlink()

    def _files(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.*.lines"))

    # --- the thread ---

    def _work(self) -> None:
        with suppress(OSError):  # without a ledger gaps are counted in memory and in the log
            self._open_ledger()
        running = True
        while running:
            jobs, running = self._next()
            lines = [(job, future) for job, future in jobs if isinstance(job, bytes)]
            notes = [(job, future) for job, future in jobs if isinstance(job, list)]
            if lines:
                self._do(self._write, b"".join(job for job, _ in lines), [future for _, future in lines])
                self._pending_bytes -= sum(len(job) for job, _ in lines)
            if notes:
                self._do(self._write_ledger, notes[-1][0], [future for _, future in notes])
        with self._lock:
            self._let_go()
        if self._ledger is not None:
            if not _read_ledger(self._ledger):
                self._ledger_path.unlink(missing_ok=True)
            os.close(self._ledger)

    def _next(self) -> tuple[list[tuple[bytes | list[Gap], "Future[None]"]], bool]:
        jobs: list[tuple[bytes | list[Gap], Future[None]]] = []
        size = 0
        while size < 1 << 20:
            try:
                item = self._jobs.get(block=not jobs)
            except queue.Empty:
                break
            if item is None:
                return jobs, False
            jobs.append(item)
            size += len(item[0])
        return jobs, True

    def _do(self, action: Any, what: Any, futures: list["Future[None]"]) -> None:
        problem: StoreError | None = None
        try:
            action(what)
        except OSError as error:
            problem = StoreError(
                Phrase("{place}: {sentence}", place=self._path, sentence=error.strerror or error),
                hint="check spill: and its disk",
            )
        for future in futures:
            if not future.set_running_or_notify_cancel():
                continue  # nobody waits any more
            if problem is None:
                future.set_result(None)
            else:
                future.set_exception(problem)

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._file is None:
                self._open_file()
            if self._file is None or self._bytes + len(data) > MOST_BYTES:
                raise OSError(None, "the spill file is full")
            try:
                _write_all(self._file, data)
                os.fdatasync(self._file)
            except OSError:
                # After a failed sync the pages' fate is unknown: this file is written no more.
                with suppress(OSError):
                    os.ftruncate(self._file, self._bytes)
                    if not self._bytes:  # a disk that stays broken must not fill up with names
                        self._lines_path.unlink()
                self._let_go()
                raise
            self._bytes += len(data)
            self.written += data.count(b"\n")

    def _open_file(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part += 1
        path = self._lines_path
        file = _claimed(path, os.O_WRONLY | os.O_APPEND)
        _sync_folder(path.parent)
        self._file, self._bytes = file, os.fstat(file).st_size

    @property
    def _lines_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._name}.{self._part:04}.lines")

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # --- the ledger ---

    @property
    def _ledger_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._name}.gaps")

    def _open_ledger(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _claimed(self._ledger_path, os.O_RDWR)
        try:
            _write_all(file, b"\0" * 2 * _SLOT)
            os.fdatasync(file)
            _sync_folder(self._path.parent)
        except OSError:
            os.close(file)
            raise
        self._ledger = file

    def _write_ledger(self, gaps: list[Gap]) -> None:
        if self._ledger is None:
            self._open_ledger()
        if self._ledger is None:
            return
        if not gaps:
            os.pwrite(self._ledger, b"\0" * 2 * _SLOT, 0)
            os.fdatasync(self._ledger)
            return
        text = _gaps_text(gaps)
        if len(text) > _SLOT - 64:  # thousands of channels: the sum is what must stay right
            text = _gaps_text([_sum(gaps)])
        self._turn += 1
        slot = b"%016x %08x %08x " % (self._turn, zlib.crc32(text), len(text)) + text
        os.pwrite(self._ledger, slot, (self._turn % 2) * _SLOT)
        os.fdatasync(self._ledger)


def entries(lines: Iterable[bytes]) -> Iterator[Aside | Damaged]:
    """What the lines of a file hold, up to one whose writing was cut off: nobody was told that it is kept."""
    for line in lines:
        if not line.endswith(b"\n"):
            return
        yield _aside(line)


def _line(delivery: Delivery, events: Sequence[Event]) -> bytes:
    fields = delivery._asdict() | {"body": base64.b64encode(delivery.body).decode()}
    fields["replay_key"] = delivery.replay_key.hex() if delivery.replay_key is not None else None
    fields["notes"] = packed(delivery.notes)
    text = json.dumps([fields, [event_fields(event) for event in events]]).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _aside(line: bytes) -> Aside | Damaged:
    try:
        mark, text = line.rstrip(b"\n").split(b" ", 1)
        if int(mark, 16) != zlib.crc32(text):
            return Damaged((1 << 40) + zlib.crc32(line))
        fields, events = json.loads(text)
        key = fields.get("replay_key")
        fields |= {"body": base64.b64decode(fields["body"]), "replay_key": None if key is None else bytes.fromhex(key)}
        fields["notes"] = unpacked(fields.get("notes", ()))
        delivery = Delivery(**fields)
        return Aside(delivery, tuple(read_event(one) for one in events))
    except (ValueError, TypeError, KeyError, SanfenError):
        return Damaged((1 << 40) + zlib.crc32(line))


def _claimed(path: Path, flags: int) -> int:
    """A new file, open and locked. Whoever looks for orphans may take it, and remove it, before we have the lock."""
    while True:
        file = os.open(path, os.O_CREAT | flags, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


def _taken(path: Path) -> int | None:
    """A file whose owner is no more, open; None if it has one, or is gone."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _count(path: Path) -> int:
    try:
        with path.open("rb") as lines:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b""))
    except OSError:
        return 0


def _gaps_text(gaps: Iterable[Gap]) -> bytes:
    return json.dumps([gap._asdict() for gap in gaps]).encode()


def _sum(gaps: Sequence[Gap]) -> Gap:
    first = min(gap.from_ms for gap in gaps)
    last = max(gap.until_ms for gap in gaps)
    return gaps[0]._replace(channel="*", from_ms=first, until_ms=last, deliveries=sum(gap.deliveries for gap in gaps))


def _read_ledger(file: int) -> list[Gap]:
    """The newer of the two slots that are whole."""
    best: tuple[int, list[Gap]] = (0, [])
    for at in (0, _SLOT):
        data = os.pread(file, _SLOT, at)
        with suppress(ValueError, TypeError):
            turn, mark, size = (int(part, 16) for part in data[:35].split(b" ", 3)[:3])
            text = data[35 : 35 + size]
            if zlib.crc32(text) == mark and turn > best[0]:
                best = (turn, [Gap(**one) for one in json.loads(text)])
    return best[1]


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    """A new name in a folder survives a power cut only when the folder itself is synced."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
