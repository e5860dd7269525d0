"""The outbox, every interleaving: the real functions of ``store/outbox.py`` driven through all that can happen.

Two instances work on one row; each may be stopped for longer than its lease at any place, and go on later. A send is
accepted, refused, lost on its way, or delivered with its answer lost. An instance may die anywhere.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import pytest

from sanfen.catalogue import TEXTS
from sanfen.store import outbox
from sanfen.store.migrations import migrate
from sanfen.store.outbox import Row, Transition

CRASHES, BAD_SENDS = 4, 6
LOUD = ("failed", "unsure")  # seen on the board and in the log as somebody who was not told

Durable = tuple[str, int, int, int]  # state, way, unknown, attempts
Snapshot = tuple[int, int, int]  # way, unknown, attempts, as an instance read them


class Worker(NamedTuple):
    """An instance: where it is (idle, claimed, marked, told, refused, broken, unknown), and what it has in its hands."""

    at: str = "idle"
    has: Snapshot | None = None


IDLE = Worker()


class World(NamedTuple):
    """All there is to know: the row in the file, two instances, who heard of it, what may still go wrong."""

    row: Durable
    workers: tuple[Worker, Worker]
    delivered: int = 0
    crashes: int = CRASHES
    bad_sends: int = BAD_SENDS


class Table:
    """One row in a real table, set to any state before a function of the outbox runs on it."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self._connection)
        self._connection.execute(
            "INSERT INTO outbox (id, round, policy, ladder, step, wanted, person, due_ms, created_ms, next_try_ms, facts) "
            "VALUES (1, 'r', 'p', 'l', 0, 'lead', 'lead', 0, 0, 0, '{}')"
        )
        self.claim = lru_cache(None)(self._claim)
        self.begin = lru_cache(None)(self._begin)
        self.record = lru_cache(None)(self._record)

    def _set(self, row: Durable) -> None:
        self._connection.execute(
            "UPDATE outbox SET state = ?, way = ?, unknown = ?, attempts = ?, next_try_ms = 0 WHERE id = 1", row
        )

    def _get(self) -> Durable:
        found: Durable = self._connection.execute("SELECT state, way, unknown, attempts FROM outbox").fetchone()
        return found

    def _claim(self, row: Durable) -> tuple[Durable, Snapshot | None]:
        self._set(row)
        found = outbox.claim(self._connection, 10**6, 1, 1000)
        return self._get(), (found[0].way, found[0].unknown, found[0].attempts) if found else None

    def _begin(self, row: Durable, has: Snapshot) -> tuple[Durable, Snapshot | None]:
        self._set(row)
        begun = outbox.begin(self._connection, [held(has)])
        return self._get(), (begun[0].way, begun[0].unknown, begun[0].attempts) if begun else None

    def _record(self, row: Durable, has: Snapshot, to: Transition, result: str) -> Durable:
        self._set(row)
        outbox.record(self._connection, [(held(has), to)], now_ms=0, way="w", result=result, answer="", took_ms=0)
        return self._get()


def held(has: Snapshot) -> Row:
    way, unknown, attempts = has
    return Row(
        1, "r", "p", "l", 0, 0, "notify", "lead", 0, way, unknown, attempts, None, {}, "pending", None, None
    )  # fmt: skip


def steps(table: Table, world: World, ways: int) -> Iterator[World]:
    """Everything that can happen next."""
    for index, worker in enumerate(world.workers):
        for row, after, delivered, bad in moves(table, world, worker, ways):
            yield world._replace(
                row=row,
                workers=placed(world.workers, index, after),
                delivered=world.delivered + delivered,
                bad_sends=world.bad_sends - bad,
            )
        if world.crashes and worker.at != "idle":
            yield world._replace(workers=placed(world.workers, index, IDLE), crashes=world.crashes - 1)


def placed(workers: tuple[Worker, Worker], index: int, after: Worker) -> tuple[Worker, Worker]:
    return (after, workers[1]) if index == 0 else (workers[0], after)


def moves(table: Table, world: World, worker: Worker, ways: int) -> Iterator[tuple[Durable, Worker, int, int]]:
    """What one instance can do: row and instance afterwards, messages delivered, bad sends used."""
    row, has = world.row, worker.has
    if has is None:
        after, found = table.claim(row)
        if found is not None:
            yield after, Worker("claimed", found), 0, 0
    elif worker.at == "claimed":
        if outbox.may_send(has[1]):
            after, begun = table.begin(row, has)
            yield after, Worker("marked", begun) if begun else IDLE, 0, 0
        else:
            lost = Transition("unsure", has[0], has[1], 0, "outcome_unknown")
            yield table.record(row, has, lost, "unknown"), IDLE, 0, 0
    elif worker.at == "marked":
        yield row, Worker("told", has), 1, 0
        if world.bad_sends:
            yield row, Worker("refused", has), 0, 1
            yield row, Worker("broken", has), 0, 1
            yield row, Worker("unknown", has), 0, 1
            yield row, Worker("unknown", has), 1, 1
    else:
        yield table.record(row, has, outcome(worker.at, held(has), ways), worker.at), IDLE, 0, 0


def outcome(at: str, row: Row, ways: int) -> Transition:
    if at == "told":
        return Transition("told", row.way, row.unknown, 0, None)
    if at == "unknown":
        return outbox.after_unknown(row, ways, 0, "lost")
    return outbox.after_refusal(row, ways, 0, retryable=at == "refused", reason="no")


@pytest.mark.parametrize("ways", [1, 2, 3])
def test_nobody_is_forgotten_and_nobody_hears_of_a_step_three_times(ways: int) -> None:
    table = Table()
    first = World(("waiting", 0, 0, 0), (IDLE, IDLE))
    seen, waiting, ends = {first: None}, [first], Counter[tuple[str, int]]()
    came: dict[World, World] = {}
    while waiting:
        world = waiting.pop()
        assert world.delivered <= 2, json.dumps(story(came, world), indent=1)
        left = list(steps(table, world, ways))
        if not left:
            ends[world.row[0], world.delivered] += 1
        for after in left:
            # The instances are alike: which of them is where makes no difference.
            ordered = after._replace(workers=(min(after.workers, key=repr), max(after.workers, key=repr)))
            if ordered not in seen:
                seen[ordered] = None
                came[ordered] = world
                waiting.append(ordered)
    quiet = {end: count for end, count in ends.items() if end[0] not in LOUD and end not in {("told", 1), ("told", 2)}}

    assert not quiet, f"nobody was told, and nobody hears of that: {quiet}"
    assert ends["told", 1]
    assert len(seen) > 1000
    assert all(f"state_{word}" in TEXTS for word in LOUD)


def story(came: dict[World, World], world: World | None) -> list[str]:
    """How it came to this."""
    out = []
    while world is not None:
        out.append(repr(world))
        world = came.get(world)
    return out[::-1]
