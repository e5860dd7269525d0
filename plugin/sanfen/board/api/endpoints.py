"""What an endpoint is, as data; and the check of what is asked of it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

from sanfen.board.access import Visitor
from sanfen.config.types import parse_duration
from sanfen.errors import InputError, Phrase, UnreadableError, nearest
from sanfen.store.filters import check_day

__all__ = ["LONGEST", "SHOWABLE", "Asked", "Body", "Endpoint", "Handler", "Parameter", "Rows", "check"]

LONGEST = 200
SHOWABLE = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$"
"""Texts without characters that forge a line, or turn its direction."""
_HALF = re.compile("[\ud800-\udfff]")  # half a character: a byte of an address that is no UTF-8
_DIGITS = 16  # below 2**63
_YES, _NO = frozenset({"", "1", "true", "yes"}), frozenset({"0", "false", "no"})

Kind = Literal["text", "day", "whole", "flag", "choice", "choices", "duration", "mark"]


class Parameter(NamedTuple):
    """Something that is asked, or told in a body. ``says``: what it means, in English and Chinese."""

    name: str
    says: tuple[str, str]
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 10**_DIGITS - 1
    default: Any = None
    is_needed: bool = False


class Asked(NamedTuple):
    """A request that was checked: its parameters and those of its path, its body, who asks, and in which language."""

    values: Mapping[str, Any]
    visitor: Visitor
    language: str


class Rows(NamedTuple):
    """An answer of rows. ``next``: the mark the next page comes after; ``more``: what stands beside the rows in JSON."""

    rows: Sequence[Mapping[str, Any]]
    next: str | None = None
    more: Mapping[str, Any] = {}


class Body(NamedTuple):
    """An answer that is no table."""

    value: Mapping[str, Any]


Handler = Callable[[Any, Asked], Awaitable[Rows | Body]]


class Endpoint(NamedTuple):
    """One address. ``name``: what its rows are called in JSON. ``columns``: those of its rows, see ``columns.row_schema``;
    ``shape``: the schema of an answer that is no table.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Handler
    says: tuple[str, str]
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] = ()
    name: str = "rows"
    columns: str = ""
    optional: str = ""  # columns that are there only when they are asked for
    shape: Mapping[str, Any] | None = None
    beside: Mapping[str, Any] = {}  # schemas of what stands beside the rows
    is_paged: bool = False
    missing: tuple[str, str] | None = None  # what 404 means here

    @property
    def only_leads(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


_WHAT = {"parameter": Phrase("parameter"), "field": Phrase("field")}


class _Meaning(Phrase):
    """What a parameter means, which has its Chinese beside it."""

    __slots__ = ("chinese",)
    chinese: str

    def __new__(cls, says: tuple[str, str]) -> Self:
        made = super().__new__(cls, "{says}", says=says[0])
        made.chinese = says[1]
        return made

    def told(self, _: Mapping[str, str]) -> str:
        return self.chinese


def check(
    wanted: Sequence[Parameter], given: Sequence[tuple[str, Any]], what: Literal["parameter", "field"]
) -> dict[str, Any]:
    """The values of what is wanted, each of its kind, those that are absent at their default. Raises InputError.

    ``what``: ``parameter`` or ``field``; fields come as JSON, parameters as text.
    """
    known = {one.name: one for one in wanted}
    found: dict[str, list[Any]] = {}
    for name, value in given:
        if name not in known:
            names = Phrase("known here: {names}", names=", ".join(known) or Phrase("none"))
            hint = nearest(name, known, names)
            raise InputError(Phrase("there is no {what} {name!r} here", what=_WHAT[what], name=name[:40]), hint=hint)
        found.setdefault(name, []).append(value)
    out = {}
    for name, one in known.items():
        values = found.get(name, [])
        if len(values) > 1 and one.kind != "choices":
            raise InputError(
                Phrase("{name} is given more than once", name=name), hint=Phrase("give one {name}", name=name)
            )
        if values and one.kind == "flag" and what == "field" and not isinstance(values[0], bool):
            raise InputError(
                Phrase("{name} is neither true nor false", name=name), hint=Phrase('send "{name}": true', name=name)
            )
        if values:
            out[name] = _value(one, values)
        elif one.is_needed:
            raise InputError(Phrase("{name} is missing", name=name), hint=_Meaning(one.says))
        else:
            out[name] = one.default
    return out


def _value(one: Parameter, values: list[Any]) -> Any:
    value = values[0]
    if one.kind == "choices":
        return _choices(one, values)
    if one.kind == "flag":
        return _flag(one, value)
    if one.kind == "whole":
        return _whole(one, value)
    if not isinstance(value, str) or not one.least <= len(value) <= LONGEST:
        raise InputError(
            Phrase(
                "{name} is no text of {least} to {longest} characters", name=one.name, least=one.least, longest=LONGEST
            ),
            hint=_Meaning(one.says),
        )
    if not re.fullmatch(SHOWABLE, value) or _HALF.search(value):
        raise InputError(Phrase("{name} holds characters that cannot be shown", name=one.name), hint=_Meaning(one.says))
    if one.kind == "choice" and value not in one.choices:
        raise InputError(
            Phrase("{name} cannot be {value!r}", name=one.name, value=value[:40]),
            hint=Phrase("choose from {names}", names=", ".join(one.choices)),
        )
    if one.kind == "day":
        check_day(value)
    if one.kind == "duration":
        return _duration(one, value)
    return value


def _choices(one: Parameter, values: list[Any]) -> tuple[str, ...]:
    names = [name for value in values for name in str(value).split(",")]
    for name in names:
        if name not in one.choices:
            raise InputError(
                Phrase("{name} cannot be {value!r}", name=one.name, value=name[:40]),
                hint=Phrase("choose from {names}", names=", ".join(one.choices)),
            )
    return tuple(dict.fromkeys(names))


def _flag(one: Parameter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value) not in _YES | _NO:
        raise InputError(
            Phrase("{name} is neither true nor false: {value!r}", name=one.name, value=str(value)[:20]),
            hint=Phrase("write {name}=true", name=one.name),
        )
    return str(value) in _YES


def _whole(one: Parameter, value: Any) -> int:
    text = str(value)
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS and one.least <= int(text) <= one.most:
        return int(text)
    raise InputError(
        Phrase(
            "{name} is not a number from {least} to {most}: {text!r}",
            name=one.name,
            least=one.least,
            most=one.most,
            text=text[:20],
        ),
        hint=_Meaning(one.says),
    )


def _duration(one: Parameter, value: str) -> int:
    try:
        return parse_duration(value)
    except UnreadableError as error:
        raise InputError(
            Phrase("{place}: {sentence}", place=one.name, sentence=error.message), hint=error.hint
        ) from None
