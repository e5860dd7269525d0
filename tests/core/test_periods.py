"""Periods, floors, weights and targets are exact."""

from datetime import date
from fractions import Fraction

import pytest

from sanfen.core.periods import Unit, assess, meets, span
from sanfen.core.policy import Period, Policy, Report, Target


@pytest.mark.parametrize(
    ("period", "days"),
    [
        (Period("rolling", 30), ("2026-10-25", "2026-11-23")),
        (Period("rolling", 30, lag_days=6), ("2026-10-20", "2026-11-18")),
        (Period("day"), ("2026-11-23", "2026-11-23")),
        (Period("week"), ("2026-11-16", "2026-11-22")),
        (Period("week", 2), ("2026-11-09", "2026-11-22")),
        (Period("month"), ("2026-10-01", "2026-10-31")),
        (Period("month", 11), ("2025-12-01", "2026-10-31")),
        (Period("rolling", 7, anchor="last_unit"), ("2026-11-04", "2026-11-10")),
    ],
)
def test_spans_as_of_tuesday(period: Period, days: tuple[str, str]) -> None:
    first, last = span(period, date(2026, 11, 24), date(2026, 11, 10))

    assert (first.isoformat(), last.isoformat()) == days


def units(*hits: tuple[str, bool, int]) -> list[Unit]:
    flat = [(day, hit) for day, hit, times in hits for _ in range(times)]
    return [Unit(number, day, hit) for number, (day, hit) in enumerate(flat)]


TODAY = date(2026, 11, 24)


def test_only_the_periods_days_count() -> None:
    policy = Policy("p", period=Period("rolling", 2), targets=(Target("t", ">=", Fraction(9, 10)),))
    found = assess(
        units(("2026-11-21", False, 5), ("2026-11-22", True, 9), ("2026-11-23", False, 1), ("2026-11-24", False, 5)),
        policy,
        TODAY,
    )

    assert (found.value, found.units, found.assessed, found.targets) == (Fraction(9, 10), 10, True, {"t": True})


@pytest.mark.parametrize(
    ("period", "value", "assessed", "count"),
    [
        (Period("day", min_units=3), Fraction(1), False, 2),
        (Period("day", min_units=3, otherwise_value=Fraction(57, 100)), Fraction(57, 100), False, 2),
        (Period("day", min_units=3, otherwise_last_units=4), Fraction(1, 2), True, 4),
        (Period("day", min_units=3, otherwise_last_units=4, otherwise_within_days=2), Fraction(1), True, 2),
        (Period("day", min_units=2), Fraction(1), True, 2),
    ],
)
def test_too_few_units(period: Period, value: Fraction, assessed: bool, count: int) -> None:  # a table
    found = assess(units(("2026-11-01", False, 5), ("2026-11-23", True, 2)), Policy("p", period=period), TODAY)

    assert (found.value, found.assessed, found.units) == (value, assessed, count)


def test_the_newest_part_weighs_again_and_percents_are_cut() -> None:
    report = Report(recent_share=Fraction(1, 4), recent_weight=Fraction(1, 2))
    logged = units(
        ("2026-11-01", True, 70), ("2026-11-02", False, 5), ("2026-11-03", True, 20), ("2026-11-04", False, 5)
    )
    weighed = assess(logged, Policy("p", report=report))
    cut = assess(
        units(("2026-11-01", True, 18), ("2026-11-02", False, 1)), Policy("p", report=Report(rounding="floor_percent"))
    )

    assert weighed.value == Fraction(85, 100)  # half of 90/100 and half of 20/25
    assert cut.value == Fraction(94, 100)


@pytest.mark.parametrize(("op", "met"), [(">=", True), (">", False), ("<=", True), ("<", False)])
def test_targets_compare_exactly(op: str, met: bool) -> None:  # a table
    assert meets(Target("t", op, Fraction(1, 3)), Fraction(1, 3)) == met  # type: ignore[arg-type]  # from the table above
