"""What a job of the writer thread will write: rows of a whole commit, written together."""

import sqlite3
from collections.abc import Iterable
from typing import Any

import structlog

from sanfen.core.effects import Effect, Escalated, Judged
from sanfen.core.events import Event
from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.policy import Policy
from sanfen.core.score import Score
from sanfen.engine.memory import Version
from sanfen.roster import Roster, Target
from sanfen.store import journal, outbox, projection
from sanfen.store.journal import Kept, Numbers
from sanfen.store.outbox import Asked
from sanfen.store.projection import LIVE

__all__ = ["Pending"]

_log = structlog.get_logger("sanfen.engine")


class Pending:
    """Write it before anything is read that could be among it, and at the job's end. ``now_ms``: the job's own time."""

    def __init__(
        self, connection: sqlite3.Connection, now_ms: int, roster: Roster, *, keep_text: bool, zone: str
    ) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self._roster = roster
        self._keep_text = keep_text
        self._zone = zone
        self._last: Numbers | None = None
        self.kept: list[Kept] = []
        self.claims: list[tuple[Event, int]] = []  # events that claimed another time than was taken for them, and that
        self.rounds: dict[Round, tuple[Score, Plan]] = {}
        self.moved: list[tuple[Round, Plan]] = []  # on their ladders, by time alone
        self._verdicts: list[tuple[Policy, Judged]] = []
        self._steps: dict[tuple[Any, ...], Asked] = {}  # those that are the same for several rounds together
        self.escalated = False  # somebody is to be told who was not to be before

    @property
    def last(self) -> Numbers:
        """The last numbers that were given in the journal."""
        if self._last is None:
            self._last = journal.last_numbers(self.connection)
        return self._last

    def carry_out(self, version: Version, effects: Iterable[Effect], waited: frozenset[str] | None = None) -> None:
        """Keep verdicts, put escalations in the outbox.

        ``waited``: of answered rounds only these, for which a step was still to come when we last looked. Nobody is told
        of them any more, and the row says why.
        """
        policy = version.plan.policy
        for effect in effects:
            if type(effect) is Judged:
                if version.holds(effect.message.at_ms):
                    self._verdicts.append((policy, effect))
            elif (
                type(effect) is Escalated
                and version.holds(effect.round.opened_ms)
                and (waited is None or effect.round.answerable or _is_answered(effect, waited))
            ):
                one = effect.round
                same = (policy.id, one.key[:2], one.agent, effect[2:])
                step = self._steps.get(same)
                if step is None:
                    self._steps[same] = outbox.asked(effect, policy.id, self._targets(effect), self.now_ms)
                else:
                    step.rounds.append(outbox.asking(effect))

    def _targets(self, effect: Escalated) -> list[Target]:
        """Whom it is told: what falls due together is told together, so they are those who are there now."""
        one = effect.round
        targets = self._roster.told(effect.notify, one.agent, self.now_ms, one.key.channel)
        if targets and all(target.skipped for target in targets):
            _log.error("nobody is there to be told", ladder=effect.ladder, step=effect.step, wanted=effect.notify)
        return targets

    def write(self) -> None:
        """Write it."""
        if self.kept:
            self._last = journal.write(
                self.connection, self.kept, self.last, keep_text=self._keep_text, zone=self._zone
            )
            self.kept = []
            for event, said_ms in self.claims:
                journal.note_claim(self.connection, event, said_ms)
            self.claims = []
        if self.rounds or self._verdicts:
            rounds = [(one, scored, plan) for one, (scored, plan) in self.rounds.items()]
            projection.save(self.connection, LIVE, rounds, self._verdicts)
            self.rounds, self._verdicts = {}, []
        if self.moved:
            projection.save_moved(self.connection, LIVE, self.moved, self.now_ms)
            self.moved = []
        if self._steps:  # a notice tells what was asked, which is journaled by now
            self.escalated |= outbox.enqueue(self.connection, self._steps.values()) > 0
            self._steps = {}


def _is_answered(effect: Escalated, waited: frozenset[str]) -> bool:
    return effect.round.closed_ms is not None and effect.round.id in waited
