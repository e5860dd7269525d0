"""A week of a shop whose people are hard to reach, in virtual time: the real file, engine, store, outbox, stages and senders.

Of every call each fault comes to one in a hundred: a commit is not done, or done and reported as failed; the log cannot be
read; a message comes twice, or up to two minutes late; a robot cannot be connected to, answers 500, 502 or a login page,
refuses a keyword, is silent, is slow, hangs, tells and is reported as failed, or meets a bug; so does the channel's own API.
Robots mute whoever is too loud, and strangers are loud in their groups. Once a day the service stops or dies, a hundred
customers come at once, and on Thursday the file changes and somebody leaves.

Two hours after a conversation is over every step that had come due must have been told, or say why not (``people``).
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.faults import people
from tests.faults.people import Act
from tests.faults.phones import SENDING, Phones
from tests.faults.verdict import Talk, Verdict
from tests.faults.virtual import ONE, VirtualClock, VirtualDatabase, VirtualLoop, commit_fault, every

from sanfen.config.load import Loaded, load
from sanfen.core.events import Escalate, Event, Key, Release, Snooze, Take
from sanfen.engine.chores import Chores
from sanfen.engine.ingest import Engine, Terms
from sanfen.engine.recover import recover
from sanfen.engine.timers import Ticker
from sanfen.errors import StoreError
from sanfen.notify.acting import Acting
from sanfen.notify.worker import Worker
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.store import outbox
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.outbox import Row
from sanfen.wire import read_event

__all__ = ["START_MS", "Week"]

START_MS = 1_790_524_800_000  # 2026-09-28 00:00 in Shanghai, a Monday; Thursday is the National Day
HOUR_MS = 3_600_000
SETTLED_MS = 2 * HOUR_MS
AGENTS = (None, "user:1", "user:2", "user:3", "user:4")  # the last one is nobody of the file


class _Told(Worker):
    """The worker; whom a message is for can be seen where it arrives."""

    async def _send(self, rows: list[Row], way: Any, still: list[Row]) -> str:
        SENDING.set(tuple(rows))
        return await super()._send(rows, way, still)

    async def _call(self, begun: Row, action: Any, way: Any) -> None:
        SENDING.set((begun,))
        await super()._call(begun, action, way)


class _Log(VirtualDatabase):
    """A log that sometimes cannot be read, either."""

    def reader(self) -> Any:
        if self._spoil() == "lost":
            raise StoreError("planted: not read")
        return super().reader()


class Parts(NamedTuple):
    """The service between a start and a stop."""

    db: Database
    engine: Engine
    worker: Worker
    tasks: list["asyncio.Task[Any]"]


class Week:
    """The shop and its customers."""

    def __init__(self, folder: Path, loop: VirtualLoop, seed: int, say: Callable[[str], None]) -> None:
        self.folder, self.loop, self.say = folder, loop, say
        self.clock = VirtualClock(loop, START_MS)
        self.dice = Random(seed)
        self.phones = Phones(self.clock, Random(seed + 1))
        self.phones.on_assigned = self._assigned
        self.plugins = Plugins()
        self.temp = True  # whether the help for the first days is in the file
        self.changed_ms = float("inf")
        self.talks: dict[str, Talk] = {}
        self.counts: Counter[str] = Counter()
        self._parts: Parts | None = None
        self._live: set[asyncio.Task[None]] = set()

    # --- the service

    def _loaded(self) -> Loaded:
        file = self.folder / "sanfen.yaml"
        file.write_text(people.config(self.phones.address, temp=self.temp), encoding="utf-8")
        return load(file)

    def _terms(self, loaded: Loaded) -> Terms:
        zone = loaded.settings.shop.timezone
        return Terms(loaded.policies, loaded.rules, zone, keep_text=True, roster=Roster(loaded.settings, ["desk"]))

    async def start(self) -> None:
        """Put the parts together as ``scoring`` does."""
        loaded = self._loaded()
        terms = self._terms(loaded)
        db = _Log.on(self.loop, self.folder / "log.db", self._spoil)
        ticker = Ticker(self.clock)
        channel = self.plugins.channel(loaded.settings.channels["desk"], "shop")
        acting = Acting({"desk": channel})
        acting._calls.send = self.phones.call  # type: ignore[method-assign]
        notifiers = self.plugins.notifiers(Guard())
        for one in notifiers.values():
            if hasattr(one, "_client"):
                one._client.post = self.phones.post
        worker = _Told(
            db, notifiers, loaded.settings, self.clock, roster=terms.roster, acting=acting,
            link=lambda row, _: f"http://127.0.0.1:8971/act/{row.round}",
        )  # fmt: skip
        engine = Engine(
            db, terms.policies, terms.rules, self.clock, roster=terms.roster, zone=terms.zone,
            on_due=ticker.push, on_escalated=worker.wake,
        )  # fmt: skip
        await self._surely(engine.adopt)
        await self._surely(lambda: asyncio.wrap_future(db.write(lambda c: outbox.release(c, self.clock.now_ms()))))
        await self._surely(partial(recover, db, ticker))
        chores = Chores(db, ticker, self.clock, keep_text_ms=30 * 24 * HOUR_MS)
        tasks = [
            asyncio.create_task(one)
            for one in (ticker.run(engine), worker.run(), every(30, chores.audit),
                        every(3600, chores.forget), every(24 * 3600, chores.upkeep))
        ]  # fmt: skip
        self._parts = Parts(db, engine, worker, tasks)

    async def stop(self, *, dies: bool = False) -> None:
        """The end; ``dies``: also of what is being sent."""
        parts, self._parts = self._parts, None
        assert parts is not None
        doomed = [*parts.tasks, *(parts.worker._busy.values() if dies else ())]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        await parts.worker.close()
        parts.db.close()

    async def reload(self) -> None:
        """Somebody leaves, while messages may be under way."""
        assert self._parts is not None
        self.temp, self.changed_ms = False, self.clock.now_ms()
        loaded = self._loaded()
        terms = self._terms(loaded)
        await self._surely(partial(self._parts.engine.adopt, terms))
        self._parts.worker.adopt(loaded.settings, terms.roster)

    @staticmethod
    async def _surely(job: Callable[[], Any]) -> None:
        while True:
            with suppress(StoreError):
                await job()
                return

    def _spoil(self) -> str | None:
        fault = commit_fault(self.dice)
        self.counts[f"commit: {fault}"] += fault is not None
        return fault

    # --- the customers

    async def run(self, hours: range) -> None:
        """These hours of the week, then quiet until everything is settled and checked."""
        await asyncio.sleep(hours.start * 3600)
        await self.start()
        for hour in hours:
            await self._hour(hour)
            self.check()
            if hour % 24 == 23:
                self.say(f"day {hour // 24 + 1}: {self.counts['rounds']} rounds, {self.counts['steps due']} steps due")
        if self._live:
            await asyncio.wait(self._live)
        await asyncio.sleep(SETTLED_MS / 1000 + 600)
        self.check()
        await self.stop()
        assert not self.phones.broken, self.phones.broken
        assert not self.phones.told, self.phones.told

    async def _hour(self, hour: int) -> None:
        until = self.loop.time() + 3600
        events = [(self.dice.uniform(60, 3500), what) for what in self._plan(hour)]
        for after_s, what in events:
            self.loop.call_later(after_s, self._begin_with, what)
        busy = 8 <= hour % 24 < 23
        while self.loop.time() < until:
            self._begin(self._talk())
            await asyncio.sleep(self.dice.expovariate(1 / (25 if busy else 120)))

    def _plan(self, hour: int) -> list[Callable[[], Any]]:
        """What happens in an hour beside custom."""
        day, hour = divmod(hour, 24)
        found: list[Callable[[], Any]] = []
        if hour in (9, 20):
            found.append(self._rush)
        if hour in (10, 15, 21):
            found.append(self._shouting)
        if hour == (9, 8, 5, 14, 17, 20, 22)[day % 7]:
            found.append(lambda: self._restart(dies=day % 2 == 0))
        if (day, hour) == (3, 13):
            found.append(self.reload)
        return found

    def _begin_with(self, what: Callable[[], Any]) -> None:
        self._begin(what())

    def _begin(self, what: Any) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._live.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._live.discard(task)
        task.result()  # a mistake of the harness is none of the service's

    async def _rush(self) -> None:
        for _ in range(100):
            self._begin(self._talk())

    async def _shouting(self) -> None:
        self.phones.shouted(self.dice.choice(["lead", "lead2", "boss2", "lily"]))

    async def _restart(self, *, dies: bool) -> None:
        await self.stop(dies=dies)
        await asyncio.sleep(30)
        await self.start()

    async def _talk(self) -> None:
        dice, name = self.dice, f"1/{self.counts['talks']}"
        self.counts["talks"] += 1
        talk = self.talks[name] = Talk(name, self.clock.now_ms(), dice.random() < 0.1)
        fields = {"id": f"{name}-q", "from": "customer", "text": "在吗", "agent": dice.choice(AGENTS)}
        asked = asyncio.create_task(self._said(talk, fields | ({"tags": ["vip"]} if talk.vip else {})))
        wait_s = dice.choice([10, 45, 80, 100, 125, 140, 155, 170, 185, 200, 260, 330, 420, 600]) + dice.random()
        acting = asyncio.create_task(self._acts(talk, wait_s))
        if dice.random() < 0.2:
            await asyncio.sleep(2)
            await self._said(talk, {"id": f"{name}-b", "from": "merchant", "mode": "auto", "text": "您好"})
            wait_s -= 2
        await asyncio.sleep(max(wait_s, 1))
        if dice.random() < 0.85:
            talk.answered_ms = talk.answered_first_ms = self.clock.now_ms()
            fields = {"id": f"{name}-m", "from": "merchant", "mode": "human", "agent": "user:1", "text": "在的"}
            await self._said(talk, fields)
            talk.answered_kept_ms = self.clock.now_ms()
        await asyncio.gather(asked, acting)
        talk.over_ms = self.clock.now_ms() + 600_000

    async def _said(self, talk: Talk, fields: dict[str, Any]) -> None:
        """As the channel tells it: until it is acknowledged; sometimes late, sometimes twice."""
        fields |= {"at": self.clock.now_ms(), "conversation": talk.name, "customer": talk.name}
        event = read_event(fields, shop="shop", channel="desk")
        if self.dice.random() < ONE:
            await asyncio.sleep(self.dice.uniform(1, 120))
        if fields["from"] == "merchant" and fields["mode"] == "human":
            talk.answered_first_ms = self.clock.now_ms()
        await self._kept(event, twice=self.dice.random() < ONE)
        if fields["from"] == "customer":
            talk.opened_kept_ms = self.clock.now_ms()

    async def _kept(self, event: Event, *, twice: bool = False) -> None:
        for _ in range(2 if twice else 1):
            while not await self._submit(event):  # noqa: ASYNC110  # a channel's own pause
                await asyncio.sleep(2)
            await asyncio.sleep(0)

    async def _submit(self, event: Event) -> bool:
        if self._parts is None:
            return False
        delivery = Delivery(self.clock.now_ms(), "desk", "in", "POST", "/in/desk", b"")
        with suppress(StoreError):
            await self._parts.engine.submit(delivery, (event,))
            return True
        return False

    async def _acts(self, talk: Talk, wait_s: float) -> None:
        """Somebody takes it, and perhaps hands it back; or lets it rest; or calls for the next step."""
        roll = self.dice.random()
        if roll > 0.35 or wait_s < 20:
            return
        await asyncio.sleep(self.dice.uniform(5, wait_s - 5))
        key, now_ms = Key("shop", "desk", talk.name), self.clock.now_ms()
        if roll < 0.1:
            until_ms = now_ms + self.dice.choice([20_000, 60_000, 120_000])
            await self._acted(
                talk, Act("snooze", now_ms, until_ms), Snooze(now_ms, key, f"{talk.name}-a", "x", until_ms)
            )
        elif roll < 0.15:
            await self._acted(talk, Act("escalate", now_ms), Escalate(now_ms, key, f"{talk.name}-a", "x"))
        else:
            await self._acted(talk, Act("take", now_ms), Take(now_ms, key, f"{talk.name}-a", "x"))
            await asyncio.sleep(self.dice.uniform(1, 90))
            now_ms = self.clock.now_ms()
            if roll < 0.3 and now_ms < talk.answered_ms:
                await self._acted(talk, Act("release", now_ms), Release(now_ms, key, f"{talk.name}-r", "x"))

    async def _acted(self, talk: Talk, act: Act, event: Event) -> None:
        talk.acts.append(act)
        began_ms = self.clock.now_ms()
        await self._kept(event)
        talk.acts_kept &= self.clock.now_ms() - began_ms < 1_000
        talk.heard_ms[act.at_ms] = self.clock.now_ms()

    def _assigned(self, conversation: str, agent: str) -> None:
        """Chatwoot tells whom it gave a conversation to."""
        self.counts["assigned"] += 1
        fields = {
            "id": f"{conversation}-t{self.counts['assigned']}",
            "from": "system",
            "event": "transfer",
            "to": agent,
        }
        self._begin(self._said(self.talks[f"1/{conversation}"], fields))

    def check(self) -> None:
        """Conversations that are over for two hours; then they are forgotten here."""
        now_ms = self.clock.now_ms()
        over = [one for one in self.talks.values() if one.over_ms is not None and one.over_ms + SETTLED_MS <= now_ms]
        verdict = Verdict(self.folder / "log.db", self.phones.told, self.counts, self.changed_ms)
        for talk in over:
            verdict.of(talk)
            del self.talks[talk.name]
        verdict.close()
