"""A log that does not take what became of a message: nobody is told again for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from tests.notify.desk import Desk, Phone, is_

from sanfen.errors import StoreError


def broken_log(desk: Desk, phone: Phone, times: int) -> list[int]:
    """So many writes after the first message fail; how many are left."""
    write, left = desk.db.write, [times]

    def spoiled(job: Callable[[Any], Any]) -> Any:
        if not phone.notices or not left[0]:
            return write(job)
        left[0] -= 1
        future: Future[Any] = Future()
        future.set_exception(StoreError("planted"))
        return future

    desk.db.write = spoiled  # type: ignore[method-assign]
    return left


async def test_a_record_that_fails_is_written_again(desk: Desk, phone: Phone) -> None:
    """Else the message would be sent a second time when its lease is over."""
    left = broken_log(desk, phone, 2)
    await desk.escalate()
    desk.task = asyncio.create_task(desk.worker.run())
    while left[0]:
        await desk.clock.advance(1)
    await desk.clock.advance(1_250)
    row = await desk.settle(is_("told"))

    assert (row[1], len(phone.notices)) == (1, 1)


async def test_a_record_that_was_lost_opens_no_second_window(desk: Desk, phone: Phone) -> None:
    """The log does not know that somebody was just told; the worker does, and what comes meanwhile waits."""
    left = broken_log(desk, phone, 4)
    one = await desk.escalate()
    desk.task = asyncio.create_task(desk.worker.run())
    while left[0]:
        await desk.clock.advance(100)
    await desk.due(one, 1)
    await desk.until("SELECT count(*) FROM outbox WHERE step = 1 AND reason = 'merge'", 1)

    assert len(phone.notices) == 1
