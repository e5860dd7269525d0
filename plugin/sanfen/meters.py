"""What the parts of the service count while they work, for Prometheus: since the start, and few series of each."""

import asyncio
from collections import deque

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

__all__ = ["WAITS_S", "Meters"]

WAITS_S = (5, 10, 20, 30, 45, 60, 90, 120, 150, 180, 240, 300, 450, 600)
"""Edges of the waits; 180 is one, so that the share within three minutes is exact."""

_TOLD_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10)
_LOOK_S = 0.5
_LOOKS = 30  # a lag is shown for fifteen seconds, so that a scrape sees it


class Meters:
    """The counts. Each is safe to call from any thread."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which says when we started
        self.registry = CollectorRegistry()
        self._waits = Histogram(
            "sanfen_reply_wait_seconds",
            "From the first unanswered question to the valid reply, of rounds answered since the start",
            ["policy"],
            buckets=WAITS_S,
            registry=self.registry,
        )
        self._outcomes = Counter(
            "sanfen_outcomes", "Outcomes given since the start; a later one of a round too", ["policy", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._attempts = Counter(
            "sanfen_escalation_attempts", "Attempts to tell somebody, by what became of them", ["result"], registry=self.registry
        )  # fmt: skip
        self._told = Histogram(
            "sanfen_escalation_attempt_seconds", "How long an attempt took", buckets=_TOLD_S, registry=self.registry
        )
        for result in ("told", "refused", "unknown"):
            self._attempts.labels(result)  # a count that is there from the start can be watched from the start
        self._lags: deque[float] = deque([0.0], maxlen=_LOOKS)

    def scored(self, policy: str, outcome: str, wait_ms: int | None) -> None:
        """A round got an outcome. ``wait_ms``: of one that was answered just now."""
        self._outcomes.labels(policy, outcome).inc()
        if wait_ms is not None:
            self._waits.labels(policy).observe(wait_ms / 1000)

    def attempted(self, result: str, took_ms: int) -> None:
        """Somebody was told, or was not."""
        self._attempts.labels(result).inc()
        self._told.observe(took_ms / 1000)

    @property
    def lag_s(self) -> float:
        """By how much the event loop was late, at the worst of late."""
        return max(self._lags)

    async def watch(self) -> None:
        """Look at the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(_LOOK_S)
            self._lags.append(max(0.0, loop.time() - began - _LOOK_S))
