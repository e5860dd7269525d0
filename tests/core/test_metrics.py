"""Rounds become units, units become a number; periods, floors, weights and targets are exact."""

from datetime import date
from fractions import Fraction

import pytest

from sanfen.core.drive import fold
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.metrics import Tally, Unit, assess, meets, span
from sanfen.core.plan import plan_of
from sanfen.core.policy import DueRule, Period, Policy, Report, Session, Target
from sanfen.testing import ask, reply

START = 1_673_056_800_000  # 2023-01-07 10:00 in Shanghai
MINUTE = 60_000
# A: 1 min, 5 min, unanswered. B: 2 min. C: unanswered.
CHAT = {
    "A": [
        ask(START),
        reply(START + MINUTE),
        ask(START + 10 * MINUTE),
        reply(START + 15 * MINUTE),
        ask(START + 60 * MINUTE),
    ],
    "B": [ask(START, "B"), reply(START + 2 * MINUTE, "B")],
    "C": [ask(START, "C")],
}


def tally(policy: Policy) -> Tally:
    plan = plan_of(policy)
    out = Tally(plan)
    for customer, events in CHAT.items():
        for one, scored in fold(Conversation(Key("default", "default", customer)), events, plan).rounds():
            out.add(one, scored)
    return out


@pytest.mark.parametrize(
    ("unit", "judge", "figures"),
    [
        ("round", "each", (2, 5)),
        ("message", "each", (2, 5)),
        ("customer_day", "any", (2, 3)),
        ("customer_day", "all", (1, 3)),
        ("customer_day", "first", (2, 3)),
        ("agent_customer_day", "any", (2, 3)),
        ("session", "mean", (1, 3)),
        ("session", "all", (1, 3)),
    ],
)
def test_what_is_counted_and_what_decides_it(unit: str, judge: str, figures: tuple[int, int]) -> None:
    found = tally(Policy("p", unit=unit, judge=judge))  # type: ignore[arg-type]  # from the table above

    assert (found.numerator, found.denominator) == figures


def test_a_late_share_counts_the_late() -> None:
    found = tally(Policy("p", report=Report("late_share")))

    assert (found.numerator, found.denominator, found.value) == (3, 5, Fraction(3, 5))


@pytest.mark.parametrize(
    ("report", "seconds"),
    [
        (Report("mean"), Fraction(480, 3)),  # 60, 300, 120; the unanswered are left out
        (Report("mean", cap_ms=200_000), Fraction(60 + 200 + 120 + 200 + 200, 5)),
        (Report("mean", trim=Fraction(2, 3)), Fraction(60 + 120, 2)),
        (Report("mean", trim=Fraction(1, 10)), Fraction(60)),
        (Report("mean", gap_cut_ms=300_000), Fraction(60 + 120, 2)),
    ],
)
def test_means(report: Report, seconds: Fraction) -> None:
    assert tally(Policy("p", report=report)).value == seconds


def test_a_first_round_that_is_left_out_takes_its_unit_out() -> None:
    policy = Policy("p", unit="session", judge="first", midnight="exclude_crossing", session=Session(12 * 3_600_000))
    plan = plan_of(policy)
    night = START + 13 * 3_600_000 + 59 * MINUTE
    events = [ask(night), ask(night + 2 * MINUTE), reply(night + 3 * MINUTE)]
    found = Tally(plan)
    for one, scored in fold(Conversation(Key("default", "default", "A")), events, plan).rounds():
        found.add(one, scored)

    assert (found.numerator, found.denominator) == (0, 0)
    assert [str(outcome) for outcome, count in found.counts.items() if count] == ["met", "excluded"]


def test_no_round_no_number() -> None:
    empty = Tally(plan_of(Policy("p")))

    assert (empty.value, empty.numerator, empty.denominator) == (None, 0, 0)
    assert Tally(plan_of(Policy("p", report=Report("mean")))).value is None


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


def test_units_are_filed_by_their_deadline_where_the_period_says_so() -> None:
    policy = Policy("p", due=(DueRule(after_ms=86_400_000),), period=Period(assign_by="due"))
    dated = Tally(plan_of(policy))
    dated.keep_units()
    for one, scored in fold(Conversation(Key("default", "default", "A")), CHAT["A"], plan_of(policy)).rounds():
        dated.add(one, scored)

    assert {unit.day for unit in dated.units} == {"2023-01-08"}
