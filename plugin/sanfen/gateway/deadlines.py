"""Many deadlines on one timer: what almost never passes must cost almost nothing."""

import asyncio
from collections.abc import Callable

__all__ = ["Deadlines"]

_LOOK_S = 0.025


class Deadlines:
    """Callbacks at loop times, each at most 25 ms late, unless they are dropped before. One event loop."""

    def __init__(self) -> None:
        self._waiting: dict[object, tuple[float, Callable[[], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: object, at: float, callback: Callable[[], None]) -> None:
        """Call back at a loop time."""
        self._waiting[key] = (at, callback)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def drop(self, key: object) -> None:
        """It is no longer needed, if it was."""
        self._waiting.pop(key, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        passed = [key for key, (at, _) in self._waiting.items() if at <= now]
        self._timer = loop.call_later(_LOOK_S, self._look) if len(self._waiting) > len(passed) else None
        for key in passed:
            self._waiting.pop(key)[1]()
