"""Deliveries in, journal and projection out, in one transaction of the writer thread.

Everything here but ``submit`` and ``tick`` runs in the writer thread, one job at a time, so conversations need no locks.
A conversation's state is what folding its journal gives; the cache only saves the folding. Whatever does not come in
order (a late message, a tag that changes closed rounds, a message from before a settled midnight) is journaled and its
conversation is folded again from the journal, which is also how state is found after a restart.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog

from sanfen.clock import Clock
from sanfen.core.classify import Rule, classify
from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.effects import Effect, Escalated, Judged, Opened, Scored, Tagged
from sanfen.core.events import Event, Key, Message, Sender, Store
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.core.rounds import advance, tick
from sanfen.core.score import score
from sanfen.log import Throttle
from sanfen.store import journal, outbox, projection
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.projection import LIVE

__all__ = ["Engine", "Receipt"]

_AHEAD_MS = 5 * 60_000  # an event from further in the future than this carries a wrong clock
_CACHED = 50_000  # conversations kept in memory

_log = structlog.get_logger("sanfen.engine")


class Receipt(NamedTuple):
    """What a committed delivery came to."""

    new: int
    duplicates: int


class _Live:
    """One conversation in memory: a state for each policy."""

    __slots__ = ("floor_ms", "now_ms", "states")

    def __init__(self, states: list[Conversation]) -> None:
        self.states = states
        self.now_ms = -NEVER  # how far time has come for it
        self.floor_ms = -NEVER  # an event before this needs a refold

    @property
    def next_ms(self) -> int:
        return min(state.next_ms for state in self.states)

    def due(self, key: Key) -> list[tuple[int, Key]]:
        """What to remember: when the conversation has something due next, if it has."""
        return [] if self.next_ms == NEVER else [(self.next_ms, key)]


class _Applied(NamedTuple):
    receipt: Receipt
    due: list[tuple[int, Key]]
    escalated: bool


class Engine:
    """The service's own scoring: takes deliveries, keeps rounds, says what is due."""

    def __init__(
        self,
        db: Database,
        policies: Sequence[Policy],
        rules: tuple[Rule, ...],
        clock: Clock,
        *,
        keep_text: bool = True,
        on_due: Callable[[int, Key], None] = lambda _due_ms, _key: None,
        on_escalated: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._plans: list[Plan] = [plan_of(policy) for policy in policies]
        self._rules = rules
        self._clock = clock
        self._keep_text = keep_text
        self._throttle = Throttle()
        self._on_due = on_due
        self._on_escalated = on_escalated
        self._cache: OrderedDict[Key, _Live] = OrderedDict()
        self.failed = 0  # events that are journaled but could not be scored
        db.on_rollback(self._cache.clear)

    # --- on the event loop ---

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Journal a delivery and let the core see its events; resolves after the commit. Raises StoreError in it."""
        job = self._db.write(lambda connection: self._apply(connection, delivery, events))
        return asyncio.ensure_future(self._finish(asyncio.wrap_future(job)))

    async def tick(self, keys: Iterable[Key]) -> None:
        """Let the time that has passed be seen by these conversations."""
        due = list(keys)
        applied = await asyncio.wrap_future(self._db.write(lambda connection: self._tick(connection, due)))
        self._tell(applied)

    async def _finish(self, job: "asyncio.Future[_Applied]") -> Receipt:
        applied = await job
        self._tell(applied)
        return applied.receipt

    def _tell(self, applied: _Applied) -> None:
        for due_ms, key in applied.due:
            self._on_due(due_ms, key)
        if applied.escalated:
            self._on_escalated()

    # --- in the writer thread ---

    def _apply(self, connection: sqlite3.Connection, delivery: Delivery, events: Sequence[Event]) -> _Applied:
        known = [self._prepared(connection, event, delivery.received_ms) for event in events]
        fresh = [event for _, event in journal.append(connection, delivery, known, keep_text=self._keep_text)]
        due: list[tuple[int, Key]] = []
        escalated = False
        for event in fresh:
            connection.execute("SAVEPOINT project")
            try:
                touched, told = self._project(connection, event)
            except Exception:  # whatever it is, the event stays and the chat goes on
                # Its conversation is folded again from the journal when next touched.
                connection.execute("ROLLBACK TO project")
                self._cache.pop(event.key, None)
                self.failed += 1
                if self._throttle.take("not scored", delivery.received_ms) is not None:
                    _log.exception("event journaled but not scored", channel=event.key.channel, event_id=event.id)
                touched, told = [], False
            connection.execute("RELEASE project")
            due += touched
            escalated |= told
        return _Applied(Receipt(len(fresh), len(events) - len(fresh)), due, escalated)

    def _prepared(self, connection: sqlite3.Connection, event: Event, received_ms: int) -> Event:
        """The event classified, its conversation in memory; one from the far future gets the time of receipt."""
        if event.at_ms > received_ms + _AHEAD_MS:
            swallowed = self._throttle.take(event.key.channel, received_ms)
            if swallowed is not None:  # a sender's wrong clock must not fill the disk
                _log.warning(
                    "time lies in the future: using the receipt", channel=event.key.channel, more_like_it=swallowed
                )
            event = event._replace(at_ms=received_ms)
        if isinstance(event, Store):
            return event
        asked_ms = self._load(connection, event.key).states[0].last_customer_ms
        if isinstance(event, Message) and event.sender == Sender.merchant and self._rules:
            return classify(event, self._rules, None if asked_ms is None else event.at_ms - asked_ms)
        return event

    def _project(self, connection: sqlite3.Connection, event: Event) -> tuple[list[tuple[int, Key]], bool]:
        if isinstance(event, Store):
            return self._store_changed(connection, event)
        live = self._cache.get(event.key)
        if live is None or event.at_ms < live.floor_ms:  # a late event changes what came after it
            return self._refold(connection, event.key, event.at_ms)
        live.now_ms = max(live.now_ms, event.at_ms)
        effects = [advance(state, event, plan) for state, plan in zip(live.states, self._plans, strict=True)]
        if any(self._changes_closed(plan, found) for plan, found in zip(self._plans, effects, strict=True)):
            return self._refold(connection, event.key, event.at_ms)
        live.floor_ms = _floor(live.states)
        return self._save(connection, event.key, live, effects)

    @staticmethod
    def _changes_closed(plan: Plan, effects: list[Effect]) -> bool:
        return bool(plan.left_out_tags) and any(type(effect) is Tagged for effect in effects)

    def _save(
        self, connection: sqlite3.Connection, key: Key, live: _Live, effects: list[list[Effect]]
    ) -> tuple[list[tuple[int, Key]], bool]:
        escalated = False
        for state, plan, found in zip(live.states, self._plans, effects, strict=True):
            changed: dict[str, Round] = {one.id: one for one in state.rounds}
            for effect in found:
                if isinstance(effect, (Opened, Scored)):
                    changed[effect.round.id] = effect.round
                elif isinstance(effect, Judged):
                    projection.save_verdict(connection, LIVE, plan.policy, effect)
                elif isinstance(effect, Escalated):
                    escalated |= outbox.enqueue(connection, effect, plan.policy.id, self._clock.now_ms()) > 0
            for one in changed.values():
                projection.save_round(connection, LIVE, one, score(one, plan, live.now_ms), plan)
        return live.due(key), escalated

    def _refold(self, connection: sqlite3.Connection, key: Key, at_ms: int) -> tuple[list[tuple[int, Key]], bool]:
        """Fold the conversation again from its journal and replace its rows."""
        before = self._cache.pop(key, None)
        live, folds = self._fold(connection, key)
        live.now_ms = max(live.now_ms, at_ms, before.now_ms if before else at_ms)
        self._remember(key, live)
        escalated = False
        for (effects, fold), plan in zip(folds, self._plans, strict=True):
            more = fold.wait(live.now_ms)
            projection.drop_conversation(connection, LIVE, plan.policy.id, key)
            for one, outcome in fold.rounds(live.now_ms):
                projection.save_round(connection, LIVE, one, outcome, plan)
            for effect in effects + more:
                if isinstance(effect, Judged):
                    projection.save_verdict(connection, LIVE, plan.policy, effect)
                elif isinstance(effect, Escalated) and effect.round.answerable:
                    # Steps of rounds answered meanwhile are not told late.
                    escalated |= outbox.enqueue(connection, effect, plan.policy.id, self._clock.now_ms()) > 0
        live.floor_ms = _floor(live.states)
        return live.due(key), escalated

    def _tick(self, connection: sqlite3.Connection, keys: list[Key]) -> _Applied:
        now_ms = self._clock.now_ms()
        due: list[tuple[int, Key]] = []
        escalated = False
        for key in keys:
            live = self._load(connection, key)
            if live.next_ms > now_ms:
                due += live.due(key)
                continue
            live.now_ms = max(live.now_ms, now_ms)
            effects = [tick(state, now_ms, plan) for state, plan in zip(live.states, self._plans, strict=True)]
            live.floor_ms = _floor(live.states)
            touched, told = self._save(connection, key, live, effects)
            due += touched
            escalated |= told
        return _Applied(Receipt(0, 0), due, escalated)

    def _store_changed(self, connection: sqlite3.Connection, event: Store) -> tuple[list[tuple[int, Key]], bool]:
        """The shop's state holds for all its conversations: those still open, and those it reaches back to."""
        due: list[tuple[int, Key]] = []
        escalated = False
        for key in projection.conversations_since(connection, LIVE, event.key.shop, event.at_ms):
            touched, told = self._refold(connection, key, event.at_ms)
            due += touched
            escalated |= told
        for key in [key for key in self._cache if key.shop == event.key.shop]:
            if all(not state.rounds for state in self._cache[key].states):
                del self._cache[key]  # folded again, with the new state, when it is next heard from
        return due, escalated

    def _load(self, connection: sqlite3.Connection, key: Key) -> _Live:
        live = self._cache.get(key)
        if live is None:
            live, _ = self._fold(connection, key)
            self._remember(key, live)
        else:
            self._cache.move_to_end(key)
        return live

    def _remember(self, key: Key, live: _Live) -> None:
        self._cache[key] = live
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)

    def _fold(self, connection: sqlite3.Connection, key: Key) -> tuple[_Live, list[tuple[list[Effect], Fold]]]:
        events = journal.read(connection, key)
        folds: list[tuple[list[Effect], Fold]] = []
        for plan in self._plans:
            fold = Fold(Conversation(key), plan)
            effects = [effect for event in events for effect in fold.feed(event)]
            folds.append((effects, fold))
        live = _Live([fold.state for _, fold in folds])
        live.now_ms = max((event.at_ms for event in events), default=-NEVER)
        live.floor_ms = _floor(live.states)
        return live, folds


def _floor(states: list[Conversation]) -> int:
    return max(max(state.settled_ms, -NEVER if state.last_ms is None else state.last_ms) for state in states)
