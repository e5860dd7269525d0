"""Rounds become units, units become a number: a share of units hit, or a mean response time.

``Tally`` takes one round at a time, in any order between units, and tallies of disjoint logs add up (``merge``).
A unit is in the denominator when at least one of its rounds is met, late or missed.
"""

from collections.abc import Hashable, Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.policy import Period, Policy, Report, Target
from sanfen.core.score import COUNTED, Outcome, Score

__all__ = ["Assessment", "Tally", "Unit", "assess", "span", "unit_key"]


class Unit(NamedTuple):
    """A judged unit: the instant it is filed under, its local day, and whether it is hit."""

    at_ms: int
    day: str
    hit: bool


class Assessment(NamedTuple):
    """A period's number. ``value`` is None where there is nothing to divide by."""

    value: Fraction | None
    assessed: bool
    units: int
    first_day: str | None
    last_day: str | None
    targets: dict[str, bool]


class _Part:
    """What is known of one unit. ``first`` is its first round's outcome, even an excluded one."""

    __slots__ = ("counted", "due", "first", "first_ms", "hits", "limit_ms", "missed", "opened", "wait_ms")

    def __init__(self) -> None:
        self.first_ms = 1 << 62
        self.first: Outcome | None = None
        self.counted = self.hits = self.missed = self.wait_ms = 0
        self.opened: tuple[int, str] = (1 << 62, "")
        self.due: tuple[int, str] = (1 << 62, "")


def unit_key(one: Round, policy: Policy) -> Hashable:
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
        self._waits: list[int] = []  # each of them, where only the fastest part counts
        self._simple = plan.policy.unit in ("round", "message")
        self._dated = plan.policy.report.recent_share is not None
        self._parts: dict[Hashable, _Part] = {}
        self._hits = self._units = 0
        self._listed: list[Unit] = []

    def keep_units(self) -> None:
        """Also keep every unit with its day, for ``units``: a period needs them."""
        self._dated = True

    def add(self, one: Round, scored: Score) -> None:
        """Count a round with its final outcome."""
        outcome = scored.outcome
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

    @property
    def units(self) -> list[Unit]:
        """The units in the denominator, oldest first. Needs ``keep_units``."""
        judged = [(part, hit) for part, hit in self._judged() if hit is not None]
        filed = self.plan.policy.period is not None and self.plan.policy.period.assign_by == "due"
        listed = [Unit(*(part.due if filed else part.opened), hit) for part, hit in judged]
        return sorted(self._listed + listed)

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
            return self._mean(policy.report)
        share = Fraction(self.numerator, self.denominator) if self.denominator else None
        if share is not None and policy.report.recent_share is not None:
            share = _recent(self.units, policy.report)
        return share

    def _add_wait(self, one: Round, outcome: Outcome, report: Report) -> None:
        if outcome in (Outcome.met, Outcome.late):
            wait_ms = one.wait_ms or 0
            wait_ms = wait_ms if report.cap_ms is None else min(wait_ms, report.cap_ms)
        elif outcome == Outcome.missed and report.cap_ms is not None:
            wait_ms = report.cap_ms
        else:
            return
        self.waited_ms += wait_ms
        self.waited += 1
        if report.trim is not None:
            self._waits.append(wait_ms)

    def _mean(self, report: Report) -> Fraction | None:
        """The mean in seconds, of the fastest ``trim`` of the waits where the report says so."""
        if not self.waited:
            return None
        if report.trim is None:
            return Fraction(self.waited_ms, 1000 * self.waited)
        kept = sorted(self._waits)[: max(1, int(len(self._waits) * report.trim))]
        return Fraction(sum(kept), 1000 * len(kept))

    def _filed(self, one: Round) -> tuple[int, str]:
        period = self.plan.policy.period
        if period is not None and period.assign_by == "due":
            return one.due_ms, self.plan.calendar.day(one.due_ms).date
        return one.opened_ms, one.date

    def _add_part(self, part: _Part, one: Round, outcome: Outcome) -> None:
        if one.opened_ms < part.first_ms:
            part.first_ms, part.first = one.opened_ms, outcome
        if outcome in COUNTED:
            part.counted += 1
            part.hits += outcome == Outcome.met
            part.missed += outcome == Outcome.missed
            part.wait_ms += one.wait_ms or 0
            part.opened = min(part.opened, (one.opened_ms, one.date))
            part.due = min(part.due, (one.due_ms, self.plan.calendar.day(one.due_ms).date))

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


def _recent(units: Sequence[Unit], report: Report) -> Fraction | None:
    whole = _share(units)
    if whole is None or report.recent_share is None or report.recent_weight is None:
        return whole
    newest = _share(sorted(units)[-max(1, int(len(units) * report.recent_share)) :])
    return (1 - report.recent_weight) * whole + report.recent_weight * (newest or 0)


def _share(units: Sequence[Unit]) -> Fraction | None:
    return Fraction(sum(unit.hit for unit in units), len(units)) if units else None


# --- periods ----------------------------------------------------------------------------------------------------------


def span(period: Period, today: date, last_unit: date | None = None) -> tuple[date, date]:
    """First and last local day of the period as it stands on ``today``."""
    if period.anchor == "last_unit":
        last = last_unit or today
    elif period.kind == "week":
        last = today - timedelta(days=today.weekday() + 1)
    elif period.kind == "month":
        last = today.replace(day=1) - timedelta(days=1)
    else:
        last = today - timedelta(days=period.lag_days)
    if period.kind == "week":
        return last - timedelta(days=7 * period.count - 1), last
    if period.kind == "month":
        months = last.year * 12 + last.month - period.count
        return date(months // 12, months % 12 + 1, 1), last
    return last - timedelta(days=period.count - 1), last


def assess(units: Iterable[Unit], policy: Policy, today: date | None = None) -> Assessment:
    """The share of a period's units, with the policy's floor of units, weights, rounding and targets.

    ``today``: a local date; without it, or without a period, everything is taken.
    """
    chosen = sorted(units)
    period, first, last = policy.period, None, None
    everything = chosen
    if period is not None and today is not None:
        first, last = span(period, today, date.fromisoformat(chosen[-1].day) if chosen else None)
        chosen = [unit for unit in chosen if first.isoformat() <= unit.day <= last.isoformat()]
    assessed, value = True, None
    if period is not None and len(chosen) < period.min_units:
        chosen, assessed, value = _too_few(everything, chosen, period, today)
    if value is None and chosen:
        value = _recent(chosen, policy.report)
        if policy.report.kind == "late_share" and value is not None:
            value = 1 - value
    if value is not None and policy.report.rounding == "floor_percent":
        value = Fraction(int(value * 100), 100)
    met = {t.name: meets(t, value) for t in policy.targets} if value is not None else {}
    days = (first.isoformat() if first else None, last.isoformat() if last else None)
    return Assessment(value, assessed, len(chosen), *days, met)


def _too_few(
    everything: list[Unit], chosen: list[Unit], period: Period, today: date | None
) -> tuple[list[Unit], bool, Fraction | None]:
    if period.otherwise_last_units is not None:
        pool = everything
        if period.otherwise_within_days is not None and today is not None:
            since = (today - timedelta(days=period.otherwise_within_days)).isoformat()
            pool = [unit for unit in everything if unit.day >= since]
        return pool[-period.otherwise_last_units :], True, None
    return chosen, False, period.otherwise_value


def meets(target: Target, value: Fraction) -> bool:
    """Whether a value meets a target, compared exactly."""
    if target.op == ">=":
        return value >= target.value
    if target.op == ">":
        return value > target.value
    if target.op == "<=":
        return value <= target.value
    return value < target.value
