"""The service killed while it works, over and over: nothing acknowledged lost, nothing counted twice, nobody told thrice.

    python tests/crash/kill_loop.py [--kills 10000] [--workers 2]          (make kill-loop)

A service on a log of its own gets a handful of deliveries, one in seven a second time, and is killed within milliseconds of
the last. What was not acknowledged is sent again to the next one, as channels do. After so many kills the last service is
left alone until nobody waits to be told; then the log is looked at in full. Exit 1 if anything was wrong.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.crash import checks
from tests.crash.shop import Ports, Sent, Talk, configure, is_ready, loaded
from tests.crash.wire import Answer, Client, Workflow, here
from tests.crash.zygote import Run, Zygote
from tests.ports import free_port

from sanfen.clock import SystemClock

__all__ = ["Tally", "kill"]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # a kill loses no memory
LINES = 4
AGAIN = 0.15
LATEST_MS = 4
LEASE_MS = 61_000  # the machine is off for longer than a notice's lease

_CLOCK = SystemClock()


class Tally(NamedTuple):
    """What was done, and what came of it."""

    kills: int = 0
    in_flight: int = 0  # kills with requests under way
    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    rounds: int = 0
    notices: int = 0
    twice: int = 0  # notices a person got a second time
    problems: int = 0

    def __add__(self, other: "Tally") -> "Tally":  # type: ignore[override]
        return Tally(*(mine + yours for mine, yours in zip(self, other, strict=True)))


class Loop:
    """One log and the services that die on it."""

    def __init__(self, folder: Path, zygote: Zygote, dice: Random, workflow: Workflow) -> None:
        self._zygote, self._dice, self._workflow = zygote, dice, workflow
        self._home = folder / "home"
        self._home.mkdir()
        self._log = self._home / "sanfen.db"
        self._ports = Ports(free_port(here()), free_port(here()), workflow.port)
        words = {"storage": "home/sanfen.db", "deadline": "60ms", "first": "15ms", "second": "40ms"}
        self._config = configure(folder, self._ports, **words)
        self._talk = Talk(dice, f"{os.getpid()}.", customers=6)
        self._ahead_ms = 0
        self._owed: list[Sent] = []
        self._said: list[Sent] = []
        self.acknowledged: set[str] = set()
        self.problems: list[str] = []
        self.in_flight = 0

    async def kill_once(self) -> None:
        """Start, send, kill, look."""
        process = await self._start()
        work = [*self._owed, *(self._talk.next(self._now_ms()) for _ in range(self._dice.randrange(4, 14)))]
        self._said += work[len(self._owed) :]
        work += [one for one in work if self._dice.random() < AGAIN]
        self._dice.shuffle(work)
        last = asyncio.Event()
        lines = [asyncio.create_task(self._line(work, last)) for _ in range(LINES)]
        await last.wait()
        # When it dies is the dice's business; a fifth die at once, as a quick machine has answered within a millisecond.
        await asyncio.sleep(max(0, self._dice.uniform(-1, LATEST_MS)) / 1000)
        self.in_flight += any(not line.done() for line in lines)
        os.kill(process, signal.SIGKILL)
        await asyncio.gather(*lines)
        await self._zygote.end(process)
        self._owed = [one for one in self._said if one.name not in self.acknowledged]
        with closing(checks.read_only(self._log)) as connection:
            stored = {row[0] for row in connection.execute("SELECT id FROM events")}
        lost = {one for one in self.acknowledged if not one.startswith("poison")} - stored
        aside = any(
            self._home.glob("*.spill*.lines")
        )  # a machine that was too slow for the journal: drained by the next start
        if lost and not aside:
            self.problems.append(f"acknowledged and not stored: {sorted(lost)[:5]}")

    async def finish(self) -> Tally:
        """Send what is owed, let everybody be told, look at everything."""
        for _ in range(8):
            process = await self._start()
            last = asyncio.Event()
            await self._line(list(self._owed), last)
            self._owed = [one for one in self._owed if one.name not in self.acknowledged]
            quiet = await self._quiet()
            os.kill(process, signal.SIGTERM)
            code = await self._zygote.end(process)
            if code:
                self.problems.append(f"a clean stop ended with {code}")
            if quiet and not self._owed:
                break
            self._ahead_ms += LEASE_MS
        else:
            self.problems.append("somebody still waits to be told")
        return self._looked()

    def _looked(self) -> Tally:
        shop = loaded(self._config)
        with closing(checks.read_only(self._log)) as connection:
            state = checks.state_of(connection)
            self.problems += [*state.problems, *checks.refold(connection, shop), *self._told(connection)]
            rounds = connection.execute("SELECT count(*) FROM round_rows").fetchone()[0]
        sent = {one.name for one in self._said if not isinstance(one.event, bytes)}
        counted = {name for name in self._workflow.forwarded if not name.startswith("poison")}
        for word, names in {"sent": sent, "counted": counted}.items():
            if names - state.events:
                self.problems.append(f"{word} and not stored: {sorted(names - state.events)[:5]}")
        if state.events - sent:
            self.problems.append("stored and never sent")
        notices = self._workflow.notices
        steps = Counter(state.steps)
        twice = sum(max(0, count - steps[pair]) for pair, count in notices.items())
        facts = {"sent": len(sent), "acknowledged": len(self.acknowledged), "stored": len(state.events)}
        return Tally(
            in_flight=self.in_flight,
            rounds=rounds,
            notices=notices.total(),
            twice=twice,
            problems=len(self.problems),
            **facts,
        )

    def _told(self, connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute("SELECT round, person, state, unknown FROM outbox").fetchall()
        return checks.told(self._workflow.notices, rows)

    async def _quiet(self) -> bool:
        """Until nothing is due to be told or decided; False if that takes a lease."""
        query = (
            "SELECT (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')) + "
            "(SELECT count(*) FROM round_rows WHERE next_ms < ?)"
        )
        with closing(checks.read_only(self._log)) as connection:
            for _ in range(100):
                if not connection.execute(query, (self._now_ms() + 100,)).fetchone()[0]:
                    return True
                await asyncio.sleep(0.02)  # until the outbox is empty; bounded
        return False

    async def _start(self) -> int:
        self._ahead_ms += LEASE_MS if self._dice.random() < 0.2 else 0
        process = self._zygote.start(Run(self._config, self._home, self._ahead_ms))
        for _ in range(2000):
            if await is_ready(self._ports.board):
                return process
            if self._zygote.ended(process):
                break
            await asyncio.sleep(0.003)  # until the port answers; bounded
        raise RuntimeError("the service did not start")

    def _now_ms(self) -> int:
        return _CLOCK.now_ms() + self._ahead_ms

    async def _line(self, work: list[Sent], last: asyncio.Event) -> None:
        line = Client(self._ports.hooks)
        while work:
            sent = work.pop()
            if not work:
                last.set()
            status = await line.post(sent.path, sent.name, sent.event, self._now_ms())
            if 200 <= status < 300:
                self.acknowledged.add(sent.name)
            elif status == 0:
                break
        last.set()
        line.close()


async def kill(seed: int, kills: int, zygote: Zygote) -> tuple[Tally, list[str]]:
    """So many kills on one log."""
    dice = Random(seed)
    moods = (Answer(200), Answer(503), Answer(0), Answer(-1))
    workflow = Workflow(lambda _person: dice.choices(moods, (85, 5, 4, 6))[0])
    await workflow.start()
    folder = Path(tempfile.mkdtemp(dir=MEMORY, prefix="sanfen-kill-"))
    loop = Loop(folder, zygote, dice, workflow)
    try:
        for _ in range(kills):
            await loop.kill_once()
        tally = await loop.finish()
    except Exception as error:  # noqa: BLE001  # a loop that cannot go on is a finding, with its log
        loop.problems.append(f"{type(error).__name__}: {error}")
        tally = Tally(problems=len(loop.problems))
    finally:
        await workflow.stop()
    if loop.problems:
        return tally._replace(kills=kills), [f"seed {seed}, kept in {folder}: {one}" for one in loop.problems]
    shutil.rmtree(folder)
    return tally._replace(kills=kills), []


def lane(seeds: list[int], each: int, ends: float) -> tuple[Tally, list[str]]:
    """Some logs, one after the other, with a zygote of their own; none is begun after an instant."""
    if _CLOCK.now_ms() > ends * 1000:
        return Tally(), []
    zygote, total, said = Zygote(), Tally(), list[str]()
    try:
        for seed in seeds:
            if _CLOCK.now_ms() > ends * 1000:
                break
            tally, found = asyncio.run(kill(seed, each, zygote))
            total, said = total + tally, said + found
    finally:
        zygote.close()
    return total, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=25, help="kills on one log")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=600, help="begin no more logs after this; what was done is said"
    )
    asked = parser.parse_args()
    started, total = time.monotonic(), Tally()
    seeds = list(range(asked.seed, asked.seed + -(-asked.kills // asked.each)))
    parts = [seeds[start : start + 4] for start in range(0, len(seeds), 4)]
    with ProcessPoolExecutor(asked.workers) as pool:
        ends = [_CLOCK.now_ms() / 1000 + asked.minutes * 60] * len(parts)
        for tally, said in pool.map(lane, parts, [asked.each] * len(parts), ends):
            total += tally
            if tally.kills:
                print(
                    "\n".join([f"{total.kills:>7,} kills, {time.monotonic() - started:.0f} s", *said[:10]]), flush=True
                )
    print(", ".join(f"{field} {value:,}" for field, value in total._asdict().items()))
    return 1 if total.problems else 0


if __name__ == "__main__":
    sys.exit(main())
