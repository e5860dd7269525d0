"""What the verbs that read a log share."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.clock import SystemClock
from sanfen.config.types import parse_duration
from sanfen.core.policy import Policy, Target
from sanfen.core.sessions import Settings
from sanfen.errors import InputError, ParseError, Phrase, UnreadableError, nearest
from sanfen.store import units
from sanfen.store.opening import open_reader
from sanfen.store.trouble import store_error
from sanfen.wire import parse_instant

__all__ = ["absent", "asked", "duration_of", "figure_settings", "instant_of", "own_target", "since_of", "zone_of"]


_MOST_NAMED = 12
_NAMED = ("score_set", "policy", "shop", "channel", "agent", "reason")


def absent(connection: sqlite3.Connection, **filters: Any) -> str:
    """Of a question without an answer: the part of it that is nowhere in the log, and the name it looks like. Else nothing."""
    for name in _NAMED:
        asked_for = filters.get(name)
        if asked_for is None:
            continue
        rows = connection.execute(f"SELECT DISTINCT {name} FROM rounds WHERE {name} IS NOT NULL ORDER BY 1")
        held = [str(row[0]) for row in rows]
        if asked_for not in held:
            rest = Phrase("it holds {names}", names=", ".join(held[:_MOST_NAMED]) or Phrase("none yet"))
            option = "--" + name.replace("_", "-")
            hint = nearest(asked_for, held, rest)
            return Phrase("no round of the log has {option} {name!r}: {hint}", option=option, name=asked_for, hint=hint)
    return ""


@contextmanager
def asked(log: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection. Raises StoreError, InputError."""
    connection = open_reader(log)
    try:
        yield connection
    except sqlite3.DatabaseError as error:
        raise store_error(log, error) from None
    finally:
        connection.close()


def figure_settings(sets: Sequence[str]) -> Settings:
    """Definitions of figures, some of them changed. Raises InputError."""
    given: dict[str, int] = {}
    for one in sets:
        name, _, text = one.partition("=")
        field = name if name in ("slow_times", "order_days") else f"{name}_ms"
        if field not in _FIELDS:
            hint = nearest(name, _NAMES, Phrase("choose from {names}", names=", ".join(_NAMES)))
            raise InputError(Phrase("--set {one}: not a definition of the figures", one=one), hint=hint)
        try:
            if not field.endswith("_ms") and not (text.isascii() and text.isdigit() and len(text) < 10):
                raise UnreadableError(Phrase("not a whole number: {text!r}", text=text))  # noqa: TRY301  # said with its place below
            given[field] = parse_duration(text) if field.endswith("_ms") else int(text)
        except UnreadableError as error:
            raise InputError(
                Phrase("--set {one}: {sentence}", one=one, sentence=error.message), hint="write slow=90s, slow_times=2"
            ) from None
    return replace(Settings(), **given)  # type: ignore[arg-type]  # every field given is a number


_FIELDS = {field.name for field in fields(Settings)} - {"marks"}
_NAMES = sorted(name.removesuffix("_ms") for name in _FIELDS)


def instant_of(text: str | None, zone: str) -> int:
    """Epoch milliseconds of ``--as-of``; now without it. Raises InputError."""
    if text is None:
        return SystemClock().now_ms()
    try:
        return parse_instant(text, ZoneInfo(zone), "--as-of")
    except ParseError as error:
        raise InputError(error.message, hint=error.hint) from None


def since_of(text: str, zone: str) -> int:
    """Epoch milliseconds of ``--since``: so long ago, or a local day or time. Raises InputError."""
    try:
        return SystemClock().now_ms() - parse_duration(text)
    except UnreadableError:
        pass
    try:
        return parse_instant(text, ZoneInfo(zone))
    except ParseError:
        raise InputError(
            Phrase("--since: neither a duration nor a day: {text!r}", text=text), hint="write 2h, 7d or 2026-11-01"
        ) from None


def duration_of(text: str, option: str) -> int:
    """Milliseconds of an option such as ``--for``. Raises InputError."""
    try:
        return parse_duration(text)
    except UnreadableError as error:
        raise InputError(Phrase("{place}: {sentence}", place=option, sentence=error.message), hint=error.hint) from None


def zone_of(connection: sqlite3.Connection) -> str:
    """The zone the log's local days are in."""
    found = next((policy.tz for _, policy in units.asked_policies(connection)), None)
    return found or "UTC"


def own_target(policy: Policy, text: str) -> Policy:
    """A policy with one target: ``>= 90%``, or ``90%``. Raises InputError."""
    found = re.fullmatch(r"\s*(>=|<=|>|<)?\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(%?)\s*", text)
    if not found:
        raise InputError(
            Phrase("--target: not a target: {text!r}", text=text),
            hint="write '>= 90%', or '< 40' for a mean in seconds",
        )
    value = Fraction(found[2]) / (100 if found[3] else 1)
    sign: Any = found[1] or (">=" if policy.report.kind == "share" else "<=")
    return replace(policy, targets=(Target("own", sign, value),))
