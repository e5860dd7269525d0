"""A policy's defaults are those of a file that says nothing, and nobody can change a policy that is in use."""

from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from typing import Any

import pytest

from sanfen.config.frozen import to_policy
from sanfen.config.policies import PolicyModel
from sanfen.core.policy import DueRule, Hours, Ladder, Marks, Period, Policy, Report, Session, Step, Target

SILENT: dict[str, Any] = {"hours": {}, "session": {}, "due": [{"after": "1m"}], "period": {}, "report": {}, "marks": {}}
PARTS = (
    Hours(), Session(), DueRule(), Period(), Report(), Marks(), Target("t", ">=", Fraction(1)), Step(1, ()), Ladder("l", ()),
    Policy("p"),
)  # fmt: skip


def of_file(**keys: Any) -> Policy:
    return to_policy(PolicyModel.model_validate({"id": "p"} | keys), version=False)


def test_a_silent_file_is_the_default() -> None:
    assert of_file() == Policy("p")


def test_silent_parts_are_the_defaults() -> None:
    made = of_file(**SILENT, targets=[{"op": ">=", "value": "1"}])

    assert (made.hours, made.session, made.period) == (Hours(), Session(), Period())
    assert (made.due, made.report, made.marks) == ((DueRule(after_ms=60_000),), Report(), Marks())
    assert made.targets == (Target("target", ">=", Fraction(1)),)


def test_a_ladder_without_conditions_takes_every_round() -> None:
    assert (Ladder("l", ()).shops, Ladder("l", ()).channels) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("given", "moves"),
    [({}, False), ({"agents": frozenset("a")}, True), ({"tags": frozenset("t")}, True), ({"hours": (0, 1)}, False)],
)
def test_who_holds_it_and_its_tags_can_change_a_rounds_ladder(given: dict[str, Any], moves: bool) -> None:
    assert Ladder("l", (), **given).moves is moves


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_nobody_changes_a_policy_in_use(part: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(part, fields(part)[0].name, None)
    assert not hasattr(part, "__dict__")
    assert isinstance(hash(part), int)


def test_the_shipped_defaults_stand_apart() -> None:
    """Each policy has replies of its own."""
    one, other = Policy("a"), Policy("b")

    assert one.replies == other.replies
    assert one.replies is not other.replies
