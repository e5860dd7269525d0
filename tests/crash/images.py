"""Power-loss images of a recorded run: every one opened by SQLite, every state it recovers to looked at in full.

At each place of the record four images are made: all that was not synced reached the disk, none of it, a random half, and
a random half of which some writes reached it only in part, at sectors' borders. The images lie in a folder in memory. An
image is opened and read, which makes SQLite recover it. What it recovered to is known by the content of the file and by the
index SQLite made of its log (frames taken over, their running checksum and salt): a state met before needs no second look
at its rows, only at what had been acknowledged meanwhile. Nor is an image opened twice whose files are, byte for byte,
those of one before: what it recovers to is known.
"""

import json
import os
import shutil
import sqlite3
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.crash import checks
from tests.crash.checks import EMPTY, State
from tests.crash.trace import Disk, File, Image, Op, Write, apply

from sanfen.errors import StoreError
from sanfen.store.spill import Aside, entries

__all__ = ["MODES", "Images", "Tally"]

MODES = ("all", "none", "half", "torn")
_LOG = "sanfen.db"
_STRAY = frozenset(_LOG + ending for ending in ("-wal", "-shm", "-journal"))
_INDEX = struct.Struct(
    "<12x??HII8s8s"
)  # of the shared memory: started, big-endian, page size, frames, pages, sum, salt

Deep = Callable[[Path], list[str]]


class Tally(NamedTuple):
    """What was looked at, and what was wrong."""

    images: int = 0
    distinct: int = 0
    states: int = 0
    deep: int = 0
    acknowledged: int = 0
    lost: int = 0  # images that lack an acknowledged event
    corrupt: int = 0
    wrong: int = 0  # rounds, hours or notices that do not agree

    def __add__(self, other: "Tally") -> "Tally":  # type: ignore[override]
        return Tally(*(mine + yours for mine, yours in zip(self, other, strict=True)))

    @property
    def clean(self) -> bool:
        """Nothing lost, corrupt or wrong."""
        return not (self.lost or self.corrupt or self.wrong)


class Images:
    """Follows a record and looks at images. ``deep``: looked at one state of so many, as the service itself would."""

    def __init__(self, folder: Path, dice: Random, deep: Deep, *, one_of: int = 40) -> None:
        self._folder = folder / "image"
        self._scratch = folder / "deep"
        self._folder.mkdir()
        self._dice = dice
        self._deep, self._one_of = deep, one_of
        self._disk = Disk()
        self._open: dict[str, int] = {}
        self._images: dict[object, _Known] = {}
        self._states: dict[object, _Known] = {}
        self._acknowledged: list[str] = []
        self._sent: Counter[tuple[str, str]] = Counter()  # notices that left, by round and person
        self._counts: Counter[str] = Counter()
        self.said: list[str] = []

    @property
    def tally(self) -> Tally:
        """So far."""
        return Tally(
            distinct=len(self._images),
            states=len(self._states),
            acknowledged=len(self._acknowledged),
            **{name: self._counts[name] for name in ("images", "deep", "lost", "corrupt", "wrong")},
        )

    def feed(self, op: Op, *, look: bool) -> None:
        """Take a record; with ``look``, then make four images."""
        if op.kind == "K" or (op.kind == "A" and op.data.startswith(b"HTTP/1.1 2")):
            self._acknowledge(op)
        elif op.kind == "A":
            self._notice(op)
        else:
            self._change(op)
        if look and op.kind not in "KA":
            for mode in MODES:
                self._look(self._disk.image(mode, self._dice), mode)

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    # --- what was promised ---

    def _acknowledge(self, op: Op) -> None:
        name = op.name or _header(op.data, b"x-event: ")
        if name and not name.startswith(("gap", "poison")):  # promised to nobody, and no event
            self._acknowledged.append(name)

    def _notice(self, op: Op) -> None:
        if op.data.startswith(b"POST /notice"):
            notice = json.loads(op.data.partition(b"\r\n\r\n")[2])
            self._sent.update((one["round_id"], notice["person"]) for one in notice["waiting"])

    # --- the disk ---

    def _change(self, op: Op) -> None:
        done = self._disk.feed(op)
        for name in set(self._open) - set(self._disk.files):
            os.close(self._open.pop(name))
            (self._folder / name).unlink()
        for name, file in self._disk.files.items():
            if name not in self._open:
                self._open[name] = os.open(self._folder / name, os.O_RDWR | os.O_CREAT)
                _rewrite(self._open[name], file.durable)
        if done is not None:
            name, writes = done
            _carry_out(self._open[name], writes)

    def _look(self, image: Image, mode: str) -> None:
        self._counts["images"] += 1
        known = self._images.get(image.identity)
        if known is not None and self._holds_all(known):
            self._judge(known, mode)
            return
        for name, writes in image.survived.items():
            _carry_out(self._open[name], writes)
        try:
            known = self._images[image.identity] = self._state(image)
            self._judge(known, mode)
        finally:
            for name, writes in image.survived.items():
                _take_back(self._open[name], self._disk.files[name], writes)
            for stray in _STRAY - self._open.keys():
                with suppress(FileNotFoundError):
                    os.unlink(f"{self._folder}/{stray}")  # noqa: PTH108  # a million times

    def _holds_all(self, known: "_Known") -> bool:
        """Whether all that was acknowledged is in the log itself."""
        while known.held < len(self._acknowledged) and self._acknowledged[known.held] in known.state.events:
            known.held += 1
        return known.held == len(self._acknowledged)

    def _judge(self, known: "_Known", mode: str) -> None:
        state, whole = known.state, self._holds_all(known)
        held = known.held
        if not whole:
            aside = self._aside()
            while held < len(self._acknowledged) and self._acknowledged[held] in state.events | aside:
                held += 1
        if known.corrupt:
            self._counts["corrupt"] += 1
        elif held < len(self._acknowledged):
            self._counts["lost"] += 1
            self._say(f"{mode}: {self._acknowledged[held]} was acknowledged and is not there")
        unmarked = [pair for pair, sent in self._sent.items() if state.attempts.get(pair, 0) < sent]
        problems = [*state.problems, *(f"a notice left and is not marked: {pair}" for pair in unmarked)]
        if problems and not known.corrupt:
            self._counts["wrong"] += 1
        if problems:
            self._say(f"{mode}: {' / '.join(problems)[:300]}")

    def _aside(self) -> frozenset[str]:
        """Events that wait in files beside the log, and are journaled at the next start."""
        found = set()
        for path in self._folder.glob("*.lines"):
            with path.open("rb") as lines:
                found |= {event.id for one in entries(lines) if isinstance(one, Aside) for event in one.events}
        return frozenset(found)

    def _say(self, text: str) -> None:
        if len(self.said) < 20:
            self.said.append(f"after record {self._counts['images'] // len(MODES)}: {text}")

    # --- the state an image recovers to ---

    def _state(self, image: Image) -> "_Known":
        path = self._folder / _LOG
        contents = dict(image.identity)
        try:
            with closing(checks.read_only(path)) as connection:
                connection.execute("PRAGMA application_id").fetchone()  # reads, and so recovers
                index = None if _LOG + "-journal" in contents else self._index()
                key: object = image.identity if index is None else (contents.get(_LOG), index)
                known = self._states.get(key)
                if known is None and index is not None:
                    known = self._remember(key, checks.state_of(connection))
        except sqlite3.Error:
            key = image.identity  # needs more than reading: as the service opens it
            known = self._states.get(key)
        return known or self._remember(key, self._opened())

    def _index(self) -> object:
        try:
            descriptor = os.open(f"{self._folder}/{_LOG}-shm", os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            started, _, _, frames, pages, total, salt = _INDEX.unpack(os.pread(descriptor, _INDEX.size, 0))
        finally:
            os.close(descriptor)
        return (frames, pages, total, salt) if started and frames else (0,) if started else None

    def _opened(self) -> State:
        """Looked at in a copy, by the service's own way of opening it."""
        path = self._copy()
        if not path.exists() or not path.stat().st_size:
            return EMPTY
        before = len(self.said)
        problems = self._deep(path)
        try:
            with closing(checks.read_only(path)) as connection:
                state = checks.state_of(connection)
        except (sqlite3.Error, StoreError) as error:
            return EMPTY._replace(problems=(f"corrupt: {error}",))
        del self.said[before:]
        return state._replace(problems=(*state.problems, *problems))

    def _remember(self, key: object, state: State) -> "_Known":
        if state.problems == () and state.events and len(self._states) % self._one_of == 0:
            self._counts["deep"] += 1
            state = state._replace(problems=tuple(self._deep(self._copy())))
        known = self._states[key] = _Known(state)
        return known

    def _copy(self) -> Path:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        for name in self._open:
            shutil.copyfile(self._folder / name, self._scratch / name)
            (self._scratch / name).chmod(0o600)
        return self._scratch / _LOG


class _Known:
    """A state, and how many of the acknowledged events it is known to hold."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.held = 0
        self.corrupt = any("corrupt" in one or "malformed" in one or "ree " in one for one in state.problems)


def _header(sent: bytes, name: bytes) -> str:
    start = sent.lower().find(b"\n" + name)
    if start < 0:
        return ""
    return sent[start + 1 + len(name) :].partition(b"\r\n")[0].decode()


def _carry_out(descriptor: int, writes: list[Write]) -> None:
    for one in writes:
        if one.data is None:
            os.ftruncate(descriptor, one.offset)
        else:
            os.pwrite(descriptor, one.data, one.offset)


def _take_back(descriptor: int, file: File, writes: list[Write]) -> None:
    if any(one.data is None for one in writes):
        _rewrite(descriptor, file.durable)
    elif writes:
        length = len(file.durable)
        for one in writes:
            if one.offset < length:
                os.pwrite(descriptor, file.durable[one.offset : one.offset + len(one.data or b"")], one.offset)
        os.ftruncate(descriptor, length)


def _rewrite(descriptor: int, content: bytes | bytearray) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


def content_of(file: File, writes: list[Write]) -> bytes:
    """The bytes of a file with these writes on it."""
    content = bytearray(file.durable)
    for one in writes:
        apply(content, one)
    return bytes(content)
