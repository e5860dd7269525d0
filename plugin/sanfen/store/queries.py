"""Every question the command line, the board and the API ask, named. All take a read-only connection."""

import json
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.errors import InputError, Phrase
from sanfen.store.filters import where
from sanfen.store.gaps import marked

__all__ = [
    "GROUPS",
    "compare",
    "counted",
    "escalations",
    "freest",
    "last_attempts",
    "last_round_of",
    "left_out",
    "mask",
    "nth_of",
    "open_of",
    "outcomes",
    "policies",
    "questions",
    "rates",
    "round_of",
    "rounds",
    "scored_by",
    "spoke_since",
    "told",
    "unknown",
    "waits",
    "waits_by",
]

GROUPS = ("shop", "channel", "agent", "day", "week", "month", "hour")
_SPANS = {"week": "date(day, 'weekday 0', '-6 days')", "month": "substr(day, 1, 7)"}  # a week is named by its Monday
_SUMS = (
    "sum(met + late + missed) AS rounds, sum(met) AS met, sum(late) AS late, sum(missed) AS missed, "
    "sum(pending) AS pending, sum(excluded) AS excluded, "
    "1.0 * sum(met) / nullif(sum(met + late + missed), 0) AS rate, "
    "CAST(round(1.0 * sum(wait_ms) / nullif(sum(met + late), 0)) AS INTEGER) AS mean_wait_ms"
)


def mask(customer: str) -> str:
    """A customer's id as it may be shown: ``tb**47``."""
    return customer if len(customer) < 2 else f"{customer[:2]}**{customer[-2:] if len(customer) > 4 else ''}"


def policies(connection: sqlite3.Connection, score_set: str | None = None) -> list[tuple[str, str]]:
    """Score sets and policies that have rounds, the live ones first."""
    clause, values = where({"score_set": score_set})
    rows = connection.execute(
        f"SELECT DISTINCT score_set, policy FROM rate_hours {clause} ORDER BY score_set <> 'live', score_set, policy",
        values,
    )
    return [(str(score_set), str(policy)) for score_set, policy in rows]


def rates(connection: sqlite3.Connection, *, by: Sequence[str] = (), **filters: str | None) -> list[dict[str, Any]]:
    """Counts and rates of rounds, grouped. Filters: score_set, policy, shop, channel, agent, first_day, last_day."""
    for name in by:
        if name not in GROUPS:
            raise InputError(
                Phrase("cannot group by {name!r}", name=name),
                hint=Phrase("choose from {names}", names=", ".join(GROUPS)),
            )
    clause, values = where(filters)
    names = ", ".join(["score_set", "policy", *by])
    keys = ", ".join(["score_set", "policy", *(f"{_SPANS[name]} AS {name}" if name in _SPANS else name for name in by)])
    rows = connection.execute(
        f"SELECT {keys}, {_SUMS} FROM rate_hours {clause} GROUP BY {names} ORDER BY {names}",
        values,
    )
    return [row for row in map(dict, rows) if row["rounds"] or row["pending"] or row["excluded"]]


def rounds(
    connection: sqlite3.Connection,
    *,
    longest: bool = False,
    limit: int | None = None,
    offset: int = 0,
    **filters: str | int | None,
) -> list[dict[str, Any]]:
    """Rounds, newest first, or longest wait first. Filters as in ``rates``, and status (several with commas), reason,
    conversation, since_ms, and those of ``filters.OF_ROUNDS``.
    """
    clause, values = where(filters)
    order = "wait_ms DESC NULLS LAST, id" if longest else "opened_ms DESC, id"
    rows = connection.execute(
        f"SELECT * FROM rounds {clause} ORDER BY {order} LIMIT ? OFFSET ?",
        (*values, -1 if limit is None else limit, offset),
    )
    return marked(connection, [dict(row) | {"evidence": json.loads(row["evidence"])} for row in rows])


def counted(connection: sqlite3.Connection, **filters: str | None) -> dict[str, int]:
    """How many of the rounds that pass these filters have each outcome. Filters as in ``rounds``."""
    clause, values = where(filters)
    rows = connection.execute(f"SELECT status, count(*) FROM round_rows {clause} GROUP BY status", values)
    return dict.fromkeys(("met", "late", "missed", "pending", "excluded"), 0) | {row[0]: row[1] for row in rows}


def waits(connection: sqlite3.Connection, bounds: Sequence[int], **filters: str | None) -> list[int]:
    """How many answered rounds waited between each two of these bounds, milliseconds, and beyond the last; as ``rounds``."""
    clause, values = where({**filters, "status": "met,late"})
    found = Counter(
        bisect_right(bounds, wait_ms) - 1
        for (wait_ms,) in connection.execute(f"SELECT wait_ms FROM round_rows {clause} AND wait_ms IS NOT NULL", values)
    )
    return [found[number] for number in range(len(bounds))]


def waits_by(connection: sqlite3.Connection, by: str, **filters: Any) -> dict[str, list[int]]:
    """The waits of answered rounds in order, by ``agent`` or ``day``, milliseconds; filters as ``rounds``."""
    clause, values = where({**filters, "status": "met,late"})
    found: dict[str, list[int]] = {}
    for name, wait_ms in connection.execute(
        f"SELECT coalesce({by}, ''), wait_ms FROM round_rows {clause} AND wait_ms IS NOT NULL ORDER BY wait_ms", values
    ):
        found.setdefault(str(name), []).append(int(wait_ms))
    return found


def nth_of(waits: Sequence[int], tenths: int) -> int | None:
    """The wait that so many in ten were not longer than; they are in order."""
    return waits[-(-tenths * len(waits) // 10) - 1] if waits else None


def questions(connection: sqlite3.Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What was asked, by round, as far as it is kept."""
    wanted = json.dumps(
        [[row["shop"], row["channel"], row["evidence"][0], row["id"]] for row in rows if row["evidence"]]
    )
    found = connection.execute(
        "SELECT json_extract(value, '$[3]'), e.text FROM json_each(?) JOIN events e ON e.shop = json_extract(value, '$[0]') "
        "AND e.channel = json_extract(value, '$[1]') AND e.id = json_extract(value, '$[2]') WHERE e.text IS NOT NULL",
        (wanted,),
    )
    return {str(name): str(text) for name, text in found}


def unknown(connection: sqlite3.Connection, **filters: str | None) -> int:
    """How many replies count for nothing because nothing tells who wrote them. Filters: score_set, policy, shop, channel."""
    asked = {name: filters.get(name) for name in ("score_set", "policy", "shop", "channel")}
    clause, values = where(asked)
    clause += " AND " if clause else "WHERE "
    (count,) = connection.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT shop, channel, event FROM verdicts {clause} reason = 'mode_unknown')",
        values,
    ).fetchone()
    return int(count)


def outcomes(connection: sqlite3.Connection, **filters: str | None) -> dict[str, int]:
    """How many rounds have each outcome."""
    found = {"met": 0, "late": 0, "missed": 0, "pending": 0, "excluded": 0}
    clause, values = where(filters)
    sums = ", ".join(f"sum({name})" for name in found)
    row = connection.execute(f"SELECT {sums} FROM rate_hours {clause}", values).fetchone()
    return {name: int(count or 0) for name, count in zip(found, row, strict=True)}


def escalations(
    connection: sqlite3.Connection,
    *,
    round_id: str | None = None,
    state: str | None = None,
    person: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[dict[str, Any]]:
    """Who was told, newest first, each with its attempts and who took the round in the end."""
    clause, values = where({"round": round_id, "state": state, "person": person})
    rows = connection.execute(
        f"SELECT e.*, r.taken_by FROM (SELECT * FROM escalations {clause} ORDER BY id DESC LIMIT ? OFFSET ?) e "
        "LEFT JOIN round_rows r ON r.score_set = 'live' AND r.policy = e.policy AND r.id = e.round ORDER BY e.id DESC",
        (*values, limit, offset),
    )
    return [dict(row) | {"tries": _attempts(connection, row["id"])} for row in rows]


def told(connection: sqlite3.Connection, *, state: str | None = None, person: str | None = None) -> int:
    """How many there are of ``escalations``."""
    clause, values = where({"state": state, "person": person})
    return int(connection.execute(f"SELECT count(*) FROM escalations {clause}", values).fetchone()[0])


def last_attempts(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[str, str]]:
    """By person and way: what became of the last message (told, refused, unknown), and what was answered."""
    rows = connection.execute(
        "SELECT o.person, a.way, a.result, a.answer, max(a.id) FROM attempts a JOIN outbox o ON o.id = a.outbox "
        "GROUP BY o.person, a.way"
    )
    return {(str(row[0]), str(row[1])): (str(row[2]), str(row[3] or "")) for row in rows}


def round_of(
    connection: sqlite3.Connection, round_id: str, *, policy: str | None = None, score_set: str | None = None
) -> dict[str, Any] | None:
    """A round's row; the live one where several score sets have it. None if unknown."""
    clause, values = where({"id": round_id, "policy": policy, "score_set": score_set})
    row = connection.execute(
        f"SELECT * FROM rounds {clause} ORDER BY score_set <> 'live', policy LIMIT 1", values
    ).fetchone()
    return None if row is None else dict(row) | {"evidence": json.loads(row["evidence"])}


def left_out(connection: sqlite3.Connection, **filters: str | int | None) -> dict[str, int]:
    """How many rounds are excluded for which reason, the most first. Filters as in ``rates``."""
    clause, values = where({**filters, "status": "excluded"})
    rows = connection.execute(
        f"SELECT reason, count(*) FROM round_rows {clause} GROUP BY reason ORDER BY count(*) DESC, reason", values
    )
    return {str(reason): int(count) for reason, count in rows}


def last_round_of(connection: sqlite3.Connection, customer: str) -> str | None:
    """The id of a customer's last round, also of one who is named by the conversation. None if there is none."""
    row = connection.execute(
        "SELECT id FROM round_rows WHERE customer = ? OR conversation = ? ORDER BY opened_ms DESC LIMIT 1",
        (customer, customer),
    ).fetchone()
    return None if row is None else str(row[0])


def scored_by(connection: sqlite3.Connection, text: str) -> tuple[str, str]:
    """``SCORE_SET/POLICY``, or a policy of the log's only score set that has it, the live one first. Raises InputError."""
    known = policies(connection)
    found = [one for one in known if text in (one[1], "/".join(one))]
    if not found:
        names = ", ".join("/".join(one) for one in known)
        raise InputError(
            Phrase("the log holds nothing scored by {text!r}", text=text),
            hint=Phrase("it holds {names}", names=names or Phrase("none yet")),
        )
    return found[0]


def open_of(connection: sqlite3.Connection, score_set: str, policy: str, agent: str) -> int:
    """How many open rounds an agent holds."""
    found = connection.execute(
        "SELECT count(*) FROM round_rows WHERE score_set = ? AND policy = ? AND agent = ? AND next_ms IS NOT NULL",
        (score_set, policy, agent),
    ).fetchone()
    return int(found[0])


def freest(
    connection: sqlite3.Connection, score_set: str, policy: str, agents: Sequence[str], holder: str | None
) -> str | None:
    """Of these agents, other than who holds it, the one with the fewest open rounds; None: there is nobody else."""
    others = [agent for agent in agents if agent != holder]
    return min(others, key=lambda agent: open_of(connection, score_set, policy, agent), default=None)


def spoke_since(connection: sqlite3.Connection, agent: str, since_ms: int) -> bool:
    """Whether an agent has said anything to anybody since an instant."""
    found = connection.execute(
        "SELECT 1 FROM events WHERE at_ms >= ? AND sender = 'merchant' AND agent = ? LIMIT 1", (since_ms, agent)
    ).fetchone()
    return found is not None


def compare(
    connection: sqlite3.Connection, one: tuple[str, str], beside: sqlite3.Connection, other: tuple[str, str]
) -> dict[str, Any]:
    """The rounds that two score sets see differently, each ``(score_set, policy)``: counts, groups by reason, rounds.

    Rounds are held together by their id, which is that of their question; a side that opened none has None.
    """
    left, right = _outcomes(connection, one), _outcomes(beside, other)
    rows = []
    for name in left.keys() | right.keys():
        a, b = left.get(name), right.get(name)
        if a is None or b is None or a[:2] != b[:2]:
            opened_ms, opened, customer, agent = (a or b or ())[2:]
            said = {"a": a and a[0], "because_a": a and a[1], "b": b and b[0], "because_b": b and b[1]}
            rows.append(
                {"id": name, "opened_ms": opened_ms, "opened": opened, "customer": mask(customer), "agent": agent}
                | said
            )
    rows.sort(key=lambda row: (row["opened_ms"], row["id"]))
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in _SIDES), []).append(row["id"])
    return {
        "a": _side(one, left),
        "b": _side(other, right),
        "same": len(left.keys() | right.keys()) - len(rows),
        "differ": len(rows),
        "groups": [
            dict(zip(_SIDES, key, strict=True)) | {"rounds": len(names), "examples": names[:_EXAMPLES]}
            for key, names in sorted(groups.items(), key=lambda pair: (-len(pair[1]), str(pair[0])))
        ],
        "rounds": rows,
    }


_SIDES = ("a", "because_a", "b", "because_b")
_EXAMPLES = 3


def _outcomes(connection: sqlite3.Connection, which: tuple[str, str]) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute(
        "SELECT id, status, because, opened_ms, opened, customer, agent FROM round_rows WHERE score_set = ? AND policy = ?",
        which,
    )
    return {row[0]: tuple(row)[1:] for row in rows}


def _side(which: tuple[str, str], found: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    statuses = Counter(row[0] for row in found.values())
    counted = statuses["met"] + statuses["late"] + statuses["missed"]
    return {
        "score_set": which[0], "policy": which[1], "rounds": counted, "met": statuses["met"],
        "rate": statuses["met"] / counted if counted else None,
    }  # fmt: skip


def _attempts(connection: sqlite3.Connection, number: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT at_ms, way, result, answer, took_ms FROM attempts WHERE outbox = ? ORDER BY id", (number,)
    )
    return [dict(row) for row in rows]
