"""The heartbeat is called while all is well, and only then."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from tests.served import served

from sanfen.engine.pulse import Pulse


class Watch:
    """Whoever would raise the alarm."""

    def __init__(self) -> None:
        self.beats = 0
        self.status = 200
        self.trouble: str | None = None
        self.url = ""

    async def handle(self, _: web.Request) -> web.Response:
        self.beats += 1
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    async def why(self) -> str | None:
        return self.trouble


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch()
    async with served(made.handle) as address:
        made.url = f"http://{address}/ping"
        yield made


async def test_it_beats_while_all_is_well(watch: Watch) -> None:
    assert await Pulse(watch.url, watch.why, lambda: 0).beat()
    assert watch.beats == 1


async def test_it_stops_when_the_watch_is_not_awake(watch: Watch) -> None:
    watch.trouble = "steps are overdue"

    assert not await Pulse(watch.url, watch.why, lambda: 0).beat()
    assert watch.beats == 0


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_an_address_that_refuses_is_no_heartbeat(watch: Watch, status: int) -> None:
    watch.status = status

    assert not await Pulse(watch.url, watch.why, lambda: 0).beat()
    assert watch.beats == 1


async def test_nobody_listens(watch: Watch) -> None:
    assert not await Pulse("http://127.0.0.1:1/", watch.why, lambda: 0).beat()


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "http://2130706433/"]
)
async def test_an_address_that_may_not_be_connected_to_is_not(watch: Watch, address: str) -> None:
    with capture_logs() as logs:
        assert not await Pulse(address, watch.why, lambda: 0).beat()

    assert "cannot be reached" in logs[0]["reason"]


async def test_a_name_that_leads_elsewhere_is_not_followed(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(watch.url.split(":")[2].split("/")[0])))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)

    assert not await Pulse("http://monitor.example/ping", watch.why, lambda: 0).beat()
    assert watch.beats == 0
