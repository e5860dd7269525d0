"""What must hold of a log after any crash. Each function returns sentences on what does not."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sanfen.config.load import Loaded
from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.events import Event, Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.store import journal, policies, projection
from sanfen.store.projection import LIVE

__all__ = ["EMPTY", "State", "read_only", "refold", "state_of", "told"]

_AGREE = """
SELECT 'a round without its conversation: ' || id FROM round_rows r WHERE NOT EXISTS
  (SELECT 1 FROM events e WHERE e.shop = r.shop AND e.channel = r.channel AND e.conversation = r.conversation)
UNION ALL SELECT 'a verdict without its message: ' || event FROM verdicts v WHERE NOT EXISTS
  (SELECT 1 FROM events e WHERE e.shop = v.shop AND e.channel = v.channel AND e.id = v.event)
UNION ALL SELECT 'an event without its delivery: ' || id FROM events e WHERE NOT EXISTS
  (SELECT 1 FROM deliveries d WHERE d.seq = e.delivery)
UNION ALL SELECT 'more than two messages: ' || id FROM outbox WHERE unknown > 2
UNION ALL SELECT 'told without an attempt: ' || id FROM outbox WHERE state = 'told' AND attempts = 0
"""


class State(NamedTuple):
    """What a log holds, as far as somebody was promised something. ``attempts``: marked,
    by round and person; ``steps``: of the round, the person is to be told of."""

    events: frozenset[str]
    attempts: dict[tuple[str, str], int]
    steps: dict[tuple[str, str], int]
    problems: tuple[str, ...]


EMPTY = State(frozenset(), {}, {}, ())
"""A file in which there is nothing yet."""


def state_of(connection: sqlite3.Connection) -> State:
    """The whole file looked at: its pages, its events, and that its tables agree."""
    problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "outbox" not in tables or "order_rows" not in tables:  # not migrated yet
        return EMPTY._replace(problems=tuple(problems))
    problems += [str(row[0]) for row in connection.execute(_AGREE)]
    if projection.drift(connection):
        problems.append("a round is not counted once in its hour")
    events = frozenset(row[0] for row in connection.execute("SELECT id FROM events"))
    marked = connection.execute("SELECT round, person, sum(attempts), count(*) FROM outbox GROUP BY 1, 2").fetchall()
    attempts = {(round_id, person): int(count) for round_id, person, count, _ in marked}
    steps = {(round_id, person): int(count) for round_id, person, _, count in marked}
    return State(events, attempts, steps, tuple(problems))


def told(notices: Mapping[tuple[str, str], int], rows: Iterable[tuple[str, str, str, int]]) -> list[str]:
    """Messages people got against the outbox (round, person, state, unknown): at most two for each step.

    A message may tell of several steps and rounds at once; what counts is that of a round.
    """
    most, least = Counter[tuple[str, str]](), set[tuple[str, str]]()
    for round_id, person, state, unknown in rows:
        most[round_id, person] += min(unknown, 2)
        if state == "told":
            least.add((round_id, person))
    problems = [f"{person} got {n} messages of {one}" for (one, person), n in notices.items() if n > most[one, person]]
    return problems + [f"said to be told and was not: {pair}" for pair in least if not notices.get(pair)]


def refold(connection: sqlite3.Connection, loaded: Loaded) -> list[str]:
    """Every conversation folded again from its journal: its rows must be what the fold passed through."""
    problems: list[str] = []
    keys = [
        Key(*row)
        for row in connection.execute("SELECT DISTINCT shop, channel, conversation FROM events WHERE kind <> 'store'")
    ]
    for current in loaded.policies:
        versions = list(_versions(connection, current))
        for key in keys:
            problems += _conversation(connection, key, current.id, versions, journal.read(connection, key))
    return problems


_Version = tuple[Plan, int, int]


def _versions(connection: sqlite3.Connection, current: Policy) -> Iterator[_Version]:
    known = policies.epochs(connection, LIVE, current.id)
    ends = [epoch.since_ms for epoch in known[1:]] + [NEVER]
    for (since_ms, policy), until_ms in zip(known, ends, strict=True):
        yield plan_of(replace(policy, ladders=current.ladders)), since_ms or -NEVER, until_ms


def _conversation(
    connection: sqlite3.Connection, key: Key, policy: str, versions: Iterable[_Version], events: list[Event]
) -> list[str]:
    expected: dict[str, list[tuple[Any, ...]]] = {}  # every row the fold passes through once the last event is in
    for plan, since_ms, until_ms in versions:
        fold = Fold(Conversation(key), plan)
        for event in events:
            fold.feed(event)
        now_ms = max(event.at_ms for event in events)
        while True:
            for one, scored in fold.rounds(now_ms):
                if since_ms <= one.opened_ms < until_ms:
                    expected.setdefault(one.id, []).append(_judged(projection.round_row(LIVE, one, scored, plan)))
            if fold.state.next_ms >= NEVER:
                break
            now_ms = max(now_ms, fold.state.next_ms)
            fold.wait(now_ms)
    found = {
        row[2]: _judged(tuple(row))
        for row in connection.execute(
            f"SELECT {', '.join(projection._NAMES)} FROM round_rows WHERE score_set = ? AND policy = ? "
            "AND shop = ? AND channel = ? AND conversation = ?",
            (LIVE, policy, *key),
        )
    }
    problems = [
        f"{policy} {key.conversation}: no such round in the journal: {name}" for name in found.keys() - expected
    ]
    for name, passed in expected.items():
        if name not in found:
            problems.append(f"{policy} {key.conversation}: round {name} is missing")
        elif found[name] not in passed:
            near = dict(zip(projection._NAMES, passed[-1], strict=True))
            differs = {
                column: (value, near[column])
                for column, value in zip(projection._NAMES, found[name], strict=True)
                if value != near[column]
            }
            problems.append(f"{policy} {key.conversation}: round {name} stored, folded: {differs}")
    return problems


def _judged(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row without the steps that were taken: that they were stays true, whatever comes late."""
    return tuple(None if name == "step" else value for name, value in zip(projection._NAMES, row, strict=True))


def read_only(path: Path) -> sqlite3.Connection:
    """Look at a log without changing it."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
