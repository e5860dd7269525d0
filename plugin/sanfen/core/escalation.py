"""Which ladder a round climbs, and when its next step is due."""

from sanfen.core.days import NEVER
from sanfen.core.facts import Round
from sanfen.core.policy import Ladder

__all__ = ["choose", "next_step_ms"]


def choose(ladders: tuple[Ladder, ...], one: Round) -> int:
    """The index of the first ladder that takes the round; -1 if none does."""
    for index, ladder in enumerate(ladders):
        if (not ladder.shops or one.key.shop in ladder.shops) and (
            not ladder.channels or one.key.channel in ladder.channels
        ):
            return index
    return -1


def next_step_ms(ladders: tuple[Ladder, ...], one: Round) -> int:
    """When the next step of a round's ladder is due; ``NEVER`` at its end or while the clock rests. It has a ladder."""
    if one.clock_ms == NEVER:
        return NEVER
    steps = ladders[one.ladder].steps
    return one.clock_ms + steps[one.step].at_ms if one.step < len(steps) else NEVER
