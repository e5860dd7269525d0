"""Clocks that jump and processes that are stopped: nobody is told early, late or twice, and no round ends by a jump.

Needs libfaketime, which gives the process another wall clock and leaves it the monotonic one (``make fault-tools``
installs it): skipped without.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.faults.ours import people
from tests.faults.service import Ends, Serve, questions_and_replies, send, serving

LIBRARIES = [
    file
    for pattern in ("lib*/*/faketime", "lib*/faketime", "local/lib/faketime")
    for file in Path("/usr").glob(f"{pattern}/libfaketime.so.1")
]
STEP_S = 5
TALKS = 3
with_faketime = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed: make fault-tools")


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with Ends().running() as made:
        yield made


async def told(ends: Ends, rounds: int) -> float:
    """Until so many rounds were told of, bounded; the monotonic seconds when they were."""
    for _ in range(240 * STEP_S):
        if len(ends.notices) >= rounds:
            break
        await asyncio.sleep(0.05)  # until somebody is told
    return time.monotonic()


async def stopped_in_time(serve: Serve, ends: Ends) -> list[tuple[int, float]]:
    """Send questions, one of them answered, and stop the process before anybody is told; on a slow machine try again."""
    assert serve.process is not None
    for attempt in range(10):
        statuses = await send(serve.url, questions_and_replies(f"stop{attempt}", TALKS, answered=100), rate=200)
        os.kill(serve.process.pid, signal.SIGSTOP)
        if not ends.notices:
            return statuses
        os.kill(serve.process.pid, signal.SIGCONT)
        await told(ends, TALKS - 1)
        ends.notices.clear()
        ends.messages.clear()
    raise AssertionError("too slow a machine: no question can be asked within its step")


@with_faketime
@pytest.mark.parametrize("jump_s", [60, 3600, -60, -3660])
async def test_the_wall_clock_jumps(jump_s: int, tmp_path: Path, ends: Ends) -> None:
    """Between a question and its step: the step comes when the customer has waited for it, once, and the round waits on."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n", encoding="ascii")
    fake = {
        "LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    async with serving(Serve(tmp_path, ends.port, people=people({"lead": ends.port}, f"{STEP_S}s")), env=fake) as serve:
        asked = time.monotonic()
        statuses = await send(serve.url, questions_and_replies("jump", 2, answered=2)[-1:], rate=200)
        statuses += await send(serve.url, questions_and_replies("stays", 1), rate=200)
        clock.write_text(f"{jump_s:+d}\n", encoding="ascii")
        at = await told(ends, 1)
        status = serve.rows("SELECT status FROM rounds WHERE conversation LIKE 'jump%'")
        answered = serve.rows("SELECT status, wait_ms FROM rounds WHERE conversation LIKE 'stays%'")
        log = serve.log

    assert {status for status, _ in statuses} == {200}
    assert list(ends.notices.values()) == [1]
    assert at - asked >= STEP_S - 1, "told before anybody had waited that long"
    assert status == [("pending",)]
    assert answered == [("met", 1000)]
    assert "Traceback" not in log


async def test_a_stopped_process_goes_on(tmp_path: Path, ends: Ends) -> None:
    """SIGSTOP while rounds come due, SIGCONT: all of them are told of, once, in one message."""
    async with serving(Serve(tmp_path, ends.port, people=people({"lead": ends.port}, f"{STEP_S}s"))) as serve:
        assert serve.process is not None
        statuses = await stopped_in_time(serve, ends)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STEP_S + 1):  # the time itself is what this test is about
                await asyncio.Event().wait()
        os.kill(serve.process.pid, signal.SIGCONT)
        await told(ends, TALKS - 1)
        after = await send(serve.url, questions_and_replies("after", 2, answered=1), rate=200)
        states = serve.rows("SELECT DISTINCT state FROM escalations")

    assert {status for status, _ in statuses + after} == {200}
    assert list(ends.notices.values()) == [1] * (TALKS - 1)
    assert ends.messages == {"lead": 1}
    assert states == [("told",)]
