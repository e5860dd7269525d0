"""A log that does not take what became of a message: nobody is told again for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.notify.desk import Desk, Phone, is_

from sanfen.errors import StoreError
from sanfen.store import outbox


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """So many records of messages cannot be kept; how many are left."""
    record, left = outbox.record, [0]

    def spoiled(*args: Any, **kwargs: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise StoreError("planted")
        record(*args, **kwargs)

    monkeypatch.setattr(outbox, "record", spoiled)

    def set_to(times: int) -> list[int]:
        left[0] = times
        return left

    return set_to


async def failed(desk: Desk, left: list[int], wanted: int, pause_ms: int) -> None:
    """Until only so many failures are left, and the worker waits so long before it tries again; bounded."""
    for _ in range(1_000):
        waits = {due_ms - desk.clock.now_ms() for due_ms, *_ in desk.clock._sleepers}
        if left[0] <= wanted and (not pause_ms or pause_ms in waits):
            return
        await asyncio.sleep(0.01)  # until the writer thread has failed
    raise AssertionError(left)


async def test_a_record_that_fails_is_written_again(
    desk: Desk, phone: Phone, failing: Callable[[int], list[int]]
) -> None:
    """Else the message would be sent a second time when its lease is over."""
    left = failing(2)
    await desk.escalate()
    desk.task = asyncio.create_task(desk.worker.run())
    for number, pause_ms in enumerate((250, 1_000)):
        await failed(desk, left, 1 - number, pause_ms)
        await desk.clock.advance(pause_ms)
    row = await desk.settle(is_("told"))

    assert (row[1], len(phone.notices)) == (1, 1)


async def test_a_record_that_was_lost_opens_no_second_window(
    desk: Desk, phone: Phone, failing: Callable[[int], list[int]]
) -> None:
    """The log does not know that somebody was just told; the worker does, and what comes meanwhile waits."""
    left = failing(4)
    one = await desk.escalate()
    desk.task = asyncio.create_task(desk.worker.run())
    for number, pause_ms in enumerate((250, 1_000, 3_000, 0)):
        await failed(desk, left, 3 - number, pause_ms)
        await desk.clock.advance(pause_ms)
    await desk.due(one, 1)
    await desk.until("SELECT count(*) FROM outbox WHERE step = 1 AND reason = 'merge'", 1)

    assert len(phone.notices) == 1
