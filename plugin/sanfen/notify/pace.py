"""How often an address may be used: what its service takes, and a rest for one that keeps failing."""

from collections import deque
from collections.abc import Iterable

from sanfen.abc import Limit

__all__ = ["Breaker", "Pace"]

_MARGIN_MS = 1_000  # the service counts when a message arrives, we when it leaves
_FAILURES = 3
_REST_MS = 30_000
_LONGEST_REST_MS = 300_000


class Pace:
    """Messages by address, so that no service's limit is passed."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[int]] = {}
        self._muted: dict[str, int] = {}

    def free_ms(self, address: str, limits: Iterable[Limit], now_ms: int) -> int:
        """The first instant at which one more message is within the limits; ``now_ms`` if it is now."""
        sent = self._sent.get(address, ())
        free = max(now_ms, self._muted.get(address, 0))
        for limit in limits:
            if len(sent) >= limit.most:
                free = max(free, sent[-limit.most] + limit.per_ms + _MARGIN_MS)
        return free

    def sent(self, address: str, limits: Iterable[Limit], now_ms: int) -> None:
        """A message leaves."""
        most = max((limit.most for limit in limits), default=0)
        if most:
            self._sent.setdefault(address, deque(maxlen=most)).append(now_ms)

    def muted(self, address: str, until_ms: int) -> None:
        """The service itself says that it takes nothing for a while."""
        self._muted[address] = until_ms


class Breaker:
    """An address that fails three times in a row rests, each time twice as long; one message then tries it again."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._rests: dict[str, int] = {}

    def rests_until(self, address: str, now_ms: int) -> int | None:
        """Until when the address rests, or None."""
        until_ms = self._rests.get(address, 0)
        return until_ms if until_ms > now_ms else None

    def failed(self, address: str, now_ms: int) -> None:
        """A message was refused, or nobody knows."""
        count = self._failures[address] = self._failures.get(address, 0) + 1
        if count >= _FAILURES:
            self._rests[address] = now_ms + min(_REST_MS << min(count - _FAILURES, 4), _LONGEST_REST_MS)

    def worked(self, address: str) -> None:
        """A message was taken."""
        self._failures.pop(address, None)
        self._rests.pop(address, None)
