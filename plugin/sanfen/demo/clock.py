"""A clock that runs faster than the wall."""

import asyncio
import time

__all__ = ["FastClock"]


class FastClock:
    """Stands at ``start_ms`` until it begins, then runs ``speed`` times as fast as the machine's clock."""

    def __init__(self, start_ms: int, speed: float) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._zero_ns: int | None = None

    def begin(self) -> None:
        """Run."""
        self._zero_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        """Epoch milliseconds of the simulated day."""
        if self._zero_ns is None:
            return self._start_ms
        return self._start_ms + int((time.monotonic_ns() - self._zero_ns) * self._speed) // 1_000_000

    def off_ms(self) -> int:
        """It is never set."""
        return 0

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait that long in simulated time."""
        await asyncio.sleep(duration_ms / 1000 / self._speed)
