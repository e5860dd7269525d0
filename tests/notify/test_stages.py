"""Why a notice is not sent."""

import pytest

from sanfen.config.settings import Person, Settings, Way
from sanfen.notify.stages import STAGES, Drop, Hold, OnDuty, Situation
from sanfen.store.outbox import Row

ROW = Row(1, "r", "p", "l", 0, "lead", 0, 0, 0, 0, {})
NOON_MS = 1_673_064_000_000  # 12:00 in Shanghai


def asked(status: str | None = "pending", hours: tuple[int, int] | None = None) -> list[Drop | Hold | None]:
    person = Person("lead", (Way("console:"),), hours)
    situation = Situation(ROW, status, person, Settings(), NOON_MS)
    return [stage.ask(situation) for stage in STAGES]


def test_an_open_round_goes_through() -> None:
    assert asked() == [None, None, None]
    assert asked("missed") == [None, None, None]


@pytest.mark.parametrize("status", ["met", "late", "excluded", None])
def test_a_round_that_needs_nobody_does_not(status: str | None) -> None:
    assert asked(status)[0] == Drop(f"round_{status or 'gone'}")


def test_somebody_who_left_the_configuration() -> None:
    situation = Situation(ROW, "pending", None, Settings(), NOON_MS)

    assert STAGES[0].ask(situation) == Drop("person_unknown")


@pytest.mark.parametrize(
    ("hours", "on"),
    [
        ((480, 1440), True),
        ((720, 721), True),
        ((721, 1440), False),
        ((480, 720), False),
        ((1320, 480), False),
        ((660, 60), True),
    ],
)
def test_hours_are_half_open_and_may_run_past_midnight(hours: tuple[int, int], *, on: bool) -> None:
    situation = Situation(ROW, "pending", Person("lead", (), hours), Settings(), NOON_MS)

    assert OnDuty().ask(situation) == (None if on else Drop("off_duty"))
