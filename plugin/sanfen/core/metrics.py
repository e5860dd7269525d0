"""Rounds become units, units become a number: a share of units hit, or a mean response time.

``Tally`` takes one round at a time, in any order between units, and tallies of disjoint logs add up (``merge``).
A unit is in the denominator when at least one of its rounds is met, late or missed.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import date
from fractions import Fraction
from typing import Protocol

from sanfen.core.days import NEVER
from sanfen.core.events import Key
from sanfen.core.periods import Assessment, Unit, Wait, assess, mean_of, recent_of
from sanfen.core.plan import Plan
from sanfen.core.policy import Policy, Report
from sanfen.core.score import COUNTED, Outcome

__all__ = ["Tally", "unit_key"]


class _Session(Protocol):
    @property
    def opened_ms(self) -> int: ...


class _Counted(Protocol):
    """What counting needs of a round: the machine's own, or one read back from the log."""

    @property
    def id(self) -> str: ...
    @property
    def key(self) -> Key: ...
    @property
    def customer(self) -> str: ...
    @property
    def agent(self) -> str | None: ...
    @property
    def date(self) -> str: ...
    @property
    def session(self) -> _Session: ...
    @property
    def opened_ms(self) -> int: ...
    @property
    def due_ms(self) -> int: ...
    @property
    def wait_ms(self) -> int | None: ...


class _Part:
    """What is known of one unit. ``first`` is its first round's outcome, even an excluded one."""

    __slots__ = ("counted", "day", "filed", "first", "first_ms", "hits", "missed", "pending", "wait_ms")

    def __init__(self) -> None:
        self.first_ms = NEVER
        self.first: Outcome | None = None
        self.day = ""
        self.counted = self.hits = self.missed = self.pending = self.wait_ms = 0
        self.filed: tuple[int, str] = (NEVER, "")


def unit_key(one: _Counted, policy: Policy) -> Hashable:
    """What a round is counted with: itself, its session, its customer's day."""
    if policy.unit == "session":
        session = 0 if policy.session.gap_ms is None else one.session.opened_ms
        return (one.key, session, one.agent if policy.transfer == "split" else None)
    if policy.unit == "customer_day":
        return (one.key.shop, one.key.channel, one.customer, one.date)
    if policy.unit == "agent_customer_day":
        return (one.key.shop, one.key.channel, one.customer, one.date, one.agent)
    return one.id


class Tally:
    """Counts of outcomes and units under one policy; for a mean also the sum of its capped waits."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.waited_ms = 0
        self.waited = 0  # rounds in ``waited_ms``
        self._waits: list[Wait] = []  # each of them, where only the fastest part counts, or a period's
        self._simple = plan.policy.unit in ("round", "message")
        self._dated = plan.policy.report.recent_share is not None
        self._parts: dict[Hashable, _Part] = {}
        self._hits = self._units = 0
        self._listed: list[Unit] = []
        self._pending: Counter[str] = Counter()

    def keep_units(self) -> None:
        """Also keep every unit and wait with its day, for ``units`` and ``assess``."""
        self._dated = True

    def add(self, one: _Counted, outcome: Outcome) -> None:
        """Count a round with its outcome."""
        self.counts[outcome] += 1
        policy = self.plan.policy
        if policy.report.kind == "mean":
            self._add_wait(one, outcome, policy.report)
        if self._simple:
            if outcome in COUNTED:
                self._units += 1
                self._hits += outcome == Outcome.met
                if self._dated:
                    self._listed.append(Unit(*self._filed(one), outcome == Outcome.met))
            elif outcome == Outcome.pending and self._dated:
                self._pending[one.date] += 1
        else:
            self._add_part(self._parts.setdefault(unit_key(one, policy), _Part()), one, outcome)

    def merge(self, other: "Tally") -> None:
        """Add the counts of a log that shares no conversation and no customer with ours."""
        for outcome, count in other.counts.items():
            self.counts[outcome] += count
        self.waited_ms += other.waited_ms
        self.waited += other.waited
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
        """What a mean is taken of. Needs ``keep_units``."""
        return self._waits

    def standings(self, day: str) -> dict[str, int]:
        """Units of a day that is not over: ``won`` for good, ``lost`` already, ``open``: they can still go either way.

        Needs ``keep_units``.
        """
        found: Counter[str] = Counter(open=self._pending[day])
        found.update("won" if unit.hit else "lost" for unit in self._listed if unit.day == day)
        judge = self.plan.policy.judge
        told = (_standing(part, judge) for part in self._parts.values() if part.day == day)
        found.update(word for word in told if word is not None)
        return {name: found[name] for name in ("won", "lost", "open")}

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
                return mean_of(self._waits, policy.report)
            return Fraction(self.waited_ms, 1000 * self.waited) if self.waited else None
        share = Fraction(self.numerator, self.denominator) if self.denominator else None
        if share is not None and policy.report.recent_share is not None:
            share = recent_of(self.units, policy.report)
        return share

    def assess(self, today: date) -> Assessment:
        """The policy's own period as it stands on a local date. Needs ``keep_units``."""
        return assess(self.units, self.plan.policy, today, self._waits)

    def _add_wait(self, one: _Counted, outcome: Outcome, report: Report) -> None:
        if outcome in (Outcome.met, Outcome.late):
            wait_ms = one.wait_ms or 0
            wait_ms = wait_ms if report.cap_ms is None else min(wait_ms, report.cap_ms)
        elif outcome == Outcome.missed and report.cap_ms is not None:
            wait_ms = report.cap_ms
        else:
            return
        self.waited_ms += wait_ms
        self.waited += 1
        if report.trim is not None or self._dated:
            self._waits.append(Wait(*self._filed(one), wait_ms))

    def _filed(self, one: _Counted) -> tuple[int, str]:
        period = self.plan.policy.period
        if period is not None and period.assign_by == "due" and one.due_ms != NEVER:
            return one.due_ms, self.plan.calendar.day(one.due_ms).date
        return one.opened_ms, one.date

    def _add_part(self, part: _Part, one: _Counted, outcome: Outcome) -> None:
        if one.opened_ms < part.first_ms:
            part.first_ms, part.first, part.day = one.opened_ms, outcome, one.date
        part.pending += outcome == Outcome.pending
        if outcome in COUNTED:
            part.counted += 1
            part.hits += outcome == Outcome.met
            part.missed += outcome == Outcome.missed
            part.wait_ms += one.wait_ms or 0
            part.filed = min(part.filed, self._filed(one))

    def _judged(self) -> Iterable[tuple[_Part, bool | None]]:
        judge = self.plan.policy.judge
        limit_ms = self.plan.policy.due[0].after_ms or 0
        for part in self._parts.values():
            yield part, _judge(part, judge, limit_ms)


def _judge(part: _Part, judge: str, limit_ms: int) -> bool | None:
    """Whether a unit is hit; None where it is in no count."""
    if not part.counted or (judge == "first" and part.first not in COUNTED):
        return None
    if judge == "first":
        return part.first == Outcome.met
    if judge == "any":
        return part.hits > 0
    if judge == "mean":
        return not part.missed and part.wait_ms <= limit_ms * part.counted
    return part.hits == part.counted


def _standing(part: _Part, judge: str) -> str | None:
    """How a unit stands while its day goes on; None where it is in no count so far."""
    if not part.counted and not part.pending:
        return None
    if judge == "first":
        return {Outcome.met: "won", Outcome.late: "lost", Outcome.missed: "lost", Outcome.pending: "open"}.get(
            part.first or Outcome.excluded
        )
    if judge == "any":
        return "won" if part.hits else "open"
    if judge == "mean":
        return "lost" if part.missed else "open"
    return "lost" if part.counted > part.hits else "open"
