"""What the verbs that read a log share."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo

from sanfen.clock import SystemClock
from sanfen.config import presets
from sanfen.config.types import parse_duration
from sanfen.core.periods import span
from sanfen.core.sessions import Settings
from sanfen.errors import InputError
from sanfen.store import queries
from sanfen.store.db import open_reader, store_error

__all__ = ["asked", "figure_settings", "period_days"]


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
            close = get_close_matches(name, _NAMES, n=1)
            hint = f"did you mean {close[0]}?" if close else "choose from " + ", ".join(_NAMES)
            raise InputError(f"--set {one}: not a definition of the figures", hint=hint)
        try:
            if not field.endswith("_ms") and not (text.isascii() and text.isdigit()):
                raise ValueError(f"not a whole number: {text!r}")  # noqa: TRY301  # said with its place below
            given[field] = parse_duration(text) if field.endswith("_ms") else int(text)
        except ValueError as error:
            raise InputError(f"--set {one}: {error}", hint="write slow=90s, slow_times=2") from None
    return replace(Settings(), **given)  # type: ignore[arg-type]  # every field given is a number


_FIELDS = {field.name for field in fields(Settings)} - {"marks"}
_NAMES = sorted(name.removesuffix("_ms") for name in _FIELDS)


def period_days(connection: sqlite3.Connection, filters: Mapping[str, str | None]) -> tuple[str, str]:
    """First and last day of the policy's own period, as it stands today. Raises InputError, PolicyError."""
    known = [policy for _, policy in queries.policies(connection, filters.get("score_set"))]
    name = filters.get("policy") or (known[0] if known else None)
    if name is None:
        raise InputError("the log holds no rounds yet", hint="leave --period out")
    if len(set(known)) > 1 and not filters.get("policy"):
        raise InputError("the log holds several policies", hint="say which: --policy " + " | ".join(sorted(set(known))))
    policy = presets.policy(name)
    if policy.period is None:
        raise InputError(f"policy {name} states no period", hint="give --from and --to")
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    first, last = span(policy.period, now.astimezone(ZoneInfo(policy.tz)).date())
    return first.isoformat(), last.isoformat()
