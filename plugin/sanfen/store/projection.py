"""Rounds and verdicts as rows: derived from the journal, committed with the event that changed them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sanfen.core.clocks import next_due
from sanfen.core.days import NEVER
from sanfen.core.effects import Judged
from sanfen.core.events import Event, Key
from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.policy import Policy
from sanfen.core.score import Score, mark, score
from sanfen.store.many import insert_many, parts, placeholders, with_rows
from sanfen.wire import instant_text

__all__ = [
    "LIVE",
    "Change",
    "Renamed",
    "bulk_save",
    "conversations_since",
    "drift",
    "drop_score_set",
    "let_go",
    "open_rounds",
    "record_changes",
    "replace_conversation",
    "round_row",
    "save",
    "save_moved",
    "waiting",
]

LIVE = "live"
"""The score set of the running service."""


class Renamed(NamedTuple):
    """Events came to a conversation that had been kept under another name. ``id``: that name."""

    at_ms: int
    id: str


class Change(NamedTuple):
    """A round before and after; None: it was not there, or is no more."""

    round: str
    before: str | None
    after: str | None


_NAMES = (
    "score_set", "policy", "id", "policy_version", "shop", "channel", "conversation", "customer", "customer_type",
    "agent", "opened_ms", "clock_ms", "due_ms", "closed_ms", "wait_ms", "status", "reason", "because", "evidence",
    "messages", "session_ms", "day", "hour", "opened", "due", "closed", "next_ms", "step", "mark",
    "taken_by", "rests_ms",
)  # fmt: skip
_ROUNDS = f"INSERT INTO round_rows ({', '.join(_NAMES)})"
# What a question that is asked stays as, unless its conversation is folded again: its indexes need not be written then.
_FIXED = frozenset((*_NAMES[:9], "opened_ms", "session_ms", "day", "hour", "opened"))


def _again(names: Iterable[str]) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in names)
    return f"ON CONFLICT (score_set, policy, id) DO UPDATE SET {changed}"


_ALL_AGAIN = _again(_NAMES[3:])
_GONE_ON = _again(name for name in _NAMES if name not in _FIXED)
_MOVED = (
    "UPDATE round_rows SET next_ms = column3, step = column4, rests_ms = column5 "
    "FROM (VALUES {rows}) WHERE score_set = ? AND round_rows.policy = column1 AND round_rows.id = column2"
)
_UPSERT = f"{_ROUNDS} VALUES {placeholders(len(_NAMES), 1)} {_ALL_AGAIN}"
_VERDICTS = "INSERT INTO verdicts (score_set, policy, shop, channel, event, valid, effect, reason)"
_VERDICT_AGAIN = "ON CONFLICT DO UPDATE SET valid = excluded.valid, effect = excluded.effect, reason = excluded.reason"


def save(
    connection: sqlite3.Connection,
    score_set: str,
    rounds: Iterable[tuple[Round, Score, Plan]],
    verdicts: Iterable[tuple[Policy, Judged]] = (),
) -> None:
    """Rounds that are new or went on, and what policies made of replies."""
    _write(connection, score_set, rounds, verdicts, _GONE_ON)


def _write(
    connection: sqlite3.Connection,
    score_set: str,
    rounds: Iterable[tuple[Round, Score, Plan]],
    verdicts: Iterable[tuple[Policy, Judged]],
    again: str,
) -> None:
    insert_many(connection, _ROUNDS, [round_row(score_set, *one) for one in rounds], again)
    insert_many(connection, _VERDICTS, [_verdict_row(score_set, *one) for one in verdicts], _VERDICT_AGAIN)


def save_moved(
    connection: sqlite3.Connection, score_set: str, rounds: Sequence[tuple[Round, Plan]], now_ms: int
) -> None:
    """Rounds to which nothing has happened but that time has passed: where they are on their ladders."""
    rows = [(plan.policy.id, one.id, _or_null(one.next_ms), one.step, one.rests_ms or None) for one, plan in rounds]
    known = 0
    for values, count, _ in parts(rows):
        known += connection.execute(with_rows(_MOVED, 5, count), [*values, score_set]).rowcount
    if known < len(rows):  # one has no row yet: it was opened before there was its policy
        save(connection, score_set, [(one, score(one, plan, now_ms), plan) for one, plan in rounds])


def bulk_save(
    connection: sqlite3.Connection,
    score_set: str,
    plan: Plan,
    rounds: Iterable[tuple[Round, Score]],
    verdicts: Iterable[Judged] = (),
) -> None:
    """Insert or replace many rounds of one policy, and what it made of replies."""
    whole, said = ((*one, plan) for one in rounds), ((plan.policy, judged) for judged in verdicts)
    _write(connection, score_set, whole, said, _ALL_AGAIN)


def waiting(connection: sqlite3.Connection, score_set: str, policy: str, key: Key) -> frozenset[str]:
    """The rounds of a conversation for which something was still to come when their rows were written."""
    return frozenset(
        str(row[0])
        for row in connection.execute(
            "SELECT id FROM round_rows WHERE score_set = ? AND policy = ? AND shop = ? AND channel = ? AND conversation = ? "
            "AND next_ms IS NOT NULL",
            (score_set, policy, *key),
        )
    )


def replace_conversation(
    connection: sqlite3.Connection,
    score_set: str,
    policy: str,
    key: Key,
    rounds: Iterable[tuple[Round, Score, Plan]],
) -> list[Change]:
    """Make a conversation's rows those of a refold; only rows that differ are written. Returns the outcomes that changed."""
    before = {
        str(row[2]): tuple(row)
        for row in connection.execute(
            f"SELECT {', '.join(_NAMES)} FROM round_rows "
            "WHERE score_set = ? AND policy = ? AND shop = ? AND channel = ? AND conversation = ?",
            (score_set, policy, *key),
        )
    }
    after = {one.id: round_row(score_set, one, score, plan) for one, score, plan in rounds}
    connection.executemany(_UPSERT, [row for name, row in after.items() if before.get(name) != row])
    connection.executemany(
        "DELETE FROM round_rows WHERE score_set = ? AND policy = ? AND id = ?",
        [row[:3] for name, row in before.items() if name not in after],
    )
    told = [Change(name, _told(before.get(name)), _told(after.get(name))) for name in {**before, **after}]
    return [change for change in told if change.before != change.after]


def _told(row: tuple[Any, ...] | None) -> str | None:
    """What a person would notice of a row: outcome, reason, wait, agent."""
    if row is None:
        return None
    facts = dict(zip(_NAMES, row, strict=True))
    wait = "" if facts["wait_ms"] is None else f" {facts['wait_ms']}ms"
    return f"{facts['status']} {facts['because']}{wait} {facts['agent'] or '-'}"


def open_rounds(connection: sqlite3.Connection, score_set: str, before_ms: int = NEVER) -> Iterator[tuple[str, int]]:
    """Rounds with something due before an instant, the soonest first: conversation (``engine.packing.named``), due time.

    One conversation may come several times. A start reads a million of these, so no row costs a sort, or an object more.
    """
    return connection.execute(
        "SELECT shop || char(0) || channel || char(0) || conversation, next_ms FROM round_rows "
        "WHERE score_set = ? AND next_ms < ? ORDER BY next_ms",
        (score_set, before_ms),
    )


def conversations_since(connection: sqlite3.Connection, score_set: str, shop: str, at_ms: int) -> list[Key]:
    """A shop's conversations with rounds that are not final, or were opened at or after an instant."""
    rows = connection.execute(
        "SELECT DISTINCT shop, channel, conversation FROM round_rows "
        "WHERE score_set = ? AND shop = ? "
        "AND (next_ms IS NOT NULL OR (clock_ms IS NULL AND closed_ms IS NULL) OR opened_ms >= ?)",
        (score_set, shop, at_ms),
    )
    return [Key(*row) for row in rows]


def record_changes(
    connection: sqlite3.Connection,
    policy: str,
    event: Event | Renamed,
    key: Key,
    found: Iterable[Change],
    now_ms: int,
) -> None:
    """Keep the changes an event, or a name that was explained, made to a conversation's rounds."""
    cause = type(event).__name__.lower()
    connection.executemany(
        "INSERT INTO change_rows (at_ms, cause, event, policy, round, shop, channel, conversation, before, after) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(now_ms, cause, event.id, policy, one.round, *key, one.before, one.after) for one in found],
    )


def drop_score_set(connection: sqlite3.Connection, score_set: str) -> None:
    """Forget a score set that is not the live one."""
    for table in ("round_rows", "verdicts", "policy_rows", "rate_hours"):
        connection.execute(f"DELETE FROM {table} WHERE score_set = ? AND score_set <> ?", (score_set, LIVE))


def let_go(connection: sqlite3.Connection, score_set: str, policies: Iterable[str]) -> None:
    """Nothing is due any more for open rounds of policies that are not among these: they stay as they were last seen."""
    kept = list(policies)
    marks = ", ".join("?" * len(kept))
    connection.execute(
        f"UPDATE round_rows SET next_ms = NULL WHERE score_set = ? AND next_ms IS NOT NULL AND policy NOT IN ({marks})",
        (score_set, *kept),
    )


def drift(connection: sqlite3.Connection) -> int:
    """How many hours of the roll-up disagree with their rounds; 0 unless the file was edited."""
    group = "score_set, policy, shop, channel, agent, day, hour"
    counts = ", ".join(f"sum(status = '{name}')" for name in ("met", "late", "missed", "pending", "excluded"))
    waits = "sum((status IN ('met', 'late')) * coalesce(wait_ms, 0))"
    fresh = (
        "SELECT score_set, policy, shop, channel, coalesce(agent, '') AS agent, day, hour, "
        f"{counts}, {waits} FROM round_rows GROUP BY {group}"
    )
    kept = f"SELECT {group}, met, late, missed, pending, excluded, wait_ms FROM rate_hours WHERE met + late + missed + pending + excluded > 0"
    query = (
        f"SELECT count(*) FROM (SELECT * FROM ({fresh} EXCEPT {kept}) UNION ALL SELECT * FROM ({kept} EXCEPT {fresh}))"
    )
    return int(connection.execute(query).fetchone()[0])


def round_row(score_set: str, one: Round, score: Score, plan: Plan) -> tuple[Any, ...]:
    """A round as the columns of its row."""
    policy, (outcome, reason, evidence) = plan.policy, score
    zone, opened_ms, closed_ms = _zone(policy.tz), one.opened_ms, one.closed_ms
    clock_ms, due_ms = _or_null(one.clock_ms), _or_null(one.due_ms)
    opened = instant_text(opened_ms, zone) or ""
    because = str(reason)
    return (
        score_set, policy.id, one.id, policy.version, *one.key, one.customer, one.customer_type, one.agent, opened_ms,
        clock_ms, due_ms, closed_ms, one.wait_ms, str(outcome), None if reason.plain else because, because,
        _texts(evidence), one.messages, one.session.opened_ms, one.date, int(opened[11:13]), opened,
        due_ms and instant_text(due_ms, zone), closed_ms and instant_text(closed_ms, zone), _next_ms(one, plan), one.step,
        mark(one, outcome, policy), one.taken_by, one.rests_ms or None,
    )  # fmt: skip


def _next_ms(one: Round, plan: Plan) -> int | None:
    """When something about a round is due; None: nothing, or it is final."""
    if one.closed_ms is not None or one.transferred_id is not None or one.settled_ms is not None:
        return None
    return _or_null(next_due(one, plan))


def _or_null(at_ms: int) -> int | None:
    return at_ms if at_ms < NEVER else None


def _verdict_row(score_set: str, policy: Policy, judged: Judged) -> tuple[Any, ...]:
    (_, key, name, *_), (effect, reason) = judged
    return (score_set, policy.id, key[0], key[1], name, effect == "answers", effect, str(reason))


def _texts(texts: Iterable[str]) -> str:
    """A JSON array; an encoder made for each of them would cost more than the rest of the row."""
    return f"[{', '.join(map(encode_basestring, texts))}]"


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
