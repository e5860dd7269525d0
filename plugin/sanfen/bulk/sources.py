"""Logs as streams of events in order of time: JSON, CSV, workbooks, transcripts, our own logs; ``-`` is standard input.

A file of lines is read once, line by line, also zipped. Rows that are a little out of order are put right on the way; a
file that is not sorted is sorted on disk first. Memory does not grow with a file of lines; a workbook, or a JSON document
that is not one object a line, is read whole.
"""

import csv
import heapq
import json
import re
import shutil
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any, Self
from zoneinfo import ZoneInfo

from sanfen.bulk.columns import Column, Columns, guess
from sanfen.bulk.tables import Row, headed, is_workbook, objects, open_text, separated, sheets
from sanfen.core.events import Event
from sanfen.errors import InputError, ParseError, Phrase
from sanfen.store.journal import export
from sanfen.store.opening import open_reader
from sanfen.transcript import is_transcript, read_transcript
from sanfen.wire import read_event

__all__ = ["Log", "OutOfOrder", "merged"]

_NAME_THEM = Phrase("name them: --map MAP.yaml with lines such as at: 发送时间")
_ONE_A_LINE = Phrase("one JSON object a line; the name of a table ends in .csv or .tsv")
_AHEAD = 5_000  # rows held back to put small disorder right
_TABLES = (".csv", ".tsv")
_DELIMITERS = (",", "\t", ";")  # a spreadsheet writes semicolons where the comma is the decimal point
_LONGEST_LINE = 4 * 1024 * 1024
_LARGEST_DOCUMENT = 256 * 1024 * 1024


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
        guess: Callable[[list[str]], tuple[Columns, bool] | None] = guess,
        wanted: str = _NAME_THEM,
    ) -> None:
        """``guess``: the columns by a heading, and whether that should be said. ``wanted``: the mend where it tells none."""
        self.path = path
        self.name = "standard input" if str(path) == "-" else str(path)
        self._zone = zone
        self._columns = columns
        self._say = say
        self._known = guess
        self._wanted = wanted
        self._stack = ExitStack()
        self._spooled: Path | None = None
        self.unsorted = False
        self._line = 0  # read so far
        self.size = 0
        self.read_bytes = 0  # for a progress bar
        self.guessed: Columns | None = None
        self._used: Columns | None = None  # for the table being read

    def __enter__(self) -> Self:
        if str(self.path) == "-":
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sanfen-")))
            self._spooled = folder / "stdin"
            with self._spooled.open("wb") as out:
                shutil.copyfileobj(sys.stdin.buffer, out)
        try:
            self.size = self._file.stat().st_size
            if self._file.is_dir():
                raise InputError(Phrase("{name} is a folder", name=self.name), hint="name a log file")
        except OSError as error:
            raise InputError(
                Phrase("cannot read {name}: {error}", name=self.name, error=error.strerror),
                hint="check the name and its rights",
            ) from None
        if not self.size:
            raise InputError(Phrase("{name} is empty", name=self.name), hint="docs/imports.md says what can be read")
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
        for number, (_, event) in enumerate(self._read()):
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
            rows = ((event.at_ms, line, json.dumps(fields)) for line, (fields, event) in enumerate(self._read()))
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
            for (fields,) in connection.execute("SELECT fields FROM rows ORDER BY at, line"):
                yield read_event(json.loads(fields), zone=self._local)

    def _read(self) -> Iterator[tuple[dict[str, Any], Event]]:
        self.read_bytes = 0
        for place, fields in self.rows():
            try:
                event = read_event(fields, zone=self._local)
            except ParseError as error:
                raise self._of_row(place, error) from None
            yield fields, event

    @property
    def _local(self) -> ZoneInfo | None:
        """The zone of times without offset: as the user says, else as the map or the format does."""
        zone = self._zone
        if zone is None and self._used is not None and self._used.zone is not None:
            self._zone = zone = ZoneInfo(self._used.zone)
        return zone

    def _of_row(self, place: int | str, error: ParseError) -> InputError:
        """What is wrong with a row: file, place, column, mend."""
        column = self._used.column_of(error.message.split(maxsplit=1)[0]) if self._used else None
        said: str = error.message
        if column:
            said = Phrase("{sentence}, in column {column}", sentence=said, column=column)
        return self._wrong(place, said, error.hint)

    def _untold(self, place: int | str, names: list[str]) -> InputError:
        """A table that is nobody's we know."""
        said = ", ".join(names)[:200] or Phrase("nothing")
        return self._wrong(place, Phrase("cannot tell the columns from {names}", names=said), self._wanted)

    def _wrong(self, place: int | str, sentence: str, hint: str) -> InputError:
        where = f"{self.name}:{place}" if isinstance(place, int) else f"{self.name}, {place}"
        return InputError(Phrase("{place}: {sentence}", place=where, sentence=sentence), hint=hint)

    def rows(self) -> Iterator[tuple[int | str, dict[str, Any]]]:
        """The rows as fields, with where they stand. Raises InputError, also where the file cannot be read on."""
        self._line = 0
        try:
            yield from self._any_rows()
        except UnicodeDecodeError:
            sentence = "not UTF-8, here or a little further on"
            raise self._wrong(self._line + 1, sentence, "save the file as UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            sentence = Phrase("cannot read on: {error}", error=error)
            raise self._wrong(self._line + 1, sentence, "is the file whole?") from None

    def _any_rows(self) -> Iterator[tuple[int | str, dict[str, Any]]]:
        if self._is_log():
            connection = open_reader(self._file)
            try:
                yield from enumerate(export(connection), 1)
            finally:
                connection.close()
            return
        if is_workbook(self._head(4)):
            yield from self._workbook()
            return
        kind = Path(self.path.name.removesuffix(".gz")).suffix.lower()
        with open_text(self._file, self.name) as lines:
            first = lines.read(1)
            lines.seek(0)
            if kind == ".txt" and self._is_table(lines):
                yield from self._separated(lines, kind)
            elif kind == ".txt" or (kind not in _TABLES and first and is_transcript(first, self.path.name)):
                yield from read_transcript(lines.read(_LONGEST_LINE), self.name)
            elif first == "<":
                raise InputError(
                    Phrase("{name} is a web page, whatever its name says", name=self.name),
                    hint="open it and save it as xlsx or CSV",
                )
            elif kind in _TABLES or (first not in ("{", "[") and kind not in (".jsonl", ".ndjson", ".json")):
                yield from self._separated(lines, kind)
            elif kind in (".jsonl", ".ndjson") or not self._is_document(lines):
                yield from self._json(lines)
            else:
                yield from self._document(lines)

    def _is_log(self) -> bool:
        return self._head(16) == b"SQLite format 3\0"

    def _head(self, size: int) -> bytes:
        with self._file.open("rb") as raw:
            return raw.read(size)

    def _json(self, lines: IO[str]) -> Iterator[tuple[int | str, dict[str, Any]]]:
        """One object a line: our own events, or rows of somebody else's."""
        columns = self._columns
        known = columns is not None
        for number, line in self._lines(lines):
            if not line.strip():
                continue
            try:
                fields = _DECODER.decode(line)
            except (ValueError, RecursionError) as error:
                word = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise self._wrong(number, Phrase("not JSON: {word}", word=word), _ONE_A_LINE) from None
            if not isinstance(fields, dict):
                raise self._wrong(number, "not a JSON object", _ONE_A_LINE)
            ours = "at" in fields and "from" in fields
            if not known:
                columns, known = None if ours else self._guess(objects(fields)), True
                if columns is None and not {"at", "from"} & fields.keys():
                    raise self._untold(number, list(fields))
            if columns is None or (ours and columns.rules.get("at") != Column(("at",))):
                yield number, fields
            else:
                yield from self._mapped(((number, one) for one in objects(fields)), columns, sparse=True)

    def _is_table(self, lines: IO[str]) -> bool:
        """Whether a text begins with a heading and not as a transcript."""
        head = lines.readline(_LONGEST_LINE)
        lines.seek(0)
        return self._heading([name.strip() for name in re.split(r"[\t,]", head)]) is not None

    def _is_document(self, lines: IO[str]) -> bool:
        """Whether a JSON file is one value, and not one object a line."""
        first = lines.readline(_LONGEST_LINE)
        try:
            value = _DECODER.decode(first)
        except (ValueError, RecursionError):
            value = None
        more = any(line.strip() for line in iter(lambda: lines.readline(_LONGEST_LINE), ""))
        lines.seek(0)
        return not isinstance(value, dict) and (more or value is not None)

    def _document(self, lines: IO[str]) -> Iterator[tuple[int | str, dict[str, Any]]]:
        text = lines.read(_LARGEST_DOCUMENT)
        if len(text) == _LARGEST_DOCUMENT:
            raise InputError(
                Phrase("{name} is too large for one JSON value", name=self.name), hint="export it as one object a line"
            )
        try:
            tree = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            at = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            word = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise InputError(
                Phrase("{name}{at}: not JSON: {word}", name=self.name, at=at, word=word),
                hint="one JSON object a line, or one list",
            ) from None
        self.read_bytes = len(text)
        rows = ((f"message {number}", one) for number, one in enumerate(objects(tree), 1))
        columns = self._columns or self._guess(objects(tree))
        if columns is None:
            place, first = next(rows, ("message 1", {}))
            raise self._untold(place, list(first))
        yield from self._mapped(rows, columns, sparse=True)

    def _guess(self, rows: Iterable[Mapping[str, Any]]) -> Columns | None:
        """The columns of the first object that tells them; None: our own names, or none that are known."""
        return next(filter(None, (self._usual(list(row)) for row in rows)), None)

    def _mapped(
        self, rows: Iterable[tuple[int | str, Mapping[str, Any]]], columns: Columns, *, sparse: bool = False
    ) -> Iterator[tuple[int | str, dict[str, Any]]]:
        """The rows as fields of events. ``sparse``: rows without a time are no messages, but such as a page's count."""
        self._used = columns
        times = columns.rules["at"].names if sparse and "at" in columns.rules else ()
        for place, row in rows:
            if times and not all(name in row for name in times):
                continue
            try:
                fields = columns.fields(row)
            except ParseError as error:
                raise self._of_row(place, error) from None
            if fields is not None:
                yield place, fields

    def _workbook(self) -> Iterator[tuple[int | str, dict[str, Any]]]:
        wanted = self._columns.sheet if self._columns else None
        seen: list[str] = []
        found = False
        for sheet, rows in sheets(self._file, self.name, wanted):
            table = headed(rows, self._heading)
            if isinstance(table, list):
                seen.append(f"{sheet}: {', '.join(table)[:100]}")
                continue
            found = True
            yield from self._cells(table.names, table.rows, table.columns)
            self.read_bytes = self.size
        if not found:
            raise InputError(
                Phrase("{name}: no sheet with messages in it ({names})", name=self.name, names="; ".join(seen)),
                hint=self._wanted,
            )

    def _separated(self, lines: IO[str], kind: str) -> Iterator[tuple[int | str, dict[str, Any]]]:
        head = lines.read(4096)
        lines.seek(0)
        first = next((line for line in head.split("\n") if any(one in line for one in _DELIMITERS)), "")
        delimiter = "\t" if kind == ".tsv" else max(_DELIMITERS, key=first.count)
        try:
            table = headed(separated((line for _, line in self._lines(lines)), delimiter), self._heading)
            if isinstance(table, list):
                missing = self._columns.needs(table) if self._columns else []
                if missing:
                    columns = Phrase("columns: {names}", names=", ".join(table))
                    raise self._wrong(1, Phrase("no column {missing!r}", missing=missing[0]), columns)
                raise self._untold(1, table)
            yield from self._cells(table.names, table.rows, table.columns)
        except csv.Error as error:
            sentence = Phrase("not CSV: {error}", error=error)
            raise self._wrong(self._line, sentence, "quote cells with line breaks") from None

    def _cells(
        self, names: list[str], rows: Iterable[Row], columns: Columns
    ) -> Iterator[tuple[int | str, dict[str, Any]]]:
        full = ((place, dict(zip(names, row, strict=False))) for place, row in rows if any(one != "" for one in row))
        return self._mapped(full, columns)

    def _heading(self, names: list[str]) -> Columns | None:
        if self._columns is not None:
            return None if self._columns.needs(names) else self._columns
        return self._usual(names)

    def _usual(self, names: list[str]) -> Columns | None:
        """The columns by the usual names, said aloud once; None if they do not tell who spoke when."""
        found = self._known(names)
        if found is None:
            return None
        columns, guessed = found
        if guessed and self.guessed is None:
            self._say("replay_guessed", file=self.name, columns=columns.described())
        self.guessed = columns
        return columns

    def _lines(self, lines: IO[str]) -> Iterator[tuple[int, str]]:
        while line := lines.readline(_LONGEST_LINE):
            self._line += 1
            self.read_bytes += len(line)
            if len(line) >= _LONGEST_LINE:
                raise self._wrong(self._line, "a line of over 4 MiB", "one event a line")
            yield self._line, line


def merged(logs: list[Log]) -> Iterator[Event]:
    """The events of several logs in order of time."""
    if len(logs) == 1:
        return logs[0].events()
    return heapq.merge(*(log.events() for log in logs), key=lambda event: event.at_ms)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)  # one for all lines: making it costs more than a short line
