"""A TCP proxy with one switchable fault, between the service and whatever it talks to."""

import asyncio
import contextlib
import socket
import struct
from random import Random

__all__ = ["FAULTS", "Proxy"]

FAULTS = ("latency:50", "slow:2000", "blackhole", "reset:20", "drop-response", "refuse", "corrupt:0.05")
"""Every fault, as the tests use it.

    latency:MS          each piece is held back so long, both ways
    slow:BYTES_PER_S    the answer trickles
    blackhole           connections are taken, and nothing passes
    reset:BYTES         the answer breaks off after so many bytes
    drop-response       the request arrives, its answer does not
    refuse              nobody listens
    corrupt:P           of the answer's bytes this share is changed
"""


class Proxy:
    """Passes bytes to a port of this machine; ``set`` changes how."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self.target = target
        self.port = 0
        self._fault, self._value = "none", 0.0
        self._dice = Random(seed)
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    async def start(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._cut()
        if server is not None:
            await server.wait_closed()

    async def set(self, fault: str) -> None:
        """From now on; connections that are open are cut, so that the fault meets the next request."""
        name, _, value = fault.partition(":")
        self._fault, self._value = name, float(value or 0)
        if name == "refuse":
            await self.stop()
        else:
            await self._cut()
            if self._server is None:
                await self.start()

    async def _cut(self) -> None:
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        try:
            await self._pair(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._pairs.discard(task)
            writer.transport.abort()

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault == "blackhole":
            await asyncio.Event().wait()
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        out = asyncio.create_task(self._pump(reader, back, 0.0 if self._fault != "latency" else self._value))
        try:
            await self._answer(there, writer)
        finally:
            out.cancel()
            await asyncio.gather(out, return_exceptions=True)
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_ms: float) -> None:
        while piece := await reader.read(4096):
            await asyncio.sleep(delay_ms / 1000)
            writer.write(piece)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await reader.read(4096):
            if self._fault == "drop-response":
                return
            if self._fault == "latency":
                await asyncio.sleep(self._value / 1000)
            if self._fault == "corrupt":
                piece = bytes(
                    b ^ 1 << self._dice.randrange(8) if self._dice.random() < self._value else b for b in piece
                )
            if self._fault == "reset" and passed + len(piece) > self._value:
                writer.write(piece[: int(self._value) - passed])
                await writer.drain()
                _reset(writer)
                return
            for part in self._parts(piece):
                writer.write(part)
                await writer.drain()
                if self._fault == "slow":
                    await asyncio.sleep(len(part) / self._value)
            passed += len(piece)
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _parts(self, piece: bytes) -> list[bytes]:
        return [piece[at : at + 64] for at in range(0, len(piece), 64)] if self._fault == "slow" else [piece]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, as a program that dies does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
