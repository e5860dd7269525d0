"""How long nobody answers when the first instance dies or stands still and another stands by.

    python benchmarks/takeover.py [--repeats 3] [--open 1000] [--out FILE]

Two real ``sanfen serve`` on one log, the second with ``--standby``; before each fault so many rounds wait in the log. A
customer's message is sent again and again, every 10 ms, as an impatient channel would, from the moment of the fault until it
is answered 200. Each repeat does all three, and whoever takes over is the first of the next:

    killed      kill -9 of the first; the standby answers
    stopped     SIGSTOP of the first; the standby answers. Woken up, the first must end with exit code 4
    restarted   kill -9 of a lone instance, which is started again at once: the floor, what a supervisor could do at best

In the end everything that was ever acknowledged must be in the log, and nothing twice. The promise is five seconds.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.e2e.service import STARTED, Sanfen, Upstream, eventually, message, signed  # the harness is the tests'
from tests.served import served

PROMISE_S = 5.0
CODE_TAKEN_OVER = 4
EACH = 1_000  # questions in one request
AGAIN_S = 0.01
LONGEST_S = 60.0
MOMENT_S = 0.75  # a fault comes anywhere between two heartbeats and two looks of the standby


class Pair:
    """Two instances on one log, and what they have acknowledged."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.first, self.second = (Sanfen(folder, upstream, first="11h") for _ in range(2))
        for one in (self.first, self.second):
            one.config.write_text(one.text.replace("deadline: 3s", "deadline: 12h"), encoding="utf-8")
        self.acknowledged: set[str] = set()
        self.dice = Random(1)

    async def fill(self, count: int) -> None:
        """So many questions that wait."""
        now_ms = time.time_ns() // 1_000_000
        names = [f"open{number}" for number in range(count)]
        events = [
            {"id": name, "at": now_ms, "from": "customer", "conversation": name, "channel": "desk"} for name in names
        ]
        async with aiohttp.ClientSession() as client:
            for start in range(0, count, EACH):
                body = json.dumps(events[start : start + EACH])
                async with client.post(f"{self.first.url}/events", data=body) as answer:
                    assert answer.status == 200, await answer.text()
        self.acknowledged.update(names)

    async def stand_by(self) -> None:
        """The second waits for the role."""
        said = self.second.log.count("standing by") if self.second.process else 0
        self.second.spawn("--standby")
        await eventually(lambda: self.second.log.count("standing by") > said, says=lambda: self.second.log)

    async def answered(self, sanfen: Sanfen, name: str) -> float:
        """Seconds until a question is acknowledged, sent again until it is."""
        body, began = message(name, "customer", conversation=name), time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PROMISE_S)) as client:
            while time.monotonic() - began < LONGEST_S:
                try:
                    async with client.post(f"{sanfen.url}/in/desk", data=body, headers=signed(body, name)) as answer:
                        if answer.status == 200:
                            self.acknowledged.add(name)
                            return time.monotonic() - began
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(AGAIN_S)
        raise SystemExit(f"nobody answered within {LONGEST_S:.0f} s\n{sanfen.log}")

    async def before(self, name: str) -> None:
        """All is well until a moment that nothing depends on."""
        await self.answered(self.first, f"{name}-before")
        await asyncio.sleep(self.dice.uniform(0, MOMENT_S))

    async def killed(self, name: str) -> float:
        await self.stand_by()
        await self.before(name)
        self.first.kill()
        return await self._taken_over(name)

    async def stopped(self, name: str) -> float:
        await self.stand_by()
        await self.before(name)
        frozen = self.first.process
        assert frozen is not None
        frozen.send_signal(signal.SIGSTOP)
        took_s = await self._taken_over(name)
        frozen.send_signal(signal.SIGCONT)
        code = await asyncio.to_thread(frozen.wait, 20)
        assert code == CODE_TAKEN_OVER, f"woken up it ended with {code}"
        return took_s

    async def restarted(self, name: str) -> float:
        await self.before(name)
        self.first.kill()
        self.first.spawn()
        return await self.answered(self.first, name)

    async def _taken_over(self, name: str) -> float:
        took_s = await self.answered(self.second, name)
        self.first, self.second = self.second, self.first
        return took_s

    def check(self) -> None:
        """Everything acknowledged is there, once."""
        found = [name for (name,) in self.first.rows("SELECT id FROM messages")]
        assert len(found) == len(set(found)), "a message is there twice"
        assert set(found) >= self.acknowledged, f"lost: {sorted(self.acknowledged - set(found))[:5]}"
        opened = self.first.rows("SELECT count(*), count(DISTINCT conversation) FROM round_rows")
        assert opened == [(len(found), len(found))], f"{opened} rounds of {len(found)} questions"


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    upstream = Upstream()
    found: dict[str, list[float]] = {"killed": [], "stopped": [], "restarted": []}
    async with served(upstream.handle) as place:
        upstream.port = int(place.partition(":")[2])
        pair = Pair(folder, upstream)
        try:
            await pair.first.start()
            await pair.fill(options.open)
            for number in range(options.repeats):
                for name, times in found.items():
                    times.append(await getattr(pair, name)(f"{name}{number}"))
            await pair.first.stop()
            pair.check()
            print(f"{len(pair.acknowledged):,} acknowledged, none lost, none twice")
        finally:
            for process in STARTED:
                process.kill()
                process.wait()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--open", type=int, default=1_000, help="rounds that wait in the log")
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    print(
        f"{platform.machine()} {os.cpu_count()} cpus, Python {platform.python_version()}, {options.open:,} open rounds"
    )
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(options, Path(folder)))
    floor = statistics.median(found["restarted"])
    for name, times in found.items():
        print(
            f"{name:10} {len(times)} times  p50 {statistics.median(times):.2f} s  max {max(times):.2f} s  "
            f"{statistics.median(times) / floor:.2f} x the restart"
        )
    if options.out:
        kept: dict[str, Any] = {"cpus": os.cpu_count(), "open": options.open, "seconds": found}
        options.out.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
