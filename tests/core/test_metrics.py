"""Rounds become units, units become a number; periods, floors, weights and targets are exact."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from sanfen.core.drive import fold
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.metrics import Tally
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
            out.add(one, scored.outcome)
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
        found.add(one, scored.outcome)

    assert (found.numerator, found.denominator) == (0, 0)
    assert [str(outcome) for outcome, count in found.counts.items() if count] == ["met", "excluded"]


def test_no_round_no_number() -> None:
    empty = Tally(plan_of(Policy("p")))

    assert (empty.value, empty.numerator, empty.denominator) == (None, 0, 0)
    assert Tally(plan_of(Policy("p", report=Report("mean")))).value is None


def test_units_are_filed_by_their_deadline_where_the_period_says_so() -> None:
    policy = Policy("p", due=(DueRule(after_ms=86_400_000),), period=Period(assign_by="due"))
    dated = Tally(plan_of(policy))
    dated.keep_units()
    for one, scored in fold(Conversation(Key("default", "default", "A")), CHAT["A"], plan_of(policy)).rounds():
        dated.add(one, scored.outcome)

    assert {unit.day for unit in dated.units} == {"2023-01-08"}


def test_a_deadline_that_never_comes_is_filed_by_the_opening() -> None:
    policy = Policy("p", unit="customer_day", judge="any", due=(DueRule(when_days=frozenset(), after_ms=1),))
    for assign_by in ("opened", "due"):
        found = tally(replace(policy, period=Period(assign_by=assign_by)))

        assert {unit.day for unit in found.units} == {"2023-01-07"}


def test_a_mean_of_a_period_is_a_mean() -> None:
    """In seconds, of the period's waits only; targets compare with it, not with a share."""
    policy = Policy("p", period=Period("day"), report=Report("mean"), targets=(Target("t", "<", Fraction(161)),))
    found = Tally(plan_of(policy))
    found.keep_units()
    for events in CHAT.values():
        for one, scored in fold(Conversation(events[0].key), events, plan_of(policy)).rounds():
            found.add(one, scored.outcome)
    inside, outside = found.assess(date(2023, 1, 8)), found.assess(date(2023, 1, 9))

    assert (inside.value, inside.waited, inside.targets) == (Fraction(160), 3, {"t": True})
    assert (outside.value, outside.waited, outside.units, outside.targets) == (None, 0, 0, {})
