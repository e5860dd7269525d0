"""Reading the record of ``iolog.c``, and the disk as it stands at any place of it."""

import struct
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

__all__ = ["Disk", "File", "Image", "Op", "read"]

_HEAD = struct.Struct("<cxHIQQ")
_SECTOR = 512
_MASK = (1 << 128) - 1


class Op(NamedTuple):
    """One record: what happened to which file, with which bytes, where; ``number`` counts within a process."""

    kind: str
    name: str
    data: bytes
    offset: int
    number: int


def read(trace: Path) -> Iterator[Op]:
    """The record, in order."""
    content = memoryview(trace.read_bytes())
    at = 0
    while at < len(content):
        kind, name_length, length, offset, number = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        name = bytes(content[at : at + name_length]).decode()
        at += name_length
        yield Op(kind.decode(), name, bytes(content[at : at + length]), offset, number)
        at += length


def _sum(*facts: object) -> int:
    return int.from_bytes(blake2b(repr(facts).encode(), digest_size=16).digest(), "big")


class Write(NamedTuple):
    """A change that was made and not synced yet. ``data`` None: the file was cut at ``offset``."""

    offset: int
    data: bytes | None
    age: tuple[int, int]  # process, number
    mark: int = 0  # of the data, for identity


class File:
    """What is surely on the disk, and what may be."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.pending: list[Write] = []
        self.marks: dict[int, tuple[int, int]] = {}  # of the durable content: offset: (length, mark)
        self.identity = 0

    def settle(self, until: tuple[int, int]) -> list[Write]:
        """A sync: what is older than ``until`` is on the disk now. Returns it."""
        done = [one for one in self.pending if one.age < until]
        self.pending = [one for one in self.pending if one.age >= until]
        for one in done:
            apply(self.durable, one)
        self.identity, self.marks = identity_after(self, done, keep=True)
        return done


def apply(content: bytearray, write: Write) -> None:
    """Change a file's content as the write does."""
    if write.data is None:
        if write.offset < len(content):
            del content[write.offset :]
        else:
            content.extend(bytes(write.offset - len(content)))
        return
    end = write.offset + len(write.data)
    if end > len(content):
        content.extend(bytes(end - len(content)))
    content[write.offset : end] = write.data


def identity_after(file: File, writes: list[Write], *, keep: bool = False) -> tuple[int, dict[int, tuple[int, int]]]:
    """What a file's content is called once these writes are on it: the same name, the same bytes."""
    total, marks = file.identity, file.marks
    changed: dict[int, tuple[int, int] | None] = {}
    for one in writes:
        if one.data is None:
            for offset, (length, mark) in list((marks | {k: v for k, v in changed.items() if v}).items()):
                if offset + length > one.offset and changed.get(offset, (0, 0)) is not None:
                    total -= _sum(offset, mark)
                    changed[offset] = None
            continue
        old = changed[one.offset] if one.offset in changed else marks.get(one.offset)
        if old is not None:
            total -= _sum(one.offset, old[1])
        total += _sum(one.offset, one.mark)
        changed[one.offset] = (len(one.data), one.mark)
    if keep:
        marks.update({offset: found for offset, found in changed.items() if found})
        for offset, found in changed.items():
            if found is None:
                marks.pop(offset, None)
    return total & _MASK, marks


class Image(NamedTuple):
    """The disk after the power came back: per file the writes that reached it."""

    identity: tuple[tuple[str, int], ...]
    survived: dict[str, list[Write]]


class Disk:
    """All files of the folder. ``age``: the process and the place of its record."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self._process = 0
        self._number = 0
        self._marks: dict[bytes, int] = {}

    def feed(self, op: Op) -> tuple[str, list[Write]] | None:
        """Take a record; a sync returns its file and what it made durable."""
        if op.number:
            self._process += op.number < self._number
            self._number = op.number
        age = (self._process, op.number)
        file = self.files.get(op.name)
        if op.kind == "W":
            mark = _sum(op.data)
            self._file(op.name).pending.append(Write(op.offset, op.data, age, mark))
        elif op.kind in "TC":
            if op.kind == "T" or file is not None:
                self._file(op.name).pending.append(Write(op.offset, None, age))
            else:
                self._file(op.name)
        elif op.kind == "S" and file is not None:
            return op.name, file.settle((self._process, op.offset))
        elif op.kind == "U":
            self.files.pop(op.name, None)
        elif op.kind == "R" and file is not None:
            self.files[op.data.decode()] = self.files.pop(op.name)
        return None

    def _file(self, name: str) -> File:
        return self.files.setdefault(name, File())

    def image(self, mode: str, dice: Random) -> Image:
        """One way the power may have gone: all, none, half, or torn."""
        survived = {name: _surviving(file.pending, mode, dice) for name, file in self.files.items()}
        names = tuple((name, identity_after(self.files[name], writes)[0]) for name, writes in sorted(survived.items()))
        return Image(names, survived)


def _surviving(pending: list[Write], mode: str, dice: Random) -> list[Write]:
    if mode == "all" or not pending:
        return pending
    if mode == "none":
        return []
    kept = [one for one in pending if dice.random() < 0.5]
    if mode == "half":
        return kept
    return [part for one in kept for part in (_torn(one, dice) if dice.random() < 0.5 else [one])]


def _torn(write: Write, dice: Random) -> list[Write]:
    """Only some of its sectors reached the disk."""
    if write.data is None:
        return [write]
    parts, start, end = [], write.offset, write.offset + len(write.data)
    while start < end:
        border = min(end, (start // _SECTOR + 1) * _SECTOR)
        if dice.random() < 0.5:
            data = write.data[start - write.offset : border - write.offset]
            parts.append(Write(start, data, write.age, _sum(data)))
        start = border
    return parts
