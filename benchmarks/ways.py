"""How long until somebody is told when the first way fails: the real worker, a real log, robots on loopback.

    python benchmarks/ways.py [--repeats 5] [--kind dingtalk]

A step is put in the outbox for a person with two ways, a robot that fails as named and a WeCom robot that takes it.
Measured from the commit of the step to the moment the told attempt is on record; in each repeat every fault once, the
floor (the first way takes it) among them. The promise is three seconds.
"""

import argparse
import asyncio
import sqlite3
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.robots import Rate, Robots, open_robots

from sanfen.clock import SystemClock
from sanfen.config.settings import Person, Settings, Way
from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.notify.worker import Worker
from sanfen.plugins import Plugins
from sanfen.roster import Target
from sanfen.store import outbox, projection
from sanfen.store.db import Database
from sanfen.testing import ask

PLAN = plan_of(Policy(id="p"))
PROMISE_MS = 3_000
SETTINGS: dict[str, dict[str, Any]] = {
    "keyword": {"keyword": "告警"},
    "signature": {"secret": "another"},
    "limited": {"rates": [Rate(0, 60_000)]},
}
SCRIPTED = ("500", "502", "html", "reset", "silence", "stalled")
FAULTS = ("none", *SETTINGS, *SCRIPTED, "tls", "closed")


class Bench:
    """One person for each fault and repeat, so that nothing is remembered from one to the next."""

    def __init__(self, db: Database, robots: Robots, kind: str) -> None:
        self.db, self.robots, self.kind = db, robots, kind
        self.people: dict[str, Person] = {}
        self.clock = SystemClock()
        self.worker = Worker(db, Plugins().notifiers(), Settings(people=self.people), self.clock)

    def person(self, name: str, fault: str) -> None:
        """Two ways: the one with the fault, and one that works."""
        first = self.robots.add(self.kind, **SETTINGS.get(fault, {}))
        first.script = [fault] * 9 if fault in SCRIPTED else []
        address = self.robots.address(first, tls=fault == "tls")
        if fault == "closed":
            address = address.replace(f":{self.robots.port}/", ":1/")
        self.people[name] = Person(name, (Way(address), Way(self.robots.add("wecombot").address)))

    async def once(self, name: str) -> int:
        """Milliseconds from the step's commit to the told attempt."""
        now_ms = self.clock.now_ms()
        done = fold(Conversation(Key("default", "desk", name)), [ask(now_ms - 90_000)], PLAN)
        ((one, _),) = done.rounds()
        step = Escalated(now_ms, one, "default", 0, (name,))
        await self.do(lambda c: projection.save(c, "live", [(one, score(one, PLAN, now_ms), PLAN)]))
        await self.do(lambda c: outbox.enqueue(c, [outbox.asked(step, "p", [Target(name, name)], now_ms)]))
        start_ms = self.clock.now_ms()
        self.worker.wake()
        query = (
            "SELECT a.at_ms FROM attempts a JOIN outbox o ON o.id = a.outbox WHERE o.person = ? AND a.result = 'told'"
        )
        for _ in range(2_000):
            found = await self.do(lambda c: c.execute(query, (name,)).fetchone())
            if found:
                return int(found[0]) - start_ms
            await asyncio.sleep(0.005)
        raise SystemExit(f"{name} was never told")

    async def do(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        """A job for the writer thread."""
        return await asyncio.wrap_future(self.db.write(job))


async def measure(repeats: int, kind: str) -> dict[str, list[int]]:
    """Milliseconds by fault."""
    took: dict[str, list[int]] = {fault: [] for fault in FAULTS}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with tempfile.TemporaryDirectory() as folder:
        db = Database.open(Path(folder) / "log.db")
        async with open_robots(context) as robots:
            bench = Bench(db, robots, kind)
            task = asyncio.create_task(bench.worker.run())
            for number in range(repeats):
                for fault in FAULTS:
                    bench.person(f"{fault}{number}", fault)
                    took[fault].append(await bench.once(f"{fault}{number}"))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await bench.worker.close()
        db.close()
    return took


def main() -> None:
    """Print a table; exit 1 if the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kind", choices=("dingtalk", "feishu", "lark"), default="dingtalk")
    arguments = parser.parse_args()
    began = time.monotonic()
    took = asyncio.run(measure(arguments.repeats, arguments.kind))
    floor = statistics.median(took["none"])
    print(f"{arguments.kind}, {arguments.repeats} repeats, {time.monotonic() - began:.0f} s; milliseconds until told")
    for fault, values in took.items():
        median = statistics.median(values)
        print(f"  {fault:<10} median {median:>6.0f}  max {max(values):>6}  {median / max(floor, 1):>6.1f} x the floor")
    worst = max(max(values) for values in took.values())
    print(f"worst {worst} ms of {PROMISE_MS}")
    sys.exit(worst > PROMISE_MS)


if __name__ == "__main__":
    main()
