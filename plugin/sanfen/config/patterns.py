"""Patterns of the file: read by RE2 where it is installed, which cannot hang; else those that could are refused.

Python's own engine tries every way to divide a text among a repeat and the repeats inside of it, and holds everybody up
meanwhile: for ``(a+)+b`` thirty characters are enough.
"""

import re
from collections.abc import Iterable
from re import _constants as codes  # type: ignore[attr-defined]  # the only way to read a pattern's own structure
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from sanfen.errors import Phrase, UnreadableError

__all__ = ["pattern_of", "readable"]

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)


def pattern_of(text: str) -> re.Pattern[str]:
    """A pattern that was found readable."""
    return _by_re2(text) or re.compile(text)


def readable(text: str, *, ours: bool = False) -> str:
    """The same text, if it is a pattern that ends on every text. ``ours``: the core reads it, which knows no RE2.

    Raises UnreadableError.
    """
    try:
        re.compile(text)
    except re.error as error:
        raise UnreadableError(Phrase("not a regular expression: {error}", error=error), example="x") from None
    if (ours or _by_re2(text) is None) and _nests(parser.parse(text)):
        raise UnreadableError("a repeat inside a repeat: there are texts on which it does not end", example="(a|b)+")
    return text


def _by_re2(text: str) -> re.Pattern[str] | None:
    try:
        import re2  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    try:
        return re2.compile(text)  # type: ignore[no-any-return]
    except re2.error:
        return None


def _nests(parsed: Iterable[tuple[Any, Any]], *, inside: bool = False) -> bool:
    """Whether something is repeated without end within what is itself repeated without end."""
    for code, value in parsed:
        endless = code in _REPEATS and value[1] == codes.MAXREPEAT
        if endless and inside:
            return True
        for part in _parts(value):
            if _nests(part, inside=inside or endless):
                return True
    return False


def _parts(value: Any) -> Iterable[Any]:
    """The patterns within a piece of a pattern."""
    if isinstance(value, parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _parts(one)
