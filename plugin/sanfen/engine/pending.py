"""What a job of the writer thread will write: rows of a whole commit, written together."""

import sqlite3

from sanfen.core.effects import Judged
from sanfen.core.events import Key
from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.policy import Policy
from sanfen.core.score import Score
from sanfen.store import journal, projection
from sanfen.store.journal import Kept, Numbers
from sanfen.store.projection import LIVE

__all__ = ["Pending"]


class Pending:
    """Write it before anything is read that could be among it, and at the job's end. ``now_ms``: the job's own time."""

    def __init__(self, connection: sqlite3.Connection, *, now_ms: int, keep_text: bool, zone: str) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self._keep_text = keep_text
        self._zone = zone
        self._last: Numbers | None = None
        self.kept: list[Kept] = []
        self.keys: set[Key] = set()  # conversations with events in ``kept``
        self.rounds: dict[tuple[str, str], tuple[Round, Score, Plan]] = {}  # by policy and round
        self.verdicts: list[tuple[Policy, Judged]] = []

    @property
    def last(self) -> Numbers:
        """The last numbers that were given in the journal."""
        if self._last is None:
            self._last = journal.last_numbers(self.connection)
        return self._last

    def write(self) -> None:
        """Write it."""
        if self.kept:
            self._last = journal.write(
                self.connection, self.kept, self.last, keep_text=self._keep_text, zone=self._zone
            )
            self.kept, self.keys = [], set()
        if self.rounds or self.verdicts:
            projection.save(self.connection, LIVE, self.rounds.values(), self.verdicts)
            self.rounds, self.verdicts = {}, []
