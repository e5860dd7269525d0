"""Thirty days of a shop's talk before the demo begins: the same dice for the same day, scored by the real engine."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sanfen.bulk.rescore import Rescore, seldom_collected
from sanfen.bulk.save import Saver
from sanfen.config.load import Loaded
from sanfen.core.effects import Escalated
from sanfen.core.events import Event, Evidence, Key, Message, Mode, Order, Take, Transfer
from sanfen.core.plan import plan_of
from sanfen.demo import script
from sanfen.notify.ways import shown_way
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.store import outbox
from sanfen.store.db import Database
from sanfen.store.outbox import Transition
from sanfen.store.projection import LIVE

__all__ = ["CHANNEL", "DAYS", "SHOP", "Waiting", "fill"]

SHOP, CHANNEL = "flagship", "taobao"
DAYS = 30
_SEED = 3
_DAY_S = 86_400
_AGES_S = (166, 139, 117, 95, 73, 51, 34, 18, 6)  # how long those who wait at the beginning have waited
_QUIET_MS = 1_500_000  # nobody comes so shortly before the beginning but those
_BAD_DAYS_AGO = 9  # an evening on which half the desk was away


class Waiting(NamedTuple):
    """A customer who waits when the demo begins, and the agent who holds the conversation."""

    customer: str
    agent: script.Agent
    asked_ms: int


def fill(path: Path, loaded: Loaded, now_ms: int) -> list[Waiting]:
    """Write the days before ``now_ms`` into a new log, and return who waits then."""
    settings, plans = loaded.settings, [plan_of(policy) for policy in loaded.policies]
    past = _Past(ZoneInfo(settings.shop.timezone), now_ms)
    steps: list[Escalated] = []
    saver = Saver(path, plans, settings.shop.timezone, LIVE)
    rescore = Rescore(
        plans,
        rules=loaded.rules,
        on_round=saver.round,
        on_verdict=saver.verdict,
        on_event=saver.event,
        on_step=lambda _, step: steps.append(step),
    )
    with seldom_collected():
        for _ in rescore.feed(sorted(past.events(), key=lambda event: event.at_ms)):
            pass
        rescore.finish(now_ms)
    saver.close()
    db = Database.open(path)
    try:
        db.write(lambda connection: _tell(connection, steps, loaded, now_ms)).result()
    finally:
        db.close()
    return past.waiting


def _tell(connection: sqlite3.Connection, steps: Sequence[Escalated], loaded: Loaded, now_ms: int) -> None:
    """What the notifier would have written when the steps were due."""
    dice, settings, policy = Random(_SEED), loaded.settings, loaded.policies[0].id
    roster, notifiers = Roster(settings), Plugins().notifiers()
    ways = {name: shown_way(notifiers, person.ways[0]) for name, person in settings.people.items()}
    asked = [
        outbox.asked(step, policy, roster.told(step.notify, step.round.agent, step.at_ms), step.at_ms) for step in steps
    ]
    outbox.enqueue(connection, asked)
    rows = outbox.begin(connection, outbox.claim(connection, now_ms, len(steps) * 2, 0))
    for row in rows:
        took_ms = dice.randrange(120, 900)
        at_ms = row.due_ms + took_ms
        if dice.random() < 0.02:
            end, result, answer = Transition("failed", 0, 0, at_ms, "limited"), "refused", "429 too many messages"
        else:
            end, result, answer = Transition("told", 0, 0, at_ms, None), "told", "200 OK"
        outbox.record(
            connection, [(row, end)], now_ms=at_ms, way=ways[row.person], result=result, answer=answer, took_ms=took_ms
        )


class _Past:
    """Makes the events, and knows who waits at the end."""

    def __init__(self, zone: ZoneInfo, now_ms: int) -> None:
        self._zone = zone
        self._now_ms = now_ms
        self._today = datetime.fromtimestamp(now_ms / 1000, zone).date()
        self._dice = Random(f"{_SEED} {self._today.isoformat()}")
        self._number = 0
        self.waiting: list[Waiting] = []

    def events(self) -> Iterator[Event]:
        """In no order."""
        for ago in range(DAYS, -1, -1):
            day = self._today - timedelta(days=ago)
            for second in script.visits(day.weekday(), self._dice):
                at_ms = self._ms(day, second)
                if at_ms < self._now_ms - _QUIET_MS:
                    slower = script.rush(second // 3600) * (1.5 if ago == _BAD_DAYS_AGO and second > 19 * 3600 else 1)
                    yield from self._visit(at_ms, slower, is_night=second < 8 * 3600)
        for age_s in _AGES_S:
            yield from self._wait(self._now_ms - age_s * 1000)

    def _ms(self, day: date, second: int) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp() + second) * 1000

    def _visit(self, at_ms: int, slower: float, *, is_night: bool) -> Iterator[Event]:
        """One customer: questions, nudges, a greeting, a bot's word, answers, perhaps an order."""
        dice, kind = self._dice, script.customer_type(self._dice)
        key = self._key()
        agent = dice.choices(script.AGENTS, [one.share for one in script.AGENTS])[0]
        yield self._ask(at_ms, key, dice.choice(script.QUESTIONS), kind)
        yield self._reply(at_ms + 1000, key, script.GREETING, Mode.auto, agent)
        answered = False
        for turn in range(dice.choice((1, 1, 2, 2, 3))):
            if turn:
                at_ms += round(dice.uniform(60, 400) * 1000)
                yield self._ask(at_ms, key, dice.choice(script.QUESTIONS), kind)
            luck = dice.random()
            if is_night or luck < 0.05:
                yield self._reply(at_ms + 2000, key, script.BOT_SAYS, Mode.bot, agent, script.BOT)
                if is_night or luck < 0.02:
                    return
            if luck > 0.985:
                other = dice.choice(script.AGENTS)
                yield Transfer(at_ms + 15_000, key, self._id("t"), agent.name, other.name)
                agent = other
            wait_ms = round(script.think_s(agent, dice, slower) * 1000)
            yield from self._nudges(at_ms, wait_ms, key, kind)
            if 0.05 < luck < 0.058:
                return  # nobody ever answers
            at_ms += wait_ms
            mode, bot = script.written(dice)
            yield self._reply(at_ms, key, dice.choice(script.ANSWERS), mode, agent, bot)
            answered = True
        if answered and dice.random() < 0.3:
            yield from self._order(at_ms, key)

    def _nudges(self, at_ms: int, wait_ms: int, key: Key, kind: str) -> Iterator[Event]:
        nudge_ms, dice = at_ms, self._dice
        for _ in range(dice.choice((0, 0, 1, 2))):
            nudge_ms += dice.randrange(15_000, 70_000)
            if nudge_ms < at_ms + wait_ms:
                yield self._ask(nudge_ms, key, dice.choice(script.FOLLOW_UPS), kind)
        if wait_ms > 150_000 and dice.random() < 0.4:
            yield Take(at_ms + 95_000 + dice.randrange(40_000), key, self._id("a"), "值班组长")

    def _order(self, at_ms: int, key: Key) -> Iterator[Event]:
        name, amount = self._id("o"), self._dice.randrange(1_900, 60_000)
        at_ms += self._dice.randrange(60_000, 900_000)
        yield Order(at_ms, key, self._id("e"), name, "created", amount)
        if self._dice.random() < 0.8:
            yield Order(at_ms + self._dice.randrange(20_000, 300_000), key, self._id("e"), name, "paid", amount)

    def _wait(self, at_ms: int) -> Iterator[Event]:
        """Somebody who has not been answered when the demo begins."""
        key, agent = self._key(), self._dice.choice(script.AGENTS)
        self.waiting.append(Waiting(key.conversation, agent, at_ms))
        yield self._ask(at_ms, key, self._dice.choice(script.QUESTIONS), "buyer")
        yield self._reply(at_ms + 1000, key, script.GREETING, Mode.auto, agent)

    def _key(self) -> Key:
        return Key(SHOP, CHANNEL, script.customer_name(self._dice))

    def _id(self, letter: str) -> str:
        self._number += 1
        return f"{letter}h{self._number}"

    def _ask(self, at_ms: int, key: Key, text: str, kind: str) -> Message:
        return Message(at_ms, key, self._id("c"), "customer", key.conversation, customer_type=kind, text=text)

    def _reply(
        self, at_ms: int, key: Key, text: str, mode: Mode, agent: script.Agent, bot: str | None = None
    ) -> Message:
        return Message(
            at_ms, key, self._id("m"), "merchant", key.conversation,
            mode=mode, agent=agent.name, bot=bot, text=text, evidence=Evidence.field,
        )  # fmt: skip
