"""Logs as streams of events in order of time: JSONL, CSV and TSV, transcripts, our own logs; gz; ``-`` is standard input.

A file is read once, line by line. Rows that are a little out of order are put right on the way; a file that is not
sorted is sorted on disk first. Memory does not grow with the file.
"""

import csv
import gzip
import heapq
import io
import json
import shutil
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any, Self
from zoneinfo import ZoneInfo

from sanfen.bulk.columns import Columns, guess
from sanfen.core.events import Event
from sanfen.errors import InputError, ParseError
from sanfen.store.db import open_reader
from sanfen.store.journal import export
from sanfen.transcript import is_transcript, read_transcript
from sanfen.wire import read_event

__all__ = ["Log", "OutOfOrder", "merged"]

_AHEAD = 5_000  # rows held back to put small disorder right
_TABLES = (".csv", ".tsv")
_LONGEST_LINE = 4 * 1024 * 1024


class OutOfOrder(Exception):  # noqa: N818  # not an error: the log has to be sorted first
    """A row is older than one already passed on."""

    def __init__(self, log: "Log") -> None:
        super().__init__(log.name)
        self.log = log


class Log:
    """One log file. ``say``: told what a person should know (message name, values)."""

    def __init__(
        self,
        path: Path,
        *,
        zone: ZoneInfo | None = None,
        columns: Columns | None = None,
        say: Callable[..., None] = lambda _name, **_values: None,
    ) -> None:
        self.path = path
        self.name = "standard input" if str(path) == "-" else str(path)
        self._zone = zone
        self._columns = columns
        self._say = say
        self._stack = ExitStack()
        self._spooled: Path | None = None
        self.unsorted = False
        self._line = 0  # read so far
        self.size = 0
        self.read_bytes = 0  # for a progress bar
        self.guessed: Columns | None = None

    def __enter__(self) -> Self:
        if str(self.path) == "-":
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sanfen-")))
            self._spooled = folder / "stdin"
            with self._spooled.open("wb") as out:
                shutil.copyfileobj(sys.stdin.buffer, out)
        try:
            self.size = self._file.stat().st_size
            if self._file.is_dir():
                raise InputError(f"{self.name} is a folder", hint="name a log file")
        except OSError as error:
            raise InputError(
                f"cannot read {self.name}: {error.strerror}", hint="check the name and its rights"
            ) from None
        if not self.size:
            raise InputError(f"{self.name} is empty", hint="one event a line, see docs/events.md")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def _file(self) -> Path:
        return self._spooled or self.path

    def events(self) -> Iterator[Event]:
        """The events in order of time, ties in order of their lines.

        Raises InputError with file and line; OutOfOrder once if the file must be sorted: then call it again.
        """
        if self.unsorted:
            yield from self._sorted()
            return
        heap: list[tuple[int, int, Event]] = []
        last_ms = 0
        for number, (_, _, event) in enumerate(self._read()):
            if event.at_ms < last_ms:
                self.unsorted = True
                raise OutOfOrder(self)
            heapq.heappush(heap, (event.at_ms, number, event))
            if len(heap) > _AHEAD:
                last_ms, _, oldest = heapq.heappop(heap)
                yield oldest
        while heap:
            yield heapq.heappop(heap)[2]

    def _sorted(self) -> Iterator[Event]:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sanfen-")))
        with closing(sqlite3.connect(folder / "sort.db")) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE rows (at INTEGER, line INTEGER, fields TEXT)")
            rows = ((event.at_ms, line, json.dumps(fields)) for line, fields, event in self._read())
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
            for (fields,) in connection.execute("SELECT fields FROM rows ORDER BY at, line"):
                yield read_event(json.loads(fields), zone=self._zone)

    def _read(self) -> Iterator[tuple[int, dict[str, Any], Event]]:
        self.read_bytes = 0
        for line, fields in self._rows():
            try:
                yield line, fields, read_event(fields, zone=self._zone)
            except ParseError as error:
                raise InputError(f"{self.name}:{line}: {error.message}", hint=error.hint) from None

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows with their lines. Raises InputError, also where the file cannot be read on."""
        self._line = 0
        try:
            yield from self._any_rows()
        except UnicodeDecodeError:
            raise InputError(
                f"{self.name}:{self._line + 1}: not UTF-8, here or a little further on", hint="save the file as UTF-8"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{self.name}:{self._line + 1}: cannot read on: {error}", hint="is the file whole?"
            ) from None

    def _any_rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if self._is_log():
            connection = open_reader(self._file)
            try:
                yield from enumerate(export(connection), 1)
            finally:
                connection.close()
            return
        kind = Path(self.path.name.removesuffix(".gz")).suffix.lower()
        with self._text() as lines:
            first = lines.read(1)
            lines.seek(0)
            if kind == ".txt" or (kind not in _TABLES and first and is_transcript(first, self.path.name)):
                yield from read_transcript(lines.read(_LONGEST_LINE), self.name)
            elif kind in _TABLES or (first not in ("{", "[") and kind not in (".jsonl", ".ndjson", ".json")):
                yield from self._table(lines, kind)
            else:
                yield from self._json(lines)

    def _text(self) -> IO[str]:
        raw: Any = gzip.open(self._file, "rb") if self._zipped() else self._file.open("rb")  # noqa: SIM115  # wrapped below
        with ExitStack() as stack:
            stack.callback(raw.close)
            head = raw.read(65536)
            raw.seek(0)
            stack.pop_all()
        if b"\0" in head:
            raw.close()
            raise InputError(f"{self.name} is no text", hint="export it as JSONL or CSV in UTF-8")
        return io.TextIOWrapper(raw, encoding=_encoding(head), errors="strict", newline="")

    def _is_log(self) -> bool:
        with self._file.open("rb") as raw:
            return raw.read(16) == b"SQLite format 3\0"

    def _zipped(self) -> bool:
        with self._file.open("rb") as raw:
            return raw.read(2) == b"\x1f\x8b"

    def _json(self, lines: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in self._lines(lines):
            if not line.strip():
                continue
            try:
                fields = _DECODER.decode(line)
            except (ValueError, RecursionError) as error:
                word = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise InputError(f"{self.name}:{number}: not JSON: {word}", hint="one JSON object a line") from None
            if not isinstance(fields, dict):
                raise InputError(f"{self.name}:{number}: not a JSON object", hint="one JSON object a line")
            yield number, fields

    def _table(self, lines: IO[str], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
        head = lines.read(4096)
        lines.seek(0)
        delimiter = "\t" if kind == ".tsv" or head.split("\n")[0].count("\t") > head.split("\n")[0].count(",") else ","
        rows = csv.reader((line for _, line in self._lines(lines)), delimiter=delimiter)
        try:
            header = [name.strip() for name in next(rows, [])]
            columns = self._columns or self._guess(header)
            missing = columns.needs(header)
            if missing:
                raise InputError(f"{self.name}:1: no column {missing[0]!r}", hint="columns: " + ", ".join(header))
            for row in rows:
                if row:
                    yield rows.line_num, columns.fields(dict(zip(header, row, strict=False)))
        except csv.Error as error:
            raise InputError(
                f"{self.name}:{rows.line_num}: not CSV: {error}", hint="quote cells with line breaks"
            ) from None

    def _guess(self, header: list[str]) -> Columns:
        columns, guessed = guess(header)
        described = columns.described()
        if "at=" not in described or "from=" not in described:
            raise InputError(
                f"{self.name}:1: cannot tell the columns from {', '.join(header)[:200]}",
                hint="name them: --map MAP.yaml with lines such as at: 发送时间",
            )
        if guessed and self.guessed is None:
            self._say("replay_guessed", file=self.name, columns=described)
        self.guessed = columns
        return columns

    def _lines(self, lines: IO[str]) -> Iterator[tuple[int, str]]:
        while line := lines.readline(_LONGEST_LINE):
            self._line += 1
            self.read_bytes += len(line)
            if len(line) >= _LONGEST_LINE:
                raise InputError(f"{self.name}:{self._line}: a line of over 4 MiB", hint="one event a line")
            yield self._line, line


def merged(logs: list[Log]) -> Iterator[Event]:
    """The events of several logs in order of time."""
    if len(logs) == 1:
        return logs[0].events()
    return heapq.merge(*(log.events() for log in logs), key=lambda event: event.at_ms)


def _encoding(head: bytes) -> str:
    """UTF-8 if the beginning can be that, else the usual Chinese one."""
    for cut in range(4):
        try:
            head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return "utf-8-sig"
    return "gb18030"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)  # one for all lines: making it costs more than a short line
