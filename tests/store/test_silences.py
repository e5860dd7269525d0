"""Silences begun by hand."""

from collections.abc import Callable
from typing import Any

from sanfen.store import silences

Run = Callable[..., Any]


def test_a_silence_lasts_until_it_ends_or_is_ended(run: Run) -> None:
    one = run(silences.add, 0, 100, "lunch", "boss")
    two = run(silences.add, 50, 200, "move", "boss")

    assert run(silences.current, 99) == [one, two]
    assert run(silences.current, 100) == [two]
    assert run(silences.end, two.id, 120)
    assert not run(silences.end, two.id, 121)
    assert run(silences.current, 120) == []
    assert not run(silences.end, 99, 0)
