"""The mark of a response time. Outcomes, reasons and proofs: the transcripts, the worked cases, the second scorer."""

from itertools import pairwise

import pytest

from sanfen.core.events import Key, Message
from sanfen.core.facts import Round, Session
from sanfen.core.policy import Marks, Policy
from sanfen.core.score import Outcome, mark, mark_of

TABLE = [
    (60, 100),
    (120, 95),
    (300, 90),
    (600, 85),
    (900, 80),
    (1200, 75),
    (1800, 70),
    (2400, 65),
    (3000, 60),
    (3600, 55),
]


@pytest.mark.parametrize(("bound_s", "number"), TABLE)
def test_a_wait_at_its_bound_keeps_the_mark(bound_s: int, number: int) -> None:
    assert mark_of(bound_s * 1000, Marks()) == mark_of(bound_s * 1000 - 1, Marks()) == number


@pytest.mark.parametrize(("before", "after"), [*pairwise([*TABLE, (0, 0)])])
def test_a_millisecond_more_is_the_next_mark(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert mark_of(before[0] * 1000 + 1, Marks()) == after[1]


@pytest.mark.parametrize(("wait_ms", "number"), [(0, 100), (60_001, 95), (960_000, 75), (3_600_001, 0), (None, 0)])
def test_marks_between_and_beyond(wait_ms: int | None, number: int) -> None:
    assert mark_of(wait_ms, Marks()) == number


def test_a_policy_has_its_own_marks() -> None:
    marks = Marks(bands=((1000, 5),), beyond=2)

    assert [mark_of(wait_ms, marks) for wait_ms in (1000, 1001, None)] == [5, 2, 2]


@pytest.mark.parametrize(
    ("outcome", "wait_ms", "number"),
    [("met", 1000, 100), ("late", 400_000, 85), ("missed", None, 0), ("pending", None, None), ("excluded", 1000, None)],
)
def test_only_a_counted_round_has_a_mark(outcome: str, wait_ms: int | None, number: int | None) -> None:
    key = Key("s", "c", "k")
    one = Round(key, Message(0, key, "q", "customer", "k"), Session(0))
    one.wait_ms = wait_ms

    assert mark(one, Outcome(outcome), Policy("p")) == number
