"""With a million open rounds: memory, recovery, and how long the event loop stands still while messages come.

    python benchmarks/pauses.py [--rounds 100000] [--seconds 5] [--rate 200]

A log is filled with open rounds, one a conversation, as the engine itself would have left it. Then the parts of the
service are started on it in a process of their own, and measured: the time until the ticker knows every deadline; the
memory that took for each open round; the memory each of as many idle conversations leaves behind; and, under a load of
``--rate`` messages a second to those conversations with checkpoints, garbage collection and roll-ups as they come, the
longest pauses of the event loop, next to a process that holds nothing and does the same sleeping (the floor: what the
machine itself does to a loop).
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sanfen.cli.serve import _without_long_pauses as without_long_pauses
from sanfen.clock import SystemClock
from sanfen.config import presets
from sanfen.core.events import Key, Message
from sanfen.core.facts import round_id
from sanfen.engine.ingest import Engine
from sanfen.engine.recover import recover
from sanfen.engine.timers import Ticker
from sanfen.store.db import Database
from sanfen.store.journal import Delivery

HOUR = 3_600_000
_BATCH = 2_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000  # outside the service


def question(number: int, at_ms: int) -> Message:
    return Message(
        at_ms, Key("shop", "desk", f"c{number:08d}"), f"m{number:08d}", "customer", f"c{number:08d}", text="在吗"
    )


def engine_on(path: Path, ticker: Ticker, policy: str = "open") -> tuple[Database, Engine]:
    from dataclasses import replace  # noqa: PLC0415

    from sanfen.core.policy import DueRule, Ladder, Step  # noqa: PLC0415

    # Due in a day, so that a round is open for as long as this takes; one ladder step before that.
    made = replace(
        presets.policy("taobao-2022-01"), id=policy, hours=None, midnight="none", due=(DueRule(after_ms=24 * HOUR),),
        ladders=(Ladder("l", (Step(23 * HOUR, ("lead",)),)),), version="bench",
    )  # fmt: skip
    db = Database.open(path)
    return db, Engine(db, (made,), (), SystemClock(), on_due=ticker.push)


async def fill(path: Path, count: int) -> None:
    """Open rounds: the first by the engine itself, the others are its rows again with other names."""
    db, engine = engine_on(path, Ticker(SystemClock()))
    await engine.adopt()
    start_ms = now_ms() - HOUR
    first = question(0, start_ms)
    await engine.submit(Delivery(start_ms, "desk", "in", "POST", "/in/desk", b"{}"), [first])
    db.close()
    with sqlite3.connect(path) as log:
        log.execute("PRAGMA synchronous = OFF")
        for table, changed in (
            ("events", ("seq", "conversation", "id", "customer")),
            ("round_rows", ("id", "conversation", "customer", "evidence")),
        ):
            names = [row[1] for row in log.execute(f"PRAGMA table_info({table})")]
            row = list(log.execute(f"SELECT * FROM {table}").fetchone())
            places = [names.index(name) for name in changed]
            made = f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})"
            log.executemany(made, (again(row, places, table, number, start_ms) for number in range(1, count)))
    log.close()


def again(row: list[Any], places: list[int], table: str, number: int, start_ms: int) -> list[Any]:
    one = question(number, start_ms)
    key = one.key
    if table == "events":
        values: tuple[Any, ...] = (number + 1, key.conversation, one.id, one.customer)
    else:
        values = (round_id(key, one.id, 0), key.conversation, one.customer, json.dumps([one.id]))
    for place, value in zip(places, values, strict=True):
        row[place] = value
    return row


def rss_kib() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


async def idle(path: Path, count: int) -> dict[str, Any]:
    """What conversations leave in memory once they are idle: each is folded from its journal, as when it is heard of."""
    db, engine = engine_on(path, Ticker(SystemClock()))
    await engine.adopt()
    gc.collect()
    before = rss_kib()
    for first in range(0, count, _BATCH):
        keys = [question(number, 0).key for number in range(first, min(count, first + _BATCH))]
        await asyncio.wrap_future(db.write(lambda connection, keys=keys: engine._memory.load(connection, keys)))  # type: ignore[misc]  # noqa: SLF001
    gc.collect()
    out = {"idle_bytes": (rss_kib() - before) * 1024 / count}
    db.close()
    return out


async def live(path: Path, count: int, seconds: float, rate: int) -> dict[str, Any]:
    gc.collect()
    before = rss_kib()
    ticker = Ticker(SystemClock())
    db, engine = engine_on(path, ticker)
    started, worked = time.perf_counter(), time.process_time()
    await engine.adopt()
    known = await recover(db, ticker)
    recovered_s, recovered_cpu_s = time.perf_counter() - started, time.process_time() - worked
    held = (rss_kib() - before) * 1024 / max(1, count)
    without_long_pauses()
    running = asyncio.create_task(ticker.run(engine))
    pauses = Pauses()
    watching = asyncio.create_task(pauses.watch(seconds))
    took: list[float] = []
    number, turns, start = 0, 0, time.perf_counter()
    while not watching.done():
        due = int((time.perf_counter() - start) * rate)
        waiting = []
        for number in range(number, due):  # noqa: B020  # on from where it was
            one = question(number * 7919 % count, now_ms())
            said = one._replace(id=f"l{number}") if number % 2 else one._replace(
                id=f"l{number}", sender="merchant", mode="human", agent="a1")  # fmt: skip
            waiting.append(engine.submit(Delivery(now_ms(), "desk", "in", "POST", "/in/desk", b"x" * 500), [said]))
        number = due
        sent = time.perf_counter()
        for future in waiting:
            future.add_done_callback(lambda _, sent=sent: took.append(time.perf_counter() - sent))  # type: ignore[misc]
        turns += 1
        if turns % 250 == 0:
            gc.collect()  # the longest there can be, on purpose
        await asyncio.sleep(0.002)
    running.cancel()
    wal = path.with_name(path.name + "-wal").stat().st_size
    db.close()
    took.sort()
    return {
        "known": known, "recovered_s": recovered_s, "recovered_cpu_s": recovered_cpu_s, "open_bytes": held, "committed": len(took),
        "commit_p99_ms": took[len(took) * 99 // 100] * 1000 if took else 0.0, "wal_mib": wal / 2**20,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **pauses.longest(),
    }  # fmt: skip


class Pauses:
    """How late a sleep of two milliseconds is, over and over; and what of it was work of this thread."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.worked: list[float] = []
        self.collected: list[float] = [0.0]
        self._began = 0.0

    async def watch(self, seconds: float) -> None:
        gc.callbacks.append(self._collect)
        until = time.perf_counter() + seconds
        while (now := time.perf_counter()) < until:
            worked = time.thread_time()
            await asyncio.sleep(0.002)
            self.late.append(time.perf_counter() - now - 0.002)
            self.worked.append(time.thread_time() - worked)
        gc.callbacks.remove(self._collect)

    def _collect(self, phase: str, _info: object) -> None:
        """A collection runs in whatever thread is at work, and holds up all of them."""
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.collected.append(time.thread_time() - self._began)

    def longest(self) -> dict[str, float]:
        late, worked = sorted(self.late), sorted(self.worked)
        return {
            "pause_p999_ms": late[len(late) * 999 // 1000] * 1000, "pause_max_ms": late[-1] * 1000,
            "work_max_ms": worked[-1] * 1000, "collection_max_ms": max(self.collected) * 1000,
        }  # fmt: skip


async def floor(seconds: float) -> dict[str, float]:
    pauses = Pauses()
    await pauses.watch(seconds)
    return pauses.longest()


def in_process(job: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Run a coroutine in a process of its own, and return what it found."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, job, arguments, named))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        child.join()


def _run(pipe: Any, job: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    pipe.send(asyncio.run(job(*arguments, **named)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=int, default=200, help="messages a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        in_process(fill, path, options.rounds)
        with sqlite3.connect(path) as reader:
            count = reader.execute("SELECT count(*) FROM round_rows WHERE next_ms IS NOT NULL").fetchone()[0]
        assert count == options.rounds, count
        found = in_process(live, path, options.rounds, options.seconds, options.rate)
        found |= {f"floor_{name}": fact for name, fact in in_process(floor, options.seconds).items()}
        found |= in_process(idle, path, options.rounds)
    print(
        f"{options.rounds:,} open rounds: recovered in {found['recovered_s']:.2f} s ({found['recovered_cpu_s']:.2f} s of "
        f"processor time), {found['open_bytes']:.0f} bytes each"
    )
    print(f"as many idle conversations: {found['idle_bytes']:.0f} bytes each")
    print(
        f"{found['committed']:,} messages committed meanwhile, p99 {found['commit_p99_ms']:.1f} ms; write-ahead log "
        f"{found['wal_mib']:.0f} MiB"
    )
    print(
        f"the loop's longest pause {found['pause_max_ms']:.1f} ms, p99.9 {found['pause_p999_ms']:.1f} ms; of a loop that does "
        f"nothing {found['floor_pause_max_ms']:.1f} ms, {found['floor_pause_p999_ms']:.1f} ms"
    )
    print(
        f"the loop's longest stretch of work {found['work_max_ms']:.1f} ms, the longest garbage collection "
        f"{found['collection_max_ms']:.1f} ms (processor time)"
    )
    print(json.dumps({"rounds": options.rounds} | found))


if __name__ == "__main__":
    main()
