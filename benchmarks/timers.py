# ruff: noqa: PLC0415  # each peer loads what it measures
"""How late is a step? The ticker, the machine and the commit together, next to timers that do nothing.

    python benchmarks/timers.py [--open 100000] [--rate 1000] [--seconds 20] [--burst 100000] [--jobs 10000]

A real engine on a real file (synchronous=FULL) with so many open rounds. Steps fall due at a steady rate; then so many in one
instant. Lateness is from a step's due instant to the return of the commit that put it in the outbox. In the same run:

    call_at     one asyncio timer for each, whose callback only notes the time
    apscheduler one date job for each (it takes seconds to add a hundred thousand; --jobs says how many)

Ratios hold within one run; the peers keep nothing: a crash loses their timers.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sanfen.cli.serve import _without_long_pauses as without_long_pauses
from sanfen.clock import SystemClock
from sanfen.config.settings import Person, Settings, Way
from sanfen.core.events import Key, Message
from sanfen.core.policy import DueRule, Ladder, Policy, Step
from sanfen.engine.ingest import Engine
from sanfen.engine.timers import Ticker
from sanfen.roster import Roster
from sanfen.store.db import Database
from sanfen.store.journal import Delivery

STEP_MS = 600_000
POLICY = Policy("p", due=(DueRule(after_ms=3_600_000),), ladders=(Ladder("l", (Step(STEP_MS, ("lead",)),)),))
PEOPLE = Settings(people={"lead": Person("lead", (Way("console:"),))})


class Measured(Engine):
    """The engine, noting for each conversation how late its commit was."""

    due: dict[Key, int]
    late: list[int]

    async def tick(self, keys: Iterable[Key]) -> None:
        named = list(keys)
        await super().tick(named)
        now_ms = SystemClock().now_ms()
        self.late += [now_ms - self.due.pop(key) for key in named if key in self.due]


def told(name: str, late: Sequence[float], note: str = "") -> dict[str, float]:
    """Print and return the figures of one way, milliseconds."""
    ordered = sorted(late)
    found = {
        "n": len(ordered), "p50": statistics.median(ordered), "p99": ordered[len(ordered) * 99 // 100], "max": ordered[-1],
    }  # fmt: skip
    print(
        f"{name:24} {found['n']:7.0f}  p50 {found['p50']:7.1f} ms  p99 {found['p99']:7.1f} ms  max {found['max']:7.1f} ms  {note}"
    )
    return found


async def until(late: Sequence[float], count: int) -> None:
    """Wait for so many; two minutes at most."""
    for _ in range(2_400):
        if len(late) >= count:
            return
        await asyncio.sleep(0.05)
    raise SystemExit(f"only {len(late)} of {count} came within two minutes")


async def ask(engine: Measured, instants: Sequence[int], name: str) -> None:
    """Open a round for each instant at which its step is to be due."""
    jobs = []
    for start in range(0, len(instants), 500):
        events = []
        for number, due_ms in enumerate(instants[start : start + 500], start):
            key = Key("s", "c", f"{name}{number}")
            engine.due[key] = due_ms
            events.append(Message(due_ms - STEP_MS, key, f"q{name}{number}", "customer", f"{name}{number}"))
        jobs.append(engine.submit(Delivery(instants[0], "c", "in", "POST", "", b"{}"), events))
    await asyncio.gather(*jobs)


async def ours(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    clock, out = SystemClock(), {}
    db = Database.open(folder / "log.db")
    ticker = Ticker(clock)
    engine = Measured(db, (POLICY,), (), clock, roster=Roster(PEOPLE), on_due=ticker.push)
    engine.due, engine.late = {}, []
    await engine.adopt()
    started, worked = time.perf_counter(), time.process_time()
    far_ms = clock.now_ms() + 3_000_000
    await ask(engine, [far_ms + number for number in range(options.open)], "open")
    each_ms = (
        2_000 * (time.perf_counter() - started) / options.open
    )  # twice what one took: all are there before the first is due
    first_ms = clock.now_ms() + 2_000 + int(options.seconds * options.rate * each_ms)
    gap_ms = 1_000 / options.rate
    await ask(engine, [first_ms + int(number * gap_ms) for number in range(options.seconds * options.rate)], "rate")
    print(
        f"{len(ticker)} rounds opened in {time.perf_counter() - started:.1f} s, {time.process_time() - worked:.1f} s of "
        "processor time"
    )
    running = asyncio.create_task(ticker.run(engine))
    await asyncio.sleep((first_ms - clock.now_ms()) / 1000 + options.seconds + 1)
    out["sanfen, steady"] = told("sanfen, steady", engine.late, f"{options.rate} a second, {options.open} open")
    engine.late = []
    instant_ms = clock.now_ms() + 3_000 + int(options.burst * each_ms)
    await ask(engine, [instant_ms] * options.burst, "burst")
    await asyncio.sleep((instant_ms - clock.now_ms()) / 1000)
    worked = time.process_time()
    await until(engine.late, options.burst)
    worked = time.process_time() - worked
    out["sanfen, one instant"] = told(
        "sanfen, one instant", engine.late, f"all durable after the maximum; {worked:.1f} s of processor time"
    )
    out["sanfen, one instant"]["worked_s"] = worked
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(db.close)
    return out


async def call_at(instants: Sequence[float]) -> list[float]:
    """Plain timers of the event loop; ``instants`` are seconds from now."""
    loop, late = asyncio.get_running_loop(), list[float]()
    start = loop.time() + 2

    def note(at: float) -> None:
        late.append((loop.time() - at) * 1000)

    for offset in instants:
        loop.call_at(start + offset, note, start + offset)
    await until(late, len(instants))
    return late


async def date_jobs(instants: Sequence[float]) -> list[float]:
    """One job of APScheduler for each, with nothing dropped for being late."""
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None, "max_instances": 10**6})
    scheduler.start(paused=True)
    late = list[float]()
    start = datetime.now(UTC) + timedelta(seconds=2 + len(instants) / 5_000)  # noqa: TID251  # a peer's own clock

    def note(due: datetime) -> None:
        late.append((datetime.now(UTC) - due).total_seconds() * 1000)  # noqa: TID251

    async def fire(due: datetime) -> None:
        note(due)

    for offset in instants:
        due = start + timedelta(seconds=offset)
        scheduler.add_job(fire, "date", run_date=due, args=[due])
    scheduler.resume()
    await until(late, len(instants))
    scheduler.shutdown(wait=False)
    return late


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--burst", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    without_long_pauses()
    with tempfile.TemporaryDirectory() as folder:
        figures = await ours(options, Path(folder))
    steady = [number / options.rate for number in range(options.seconds * options.rate)]
    figures["call_at, steady"] = told("call_at, steady", await call_at(steady))
    figures["call_at, one instant"] = told("call_at, one instant", await call_at([0.0] * options.burst))
    figures["apscheduler, steady"] = told("apscheduler, steady", await date_jobs(steady[: options.jobs]))
    figures["apscheduler, one instant"] = told("apscheduler, one instant", await date_jobs([0.0] * options.jobs))
    if options.out:
        options.out.write_text(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
