"""What people are to be told, as rows: put there with the round's own commit, taken off only when it is done.

The promise: a due step reaches the person at least once, and at most twice. Before any byte leaves, the row says that an
attempt is under way (``unknown``); a definite refusal takes that back, a time-out or a crash leaves it. After two
attempts of unknown outcome nobody knows whether the person was told, and the row is ``unsure``: seen on the board and in
the log, sent no more. What reached nobody for sure is passed on to the fallback.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from sanfen.core.days import NEVER
from sanfen.core.effects import Escalated
from sanfen.core.facts import Round
from sanfen.roster import Target
from sanfen.store.many import parts, placeholders, with_rows

__all__ = [
    "Asked",
    "Row",
    "Transition",
    "after_refusal",
    "after_unknown",
    "asked",
    "asking",
    "begin",
    "claim",
    "enqueue",
    "erase_customer",
    "forget_questions",
    "inhibit",
    "last_sent",
    "may_send",
    "next_try",
    "overdue",
    "pass_on",
    "put_off",
    "record",
    "release",
    "renamed",
    "still_waiting",
]

MOST_UNKNOWN = 2
_BACK_OFF_MS = (1_000, 5_000, 15_000, 60_000, 300_000)
_REMEMBERED_MS, _MOST_STILL = 1_800_000, 500  # of whom a person was told is said again for so long
_GIVE_UP_MS = 3_600_000  # a person who could not be told for an hour is not told of this step any more


class Row(NamedTuple):
    """One person to be told of one step of one round, or an agent to be given it (``kind`` reassign)."""

    id: int
    round: str
    policy: str
    ladder: str
    step: int
    turn: int
    kind: str
    person: str
    due_ms: int
    way: int
    unknown: int
    attempts: int
    condition: str | None
    facts: dict[str, Any]
    status: str | None  # of its round as it stands; None: there is no such round any more
    taken_by: str | None
    rests_ms: int | None


class Transition(NamedTuple):
    """What becomes of a row after an attempt."""

    state: str
    way: int
    unknown: int
    next_try_ms: int
    reason: str | None


# --- the protocol: pure -----------------------------------------------------------------------------------------------


def may_send(unknown: int) -> bool:
    """Whether another attempt keeps the promise of at most two messages."""
    return unknown < MOST_UNKNOWN


def after_refusal(
    row: Row, ways: int, now_ms: int, *, retryable: bool, reason: str, retry_after_ms: int | None = None
) -> Transition:
    """Definitely not delivered: take the mark back, then the next way at once, or this one again later."""
    unknown = row.unknown - 1
    if row.way + 1 < ways:
        return Transition("waiting", row.way + 1, unknown, now_ms, reason)
    if not retryable or now_ms - row.due_ms > _GIVE_UP_MS:
        # Of an attempt before this one nobody knows.
        return Transition("unsure" if unknown else "failed", row.way, unknown, now_ms, reason)
    pause_ms = max(_BACK_OFF_MS[min(row.attempts, len(_BACK_OFF_MS)) - 1], retry_after_ms or 0)
    return Transition("waiting", 0, unknown, now_ms + pause_ms, reason)


def after_unknown(row: Row, ways: int, now_ms: int, reason: str) -> Transition:
    """Perhaps delivered: once more, at once by the next way if there is one; never a third time."""
    if not may_send(row.unknown):
        return Transition("unsure", row.way, row.unknown, now_ms, reason)
    way = min(row.way + 1, ways - 1)
    pause_ms = 0 if way != row.way else _BACK_OFF_MS[0]
    return Transition("waiting", way, row.unknown, now_ms + pause_ms, reason)


# --- the table --------------------------------------------------------------------------------------------------------

_COLUMNS = (
    "o.id, o.round, o.policy, o.ladder, o.step, o.turn, o.kind, o.person, o.due_ms, o.way, o.unknown, o.attempts, "
    "o.condition, o.facts, r.status, r.taken_by, r.rests_ms"
)
_INTO = (
    "INSERT INTO outbox (state, policy, ladder, step, turn, condition, kind, wanted, person, created_ms, next_try_ms, done_ms, "
    "reason, round, due_ms, facts)"
)
_ONCE = "ON CONFLICT DO NOTHING"
_ONE = f"{_INTO} VALUES {placeholders(16, 1)} {_ONCE}"
_MANY = (
    f"{_INTO} SELECT {', '.join('?' * 13)}, column1, column2, column3 || json_quote((SELECT text FROM events "
    f"WHERE shop = ? AND channel = ? AND id = column4)) || '}}}}' FROM (VALUES {{rows}}) WHERE column1 IS NOT NULL {_ONCE}"
)


class Asked(NamedTuple):
    """What a step asks for that is due for rounds of one shop and channel.

    ``people``: for each who is to be told, the columns that are the same for all those rounds. ``rounds``: each with its
    own columns, the facts without the question, and the question's id.
    """

    people: list[tuple[Any, ...]]
    place: tuple[str, ...]
    rounds: list[tuple[str, int, str, str]]


def asked(effect: Escalated, policy: str, targets: Sequence[Target], now_ms: int) -> Asked:
    """What a step asks for: a row for everybody who is to be told, and one for whom it is to be given to.

    Somebody who is skipped has a row that says why; where nobody is left, those rows have failed.
    """
    step = (policy, effect.ladder, effect.step, effect.turn, effect.condition)
    lost = "failed" if all(target.skipped for target in targets) else "inhibited"
    people: list[tuple[Any, ...]] = []
    for person, wanted, skipped in targets:
        state, done_ms = ("waiting", None) if skipped is None else (lost, now_ms)
        people.append((state, *step, "notify", wanted, person, now_ms, now_ms, done_ms, skipped))
    if effect.reassign is not None:
        people.append(("waiting", *step, "reassign", effect.reassign, effect.reassign, now_ms, now_ms, None, None))
    return Asked(people, effect.round.key[:2], [asking(effect)])


def asking(effect: Escalated) -> tuple[str, int, str, str]:
    """A round for which a step is due, as things stand then."""
    one = effect.round
    return (one.id, effect.at_ms, _facts(one), one.opening_id)


def enqueue(connection: sqlite3.Connection, steps: Iterable[Asked]) -> int:
    """Put what steps ask for in the outbox; what is there already stays as it is. Returns how many rows wait anew.

    Their questions are journaled already.
    """
    new = 0
    for people, place, rounds in steps:
        for values, count, _ in parts(rounds):
            statement = with_rows(_MANY, 4, count)
            for person in people:
                added = connection.execute(statement, [*person, *place, *values]).rowcount
                new += added if person[0] == "waiting" else 0
    return new


def _facts(one: Round) -> str:
    """A JSON object up to where the question will stand."""
    tags = ", ".join([encode_basestring(tag) for tag in one.session.tags if ":" not in tag])
    return (
        f'{{"shop": {encode_basestring(one.key.shop)}, "channel": {encode_basestring(one.key.channel)}, '
        f'"conversation": {encode_basestring(one.key.conversation)}, "customer": {encode_basestring(one.customer)}, '
        f'"agent": {_json(one.agent)}, "tags": [{tags}], "opened_ms": {one.opened_ms}, "clock_ms": {one.clock_ms}, '
        f'"due_ms": {"null" if one.due_ms >= NEVER else one.due_ms}, "question": '
    )


def _json(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def claim(
    connection: sqlite3.Connection, now_ms: int, limit: int, lease_ms: int, busy: Collection[str] = ()
) -> list[Row]:
    """Take rows whose time has come, oldest first, but of nobody who is ``busy``. One not settled within its lease comes again."""
    others = ", ".join("?" * len(busy))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM outbox o "
        "LEFT JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round "
        f"WHERE o.state IN ('waiting', 'sending') AND o.next_try_ms <= ? AND o.person NOT IN ({others}) "
        "ORDER BY o.next_try_ms LIMIT ?",
        (now_ms, *busy, limit),
    ).fetchall()
    connection.executemany(
        "UPDATE outbox SET state = 'sending', next_try_ms = ? WHERE id = ?",
        [(now_ms + lease_ms, row[0]) for row in rows],
    )
    return [_row(found) for found in rows]


def _row(found: Sequence[Any]) -> Row:
    at = Row._fields.index("facts")
    return Row._make((*found[:at], json.loads(found[at]), *found[at + 1 :]))


def still_waiting(connection: sqlite3.Connection, person: str, now_ms: int) -> list[Row]:
    """Of whom a person was told in the last half hour, and who still waits for anybody; one row for each round."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM outbox o "
        "JOIN round_rows r ON r.score_set = 'live' AND r.policy = o.policy AND r.id = o.round "
        "WHERE o.state = 'told' AND o.person = ? AND o.done_ms >= ? AND o.kind = 'notify' AND r.closed_ms IS NULL "
        "AND r.status IN ('pending', 'missed') AND r.taken_by IS NULL AND coalesce(r.rests_ms, 0) <= ? "
        "ORDER BY o.done_ms DESC LIMIT ?",
        (person, now_ms - _REMEMBERED_MS, now_ms, _MOST_STILL),
    )
    return list({row.round: row for row in map(_row, found)}.values())


def release(connection: sqlite3.Connection, now_ms: int) -> int:
    """At a start nobody is sending, whatever the rows say: what was under way at the end comes again now."""
    return connection.execute("UPDATE outbox SET next_try_ms = ? WHERE state = 'sending'", (now_ms,)).rowcount


def renamed(connection: sqlite3.Connection, names: Iterable[tuple[str, str]]) -> None:
    """Rounds are called otherwise now, (before, now): what was told of them stays told."""
    connection.executemany("UPDATE OR IGNORE outbox SET round = ? WHERE round = ?", [(now, was) for was, now in names])


def begin(connection: sqlite3.Connection, rows: Iterable[Row]) -> list[Row]:
    """Mark an attempt as under way, and return the rows that are still ours. Commit this before any byte leaves.

    Whoever was stopped for longer than his lease holds rows of the past; the count of attempts tells.
    """
    return [
        row._replace(unknown=row.unknown + 1, attempts=row.attempts + 1)
        for row in rows
        if connection.execute(
            "UPDATE outbox SET unknown = unknown + 1, attempts = attempts + 1 "
            "WHERE id = ? AND attempts = ? AND state = 'sending'",
            (row.id, row.attempts),
        ).rowcount
    ]


def record(
    connection: sqlite3.Connection,
    ended: Iterable[tuple[Row, Transition]],
    *,
    now_ms: int,
    way: str,
    result: str,
    answer: str,
    took_ms: int,
) -> None:
    """Keep an attempt and what became of its rows. ``result``: told, refused or unknown.

    Safe to repeat, where nobody knows whether it was committed. A row follows its last attempt; of an earlier one that ends late it learns only that the person was told.
    """
    for row, to in ended:
        connection.execute(
            "INSERT INTO attempts (outbox, at_ms, way, result, answer, took_ms) SELECT ?, ?, ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE outbox = ? AND at_ms = ? AND way = ?)",
            (row.id, now_ms, way, result, answer, took_ms, row.id, now_ms, way),
        )
        done_ms = None if to.state in ("waiting", "sending") else now_ms
        connection.execute(
            "UPDATE outbox SET state = ?, way = ?, unknown = ?, next_try_ms = ?, reason = ?, answer = ?, done_ms = ? "
            "WHERE id = ? AND state <> 'told' AND (attempts = ? OR ? = 'told')",
            (to.state, to.way, to.unknown, to.next_try_ms, to.reason, answer, done_ms, row.id, row.attempts, to.state),
        )


def pass_on(connection: sqlite3.Connection, rows: Iterable[Row], people: Iterable[str], now_ms: int) -> int:
    """Rows that reached nobody go on to others, once for each step and person; returns how many wait anew."""
    new = 0
    for row in rows:
        facts = json.dumps(row.facts, ensure_ascii=False)
        head = ("waiting", row.policy, row.ladder, row.step, row.turn, None, "notify", "fallback")
        tail = (now_ms, now_ms, None, f"for {row.person}", row.round, row.due_ms, facts)
        for person in people:
            new += connection.execute(_ONE, (*head, person, *tail)).rowcount
    return new


def inhibit(connection: sqlite3.Connection, rows: Iterable[tuple[Row, str]], now_ms: int) -> None:
    """Nobody needs to be told any more; each row says why."""
    connection.executemany(
        "UPDATE outbox SET state = 'inhibited', reason = ?, done_ms = ? WHERE id = ? AND attempts = ? AND state = 'sending'",
        [(reason, now_ms, row.id, row.attempts) for row, reason in rows],
    )


def put_off(connection: sqlite3.Connection, rows: Iterable[Row], until_ms: int, reason: str) -> None:
    """Try again at an instant, without an attempt."""
    connection.executemany(
        "UPDATE outbox SET state = 'waiting', way = ?, next_try_ms = ?, reason = ? "
        "WHERE id = ? AND attempts = ? AND state = 'sending'",
        [(row.way, until_ms, reason, row.id, row.attempts) for row in rows],
    )


def last_sent(connection: sqlite3.Connection, person: str, since_ms: int) -> int | None:
    """When a person was last sent anything since an instant."""
    found = connection.execute(
        "SELECT max(a.at_ms) FROM attempts a JOIN outbox o ON o.id = a.outbox WHERE a.at_ms >= ? AND o.person = ?",
        (since_ms, person),
    ).fetchone()
    return None if found[0] is None else int(found[0])


def forget_questions(connection: sqlite3.Connection, before_ms: int, limit: int) -> int:
    """Drop what notices quoted and what was answered to them, from before an instant; returns how many rows."""
    return _forget(connection, "quotes = 1 AND created_ms < ? LIMIT ?", (before_ms, limit))


def erase_customer(connection: sqlite3.Connection, shop: str, customer: str) -> int:
    """The same for all notices about a customer."""
    where = "json_extract(facts, '$.shop') = ? AND json_extract(facts, '$.customer') = ?"
    return _forget(connection, where, (shop, customer))


def _forget(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> int:
    found = [row[0] for row in connection.execute(f"SELECT id FROM outbox WHERE {where}", values)]
    for one in found:
        connection.execute(
            "UPDATE outbox SET facts = json_remove(facts, '$.question'), answer = NULL, quotes = 0 WHERE id = ?", (one,)
        )
        connection.execute("UPDATE attempts SET answer = NULL WHERE outbox = ?", (one,))
    return len(found)


def overdue(connection: sqlite3.Connection, before_ms: int) -> int:
    """How many rows should have been taken up before an instant."""
    found = connection.execute(
        "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending') AND next_try_ms < ?", (before_ms,)
    ).fetchone()
    return int(found[0])


def next_try(connection: sqlite3.Connection) -> int | None:
    """When the next row's time comes, epoch milliseconds."""
    found = connection.execute("SELECT min(next_try_ms) FROM outbox WHERE state IN ('waiting', 'sending')").fetchone()
    return None if found is None or found[0] is None else int(found[0])
