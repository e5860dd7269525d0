"""The power goes while the real service writes: nothing acknowledged is lost, nothing counted twice. ``make power-loss``."""

import pytest
from tests.crash import power_loss
from tests.crash.native import needed

pytestmark = needed()


def test_nothing_acknowledged_is_lost() -> None:
    """A run through all that writes, at a few hundred places."""
    tally, said = power_loss.run(1, rounds=8, most=1500)

    assert not said
    assert tally.clean
    assert (
        min(tally.images // 1000, tally.distinct // 500, tally.states // 50, tally.deep, tally.acknowledged // 50) >= 1
    )


@pytest.mark.parametrize("word", ["NORMAL", "OFF"])
def test_less_than_full_would_be_noticed(word: str) -> None:
    """The controls: with less care the same images show the loss, and with none a damaged file."""
    tally, said = power_loss.run(2, rounds=8, synchronous=word, most=800, brief=True)

    assert tally.lost
    assert bool(tally.corrupt) == (word == "OFF"), said
