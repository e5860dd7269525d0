"""A shop for days of virtual time: the real engine, store, outbox worker and chores, with faults, against the rules.

Customers come at two rounds a second. Of everything that can go wrong, each happens to one in a hundred: a message comes
twice, or up to ten minutes late; a commit fails, or is done and reported as failed; a notice is refused, lost on its way,
told and reported as failed, hangs, or meets a bug. Once a day the service stops and starts again. An hour after a
conversation is over, its rounds must be what the second scorer says, and its steps what plain counting says.
"""

import asyncio
import gc
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests import oracle
from tests.faults.virtual import ONE, VirtualClock, VirtualDatabase, VirtualLoop, commit_fault, every

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.config import presets
from sanfen.config.settings import Person, Settings, Way
from sanfen.core.policy import Ladder, Step
from sanfen.engine.chores import Chores
from sanfen.engine.ingest import Engine
from sanfen.engine.recover import recover
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.notify.worker import Worker
from sanfen.store import projection
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.wire import read_event

__all__ = ["Soak"]

START_MS = 1_772_416_800_000  # 2026-03-02 10:00 in Shanghai, a Monday
DAY_MS = 86_400_000
HOUR_S = 3600
PRESET = "taobao-2022-01"
STEPS = (Step(90_000, ("lead",)), Step(150_000, ("lead", "boss")))
SLACK_MS = 2_000  # how late a step may be when only faults of the store stand in its way
DOWN_S = 30
SETTLED_MS = 3_600_000


class Sent(NamedTuple):
    """A message, and when it was kept."""

    fields: dict[str, Any]
    kept_ms: int


@dataclass
class Talk:
    """One conversation as its customer and the shop know it."""

    name: str
    sent: list[Sent] = field(default_factory=list)
    exact: bool = True  # nothing came late, and no failure was reported that was none: steps can be counted plainly
    over_ms: int | None = None


class People(Notifier):
    """Everybody's telephone, as unreliable as telephones are."""

    name = "soak"

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.told: Counter[tuple[str, str]] = Counter()  # messages that named a round, to each person

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Tell, or fail. Raises DeliveryError, and what a bug raises."""
        roll = self._dice.random() / ONE
        await asyncio.sleep(20 if roll < 1 else self._dice.uniform(0.05, 0.5))
        if roll < 2:
            raise DeliveryError("busy", reason="refused", retryable=True)
        if roll < 3:
            raise DeliveryError("lost", reason="lost", retryable=True, unknown=True)
        if roll < 4:
            raise ZeroDivisionError
        self.told.update((one.round_id, notice.person) for one in notice.waiting)
        if roll < 5:
            raise DeliveryError("answer lost", reason="answer_lost", retryable=True, unknown=True)
        return "told"


class Parts(NamedTuple):
    """The service between a start and a stop."""

    db: Database
    engine: Engine
    ticker: Ticker
    worker: Worker
    chores: Chores
    tasks: list["asyncio.Task[Any]"]


class Soak:
    """The shop. ``rotate_days``: begin a new log after so many days, for runs whose log would fill the disk."""

    def __init__(
        self,
        folder: Path,
        loop: VirtualLoop,
        seed: int,
        *,
        rotate_days: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self.loop = loop
        self.clock = VirtualClock(loop, START_MS)
        self.dice = Random(seed)
        self.rotate_days = rotate_days
        self.say = say  # how far it has come
        self.people = People(Random(seed + 1))
        self.keys = presets.tree(PRESET)
        self.policy = replace(presets.policy(PRESET), ladders=(Ladder("default", STEPS),))
        self.talks: dict[str, Talk] = {}
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.down: list[tuple[int, int]] = []
        self.rss_kib: list[int] = []
        self.latest_ms = 0  # how late the latest step was that nothing but the store's faults held up
        self._parts: Parts | None = None
        self._files = 0
        self._live: set[asyncio.Task[None]] = set()

    # --- the service

    async def start(self) -> None:
        """Put the parts together as ``bootstrap`` does."""
        db = VirtualDatabase.on(self.loop, self.folder / f"log{self._files}.db", lambda: commit_fault(self.dice))
        ticker = Ticker(self.clock)
        people = {name: Person(name, (Way("soak:"),)) for name in ("lead", "boss")}
        worker = Worker(db, {"soak": self.people}, Settings(people=people), self.clock)
        engine = Engine(
            db, (self.policy,), (), self.clock, zone="Asia/Shanghai", on_due=ticker.push, on_escalated=worker.wake
        )
        while True:
            with suppress(StoreError):
                await engine.adopt()
                break
        await recover(db, ticker)
        chores = Chores(db, ticker, self.clock, keep_text_ms=DAY_MS)
        tasks = [
            asyncio.create_task(one)
            for one in (ticker.run(engine), worker.run(), every(30, chores.audit),
                        every(HOUR_S, chores.forget), every(24 * HOUR_S, chores.upkeep))
        ]  # fmt: skip
        self._parts = Parts(db, engine, ticker, worker, chores, tasks)

    async def stop(self) -> None:
        """Everything ends where it stands."""
        parts, self._parts = self._parts, None
        assert parts is not None
        for task in parts.tasks:
            task.cancel()
        await asyncio.gather(*parts.tasks, return_exceptions=True)
        await parts.worker.close()
        parts.db.close()

    async def restart(self) -> None:
        """Stop, be away for half a minute, start."""
        began_ms = self.clock.now_ms()
        await self.stop()
        await asyncio.sleep(DOWN_S)
        await self.start()
        self.down.append((began_ms, self.clock.now_ms() + SLACK_MS))

    # --- the customers

    async def run(self, hours: float) -> None:
        """So many hours of custom, then quiet until everything is settled and checked."""
        await self.start()
        for hour in range(1, max(1, round(hours)) + 1):
            await self._custom(min(hours, 1.0) * HOUR_S)
            if hour == 1 or hour % 24 == 0:
                await self.restart()
            self.check(self.clock.now_ms())
            if hour % 6 == 0:
                self.say(f"hour {hour}: {self.counts['rounds']} rounds right, {self.rss_kib[-1]} KiB")
            if self.rotate_days and hour % (24 * self.rotate_days) == 0:
                await self._rotate()
        await self._quiet()
        await self.stop()

    async def _custom(self, seconds: float) -> None:
        until = self.loop.time() + seconds
        while self.loop.time() < until:
            self.counts["talks"] += 1
            talk = Talk(f"c{self.counts['talks']}")
            self.talks[talk.name] = talk
            task = asyncio.create_task(self._talk(talk))
            self._live.add(task)
            task.add_done_callback(self._live.discard)
            await asyncio.sleep(self.dice.expovariate(1 / 0.7))  # one round and a half to a conversation

    async def _quiet(self) -> None:
        if self._live:
            await asyncio.wait(self._live)
        await asyncio.sleep(1.2 * HOUR_S)
        self.check(self.clock.now_ms())
        self._check_totals()

    async def _rotate(self) -> None:
        await self._quiet()
        await self.stop()
        for file in self.folder.glob("log*"):
            file.unlink()
        self._files += 1
        self.outcomes.clear()
        await self.start()

    async def _talk(self, talk: Talk) -> None:
        dice, number = self.dice, 0
        sending = []

        def say(sender: str, **more: Any) -> None:
            nonlocal number
            fields = {
                "id": f"{talk.name}-{number}",
                "at": self.clock.now_ms(),
                "from": sender,
                "conversation": talk.name,
            }
            number += 1
            sending.append(asyncio.create_task(self._deliver(talk, fields | more)))

        for _ in range(dice.choice([1, 2])):
            say("customer", text="在吗")
            wait = dice.choice([5, 20, 60, 100, 140, 170, 179, 180, 181, 300, 500]) + dice.random() * dice.choice(
                [0, 1, 30]
            )
            if dice.random() < 0.2:
                await asyncio.sleep(min(2.0, wait))
                say("merchant", mode=dice.choice(["auto", "bot"]), bot="leyan")
            if dice.random() < 0.3:
                await asyncio.sleep(wait / 2)
                say("customer", text="?")
            await asyncio.sleep(wait)
            if dice.random() < 0.1:
                break  # never answered
            say("merchant", mode="human", agent=dice.choice(["lily", "amy"]), text="亲")
            await asyncio.sleep(dice.uniform(1, 120))
        await asyncio.wait(sending)
        talk.over_ms = self.clock.now_ms()

    async def _deliver(self, talk: Talk, fields: dict[str, Any]) -> None:
        """As a channel does: until it is acknowledged; sometimes late, sometimes twice."""
        event = read_event(fields, shop="shop", channel="desk")
        if self.dice.random() < ONE:
            talk.exact = False
            await asyncio.sleep(self.dice.uniform(0, 600))
        for _ in range(2 if self.dice.random() < ONE else 1):
            while not await self._submit(event):
                talk.exact = False  # an answer that was lost may have been a commit
                await asyncio.sleep(2)
            await asyncio.sleep(0)
        talk.sent.append(Sent(fields, self.clock.now_ms()))

    async def _submit(self, event: Any) -> bool:
        if self._parts is None:
            return False
        delivery = Delivery(self.clock.now_ms(), "desk", "in", "POST", "/in/desk", b"")
        self.counts["deliveries"] += 1
        try:
            await self._parts.engine.submit(delivery, (event,))
        except StoreError:
            self.counts["refused"] += 1
            return False
        return True

    # --- what must hold

    def check(self, now_ms: int) -> None:
        """Conversations that are over for an hour, against the rules; then they are forgotten here."""
        assert self._parts is not None
        over = [
            talk for talk in self.talks.values() if talk.over_ms is not None and talk.over_ms + SETTLED_MS <= now_ms
        ]
        connection = self._parts.db.reader()
        try:
            for talk in over:
                self._check_talk(connection, talk, now_ms)
                del self.talks[talk.name]
        finally:
            connection.close()
        gc.collect()
        with Path("/proc/self/statm").open(encoding="ascii") as facts:
            self.rss_kib.append(int(facts.read().split()[1]) * 4)

    def _check_talk(self, connection: Any, talk: Talk, now_ms: int) -> None:
        log = sorted((one.fields for one in talk.sent), key=lambda fields: fields["at"])
        wanted = oracle.score(self.keys, log, as_of=now_ms).rounds
        rows = connection.execute(
            "SELECT id, opened_ms, status, reason, wait_ms, messages, agent, due_ms, evidence FROM round_rows WHERE score_set = 'live' "
            "AND policy = ? AND shop = 'shop' AND channel = 'desk' AND conversation = ? ORDER BY opened_ms",
            (self.policy.id, talk.name),
        ).fetchall()
        found = [oracle.Row._make((talk.name, *row[1:-1], tuple(json.loads(row[-1])))) for row in map(tuple, rows)]
        assert found == wanted, f"{talk}\nthe service: {found}\nthe rules: {wanted}"
        self.counts["rounds"] += len(found)
        self.outcomes.update(one.status for one in wanted)
        for name, one in zip([row[0] for row in rows], wanted, strict=True):
            self._check_steps(connection, talk, name, one)

    def _check_steps(self, connection: Any, talk: Talk, name: str, one: oracle.Row) -> None:
        told = connection.execute(
            "SELECT step, person, state, due_ms, created_ms FROM outbox WHERE round = ?", (name,)
        ).fetchall()
        for person in sorted({row[1] for row in told}):
            states = [row[2] for row in told if row[1] == person]
            heard = self.people.told.pop((name, person), 0)
            assert set(states) <= {"told", "unsure", "inhibited"}, (talk, person, states)
            assert heard <= 2 * len(states), (talk, person, heard)
            assert heard or "told" not in states, (talk, person)
            for state in states:
                nobody = "" if heard or state == "inhibited" else ", nobody told"
                self.counts[f"steps {state}{nobody}"] += 1
        if not talk.exact:
            return
        enqueued = {(row[0], row[1]): row[4] - row[3] for row in told}
        for step, due_ms, must in self._due(talk, one):
            for person in STEPS[step].notify:
                late_ms = enqueued.get((step, person))
                assert (late_ms is not None) == must, f"step {step} for {person} of {one}: {late_ms}\n{talk}"
                if late_ms is not None and not any(start <= due_ms <= end for start, end in self.down):
                    self.latest_ms = max(self.latest_ms, late_ms)
                    assert late_ms <= SLACK_MS, f"step {step} of {one} was {late_ms} ms late\n{talk}"
                self.counts["steps"] += must

    def _due(self, talk: Talk, one: oracle.Row) -> Iterator[tuple[int, int, bool]]:
        """Each step of a round that can be counted plainly, its instant, and whether it must have been told."""
        minute = (one.opened_ms // 60_000 + 480) % 1440  # in Shanghai
        if not 480 <= minute < 1430:  # what happens by night is the scores' business
            return
        kept = {sent.fields["at"]: sent.kept_ms for sent in talk.sent}
        until_ms = math.inf if one.wait_ms is None else one.opened_ms + one.wait_ms
        # A reply ends the round; of one that a bot excused nobody is told.
        quiet = [
            sent.fields["at"]
            for sent in talk.sent
            if one.opened_ms <= sent.fields["at"] < until_ms and sent.fields.get("mode") == "bot"
        ]
        quiet += [] if one.wait_ms is None else [one.opened_ms + one.wait_ms]
        for step, due_ms in ((number, one.opened_ms + step.at_ms) for number, step in enumerate(STEPS)):
            if all(min(at_ms, kept[at_ms]) > due_ms + SLACK_MS for at_ms in quiet):
                yield step, due_ms, True
            elif any(max(at_ms, kept[at_ms]) < due_ms for at_ms in quiet):
                yield step, due_ms, False

    def _check_totals(self) -> None:
        """The roll-ups add up to what the rules counted, and to their rounds."""
        assert self._parts is not None
        connection = self._parts.db.reader()
        try:
            sums = ", ".join(f"sum({name})" for name in ("met", "late", "missed", "pending", "excluded"))
            row = connection.execute(f"SELECT {sums} FROM rate_hours WHERE score_set = 'live'").fetchone()
            drift = projection.drift(connection)
        finally:
            connection.close()
        found: Mapping[str, int] = dict(zip(("met", "late", "missed", "pending", "excluded"), row, strict=True))
        assert {name: count for name, count in found.items() if count} == dict(self.outcomes)
        assert drift == 0
