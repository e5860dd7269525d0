"""The only module that reads a clock."""

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Time as the shell sees it. Tests bring their own (``sanfen.testing.FakeClock``)."""

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds UTC."""

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait that long."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds UTC."""
        return time.time_ns() // 1_000_000

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait that long."""
        await asyncio.sleep(duration_ms / 1000)
