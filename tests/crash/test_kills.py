"""Killed while it works: nothing lost, nothing twice, nobody told three times. ``make kill-loop``, ``make kill-points``."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash import kill_loop, kill_points
from tests.crash.native import BEFORE, needed
from tests.crash.scenarios import SCENARIOS
from tests.crash.zygote import Zygote

pytestmark = needed()


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


def test_killed_thirty_times(zygote: Zygote) -> None:
    tally, said = asyncio.run(kill_loop.kill(1, 30, zygote))

    assert not said
    assert tally.sent == tally.stored
    assert tally.in_flight > 2  # a quick machine has answered most before they die
    assert tally.notices


@pytest.mark.parametrize(
    ("name", "every", "halves"), [("told, then answered in time after all", 13, 0), ("another policy", 0, 13)]
)
def test_killed_at_every_so_many_points(name: str, every: int, halves: int) -> None:
    """The long form takes every point of twenty scenarios."""
    number = next(index for index, one in enumerate(SCENARIOS) if one.name == name)
    _, kills, problems = kill_points.every_point(number, every, halves)

    assert not problems
    assert kills >= 5


def test_every_scenario_ends_as_it_is_written(zygote: Zygote, tmp_path: Path) -> None:
    """Without a kill; what the points are compared with."""
    template = kill_points.prepared(tmp_path, zygote)
    for scenario in SCENARIOS:
        if not scenario.answers:  # those take seconds
            folder = Path(tempfile.mkdtemp(dir=tmp_path))

            assert asyncio.run(kill_points.Points(folder, zygote, scenario, template).run(0, BEFORE)) == [], (
                scenario.name
            )
