"""The scalar types of our YAML: durations, clock times, windows, percentages. All are read from text.

A scalar arrives as the text that stands in the file (or as a number, from JSON and ``--set``), because YAML's own typing
turns ``23:00`` into 1380 and ``on`` into true.
"""

import re
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from sanfen.errors import Phrase, UnfitError, UnreadableError, nearest

__all__ = [
    "Clock",
    "Date",
    "Duration",
    "Flag",
    "Share",
    "Whole",
    "Window",
    "duration_text",
    "parse_clock",
    "parse_duration",
    "parse_zone",
    "refusal",
    "time_text",
]

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?:[0-9]+(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_WINDOW = re.compile(r"([0-9]{1,2}:[0-9]{2})\s*[-–]\s*([0-9]{1,2}:[0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 40  # characters of a scalar
_LONGEST_MS = 20 * 366 * _UNITS["d"]


def parse_duration(value: Any) -> int:
    """Milliseconds of a text such as ``90s``, ``2m30s``, ``1h``. Raises UnreadableError."""
    text = str(value).strip()
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)) if len(text) <= _LONGEST else -1
    if not _DURATION.fullmatch(text) or not 0 <= total <= _LONGEST_MS:
        raise UnreadableError(
            Phrase("not a duration: {text!r}", text=text), "write a number and a unit: 90s, 2m30s, 1h", example="1s"
        )
    return total


def duration_text(duration_ms: int) -> str:
    """The shortest text of a duration: ``2m30s``."""
    out, left = "", duration_ms
    for unit in ("d", "h", "m", "s", "ms"):
        number, left = divmod(left, _UNITS[unit])
        out += f"{number}{unit}" if number else ""
    return out or "0s"


def parse_clock(value: Any) -> int:
    """Minutes after midnight of a clock time such as ``08:00``. Raises UnreadableError."""
    found = _CLOCK.fullmatch(str(value).strip())
    if not found:
        raise UnreadableError(
            Phrase("not a clock time: {value!r}", value=str(value)), "write it as 08:00 or 24:00", example="08:00"
        )
    hour, minute = (found[1], found[2]) if found[1] else (found[3], found[4])
    return int(hour) * 60 + int(minute)


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name. Raises UnreadableError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        sentence = Phrase("no zone is called {name!r}", name=name)
        raise UnreadableError(sentence, "write a name such as Asia/Shanghai or UTC", example="UTC") from None


def time_text(minutes: int) -> str:
    """The clock time so many minutes after midnight: ``08:00``."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _window(value: Any) -> tuple[Any, Any]:
    found = _WINDOW.fullmatch(str(value).strip())
    if not found:
        raise UnreadableError(
            Phrase("not a window: {value!r}", value=str(value)), "write it as 08:00-24:00", example="08:00-24:00"
        )
    return found[1], found[2]


def _share(value: Any) -> Fraction:
    text = str(value).strip()
    number = text.removesuffix("%").strip()
    if len(number) > _LONGEST or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", number):
        raise UnreadableError(Phrase("not a number: {text!r}", text=text), "write 90% or 0.9", example="90%")
    return Fraction(number) / 100 if text.endswith("%") else Fraction(number)


def _whole(value: Any) -> int:
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UnreadableError(Phrase("not a whole number: {text!r}", text=text), example="1")
    return int(text)


def _flag(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise UnreadableError(
            Phrase("neither true nor false: {text!r}", text=text), "write true or false", example="true"
        )
    return text == "true"


def _date(value: Any) -> str:
    text = str(value).strip()
    if not _DATE.fullmatch(text) or not _is_date(text):
        raise UnreadableError(Phrase("not a date: {text!r}", text=text), "write it as 2026-01-31", example="2026-01-31")
    return text


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _typed(kind: Any, read: Any, **schema: Any) -> Any:
    return Annotated[kind, BeforeValidator(read), WithJsonSchema(schema)]


_LIST, _TEXT = Phrase("a list must stand here"), Phrase("a text must stand here")
_KINDS = {"tuple_type": _LIST, "list_type": _LIST, "string_type": _TEXT} | dict.fromkeys(
    ("dict_type", "model_type", "model_attributes_type"), Phrase("keys with values must stand here")
)


def refusal(found: Mapping[str, Any]) -> UnfitError:
    """Why pydantic refused a value, in our words: what was raised here, or what its kind of error means."""
    facts, kind = found.get("ctx") or {}, found["type"]
    raised = facts.get("error")
    if isinstance(raised, UnfitError):
        return raised
    if kind in ("literal_error", "enum"):
        choices = str(facts["expected"]).replace("'", "").replace(" or ", ", ")
        names, given = choices.split(", "), found["input"]
        hint = nearest(str(given), names, Phrase("choose from {names}", names=choices))
        return UnfitError(Phrase("{given!r} is not known", given=given), hint, example=names[0])
    limits = {
        "string_too_short": Phrase("shorter than {least} characters", least=facts.get("min_length")),
        "string_too_long": Phrase("longer than {most} characters", most=facts.get("max_length")),
        "string_pattern_mismatch": Phrase("not written like {pattern}", pattern=facts.get("pattern")),
        "too_short": Phrase("must not be empty"),
    }
    return UnfitError(limits.get(kind) or _KINDS.get(kind) or str(found["msg"]))


Duration = _typed(int, parse_duration, type="string", pattern="^([0-9]+(ms|s|m|h|d))+$", examples=["90s", "2m30s"])
"""Milliseconds."""
Clock = _typed(int, parse_clock, type="string", pattern="^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["08:00"])
"""Minutes after local midnight; 24:00 is 1440."""
Window = Annotated[
    tuple[Clock, Clock],  # type: ignore[valid-type]  # made by a function
    BeforeValidator(_window),
    WithJsonSchema({"type": "string", "examples": ["08:00-24:00"]}),
]
"""A span of the day, from the first minute to the first that is outside."""
Share = _typed(Fraction, _share, anyOf=[{"type": "string"}, {"type": "number"}], examples=["90%", 0.9])
"""An exact fraction."""
Whole = _typed(int, _whole, anyOf=[{"type": "string", "pattern": "^[0-9]+$"}, {"type": "integer", "minimum": 0}])
"""A whole number, zero or more."""
Flag = _typed(bool, _flag, anyOf=[{"type": "boolean"}, {"enum": ["true", "false"]}])
"""true or false, nothing else."""
Date = _typed(str, _date, type="string", format="date")
"""A date, YYYY-MM-DD."""
