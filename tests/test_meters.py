"""What is counted while the service works."""

import asyncio
import time
from contextlib import suppress

import pytest
from prometheus_client import generate_latest

from sanfen import meters as module
from sanfen.meters import WAITS_S, Meters


def shown(meters: Meters) -> list[str]:
    return [line for line in generate_latest(meters.registry).decode().splitlines() if not line.startswith("#")]


def test_three_minutes_are_an_edge() -> None:
    """The share within the deadline is exact, not interpolated."""
    meters = Meters()
    for wait_ms in (179_999, 180_000, 180_001):
        meters.scored("p", "met", wait_ms)
    meters.scored("p", "missed", None)

    assert WAITS_S[0] == 5
    assert WAITS_S[-1] == 600
    assert 'sanfen_reply_wait_seconds_bucket{le="180.0",policy="p"} 2.0' in shown(meters)
    assert 'sanfen_reply_wait_seconds_count{policy="p"} 3.0' in shown(meters)
    assert 'sanfen_outcomes_total{outcome="missed",policy="p"} 1.0' in shown(meters)


def test_attempts_are_there_before_the_first_one() -> None:
    meters = Meters()
    meters.attempted("told", 400)

    assert 'sanfen_escalation_attempts_total{result="told"} 1.0' in shown(meters)
    assert 'sanfen_escalation_attempts_total{result="refused"} 0.0' in shown(meters)


async def test_a_loop_that_stood_still_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    meters = Meters()
    task = asyncio.create_task(meters.watch())
    await asyncio.sleep(0)
    time.sleep(0.1)  # what must not happen  # noqa: ASYNC251
    for _ in range(1_000):
        await asyncio.sleep(0)
        if meters.lag_s:
            break
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert meters.lag_s >= 0.08
