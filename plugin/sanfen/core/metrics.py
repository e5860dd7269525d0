"""Rounds become units, units become a number: a share of units hit, or a mean response time.

``Tally`` takes one round at a time, in any order between units, and tallies of disjoint logs add up (``merge``).
A unit is in the denominator when at least one of its rounds is met, late or missed.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import date
from fractions import Fraction

from sanfen.core.days import NEVER
from sanfen.core.periods import Assessment, Unit, Wait, assess, mean_of, recent_of
from sanfen.core.plan import Plan
from sanfen.core.policy import Report
from sanfen.core.score import COUNTED, Outcome
from sanfen.core.units import Counted, Part, judge, standing, unit_key

__all__ = ["Tally"]


class Tally:
    """Counts of outcomes and units under one policy; for a mean also the sum of its capped waits."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self._waited_ms = 0
        self._waited = 0  # rounds in ``waited_ms``
        self._waits: list[Wait] = []  # each of them, where only the fastest part counts, or a period's
        self._simple = plan.policy.unit in ("round", "message")
        self._dated = plan.policy.report.recent_share is not None
        self._parts: dict[Hashable, Part] = {}
        self._hits = self._units = 0
        self._listed: list[Unit] = []
        self._pending: Counter[str] = Counter()

    def keep_units(self) -> None:
        """Also keep every unit and wait with its day, for ``units`` and ``assess``."""
        self._dated = True

    def add(self, one: Counted, outcome: Outcome) -> None:
        """Count a round with its outcome."""
        self.counts[outcome] += 1
        policy = self.plan.policy
        if policy.report.kind == "mean" and policy.judge != "first":
            self._add_wait(one, outcome)
        if self._simple:
            if outcome in COUNTED:
                self._units += 1
                self._hits += outcome == Outcome.met
                if self._dated:
                    self._listed.append(Unit(*self._filed(one), outcome == Outcome.met))
            elif outcome == Outcome.pending and self._dated:
                self._pending[one.date] += 1
        else:
            self._add_part(self._parts.setdefault(unit_key(one, policy), Part()), one, outcome)

    def merge(self, other: "Tally") -> None:
        """Add the counts of a log that shares no conversation and no customer with ours."""
        for outcome, count in other.counts.items():
            self.counts[outcome] += count
        self._waited_ms += other._waited_ms  # noqa: SLF001
        self._waited += other._waited  # noqa: SLF001
        self._waits += other._waits  # noqa: SLF001
        self._hits += other._hits  # noqa: SLF001  # the same class
        self._units += other._units  # noqa: SLF001
        self._listed += other._listed  # noqa: SLF001
        self._parts.update(other._parts)  # noqa: SLF001
        self._pending += other._pending  # noqa: SLF001

    @property
    def units(self) -> list[Unit]:
        """The units in the denominator, oldest first. Needs ``keep_units``."""
        return sorted(self._listed + [Unit(*part.filed, hit) for part, hit in self._judged() if hit is not None])

    @property
    def waits(self) -> list[Wait]:
        """What a mean is taken of. Needs ``keep_units``, unless only each unit's first round counts."""
        return self._waits + self._firsts

    @property
    def waited_ms(self) -> int:
        """The sum of the waits in a mean."""
        return self._waited_ms + sum(wait.wait_ms for wait in self._firsts)

    @property
    def waited(self) -> int:
        """How many waits that is."""
        return self._waited + len(self._firsts)

    @property
    def _firsts(self) -> list[Wait]:
        return [part.first_wait for part in self._parts.values() if part.first_wait is not None]

    def standings(self, day: str) -> dict[str, int]:
        """Units of a day that is not over: ``won`` for good, ``lost`` already, ``open``: they can still go either way.

        Needs ``keep_units``.
        """
        found: Counter[str] = Counter(open=self._pending[day])
        found.update("won" if unit.hit else "lost" for unit in self._listed if unit.day == day)
        found.update(word for _, word in self.standing_units(day))
        return {name: found[name] for name in ("won", "lost", "open")}

    def standing_units(self, day: str) -> list[tuple[Hashable, str]]:
        """The units of several rounds of a day, by their key (``units.unit_key``), each with how it stands."""
        rule = self.plan.policy.judge
        told = ((key, standing(part, rule)) for key, part in self._parts.items() if part.day == day)
        return [(key, word) for key, word in told if word is not None]

    @property
    def numerator(self) -> int:
        """Units hit; for a late share, the units not hit."""
        hits = self._hits + sum(hit is True for _, hit in self._judged())
        return self.denominator - hits if self.plan.policy.report.kind == "late_share" else hits

    @property
    def denominator(self) -> int:
        """Units with at least one met, late or missed round."""
        return self._units + sum(hit is not None for _, hit in self._judged())

    @property
    def value(self) -> Fraction | None:
        """The number the policy reports over everything counted: a share, or a mean in seconds."""
        policy = self.plan.policy
        if policy.report.kind == "mean":
            if policy.report.trim is not None:
                return mean_of(self.waits, policy.report)
            return Fraction(self.waited_ms, 1000 * self.waited) if self.waited else None
        share = Fraction(self.numerator, self.denominator) if self.denominator else None
        if share is not None and policy.report.recent_share is not None:
            share = recent_of(self.units, policy.report)
        return share

    def assess(self, today: date) -> Assessment:
        """The policy's own period as it stands on a local date. Needs ``keep_units``."""
        return assess(self.units, self.plan.policy, today, self.waits)

    def _add_wait(self, one: Counted, outcome: Outcome) -> None:
        report = self.plan.policy.report
        wait_ms = _wait(one, outcome, report)
        if wait_ms is None:
            return
        self._waited_ms += wait_ms
        self._waited += 1
        if report.trim is not None or self._dated:
            self._waits.append(Wait(*self._filed(one), wait_ms))

    def _filed(self, one: Counted) -> tuple[int, str]:
        period = self.plan.policy.period
        if period is not None and period.assign_by == "due" and one.due_ms != NEVER:
            return one.due_ms, self.plan.calendar.day(one.due_ms).date
        return one.opened_ms, one.date

    def _add_part(self, part: Part, one: Counted, outcome: Outcome) -> None:
        if one.opened_ms < part.first_ms:
            part.first_ms, part.first, part.day = one.opened_ms, outcome, one.date
            if self.plan.policy.report.kind == "mean" and self.plan.policy.judge == "first":
                wait_ms = _wait(one, outcome, self.plan.policy.report)
                part.first_wait = None if wait_ms is None else Wait(*self._filed(one), wait_ms)
        part.pending += outcome == Outcome.pending
        if outcome in COUNTED:
            part.counted += 1
            part.hits += outcome == Outcome.met
            part.missed += outcome == Outcome.missed
            part.wait_ms += one.wait_ms or 0
            part.filed = min(part.filed, self._filed(one))

    def _judged(self) -> Iterable[tuple[Part, bool | None]]:
        rule = self.plan.policy.judge
        limit_ms = self.plan.policy.due[0].after_ms or 0
        for part in self._parts.values():
            yield part, judge(part, rule, limit_ms)


def _wait(one: Counted, outcome: Outcome, report: Report) -> int | None:
    """What a round adds to a mean: its wait, at most the cap, which is what an unanswered one counts as; None: nothing."""
    if outcome in (Outcome.met, Outcome.late):
        return one.wait_ms if report.cap_ms is None else min(one.wait_ms or 0, report.cap_ms)
    return report.cap_ms if outcome == Outcome.missed else None
