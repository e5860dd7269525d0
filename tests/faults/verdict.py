"""What must hold of each conversation of a week: no step is silent, nobody hears of one more than twice, reasons are so."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import people
from tests.faults.people import Act, Due
from tests.faults.phones import Step

from sanfen.store import queries
from sanfen.store.opening import open_reader

__all__ = ["Talk", "Verdict"]


@dataclass
class Talk:
    """A conversation with one round, as the world knows it. ``first``, ``kept``: when an event was sent, and taken."""

    name: str
    opened_ms: int
    vip: bool
    acts: list[Act] = field(default_factory=list)
    opened_kept_ms: int = 0
    answered_ms: float = float("inf")
    answered_first_ms: float = float("inf")
    answered_kept_ms: float = float("inf")
    acts_kept: bool = True
    heard_ms: dict[int, int] = field(default_factory=dict)  # of each act, by its own time
    over_ms: int | None = None


class Verdict:
    """Judges conversations by the log, by what truly arrived (``told``), and by ``people``; counts what it saw."""

    def __init__(self, log: Path, told: Counter[Step], counts: Counter[str], changed_ms: float) -> None:
        """``changed_ms``: when somebody left the file."""
        self.told, self.counts, self.changed_ms = told, counts, changed_ms
        self._connection = open_reader(log)

    def close(self) -> None:
        self._connection.close()

    def of(self, talk: Talk) -> None:
        """Raises AssertionError."""
        (one,) = [dict(row) for row in self._connection.execute(_ROUNDS, (talk.name,))]
        rows = [dict(row) for row in self._connection.execute(_NOTICES, (one["id"],))]
        shown = queries.escalations(self._connection, limit=1_000, round_id=one["id"])  # what the board lists
        assert {row["id"] for row in shown} == {row["id"] for row in rows}
        self._check_talk(talk, one, rows)

    def _check_talk(self, talk: Talk, one: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.counts["rounds"] += 1
        self.counts[f"rounds {one['status']}"] += 1
        for row in rows:
            self._check_row(talk, row, rows)
        assert not self.told.keys() & {_step(row) for row in rows}
        if talk.answered_first_ms <= talk.opened_kept_ms:
            self.counts["rounds answered before they were heard of"] += 1
            return
        name, steps = people.ladder_of(talk.opened_ms, vip=talk.vip)
        assert {row["ladder"] for row in rows} <= {name}, talk
        wanted = [
            due
            for due in people.due(steps, talk.opened_ms, talk.acts, talk.answered_ms)
            if talk.heard_ms.get(due.at_ms, 0) < talk.answered_first_ms  # who is heard too late made nothing due
        ]
        for due in wanted:
            self._check_due(talk, due, steps[due.number], [row for row in rows if row["step"] == due.number])
        if talk.acts_kept:  # nobody is bothered without cause
            called = {due.number for due in wanted}
            early = [row for row in rows if row["step"] not in called and row["turn"] == 0]
            kept_ms = talk.answered_kept_ms if not talk.acts else float("inf")
            assert not [row for row in early if row["due_ms"] > kept_ms], (talk, early)

    def _check_due(self, talk: Talk, due: Due, step: people.StepOf, rows: list[dict[str, Any]]) -> None:
        """Told to whom, or why not: not one step is silent."""
        self.counts["steps due"] += 1
        assert rows, f"silent: step {due} of {talk}"
        first = [row for row in rows if row["turn"] == 0]
        assert first, (talk, due, rows)
        if step.reassign:
            assert [row["kind"] for row in first if row["wanted"] != "fallback"] == ["reassign"], (talk, first)
        elif step.notify != ("agent",):
            self._check_names(step, first)
        heard = {row["person"] for row in rows if row["heard"]}
        why = {row["reason"] for row in rows if row["state"] == "inhibited"} - {"off_duty"}
        if heard:
            self.counts["steps told"] += 1
        elif why:
            self.counts[f"steps not told: {', '.join(sorted(why))}"] += 1
        else:  # everybody's robots failed: it is on the board as lost, and an error in the log
            assert {row["state"] for row in rows} & {"failed", "unsure"}, (talk, rows)
            self.counts["steps lost, and said so"] += 1

    def _check_names(self, step: people.StepOf, rows: list[dict[str, Any]]) -> None:
        at_ms = rows[0]["created_ms"]
        if self.changed_ms <= at_ms <= self.changed_ms + 60_000:
            return  # the file changes just then
        wanted = people.expected(step.notify, at_ms, temp=at_ms < self.changed_ms)
        asked = [row for row in rows if row["wanted"] != "fallback"]
        assert {row["person"] for row in asked if row["reason"] != "off_duty"} == wanted.told, (at_ms, rows)
        assert {row["person"] for row in asked if row["reason"] == "off_duty"} == wanted.away, (at_ms, rows)
        if wanted.stand_in:
            assert {row["person"] for row in rows} >= set(people.FALLBACK), rows

    def _check_row(self, talk: Talk, row: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        row["heard"] = heard = self.told.pop(_step(row), 0)
        state = row["state"]
        self.counts[f"notices {state}"] += 1
        self.counts["notices heard twice"] += heard == 2
        assert heard <= 2, (talk, row)
        if state == "told":
            assert heard, (talk, row)
        elif state == "inhibited":
            assert people.reasons(row, talk.answered_ms, talk.acts), (talk, row)
        else:
            assert state in ("failed", "unsure"), (talk, row)
            assert state == "unsure" or not heard, (talk, row)
            same = {one["person"] for one in rows if (one["step"], one["turn"]) == (row["step"], row["turn"])}
            assert same >= set(people.FALLBACK), (
                f"{row['person']} was not told and nobody in their place: {talk} {rows}"
            )


_ROUNDS = "SELECT id, status FROM round_rows WHERE score_set = 'live' AND conversation = ?"
_NOTICES = (
    "SELECT id, round, ladder, step, turn, kind, wanted, person, state, reason, due_ms, created_ms, done_ms FROM outbox "
    "WHERE round = ? ORDER BY id"
)


def _step(row: dict[str, Any]) -> Step:
    return Step(**{name: row[name] for name in Step._fields})
