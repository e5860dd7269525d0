"""Conditions are checked when they are read: unknown names and wrong types have a place; what hangs is stopped."""

from datetime import timedelta

import pytest

from sanfen.conditions import VARIABLES, BadCondition, Condition


@pytest.mark.parametrize(
    ("text", "facts", "wanted"),
    [
        ("waited > duration('2m') && vip", {"waited": timedelta(seconds=121), "vip": True}, True),
        ("waited > duration('2m') && vip", {"waited": timedelta(seconds=120), "vip": True}, False),
        ("text.matches('退款|投诉')", {"text": "我要退款"}, True),
        ("'vip' in tags || hour >= 22", {"tags": [], "hour": 22}, True),
        ("burn_rate > 2 && budget_left < 10", {"burn_rate": 2.5, "budget_left": 3}, True),
        ("burn_rate >= 2.5", {"burn_rate": 2.4}, False),
        ("agent_open > 5 || !agent_online", {"agent_open": 1, "agent_online": False}, True),
    ],
)
def test_conditions(text: str, facts: dict[str, object], *, wanted: bool) -> None:
    made = Condition(text)

    assert made.names == facts.keys()
    assert made.holds(facts) is wanted


@pytest.mark.parametrize(
    ("text", "message", "column", "unknown"),
    [
        ("waited > duration('2m') && vipp", "unknown name 'vipp' in the condition", 27, "vipp"),
        ("waited > 150", "found no matching overload for '_>_' applied to '(duration, int)'", 7, None),
        ("waited >", "the condition cannot be read here", 8, None),
        ("agent_open + 1", "the condition is not true or false", 0, None),
        ("waited > duration('150 s')", "String to Duration conversion failed", 0, None),
        ("text.matches('(')", "invalid regular expression: missing ): (", 0, None),
        ("", "the condition cannot be read here", 0, None),
    ],
)
def test_what_is_wrong_is_said_when_it_is_read(text: str, message: str, column: int, unknown: str | None) -> None:
    with pytest.raises(BadCondition) as caught:
        Condition(text)

    assert (caught.value.message, caught.value.column, caught.value.unknown) == (message, column, unknown)


def test_every_variable_can_be_named() -> None:
    for name, (_, sample, about) in VARIABLES.items():
        made = Condition(f"{name} == {name}")

        assert (made.holds({name: sample}), bool(about)) == (True, True)


def test_a_condition_that_would_run_for_ever_is_stopped() -> None:
    wide = "[1,2,3,4,5,6,7,8,9,0].all(%s, %s)"
    bomb = "true"
    for name in "abcdefghij":
        bomb = wide % (name, bomb)

    with pytest.raises(BadCondition):
        Condition(bomb)
