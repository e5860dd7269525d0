"""What rows are narrowed by: one table for the command line, the board, the API and the SQL that is shown."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from sanfen.errors import InputError, Phrase

__all__ = ["EQUAL", "OF_ROUNDS", "TAKEN", "YEARS", "Condition", "check_day", "conditions", "shown", "where"]

YEARS = range(1990, 2100)
"""Those whose days and instants we take (``wire.parse_instant``); around them there is room to count."""

EQUAL = (
    "score_set", "policy", "shop", "channel", "agent", "status", "reason", "conversation", "customer", "round", "person",
    "state", "id",
)  # fmt: skip
"""What rows can be narrowed by where they have a column of that name."""

TAKEN = (
    "SELECT r.id AS id, min(e.at_ms) - o.told_ms AS took_ms FROM ("
    "SELECT round, policy, min(done_ms) AS told_ms FROM outbox WHERE state = 'told' GROUP BY round, policy) o "
    "JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round "
    "JOIN events e ON e.shop = r.shop AND e.channel = r.channel AND e.conversation = r.conversation AND e.kind = 'take' "
    "AND e.at_ms >= o.told_ms AND e.at_ms <= coalesce(r.closed_ms, e.at_ms) GROUP BY r.id"
)
"""Rounds somebody took while they were open and after a notice, and how long after the first one."""

OF_ROUNDS = {
    "hour": "hour = CAST(? AS INTEGER)",
    "weekday": "CAST(strftime('%w', day) AS INTEGER) = CAST(? AS INTEGER)",  # 0 is Sunday
    "wait_from_ms": "wait_ms >= CAST(? AS INTEGER)",
    "wait_to_ms": "wait_ms < CAST(? AS INTEGER)",
    "about": "? IN (id, customer, conversation)",
    "taken": f"(id IN (SELECT id FROM ({TAKEN}))) = CAST(? AS INTEGER)",
    "rule": "EXISTS (SELECT 1 FROM (SELECT shop AS a, channel AS b, conversation AS c, kind AS k, rule, at_ms FROM events) "
    "WHERE a = shop AND b = channel AND c = conversation AND k = 'message' AND instr(rule || ' (', ? || ' (') = 1 "
    "AND at_ms BETWEEN opened_ms AND coalesce(closed_ms, due_ms, opened_ms))",  # a rule's name, wherever it stands
    "ids": "id IN (SELECT value FROM json_each(?))",
}
"""What rounds can be narrowed by besides."""

_SPAN = {"first_day": "day >= ?", "last_day": "day <= ?", "since_ms": "{instant} >= ?", "until_ms": "{instant} < ?"}


class Condition(NamedTuple):
    """A piece of a WHERE with a question mark for each of its values."""

    sql: str
    values: tuple[Any, ...]


def conditions(filters: Mapping[str, Any], instant: str = "opened_ms") -> Iterator[Condition]:
    """Those of the filters that are set; a name that is none is a mistake of ours. Raises InputError for what is no day.

    ``instant``: what since_ms and until_ms are compared with. An empty agent: nobody. Several outcomes: a tuple, or commas.
    """
    for name, value in filters.items():
        if value is None or value == ():
            continue
        if name in ("first_day", "last_day"):
            check_day(str(value))
        if name == "status":
            several = value if isinstance(value, tuple) else str(value).split(",")
            yield Condition(f"status IN ({', '.join('?' * len(several))})", tuple(several))
        elif name == "agent" and value == "":
            yield Condition("coalesce(agent, '') = ?", (value,))
        elif name in EQUAL:
            yield Condition(f"{name} = ?", (value,))
        elif name in OF_ROUNDS:
            yield Condition(OF_ROUNDS[name], (json.dumps(value) if isinstance(value, list) else value,))
        else:
            yield Condition(_SPAN[name].format(instant=instant), (value,))


def where(filters: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The WHERE of the filters that are set, empty if none is, and its values. Raises InputError."""
    found = list(conditions(filters))
    if not found:
        return "", ()
    return "WHERE " + " AND ".join(one.sql for one in found), tuple(value for one in found for value in one.values)


def shown(filters: Mapping[str, Any]) -> str:
    """The conditions as a person would write them, values and all. Raises InputError."""
    return " AND ".join(map(_literal, conditions(filters)))


def _literal(one: Condition) -> str:
    values = iter(one.values)
    text = re.sub(r"\?", lambda _: _quoted(next(values)), one.sql)
    return re.sub(r"CAST\('?(-?[0-9]+)'? AS INTEGER\)", r"\1", text)


def _quoted(value: Any) -> str:
    return str(int(value)) if isinstance(value, int) else "'{}'".format(str(value).replace("'", "''"))


def check_day(text: str) -> None:
    """Raises InputError for what is no local day, or lies in no year whose instants we take."""
    try:
        day = date.fromisoformat(text)
        if day.isoformat() == text and day.year in YEARS:
            return
    except ValueError:
        pass
    raise InputError(Phrase("not a day: {text!r}", text=text[:40]), hint="write 2026-11-01")
