"""What the writer's thread costs: processor time of a message, and of a step that is due, next to rows that are only kept.

    python benchmarks/writer.py [--messages 20000] [--steps 20000] [--batches 32 256] [--repeats 3]

A real engine on a real file (synchronous=FULL), as `sanfen serve` drives it: batches of deliveries of one message each, half of
them questions and half a person's replies, journaled, classified by three rules, scored under taobao-2022-01. Then as many
rounds as ``--steps`` whose ladder's step is due in one instant. What is measured is the processor time of the writer's thread
alone, its commits with it; memory is warm. In the same run:

    rows    the same deliveries and events by executemany into two tables with a number and no index, in commits as large

Medians over interleaved repetitions; what is told first is microseconds of processor time a message, or a step.
"""

import argparse
import asyncio
import json
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sanfen.cli.serve import _without_long_pauses as without_long_pauses
from sanfen.clock import SystemClock
from sanfen.config import presets
from sanfen.config.settings import Person, Settings, Way
from sanfen.core.classify import Rule
from sanfen.core.events import Event, Key, Message
from sanfen.core.policy import DueRule, Ladder, Policy, Step
from sanfen.engine.ingest import Engine
from sanfen.engine.timers import Ticker
from sanfen.roster import Roster
from sanfen.store.db import Database
from sanfen.store.journal import Delivery

RULES = (
    Rule("greeting", verdict="invalid", text=re.compile("^(亲|您好).{0,12}(稍等|欢迎)")),
    Rule("too-fast", verdict="invalid", within_ms=1_500, min_length=120),
    Rule("default", verdict="valid"),
)
STEP_MS = 90_000
STEPS = Policy("p", due=(DueRule(after_ms=180_000),), ladders=(Ladder("l", (Step(STEP_MS, ("lead",)),)),))
PEOPLE = Settings(people={"lead": Person("lead", (Way("console:"),))})
EVENTS = 19  # columns of an event's row


class Later(SystemClock):
    """The machine's clock, ahead of it by as much as is wanted."""

    ahead = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead


Heard = tuple[Delivery, Sequence[Event]]


def talk(count: int, run: str, batch: int) -> list[list[Heard]]:
    """Commits of so many messages, as benchmarks/gateway.py sends them: half questions, and the replies to those before."""
    start_ms = SystemClock().now_ms()
    pairs = [pair(number, run, start_ms + number * 7) for number in range(count // 2)]
    half = batch // 2
    parts = [pairs[start : start + half] for start in range(0, len(pairs), half)]
    return [
        [reply for _, reply in before] + [question for question, _ in now]
        for before, now in zip([[], *parts], [*parts, []], strict=True)
    ]


def pair(number: int, run: str, at_ms: int) -> tuple[Heard, Heard]:
    """A question and its reply, each a delivery of its own."""
    key = Key("shop", "desk", f"c{run}-{number}")
    asked = Message(at_ms, key, f"q{run}-{number}", "customer", key.conversation, text="在" * 60)
    told = asked._replace(at_ms=at_ms + 1, id=f"r{run}-{number}", sender="merchant", agent="a1")
    body = b'{"text":"..."}'.ljust(500)
    question, reply = [
        (Delivery(one.at_ms, "desk", "from_customer", "POST", "/in/desk", body), [one]) for one in (asked, told)
    ]
    return question, reply


async def busy(db: Database) -> float:
    """Seconds of processor time the writer's thread has had so far."""
    return await asyncio.wrap_future(db.write(lambda _: time.thread_time()))


async def messages(folder: Path, count: int, batch: int) -> float:
    """Microseconds a message."""
    db = Database.open(folder / "log.db")
    engine = Engine(db, (presets.policy("taobao-2022-01"),), RULES, SystemClock(), zone="Asia/Shanghai")
    await engine.adopt()
    warm, heard = talk(2_048, "w", batch), talk(count, "m", batch)
    for part in warm:
        await asyncio.gather(*[engine.submit(*one) for one in part])
    before = await busy(db)
    for part in heard:
        await asyncio.gather(*[engine.submit(*one) for one in part])
    spent = await busy(db) - before
    with db.reader() as reader:
        assert (
            reader.execute("SELECT count(*) FROM round_rows WHERE closed_ms IS NOT NULL").fetchone()[0]
            == (2_048 + count) // 2
        )
    await asyncio.to_thread(db.close)
    return spent * 1e6 / count


async def steps(folder: Path, count: int) -> tuple[float, float, float]:
    """Microseconds of processor time a step, in the writer's thread and in the event loop's; seconds until all are durable."""
    clock = Later()
    db = Database.open(folder / "log.db")
    ticker = Ticker(clock)
    engine = Engine(db, (STEPS,), (), clock, roster=Roster(PEOPLE), on_due=ticker.push)
    await engine.adopt()
    questions = [
        Message(clock.now_ms(), Key("s", "c", f"c{number}"), f"q{number}", "customer", f"c{number}", text="在吗")
        for number in range(count)
    ]
    for start in range(0, count, 500):
        delivery = Delivery(clock.now_ms(), "c", "in", "POST", "", b"{}")
        await engine.submit(delivery, questions[start : start + 500])
    clock.ahead = STEP_MS
    before, began, mine = await busy(db), time.perf_counter(), time.thread_time()
    while keys := ticker.due(clock.now_ms()):
        await engine.tick(keys)
    took, mine = time.perf_counter() - began, time.thread_time() - mine
    spent = await busy(db) - before
    with db.reader() as reader:
        assert reader.execute("SELECT count(*) FROM outbox").fetchone()[0] == count
    await asyncio.to_thread(db.close)
    return spent * 1e6 / count, mine * 1e6 / count, took


def rows(folder: Path, count: int, batch: int) -> float:
    """The floor: microseconds of processor time a message."""
    log = sqlite3.connect(folder / "rows.db", isolation_level=None)
    log.execute("PRAGMA journal_mode = WAL")
    log.execute("PRAGMA synchronous = FULL")
    log.execute("CREATE TABLE deliveries (seq INTEGER PRIMARY KEY, at_ms, channel, direction, method, path, body)")
    log.execute(f"CREATE TABLE events (seq INTEGER PRIMARY KEY, {', '.join(f'c{n}' for n in range(EVENTS))})")
    heard = talk(count, "r", batch)
    into = f"INSERT INTO events VALUES (NULL, {', '.join('?' * EVENTS)})"
    before = time.thread_time()
    for part in heard:
        log.execute("BEGIN IMMEDIATE")
        log.executemany("INSERT INTO deliveries VALUES (NULL, ?, ?, ?, ?, ?, ?)", [one[:6] for one, _ in part])
        log.executemany(into, [event_row(events[0]) for _, events in part])
        log.execute("COMMIT")
    spent = time.thread_time() - before
    log.close()
    return spent * 1e6 / count


def event_row(event: Event) -> tuple[Any, ...]:
    assert isinstance(event, Message)
    at_ms, key, name, sender, customer, mode, agent, bot, kind, text, _, evidence, credential, rule = event
    return (
        at_ms,
        *key,
        name,
        "message",
        sender,
        customer,
        agent,
        mode,
        bot,
        evidence,
        rule,
        credential,
        kind,
        None,
        None,
        text,
        480,
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batches", type=int, nargs="*", default=[32, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    without_long_pauses()
    found: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for batch in options.batches:
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault(f"rows, {batch} a commit", []).append(rows(Path(folder), options.messages, batch))
                cost = await messages(Path(folder), options.messages, batch)
                found.setdefault(f"sanfen, {batch} a commit", []).append(cost)
        if options.steps:
            with tempfile.TemporaryDirectory() as folder:
                cost, loop, took = await steps(Path(folder), options.steps)
                found.setdefault("sanfen, a step", []).append(cost)
                found.setdefault("its event loop, a step", []).append(loop)
                found.setdefault("sanfen, 100,000 steps, s", []).append(took * 100_000 / options.steps)
    for name, each in found.items():
        floor = found.get(name.replace("sanfen", "rows"))
        ratio = (
            f"  {statistics.median(each) / statistics.median(floor):5.1f} x rows" if floor and floor is not each else ""
        )
        print(f"{name:26} {statistics.median(each):7.1f}  ({min(each):.1f} to {max(each):.1f}){ratio}")
    if options.out:
        options.out.write_text(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
