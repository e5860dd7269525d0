"""The days a rate is taken over, and the number they give: exact, with the policy's floors, weights and targets."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple, TypeVar

from sanfen.core.policy import Period, Policy, Report, Target

__all__ = ["Assessment", "Unit", "Wait", "assess", "mean_of", "meets", "recent_of", "span"]


class Unit(NamedTuple):
    """A judged unit: the instant it is filed under, its local day, and whether it is hit."""

    at_ms: int
    day: str
    hit: bool


class Wait(NamedTuple):
    """What a round adds to a mean: its capped wait, and where it is filed."""

    at_ms: int
    day: str
    wait_ms: int


Filed = TypeVar("Filed", Unit, Wait)


class Assessment(NamedTuple):
    """A period's number. ``value`` is None where there is nothing to divide by; a mean's is in seconds."""

    value: Fraction | None
    assessed: bool
    numerator: int  # units hit; for a late share, the units not hit
    units: int
    waited: int  # waits in a mean
    first_day: str | None
    last_day: str | None
    targets: dict[str, bool]


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


def assess(units: Iterable[Unit], policy: Policy, today: date | None = None, waits: Iterable[Wait] = ()) -> Assessment:
    """The number of a period's units, with the policy's floor of units, weights, rounding and targets.

    ``today``: a local date; without it, or without a period, everything is taken. ``waits``: what a mean is taken of.
    """
    listed, waited = sorted(units), sorted(waits)
    chosen, counted = listed, waited
    period, report = policy.period, policy.report
    first, last = None, None
    if period is not None and today is not None:
        days = span(period, today, date.fromisoformat(listed[-1].day) if listed else None)
        first, last = days[0].isoformat(), days[1].isoformat()
        chosen, counted = _within(listed, first, last), _within(waited, first, last)
    assessed, value = True, None
    if period is not None and len(chosen) < period.min_units:
        if period.otherwise_last_units is not None:
            chosen, counted = _newest(listed, period, today), _newest(waited, period, today)
        else:
            assessed, value = period.otherwise_assess, period.otherwise_value
    hits = sum(unit.hit for unit in chosen)
    numerator = len(chosen) - hits if report.kind == "late_share" else hits
    if value is None and report.kind == "mean":
        value = mean_of(counted, report)
    elif value is None and chosen:
        value = recent_of(chosen, report)
        if report.kind == "late_share" and value is not None:
            value = 1 - value
    if value is not None and report.rounding == "floor_percent":
        value = Fraction(int(value * 100), 100)
    met = {t.name: meets(t, value) for t in policy.targets} if value is not None else {}
    return Assessment(value, assessed, numerator, len(chosen), len(counted), first, last, met)


def _within(listed: list[Filed], first: str, last: str) -> list[Filed]:
    return [one for one in listed if first <= one.day <= last]


def _newest(listed: list[Filed], period: Period, today: date | None) -> list[Filed]:
    """The last units that stand in for a period with too few, of the days the policy looks back."""
    if period.otherwise_within_days is not None and today is not None:
        since = (today - timedelta(days=period.otherwise_within_days)).isoformat()
        listed = [one for one in listed if one.day >= since]
    return listed[-(period.otherwise_last_units or 0) :]


def meets(target: Target, value: Fraction) -> bool:
    """Whether a value meets a target, compared exactly."""
    if target.op == ">=":
        return value >= target.value
    if target.op == ">":
        return value > target.value
    if target.op == "<=":
        return value <= target.value
    return value < target.value


def mean_of(waits: Sequence[Wait], report: Report) -> Fraction | None:
    """The mean in seconds, of the fastest ``trim`` of the waits where the report says so."""
    if not waits:
        return None
    kept = sorted(wait.wait_ms for wait in waits)
    if report.trim is not None:
        kept = kept[: max(1, int(len(kept) * report.trim))]
    return Fraction(sum(kept), 1000 * len(kept))


def recent_of(units: Sequence[Unit], report: Report) -> Fraction | None:
    """The share of units hit, its newest part weighed again where the report says so."""
    whole = _share(units)
    if whole is None or report.recent_share is None or report.recent_weight is None:
        return whole
    newest = _share(sorted(units)[-max(1, int(len(units) * report.recent_share)) :])
    return (1 - report.recent_weight) * whole + report.recent_weight * (newest or 0)


def _share(units: Sequence[Unit]) -> Fraction | None:
    return Fraction(sum(unit.hit for unit in units), len(units)) if units else None
