"""SIGTERM in the middle of work: what was taken is answered and kept, and the process ends by itself with 0."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.e2e.service import Sanfen, Upstream, eventually, message, signed


class Slow(Upstream):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.begun += 1
        await self.gate.wait()
        return await super().handle(request)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_was_taken_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    slow = Slow()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", slow.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slow.port = runner.addresses[0][1]
    sanfen = Sanfen(tmp_path, slow)
    await sanfen.start()
    statuses: list[int] = []

    async def ask(client: aiohttp.ClientSession, name: str) -> None:
        body = message(name, "customer", conversation=name)
        async with client.post(f"{sanfen.url}/in/desk", data=body, headers=signed(body, name)) as answer:
            statuses.append(answer.status)

    async with aiohttp.ClientSession() as client:
        asks = [asyncio.create_task(ask(client, f"q{index}")) for index in range(20)]
        await eventually(lambda: slow.begun == 20)
        assert sanfen.process is not None
        sanfen.process.send_signal(number)
        await eventually(lambda: is_silent(sanfen.port))
        slow.gate.set()
        await asyncio.gather(*asks)

    assert statuses == [200] * 20
    assert await asyncio.to_thread(sanfen.process.wait, 15) == 0
    assert not (tmp_path / "sanfen.db-wal").exists()  # folded back
    await sanfen.start()  # on a slow machine some are aside when it stops, and journaled when it starts
    await eventually(lambda: sanfen.rows("SELECT count(*) FROM rounds") == [(20,)])
    assert "Traceback" not in sanfen.log
    await sanfen.stop()
    await runner.cleanup()


async def is_silent(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False
