"""Durations, clock times and shares are read from text, and refused with a mend."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sanfen.config.types import Clock, Date, Flag, Share, Whole, duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "wanted"), [("90s", 90_000), ("2m30s", 150_000), ("1h", 3_600_000), ("500ms", 500), ("0s", 0)]
)
def test_durations(text: str, wanted: int) -> None:
    assert parse_duration(text) == wanted


@pytest.mark.parametrize("text", ["90", "2:30", "", "1 h", "-1s", "1w", "9" * 50 + "s", "100000d", "1.5h", "٢m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**10))
def test_a_duration_reads_back(duration_ms: int) -> None:
    assert parse_duration(duration_text(duration_ms)) == duration_ms


@pytest.mark.parametrize(
    ("kind", "good", "wanted", "bad"),
    [
        (Clock, "24:00", 1440, "24:01"),
        (Clock, "9:05", 545, "9:5"),
        (Share, "90%", Fraction(9, 10), "-1"),
        (Share, 0.9, Fraction(9, 10), "1/2"),
        (Whole, 12, 12, "1_0"),
        (Flag, "false", False, "no"),
        (Date, "2026-02-28", "2026-02-28", "2026-02-30"),
    ],
)
def test_other_scalars(kind: Any, good: object, wanted: object, bad: object) -> None:
    reader: TypeAdapter[Any] = TypeAdapter(kind)

    assert reader.validate_python(good) == wanted
    with pytest.raises(ValidationError):
        reader.validate_python(bad)
