"""Keep a replay in a log of its own, for rates, rounds, explain and SQL."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sanfen.core.effects import Judged
from sanfen.core.events import Event
from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.score import Score
from sanfen.store import journal, orders, policies, projection
from sanfen.store.db import Database
from sanfen.store.journal import Delivery

__all__ = ["REPLAY", "Saver"]

REPLAY = "replay"
"""The score set of a replay's log."""

_BATCH = 5_000


class Saver:
    """Writes in batches, each while the next is made; memory is bounded by two of them."""

    def __init__(self, path: Path, plans: Sequence[Plan], zone: str, score_set: str = REPLAY) -> None:
        """``zone``: of the local days of figures. A log that is there keeps its events and all its other score sets.

        Raises StoreError if the file cannot be made or written.
        """
        self._there = path.exists()
        self._score_set = score_set
        self._path = path
        self._plans = plans
        self._zone = zone
        self._db = Database.open(path)
        self._events: list[Event] = []
        self._rounds: list[tuple[int, Round, Score]] = []
        self._verdicts: list[tuple[int, Judged]] = []
        policies_of = [plan.policy for plan in plans]
        self._writing = self._db.write(lambda connection: policies.remember(connection, score_set, policies_of, 0))

    def event(self, event: Event) -> None:
        """Keep an event."""
        if self._there:
            return
        self._events.append(event)
        self._flush_full()

    def round(self, number: int, one: Round, score: Score) -> None:
        """Keep a round of the policy with this number."""
        self._rounds.append((number, one, score))
        self._flush_full()

    def verdict(self, number: int, judged: Judged) -> None:
        """Keep what a policy made of a reply."""
        self._verdicts.append((number, judged))
        self._flush_full()

    def close(self) -> None:
        """Write what is left, and credit the orders."""
        self._flush()
        self._writing.result()
        if not self._there:
            self._db.write(self._credit).result()
        self._db.close()

    def discard(self) -> None:
        """Remove what was written: the replay did not end well."""
        if self._there:
            self._db.write(lambda connection: projection.drop_score_set(connection, self._score_set)).result()
        self._db.close()
        if self._there:
            return
        for ending in ("", "-wal", "-shm", ".lock"):
            with contextlib.suppress(OSError):
                self._path.with_name(self._path.name + ending).unlink()

    def _credit(self, connection: sqlite3.Connection) -> None:
        for key in orders.conversations(connection):
            orders.save(connection, key, self._zone)

    def _flush_full(self) -> None:
        if len(self._events) + len(self._rounds) + len(self._verdicts) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        events, self._events = self._events, []
        rounds, self._rounds = self._rounds, []
        verdicts, self._verdicts = self._verdicts, []

        def job(connection: sqlite3.Connection) -> None:
            if events:
                first = Delivery(events[0].at_ms, "replay", "file", "", "", b"")
                journal.append(connection, first, events, zone=self._zone)
            for number, plan in enumerate(self._plans):
                mine = [(one, score) for at, one, score in rounds if at == number]
                said = [judged for at, judged in verdicts if at == number]
                projection.bulk_save(connection, self._score_set, plan, mine, said)

        self._writing.result()
        self._writing = self._db.write(job)
