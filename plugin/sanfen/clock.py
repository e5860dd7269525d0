"""The only module that reads a clock."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "SystemClock", "nap"]

_STEP_MS = 2_000  # a difference between two looks that is no step of the wall clock, but its adjustment


class Clock(Protocol):
    """Time as the shell sees it. Tests bring their own (``sanfen.testing.FakeClock``)."""

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds UTC."""

    def off_ms(self) -> int:
        """How far the machine's wall clock is ahead of ``now_ms``, because it was set."""

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait that long."""


class SystemClock:
    """The wall clock, but not where it jumps: then it goes on by elapsed time, until ``follow``.

    Elapsed time is CLOCK_BOOTTIME, which counts a suspended machine too: a suspension is no jump.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        self._wall_ns = wall_ns
        self._boot_ns = boot_ns
        self.ahead_ms = (wall_ns() - boot_ns()) // 1_000_000
        """How far our time is ahead of the machine's elapsed time."""

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds UTC; elapsed time from where it was, while the wall clock is off."""
        boot_ms = self._boot_ns() // 1_000_000
        wall_ms = self._wall_ns() // 1_000_000
        if abs(wall_ms - boot_ms - self.ahead_ms) > _STEP_MS:
            return boot_ms + self.ahead_ms
        self.ahead_ms = wall_ms - boot_ms
        return wall_ms

    def off_ms(self) -> int:
        """How far the machine's wall clock is ahead of ``now_ms``, because it was set."""
        off_ms = (self._wall_ns() - self._boot_ns()) // 1_000_000 - self.ahead_ms
        return off_ms if abs(off_ms) > _STEP_MS else 0

    def hold(self, ahead_ms: int) -> None:
        """Go on as another process of this boot did, which was ahead of elapsed time by so much."""
        self.ahead_ms = ahead_ms

    def follow(self) -> None:
        """Go by the wall clock again, wherever it is."""
        self.ahead_ms = (self._wall_ns() - self._boot_ns()) // 1_000_000

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait that long."""
        await asyncio.sleep(duration_ms / 1000)


async def nap(clock: Clock, duration_ms: int, awake: asyncio.Event) -> None:
    """Wait that long, or until ``awake`` is set."""
    waits = [asyncio.ensure_future(clock.sleep_ms(duration_ms)), asyncio.ensure_future(awake.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
