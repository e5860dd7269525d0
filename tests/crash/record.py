"""A day in the life of a real service, with every write on record: what power-loss images are made from.

A fresh file and its migration; talk of every kind, late, twice and unreadable; steps told, refused and hung up on; idle
moments in which the log is folded back; message text forgotten; a lock of another program, and the gap it leaves; a clean
stop, another policy, a kill, a recovery.
"""

import asyncio
import os
import signal
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

from tests.crash.shop import Ports, Sent, Service, Talk, configure
from tests.crash.wire import Answer, Client, Workflow, here
from tests.ports import free_port

from sanfen.clock import SystemClock

__all__ = ["GAP", "record"]

GAP = "gap"
"""How the names begin of what was sent while another program held the log."""

_CLOCK = SystemClock()
_AGAIN = 0.15
_LINES = 6


async def record(folder: Path, seed: int, *, rounds: int = 40, synchronous: str = "", brief: bool = False) -> Path:
    """Record one run; the trace. ``rounds``: how much each line says in each act; ``brief``: the first act is all."""
    home = folder / "home"
    home.mkdir()
    dice = Random(seed)
    workflow = Workflow(_moody(dice))
    await workflow.start()
    ports = Ports(free_port(here()), free_port(here()), workflow.port)
    config, trace = _write(folder, ports, "400ms"), folder / "trace"
    words = {"SANFEN_CRASH_BUSY_S": "0.2", "SANFEN_CRASH_CHORES": "1"}
    if synchronous:
        words["SANFEN_CRASH_SYNCHRONOUS"] = synchronous
    service = Service(home, trace, config, ports.board, **words)
    said = _Recorder(Talk(dice, f"s{seed}."), dice, ports.hooks, trace)
    try:
        await service.start()
        await said.act(rounds)
        if not brief:
            await _further(service, said, folder, ports, rounds)
    finally:
        await service.stop()
        await workflow.stop()
        said.close()
    return trace


async def _further(service: Service, said: "_Recorder", folder: Path, ports: Ports, rounds: int) -> None:
    """All the rest of the day."""
    await asyncio.sleep(2.2)  # idle, so that the service does its chores and folds the log back: real time is its input
    await said.act(rounds)
    await _locked(folder / "home", said)
    await said.act(rounds // 4)
    await service.stop()
    _write(folder, ports, "500ms")  # rounds of the old policy are still open
    await service.start()
    await said.act(rounds)
    await service.end(signal.SIGKILL)
    await service.start()
    await said.act(rounds // 2)
    await asyncio.sleep(1.2)


def _write(folder: Path, ports: Ports, deadline: str) -> Path:
    """The log lies in a folder of its own, which is what is witnessed."""
    return configure(folder, ports, storage="home/sanfen.db", keep="1s", deadline=deadline)


def _moody(dice: Random) -> Callable[[str], Answer]:
    def answer(_person: str) -> Answer:
        return dice.choices((Answer(200), Answer(503), Answer(400), Answer(0), Answer(-1)), (80, 6, 3, 5, 6))[0]

    return answer


async def _locked(home: Path, said: "_Recorder") -> None:
    """Another program has the log for itself for a while."""
    with closing(sqlite3.connect(home / "sanfen.db", isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await said.act(2, GAP)
        other.execute("ROLLBACK")


class _Recorder:
    """Several lines into the service, and what it acknowledged, written where the writes are."""

    def __init__(self, talk: Talk, dice: Random, port: int, trace: Path) -> None:
        self._talk = talk
        self._dice = dice
        self._lines = [Client(port) for _ in range(_LINES)]
        self._before: list[tuple[Sent, int]] = []
        self._out = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def act(self, count: int, prefix: str = "") -> None:
        """Each line says so many things, one after the other."""
        await asyncio.gather(*(self._say(line, count, prefix) for line in self._lines))

    async def _say(self, line: Client, count: int, prefix: str) -> None:
        for _ in range(count):
            now_ms = _CLOCK.now_ms()
            sent = self._talk.next(now_ms)
            if prefix:
                name = prefix + sent.name
                event = sent.event if isinstance(sent.event, bytes) else sent.event | {"id": name}
                sent = Sent(sent.path, name, event)
            elif self._before and self._dice.random() < _AGAIN:
                sent, _ = self._dice.choice(self._before)  # said before; a channel repeats itself
            status = await line.post(sent.path, sent.name, sent.event, now_ms)
            self._before.append((sent, now_ms))
            if 200 <= status < 300 and not isinstance(sent.event, bytes):
                name_bytes = sent.name.encode()
                os.write(self._out, struct.pack("<cxHIQQ", b"K", 0, len(name_bytes), 0, 0) + name_bytes)

    def close(self) -> None:
        for line in self._lines:
            line.close()
        os.close(self._out)
