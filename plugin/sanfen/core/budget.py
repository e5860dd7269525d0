"""The error budget: how many more misses a period can bear, how fast they come, and when a target breaks at this pace.

The period looked at is the one people can still change: the rolling one that ends today, the running week or month. A
miss is a unit that is not hit; late and missed rounds both use up the budget. The forecast weighs no ``recent`` part.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from sanfen.core.periods import meets, span
from sanfen.core.policy import Period, Policy, Report, Target

__all__ = ["Budget", "Day", "budget", "burn_rate", "running_span"]

_PACE_DAYS = 7
_HORIZON_DAYS = 366


class Day(NamedTuple):
    """What a local day adds to a period: its units and misses; for a mean its waits."""

    units: int = 0
    misses: int = 0
    waited_ms: int = 0
    waits: int = 0

    def plus(self, other: "Day", times: int = 1) -> "Day":
        """This day and another one, so many times."""
        return Day(*(one + times * two for one, two in zip(self, other, strict=True)))


class Budget(NamedTuple):
    """What is left before one target breaks. A mean has no budget, only ``value``, ``holds`` and ``breaks``."""

    target: str
    op: str
    wanted: Fraction
    first_day: str
    last_day: str
    units: int
    used: int  # misses so far
    allowed: int | None  # misses that so many units may have
    left: int | None  # allowed - used; below zero the target is broken
    in_a_row: int | None  # if every further unit were a miss: so many it still bears
    value: Fraction | None
    holds: bool | None  # None: too few units, not assessed
    leaves: Day  # what leaves a rolling period tomorrow
    breaks: str | None  # the day it breaks if each is like the mean of the last seven; None: not in sight


def running_span(policy: Policy, today: date) -> tuple[date, date]:
    """First and last day of the period that today is part of; thirty days where the policy states none."""
    period = policy.period or Period(count=30)
    if period.kind == "week":
        return span(period, today + timedelta(days=7))
    if period.kind == "month":
        return span(period, (today.replace(day=28) + timedelta(days=4)).replace(day=1))
    return span(replace(period, lag_days=0, anchor="today"), today)


def budget(policy: Policy, days: Mapping[str, Day], today: date) -> list[Budget]:
    """The budget of each target of a policy. ``days``: by local date; the week before today gives the pace."""
    first, last = running_span(policy, today)
    so_far = _total(days, first, today)
    rolls = policy.period is None or policy.period.kind in ("rolling", "day")
    leaves = days.get(first.isoformat(), Day()) if rolls else Day()
    floor_units = policy.period.min_units if policy.period else 0
    value = _value(so_far, policy.report)
    out = []
    for target in policy.targets:
        holds = meets(target, value) if value is not None and so_far.units >= floor_units else None
        allowed = _allowed(so_far.units, target, policy.report)
        out.append(
            Budget(
                target.name,
                target.op,
                target.value,
                first.isoformat(),
                last.isoformat(),
                so_far.units,
                so_far.misses,
                allowed,
                None if allowed is None else allowed - so_far.misses,
                _in_a_row(so_far, target, policy.report),
                value,
                holds,
                leaves,
                today.isoformat() if holds is False else _breaks(policy, target, days, today),
            )
        )
    return out


def burn_rate(part: Day, target: Target, report: Report) -> Fraction | None:
    """How fast misses come: 1 uses up the budget exactly by the period's end. None: no units, or no budget."""
    share = _share(target, report)
    return Fraction(part.misses, part.units) / share if part.units and share else None


def _share(target: Target, report: Report) -> Fraction | None:
    """The share of units that may be misses."""
    if report.kind == "mean":
        return None
    return target.value if report.kind == "late_share" else 1 - target.value


def _allowed(units: int, target: Target, report: Report) -> int | None:
    share = _share(target, report)
    if share is None:
        return None
    return floor(share * units) if target.op in (">=", "<=") else ceil(share * units) - 1


def _in_a_row(so_far: Day, target: Target, report: Report) -> int | None:
    share = _share(target, report)
    if share is None or share == 1:  # a target of nothing never breaks
        return None
    bears = (share * so_far.units - so_far.misses) / (1 - share)
    return max(0, floor(bears) if target.op in (">=", "<=") else ceil(bears) - 1)


def _value(part: Day, report: Report) -> Fraction | None:
    if report.kind == "mean":
        return Fraction(part.waited_ms, 1000 * part.waits) if part.waits else None
    if not part.units:
        return None
    late = Fraction(part.misses, part.units)
    return late if report.kind == "late_share" else 1 - late


def _total(days: Mapping[str, Day], first: date, last: date) -> Day:
    total = Day()
    for number in range((last - first).days + 1):
        total = total.plus(days.get((first + timedelta(days=number)).isoformat(), Day()))
    return total


def _breaks(policy: Policy, target: Target, days: Mapping[str, Day], today: date) -> str | None:
    """The first coming day on which the period of that day no longer meets the target."""
    pace, over = _pace(days, today)
    if not pace.units:
        return None
    known = {day: one for day, one in days.items() if day <= today.isoformat()}
    for ahead in range(1, _HORIZON_DAYS + 1):
        day = today + timedelta(days=ahead)
        first, _ = running_span(policy, day)
        coming = min(ahead, (day - first).days + 1)
        # Everything times the days of the pace, so that it stays in whole numbers.
        seen = Day().plus(_total(known, first, today), over).plus(pace, coming)
        value = _value(seen, policy.report)
        if value is not None and not meets(target, value):
            return day.isoformat()
        if coming == (day - first).days + 1 and first > today + timedelta(days=31):
            return None  # nothing of the past is left in it: it will be like this for ever
    return None


def _pace(days: Mapping[str, Day], today: date) -> tuple[Day, int]:
    """The sum of the last seven whole days the log knows, and how many they are; today itself if it is the first."""
    known = [day for day in days if day < today.isoformat()]
    if not known:
        return days.get(today.isoformat(), Day()), 1
    first = max(date.fromisoformat(min(known)), today - timedelta(days=_PACE_DAYS))
    return _total(days, first, today - timedelta(days=1)), (today - first).days
