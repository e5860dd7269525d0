"""Signals reach the service, also while its loop is behind."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sanfen.cli.serve import _serve
from sanfen.config.load import Loaded
from sanfen.config.settings import Settings
from sanfen.core.policy import Policy

WAKES = 2_000  # more than the pipe that wakes the loop can hold


class Service:
    """Counts what it is told to do."""

    def __init__(self) -> None:
        self.loaded = Loaded(Settings(), (Policy("p"),), ())
        self.started, self.reloaded, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def start(self, *, standby: bool) -> None:
        assert not standby
        self.started.set()

    async def reload(self, _path: Path) -> bool:
        self.reloaded.set()
        return True

    async def stop(self) -> None:
        """Nothing runs here."""


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_no_signal_is_lost_while_the_loop_is_behind() -> None:
    service, loop = Service(), asyncio.get_running_loop()
    running = asyncio.create_task(_serve(cast(Any, service), Path("sanfen.yaml"), standby=False))
    await service.started.wait()

    for number, done in ((signal.SIGHUP, service.reloaded.wait()), (signal.SIGTERM, running)):
        waker = threading.Thread(target=lambda: [loop.call_soon_threadsafe(lambda: None) for _ in range(WAKES)])
        waker.start()
        waker.join()  # the loop has not looked at its pipe meanwhile
        os.kill(os.getpid(), number)
        await asyncio.wait_for(done, 10)
