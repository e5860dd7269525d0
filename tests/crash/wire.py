"""Both ends of the service's HTTP, lean enough to be killed ten thousand times: a client, and a workflow with a notifier."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from sanfen.demo.wire import sign

__all__ = ["OK", "SECRET", "Answer", "Client", "Workflow", "here"]

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


def here() -> str:
    """A loopback address of this process alone: a port somebody else has just given up is not one of ours."""
    number = os.getpid()
    return f"127.{64 + number % 64}.{number // 64 % 250}.{1 + number // 16_000 % 250}"


class Answer(NamedTuple):
    """What a notifier answers: a status, 0 hangs up, -1 hangs up once everything has been read and counted."""

    status: int
    headers: str = ""


OK = Answer(200)


class Workflow:
    """The upstream and the people's webhook receiver. Counts what it received, by event and by notice."""

    def __init__(self, answers: Callable[[str], Answer] = lambda _person: OK) -> None:
        self._answers = answers
        self._server: asyncio.Server | None = None
        self.forwarded: Counter[str] = Counter()
        self.notices: Counter[tuple[str, str]] = Counter()  # messages, by round and person
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._serve, here(), 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        path, headers, body = await read_message(reader)
        if path.split()[1].startswith("/notice"):
            answer = self._told(json.loads(body))
            if answer.status <= 0:
                return False
            writer.write(f"HTTP/1.1 {answer.status} x\r\ncontent-length: 2\r\n{answer.headers}\r\nok".encode())
        else:
            name = headers.get("webhook-id", "")
            self.forwarded[name] += 1
            writer.write(f"HTTP/1.1 200 OK\r\nx-event: {name}\r\ncontent-length: 2\r\n\r\nok".encode())
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    def _told(self, notice: dict[str, Any]) -> Answer:
        answer = self._answers(notice["person"])
        # Refused and hung up on: not read by anybody. Answered, or hung up on afterwards: somebody has it.
        if answer.status == -1 or 200 <= answer.status < 300:
            self.notices.update((one["round_id"], notice["person"]) for one in notice["waiting"])
        return answer


async def read_message(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """First line, headers by small name, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if value}
    return head[0], headers, await reader.readexactly(int(headers.get("content-length", "0")))


class Client:
    """A channel: signs and posts. One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, name: str, event: Any, at_ms: int) -> int:
        """The status, or 0 where the service was gone before it answered."""
        body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
        headers = sign(SECRET, name, at_ms, body) | {"host": "sanfen", "content-length": str(len(body))}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"
        try:
            if self._open is None:
                self._open = await asyncio.open_connection(here(), self._port)
            reader, writer = self._open
            writer.write(head.encode() + body)
            line, answered, _ = await read_message(reader)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0
        if answered.get("connection", "").lower() == "close":
            self.close()
        return int(line.split()[1])

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
