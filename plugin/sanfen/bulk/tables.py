"""Rows of named cells out of what exports are made of: workbooks, separated values, nested JSON."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from sanfen.bulk.columns import Columns
from sanfen.errors import InputError, Phrase

__all__ = ["Row", "headed", "is_workbook", "objects", "open_text", "separated", "sheets"]

Row = tuple[int | str, list[Any]]
"""Where a row stands, a line's number or words for it, and its cells."""

_TITLES = 10  # lines above the heading that may be titles
_DEEPEST = 20
_ZIPPED = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Headed(NamedTuple):
    """A table whose heading is found."""

    names: list[str]
    columns: Columns
    rows: Iterator[Row]


def headed(rows: Iterable[Row], columns_of: Callable[[list[str]], Columns | None]) -> Headed | list[str]:
    """The table below its heading: the first of some lines that ``columns_of`` can use. Else the fullest, which may be it."""
    left = iter(rows)
    fullest: list[str] = []
    for _, cells in islice(left, _TITLES):
        names = [str(cell).strip() for cell in cells]
        fullest = max(fullest, names, key=lambda line: sum(map(bool, line)))
        columns = columns_of(names) if any(names) else None
        if columns is not None:
            return Headed(names, columns, left)
    return fullest


def separated(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """CSV with any delimiter. Raises csv.Error after the line it was in."""
    rows = csv.reader(lines, delimiter=delimiter)
    for row in rows:
        yield rows.line_num, row


def open_text(path: Path, name: str) -> IO[str]:
    """A text in whatever encoding Chinese tools write, unzipped. Raises InputError where it is none."""
    with path.open("rb") as look:
        zipped = look.read(2) == _ZIPPED
    raw: Any = gzip.open(path, "rb") if zipped else path.open("rb")  # noqa: SIM115  # wrapped below
    with ExitStack() as stack:
        stack.callback(raw.close)
        head = raw.read(65536)
        raw.seek(0)
        if b"\0" in head and not head.startswith(_UTF_16):
            raise InputError(Phrase("{name} is no text", name=name), hint="export it as JSONL or CSV in UTF-8")
        stack.pop_all()
    return io.TextIOWrapper(raw, encoding=_encoding(head), errors="strict", newline="")


def _encoding(head: bytes) -> str:
    """UTF-8 if the beginning can be that, else the usual Chinese one; UTF-16 by its mark, as Excel saves text."""
    if head.startswith(_UTF_16):
        return "utf-16"
    for cut in range(4):
        try:
            head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return "utf-8-sig"
    return "gb18030"


def is_workbook(head: bytes) -> bool:
    """Whether a file's first bytes are those of a workbook of Excel's, old or new, or of OpenDocument."""
    return head.startswith(_WORKBOOKS)


def sheets(path: Path, name: str, wanted: str | None) -> Iterator[tuple[str, Iterator[Row]]]:
    """The sheets of a workbook, or the one that is wanted. Raises InputError."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  # an extra
    except ImportError:
        raise InputError(
            Phrase("{name} is a workbook", name=name),
            hint="pip install 'sanfen[excel]', or save the sheet as CSV in UTF-8",
        ) from None
    try:
        with path.open("rb") as raw, CalamineWorkbook.from_filelike(raw) as book:
            if wanted is not None and wanted not in book.sheet_names:
                raise InputError(
                    Phrase("{name}: no sheet {wanted!r}", name=name, wanted=wanted),
                    hint=Phrase("sheets: {names}", names=", ".join(book.sheet_names)),
                )
            for sheet in book.sheet_names if wanted is None else [wanted]:
                found = book.get_sheet_by_name(sheet)
                top = (found.start or (0, 0))[0] + 1
                rows = found.iter_rows()
                yield sheet, ((f"sheet {sheet}, row {number}", list(row)) for number, row in enumerate(rows, top))
    except (CalamineError, OSError) as error:
        raise InputError(
            Phrase("cannot read {name} as a workbook: {error}", name=name, error=error),
            hint="open it and save it again as xlsx or CSV",
        ) from None


def objects(tree: Any) -> Iterator[dict[str, Any]]:
    """The innermost objects of nested JSON, each with what stands around it; what it says itself comes first.

    ``{"query": {"from_id": "a"}, "msgs": [{"time": 1}]}`` gives ``{"from_id": "a", "time": 1}``. Raises InputError.
    """
    return _objects(tree, {}, 0)


def _objects(tree: Any, around: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        raise InputError("nested deeper than 20 levels", hint="one object for each message is enough")
    if isinstance(tree, list):
        for one in tree:
            yield from _objects(one, around, depth + 1)
    elif isinstance(tree, dict):
        flat = {name: value for name, value in tree.items() if not isinstance(value, dict | list)}
        inner = [value for value in tree.values() if isinstance(value, dict | list) and _has_rows(value, depth)]
        if inner:
            beside = {name: one for value in tree.values() if isinstance(value, dict) for name, one in _flat(value)}
            for value in inner:
                yield from _objects(value, {**around, **beside, **flat}, depth + 1)
        else:
            parts = {
                f"{name}.{part}": one
                for name, value in tree.items()
                if isinstance(value, dict)
                for part, one in _flat(value)
            }
            yield {**around, **parts, **flat}


def _flat(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, one) for name, one in value.items() if not isinstance(one, dict | list))


def _has_rows(value: Any, depth: int) -> bool:
    if depth > _DEEPEST:
        return True  # said when it is walked
    if isinstance(value, list):
        return any(isinstance(one, dict) or _has_rows(one, depth + 1) for one in value if isinstance(one, dict | list))
    return any(_has_rows(one, depth + 1) for one in value.values() if isinstance(one, dict | list))
