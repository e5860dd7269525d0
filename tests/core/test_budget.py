"""The error budget, against plain counting."""

from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest

from sanfen.core.budget import Budget, Day, budget, burn_rate, running_span
from sanfen.core.periods import meets
from sanfen.core.policy import Period, Policy, Report, Target

TODAY = date(2026, 11, 24)  # a Tuesday


def policy(op: str = ">=", value: str = "0.9", kind: str = "share", period: Period | None = None) -> Policy:
    return Policy(
        "p",
        report=Report(kind=kind),  # type: ignore[arg-type]  # one of the three words
        period=period or Period("rolling", 30),
        targets=(Target("norm", op, Fraction(value)),),  # type: ignore[arg-type]  # one of the four signs
    )


def of(days: dict[str, Day], one: Policy) -> Budget:
    (found,) = budget(one, days, TODAY)
    return found


def even(units: int, misses: int, days: int = 30) -> dict[str, Day]:
    return {(TODAY - timedelta(days=n)).isoformat(): Day(units, misses) for n in range(days)}


def test_ten_percent_of_the_rounds_may_be_misses() -> None:
    """752 of 7,520 are allowed, 498 are used, 254 are left."""
    days = even(250, 16, 30) | {TODAY.isoformat(): Day(270, 34)}
    found = of(days, policy())

    assert (found.units, found.used, found.allowed, found.left) == (7520, 498, 752, 254)
    assert found.in_a_row == 282  # 7022 of 7802 are still 90 %, of 7803 they are not
    assert (found.first_day, found.last_day, found.holds) == ("2026-10-26", "2026-11-24", True)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_left_is_what_counting_finds(seed: int) -> None:
    """One miss fewer than ``allowed`` still meets the target, one more does not; the same for a run of misses."""
    dice = Random(seed)
    kind, op = dice.choice([("share", ">="), ("share", ">"), ("late_share", "<="), ("late_share", "<")])
    units = dice.randint(1, 400)
    misses = dice.randint(0, units)
    one = policy(op, dice.choice(["0.9", "0.8", "0.85", "0.5", "1/3"]), kind)
    target = one.targets[0]
    found = of({TODAY.isoformat(): Day(units, misses)}, one)

    def held(total: int, missed: int) -> bool:
        late = Fraction(missed, total)
        return meets(target, late if kind == "late_share" else 1 - late)

    assert found.allowed == max((n for n in range(units + 1) if held(units, n)), default=-1)
    more = 0
    while held(units + more + 1, misses + more + 1):
        more += 1
    assert found.in_a_row == more
    assert found.holds is held(units, misses)


def test_periods_that_are_running() -> None:
    week, month = Period("week"), Period("month")

    assert running_span(policy(period=week), TODAY) == (date(2026, 11, 23), date(2026, 11, 29))
    assert running_span(policy(period=month), TODAY) == (date(2026, 11, 1), date(2026, 11, 30))
    assert running_span(policy(period=Period("month", 3)), TODAY) == (date(2026, 9, 1), date(2026, 11, 30))
    assert running_span(policy(period=Period("rolling", 30, lag_days=6)), TODAY) == (date(2026, 10, 26), TODAY)
    assert running_span(Policy("p"), TODAY) == (date(2026, 10, 26), TODAY)


def test_the_day_it_breaks() -> None:
    """Thirty quiet days, then a bad week: each day that leaves was better than each that comes."""
    days = even(100, 5) | {(TODAY - timedelta(days=n)).isoformat(): Day(100, 20) for n in range(1, 8)}
    found = of(days, policy())
    broken = date.fromisoformat(found.breaks or "")

    def misses(day: date) -> int:
        known = days.get(day.isoformat())
        return known.misses if known and day <= TODAY else 20

    def missed(last: date) -> int:
        return sum(misses(last - timedelta(days=n)) for n in range(30))

    assert missed(broken) > 300 >= missed(broken - timedelta(days=1))
    assert found.leaves == Day(100, 5)


def test_a_pace_that_holds_breaks_nothing() -> None:
    assert of(even(100, 5), policy()).breaks is None
    assert of(even(100, 11), policy()).breaks == TODAY.isoformat()  # it is broken already
    assert of({}, policy()).breaks is None
    assert of({TODAY.isoformat(): Day(10, 2)}, policy("<=", "0.3", "late_share")).breaks is None


def test_a_month_ends() -> None:
    """A running month only grows: nothing leaves it before its end."""
    days = {f"2026-11-{n:02}": Day(100, 0) for n in range(1, 17)}
    days |= {f"2026-11-{n:02}": Day(100, 40) for n in range(17, 25)}
    found = of(days, policy("<=", "0.18", "late_share", Period("month")))

    assert found.used == 320
    assert found.breaks == "2026-11-30"  # 520 of 2,900 are still fewer than 18 %, 560 of 3,000 are not


def test_too_few_units_are_not_assessed() -> None:
    found = of({TODAY.isoformat(): Day(10, 9)}, policy(period=Period("rolling", 30, min_units=100)))

    assert found.holds is None
    assert found.left == -8


def test_a_mean_has_a_value_and_a_day_but_no_budget() -> None:
    days = {
        (TODAY - timedelta(days=n)).isoformat(): Day(10, 0, 10 * (30_000 + 1_000 * (29 - n)), 10) for n in range(30)
    }
    found = of(days, policy("<", "50", "mean"))

    assert (found.allowed, found.left, found.in_a_row) == (None, None, None)
    assert found.value == Fraction(89, 2)
    assert found.holds
    assert found.breaks is not None


@pytest.mark.parametrize(
    ("part", "rate"),
    [(Day(100, 10), Fraction(1)), (Day(100, 30), Fraction(3)), (Day(), None), (Day(5, 0), Fraction(0))],
)
def test_burn_rate(part: Day, rate: Fraction | None) -> None:
    one = policy()

    assert burn_rate(part, one.targets[0], one.report) == rate
    assert burn_rate(part, Target("all", ">=", Fraction(1)), one.report) is None
