"""The service's time: the wall clock while it behaves, elapsed time where it jumps."""

from typing import NamedTuple

import pytest

from sanfen.clock import SystemClock

MINUTE = 60_000


class Machine(NamedTuple):
    """A machine's two clocks, milliseconds, moved by hand."""

    hands: dict[str, int]

    def pass_ms(self, duration_ms: int) -> None:
        for name in self.hands:
            self.hands[name] += duration_ms

    def set_ms(self, step_ms: int) -> None:
        self.hands["wall"] += step_ms


@pytest.fixture
def machine() -> Machine:
    return Machine({"wall": 1_700_000_000_000, "boot": 5_000})


@pytest.fixture
def clock(machine: Machine) -> SystemClock:
    return SystemClock(lambda: machine.hands["wall"] * 1_000_000, lambda: machine.hands["boot"] * 1_000_000)


def test_time_passes_also_while_suspended(machine: Machine, clock: SystemClock) -> None:
    machine.pass_ms(8 * 60 * MINUTE)

    assert clock.now_ms() == machine.hands["wall"]
    assert clock.off_ms() == 0


def test_small_adjustments_are_followed(machine: Machine, clock: SystemClock) -> None:
    for step_ms in (900, -1_900, 2_000, 1_500):
        machine.set_ms(step_ms)
        assert clock.now_ms() == machine.hands["wall"]
    assert clock.off_ms() == 0


@pytest.mark.parametrize("step_ms", [60_000, -3_660_000, 30 * 24 * 60 * MINUTE, 2_001, -2_001])
def test_a_step_changes_nothing_until_it_is_followed(machine: Machine, clock: SystemClock, step_ms: int) -> None:
    before = clock.now_ms()
    machine.set_ms(step_ms)
    machine.pass_ms(500)

    assert clock.now_ms() == before + 500
    assert clock.off_ms() == step_ms
    clock.follow()
    assert clock.now_ms() == machine.hands["wall"]
    assert clock.off_ms() == 0


def test_set_back_to_where_it_was_it_is_followed_by_itself(machine: Machine, clock: SystemClock) -> None:
    machine.set_ms(MINUTE)
    clock.now_ms()
    machine.set_ms(-MINUTE)

    assert clock.off_ms() == 0
    assert clock.now_ms() == machine.hands["wall"]


def test_another_process_goes_on_with_the_same_time(machine: Machine, clock: SystemClock) -> None:
    machine.set_ms(MINUTE)
    ours = clock.now_ms()
    heir = SystemClock(lambda: machine.hands["wall"] * 1_000_000, lambda: machine.hands["boot"] * 1_000_000)
    heir.hold(clock.ahead_ms)

    assert heir.now_ms() == ours
    assert heir.off_ms() == MINUTE


async def test_the_machines_own() -> None:
    clock = SystemClock()
    before = clock.now_ms()
    await clock.sleep_ms(1)

    assert clock.now_ms() >= before
