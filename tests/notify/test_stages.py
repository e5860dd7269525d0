"""Why a notice is not sent, not yet, or not this way."""

from collections.abc import Sequence

import pytest
from tests.notify.rows import due

from sanfen.abc import Limit
from sanfen.config.settings import Person, Quiet, Way
from sanfen.notify.pace import Breaker, Pace
from sanfen.notify.stages import Batch, Breaking, Conditional, Inhibit, Merge, Silence, Throttle
from sanfen.store.outbox import Row

NOW = 100_000
WAYS = (Way("robot://one"), Way("robot://two"))
LIMITS = (Limit(2, 60_000),)


def batch(rows: Sequence[Row] = (due(),), *, last_ms: int | None = None, way: int = 0, **facts: object) -> Batch:
    return Batch(Person("lead", WAYS), list(rows), NOW, last_ms, {row.id: facts for row in rows}, way)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "pending"}, None),
        ({"status": "missed"}, None),
        ({"status": "met"}, "round_met"),
        ({"status": "late"}, "round_late"),
        ({"status": "excluded"}, "round_excluded"),
        ({"status": None}, "round_gone"),
        ({"taken_by": "boss"}, "taken"),
        ({"rests_ms": NOW + 1}, "snoozed"),
        ({"rests_ms": NOW}, None),
    ],
)
def test_a_round_that_needs_nobody_is_dropped(changed: dict[str, object], reason: str | None) -> None:
    asked = batch([due(1, **changed), due(2)])
    Inhibit().ask(asked)

    assert [(row.id, why) for row, why in asked.dropped] == ([] if reason is None else [(1, reason)])
    assert [row.id for row in asked.rows] == ([1, 2] if reason is None else [2])


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "quiet"), [(NOW, NOW + 1, True), (0, NOW, False), (NOW + 1, NOW + 9, False)]
)
def test_a_silence_is_half_open(from_ms: int, until_ms: int, *, quiet: bool) -> None:
    asked = batch()
    Silence(lambda: [Quiet(from_ms, until_ms, "why")]).ask(asked)

    assert bool(asked.dropped) == quiet


def test_a_condition_drops_the_rows_it_does_not_hold_for() -> None:
    asked = batch([due(1, condition="agent_open > 3"), due(2)], agent_open=3)
    stage = Conditional()
    stage.ask(asked)

    assert [(row.id, reason) for row, reason in asked.dropped] == [(1, "condition")]


@pytest.mark.parametrize("condition", ["nobody_knows > 1", "text.matches('(')", "waited > duration('150 s')"])
def test_a_condition_that_fails_counts_as_holding(condition: str) -> None:
    asked = batch([due(1, condition=condition)])
    Conditional().ask(asked)

    assert not asked.dropped


def test_within_the_window_a_message_waits_for_the_others() -> None:
    for last_ms, held in ((None, None), (NOW - 15_000, None), (NOW - 14_999, (NOW + 1, "merge"))):
        asked = batch(last_ms=last_ms)
        Merge(15_000).ask(asked)

        assert asked.held == held


def test_a_second_try_does_not_wait_for_the_window() -> None:
    asked = batch([due(1, attempts=1), due(2)], last_ms=NOW)
    Merge(15_000).ask(asked)

    assert asked.held is None


def test_one_that_is_not_tried_again_opens_no_window_for_others() -> None:
    """Of its two attempts nobody knows the outcome: it is not sent, so what came meanwhile waits."""
    asked = batch([due(1, attempts=2, unknown=2), due(2)], last_ms=NOW)
    Merge(15_000).ask(asked)

    assert asked.held == (NOW + 15_000, "merge")


def test_a_way_that_rests_is_left_out_and_nothing_is_sent_while_all_rest() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed("robot://one", NOW)
    asked = batch()
    Breaking(breaker).ask(asked)
    assert (asked.way, asked.held) == (1, None)

    for _ in range(4):
        breaker.failed("robot://two", NOW)
    asked = batch()
    Breaking(breaker).ask(asked)
    assert asked.held == (NOW + 30_000, "way_rests")


def test_a_service_is_sent_no_more_than_it_takes() -> None:
    pace = Pace()
    for at_ms in (NOW - 60_000, NOW - 10_000):
        pace.sent("robot://one", LIMITS, at_ms)
    asked = batch([due(1, facts=due().facts | {"due_ms": NOW + 10_000})])
    Throttle(pace, lambda _: LIMITS).ask(asked)

    assert asked.held == (NOW + 1_000, "throttle")


def test_where_waiting_would_pass_the_deadline_another_way_is_taken() -> None:
    pace = Pace()
    for at_ms in (NOW - 2, NOW - 1):
        pace.sent("robot://one", LIMITS, at_ms)
    asked = batch([due(1, facts=due().facts | {"due_ms": NOW + 10_000})])
    Throttle(pace, lambda _: LIMITS).ask(asked)

    assert (asked.way, asked.held) == (1, None)


@pytest.mark.parametrize(("per_ms", "way"), [(1_000, 0), (60_000, 1)])
def test_after_the_deadline_a_moment_is_waited_and_no_more(per_ms: int, way: int) -> None:
    """A customer who has waited too long does not wait until a robot has finished muting us."""
    pace, limits = Pace(), (Limit(2, per_ms),)
    for at_ms in (NOW - 2, NOW - 1):
        pace.sent("robot://one", limits, at_ms)
    asked = batch([due(1, facts=due().facts | {"due_ms": NOW - 1})])
    Throttle(pace, lambda _: limits).ask(asked)

    assert (asked.way, asked.held) == (way, None if way else (NOW - 2 + 2_000, "throttle"))
