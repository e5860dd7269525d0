"""A small real server for a test: one handler for every path, on a port of its own."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from random import SystemRandom

from aiohttp import web

__all__ = ["free_port", "served"]

_PORTS = range(20_000, 32_000)  # below those a system gives to whoever connects: a browser opens many


def free_port() -> int:
    """A port nobody listens on, for a server whose address must be known before it starts."""
    while True:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", SystemRandom().choice(_PORTS)))
            return int(probe.getsockname()[1])


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve until the block ends; gives ``127.0.0.1:PORT``."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
