"""JSON from strangers: one place that reads it, so that every way in refuses the same things.

``json.loads`` guesses encodings, takes NaN, keeps the last of two equal keys, recurses until it fails and passes lone
surrogates on to a database that cannot store them. Here: UTF-8 only, no NaN or infinity, no duplicate keys, at most 32
levels, numbers of at most 20 digits; lone surrogates and NUL become U+FFFD. All failures are ParseError.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NoReturn

from sanfen.errors import ParseError, Phrase

__all__ = ["Row", "RowError", "json_rows", "strict_json"]

_DEEPEST = 32
_MOST_DIGITS = 20
_BOM = b"\xef\xbb\xbf"
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ODD = re.compile("[\ud800-\udfff\0]")


class Row(NamedTuple):
    """One object of a body, and where it stood."""

    place: Literal["index", "line", ""]  # "" where the body is one object
    number: int  # an index counts from 0, a line from 1
    value: Mapping[str, Any]


class RowError(ParseError):
    """One of a body's objects cannot be read. ``place`` and ``number`` say which, as in Row."""

    def __init__(self, place: str, number: int, error: ParseError) -> None:
        sentence: str = error.message
        if place:
            sentence = Phrase("{place} {number}: {sentence}", place=place, number=number, sentence=sentence)
        super().__init__(sentence, hint=error.hint)
        self.place = place
        self.number = number
        self.inner = error


def strict_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises ParseError."""
    return _load(_decoded(body))


def json_rows(body: bytes) -> list[Row]:
    """The objects of a body that is one object, an array of objects, or one object a line (NDJSON).

    Raises ParseError, or RowError where one of several is at fault.
    """
    text = _decoded(body)
    if text.lstrip(" \t\r\n").startswith("["):
        return [_row("index", index, value) for index, value in enumerate(_load(text))]
    if "\n" not in text:
        return [_row("", 0, _load(text))]
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip(" \t\r")]
    if len(lines) > 1 and _stands_alone(lines[0][1]):
        return [_line(number, line) for number, line in lines]
    return [_row("", 0, _load(text))]


def _line(number: int, line: str) -> Row:
    try:
        value = _load(line)
    except ParseError as error:
        raise RowError("line", number, error) from None
    return _row("line", number, value)


def _row(place: Literal["index", "line", ""], number: int, value: Any) -> Row:
    if not isinstance(value, dict):
        error = ParseError(
            Phrase("not a JSON object but {value}", value=_kind(value)),
            hint="send one object, an array of them, or NDJSON",
        )
        raise RowError(place, number, error)
    return Row(place, number, value)


def _stands_alone(line: str) -> bool:
    try:
        _load(line)
    except ParseError:
        return False
    return True


def _decoded(body: bytes) -> str:
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(
            Phrase("the body is not UTF-8 at byte {start}", start=error.start), hint="send JSON encoded as UTF-8"
        ) from None
    if not text or text.isspace():
        raise ParseError("the body is empty", hint="send a JSON object")
    return text


def _load(text: str) -> Any:
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = Phrase("line {line} column {column}", line=error.lineno, column=error.colno)
        raise ParseError(
            Phrase("the body is not JSON: {error}, {where}", error=error.msg, where=where),
            hint="check it with a JSON validator",
        ) from None
    except RecursionError:
        _too_deep()
    if text.count("[") + text.count("{") > _DEEPEST:
        _check_depth(value)
    return _mended(value) if _ODD_ESCAPE.search(text) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ParseError(
            Phrase("a key stands twice in one object: {twice!a}", twice=twice[:40]), hint="send each key once"
        )
    return out


def _constant(name: str) -> NoReturn:
    raise ParseError(Phrase("{name} is not a JSON number", name=name), hint="leave the field out, or send null")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ParseError(
            Phrase("a number has more than {most_digits} digits", most_digits=_MOST_DIGITS),
            hint="send it as a text, in quotes",
        )
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ParseError("a number is too large", hint="send it as a text, in quotes")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float)


def _too_deep() -> NoReturn:
    raise ParseError(Phrase("the body nests deeper than {deepest} levels", deepest=_DEEPEST), hint="send flat objects")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for one in level
            if isinstance(one, (dict, list))
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    if any(isinstance(one, (dict, list)) for one in level):
        _too_deep()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _ODD.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_ODD.sub("\ufffd", name): _mended(one) for name, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value


def _kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Phrase("a number")
    names = {list: Phrase("an array"), str: Phrase("a text"), bool: Phrase("true or false")}
    return names.get(type(value), Phrase("null"))
