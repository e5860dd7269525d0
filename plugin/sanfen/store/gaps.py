"""What is missing from the log, and which figures that touches. The one place that decides what is incomplete."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sanfen.store.projection import LIVE

__all__ = ["Missing", "marked", "missing"]

_SPANS = (
    "SELECT channel, deliveries, strftime('%Y-%m-%d', from_ms / 1000 + offset_min * 60, 'unixepoch'), "
    "strftime('%Y-%m-%d', until_ms / 1000 + offset_min * 60, 'unixepoch'), "
    "CAST(strftime('%H', from_ms / 1000 + offset_min * 60, 'unixepoch') AS INTEGER), "
    "CAST(strftime('%H', until_ms / 1000 + offset_min * 60, 'unixepoch') AS INTEGER) "
    "FROM gap_rows WHERE deliveries > 0"
)
_ANY_CHANNEL = ("events", "*")  # deliveries of several channels come in there


class _Span(NamedTuple):
    channel: str
    deliveries: int
    first_day: str
    last_day: str
    first_hour: int
    last_hour: int


class Missing(NamedTuple):
    """What the log lacks: spans in which deliveries were lost, and whether some still wait beside it."""

    spans: tuple[_Span, ...]
    waiting: bool

    def touches(
        self,
        first_day: str | None = None,
        last_day: str | None = None,
        *,
        channel: str | None = None,
        hour: int | None = None,
    ) -> bool:
        """Whether figures over these local days lack something. What waits beside the log may belong to any day."""
        if self.waiting:
            return True
        return any(
            (last_day is None or span.first_day <= last_day)
            and (first_day is None or span.last_day >= first_day)
            and (channel is None or span.channel in (channel, *_ANY_CHANNEL))
            and (hour is None or span.first_day != span.last_day or span.first_hour <= hour <= span.last_hour)
            for span in self.spans
        )


def missing(connection: sqlite3.Connection) -> Missing:
    """What a log lacks, also what its service has kept aside at the default place and not journaled yet."""
    spans = tuple(_Span(*row) for row in connection.execute(_SPANS))
    path = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    return Missing(spans, bool(path) and _waits(Path(path)))


def marked(
    connection: sqlite3.Connection, rows: Sequence[dict[str, Any]], filters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a question, each with ``incomplete``: whether its span lacks something. Only the live scores can.

    The span of a row is what it says of day, week, month, hour, first and last; else that of the filters.
    """
    found = missing(connection)
    asked = filters or {}
    return [row | {"incomplete": _is_touched(found, row, asked)} for row in rows]


def _is_touched(found: Missing, row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    if row.get("score_set", LIVE) != LIVE or not (found.spans or found.waiting):
        return False
    first, last = asked.get("first_day"), asked.get("last_day")
    if "day" in row:
        first = last = row["day"]
    elif "week" in row:
        first, last = row["week"], str(date.fromisoformat(row["week"]) + timedelta(days=6))
    elif "month" in row:
        first, last = row["month"] + "-01", row["month"] + "-31"
    first, last = row.get("first_day", row.get("first", first)), row.get("last_day", row.get("last", last))
    channel = row.get("channel", asked.get("channel"))
    return found.touches(_text(first), _text(last), channel=channel, hour=row.get("hour"))


def _text(day: object) -> str | None:
    return None if day is None else str(day)


def _waits(log: Path) -> bool:
    """Whether files beside a log hold deliveries, or losses it does not know yet."""
    for path in log.parent.glob(f"{log.name}.spill.*"):
        try:
            with path.open("rb") as file:
                if file.read(1).strip(b"\0"):
                    return True
                if path.suffix == ".gaps":
                    file.seek(32_768)
                    if file.read(1).strip(b"\0"):
                        return True
        except OSError:
            continue
    return False
