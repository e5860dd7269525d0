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
from dataclasses import replace
from typing import NamedTuple

import structlog

from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.core.classify import Rule, classify
from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.effects import Effect, Escalated, Judged, Opened, Scored, Tagged
from sanfen.core.events import Event, Key, Message, Order, Sender, Store
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.core.rounds import advance, tick
from sanfen.core.score import Score, score
from sanfen.log import Throttle
from sanfen.roster import Roster
from sanfen.store import journal, orders, outbox, projection
from sanfen.store import policies as versions
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.projection import LIVE

__all__ = ["Engine", "Receipt", "Terms"]

_AHEAD_MS = 5 * 60_000  # an event from further in the future than this carries a wrong clock
_CACHED = 50_000  # conversations kept in memory

_log = structlog.get_logger("sanfen.engine")


class Receipt(NamedTuple):
    """What a delivery came to. ``aside``: it is safe outside the journal, where duplicates cannot be told yet."""

    new: int
    duplicates: int
    aside: bool = False


class Terms(NamedTuple):
    """What a configuration tells the engine."""

    policies: tuple[Policy, ...]
    rules: tuple[Rule, ...]
    zone: str
    keep_text: bool
    roster: Roster


class _Version(NamedTuple):
    """A policy's version, and the span in which rounds open under it."""

    plan: Plan
    since_ms: int = -NEVER
    until_ms: int = NEVER

    def holds(self, at_ms: int) -> bool:
        return self.since_ms <= at_ms < self.until_ms


class _Run(NamedTuple):
    """A conversation under one version."""

    version: _Version
    state: Conversation


class _Live:
    """One conversation in memory, under every version that can still change a round of it."""

    __slots__ = ("floor_ms", "left_ms", "now_ms", "runs")

    def __init__(self, runs: list[_Run], left_ms: int) -> None:
        self.runs = runs
        self.left_ms = left_ms  # an event before this may belong to a version that is not among the runs
        self.now_ms = -NEVER  # how far time has come for it
        self.floor_ms = -NEVER  # an event before this needs a refold

    @property
    def next_ms(self) -> int:
        return min(run.state.next_ms for run in self.runs)

    def due(self, key: Key) -> list[tuple[int, Key]]:
        """What to remember: when the conversation has something due next, if it has."""
        return [] if self.next_ms == NEVER else [(self.next_ms, key)]

    def settle(self) -> None:
        """Raise the floor to what the runs have seen, and let go of old versions that have nothing open."""
        states = [run.state for run in self.runs]
        seen_ms = max(max(one.settled_ms, -NEVER if one.last_ms is None else one.last_ms) for one in states)
        kept = []
        for run in self.runs:
            if run.version.until_ms == NEVER or run.state.rounds or run.state.held:
                kept.append(run)
            else:
                self.left_ms = max(self.left_ms, run.version.until_ms)
        self.runs, self.floor_ms = kept, max(seen_ms, self.left_ms)


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
        roster: Roster | None = None,
        zone: str = "UTC",
        keep_text: bool = True,
        on_due: Callable[[int, Key], None] = lambda _due_ms, _key: None,
        on_escalated: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._policies = tuple(policies)
        self._versions = [_Version(plan_of(policy)) for policy in policies]
        self._rules = rules
        self._clock = clock
        self._roster = roster or Roster(Settings())
        self._zone = zone
        self._keep_text = keep_text
        self._throttle = Throttle()
        self._on_due = on_due
        self._on_escalated = on_escalated
        self._cache: OrderedDict[Key, _Live] = OrderedDict()
        self._unscored: set[Key] = set()  # conversations whose rows may lack an event
        self.failed = 0  # events that are journaled but could not be scored
        db.on_rollback(self._cache.clear)

    # --- on the event loop ---

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Journal a delivery and let the core see its events; resolves after the commit. Raises StoreError in it."""
        job = self._db.write(lambda connection: self._apply(connection, delivery, events))
        return asyncio.ensure_future(self._finish(asyncio.wrap_future(job)))

    async def adopt(self, terms: Terms | None = None) -> None:
        """Note the policies in force, and keep those that open rounds still belong to. Call once, before traffic.

        With ``terms``: go over to them, between two deliveries. Raises StoreError.
        """
        await asyncio.wrap_future(self._db.write(lambda connection: self._adopt(connection, terms)))

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
        fresh = [
            event
            for _, event in journal.append(connection, delivery, known, keep_text=self._keep_text, zone=self._zone)
        ]
        due: list[tuple[int, Key]] = []
        escalated = False
        for event in fresh:
            connection.execute("SAVEPOINT project")
            try:
                touched, told = self._project(connection, event)
            except Exception:  # whatever it is, the event stays and the chat goes on
                # Its conversation is folded again from the journal, and its rows compared, when it is next heard from.
                connection.execute("ROLLBACK TO project")
                if isinstance(event, Store):  # it may have been given to several
                    self._cache.clear()
                self._cache.pop(event.key, None)
                self._unscored.add(event.key)
                self.failed += 1
                if self._throttle.take("not scored", delivery.received_ms) is not None:
                    _log.exception("event journaled but not scored", channel=event.key.channel, event_id=event.id)
                touched, told = [], False
            connection.execute("RELEASE project")
            due += touched
            escalated |= told
        return _Applied(Receipt(len(fresh), len(events) - len(fresh)), due, escalated)

    def _adopt(self, connection: sqlite3.Connection, terms: Terms | None) -> None:
        if terms is not None:
            self._policies, self._rules, self._zone, self._keep_text, self._roster = terms
        versions.remember(connection, LIVE, self._policies, self._clock.now_ms())
        projection.let_go(connection, LIVE, [policy.id for policy in self._policies])
        found: list[_Version] = []
        for policy in self._policies:
            known = versions.epochs(connection, LIVE, policy.id)
            ends = [epoch.since_ms for epoch in known[1:]] + [NEVER]
            for (since_ms, old), until_ms in zip(known, ends, strict=True):
                used = policy if until_ms == NEVER else replace(old, ladders=policy.ladders)
                found.append(_Version(plan_of(used), since_ms or -NEVER, until_ms))
        self._versions = found
        self._cache.clear()

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
        asked_ms = self._load(connection, event.key).runs[-1].state.last_customer_ms
        if isinstance(event, Message) and event.sender == Sender.merchant and self._rules:
            return classify(event, self._rules, None if asked_ms is None else event.at_ms - asked_ms)
        return event

    def _project(self, connection: sqlite3.Connection, event: Event) -> tuple[list[tuple[int, Key]], bool]:
        if isinstance(event, Store):
            return self._store_changed(connection, event)
        live = self._cache.get(event.key)
        late = live is None or event.at_ms < live.floor_ms or event.key in self._unscored
        if isinstance(event, Order) or (late and orders.has(connection, event.key)):
            orders.save(connection, event.key, self._zone)
        if live is None or late:  # it changes what came after it
            touched = self._refold(connection, event.key, event)
            self._unscored.discard(event.key)
            return touched
        live.now_ms = max(live.now_ms, event.at_ms)
        effects = [(run, advance(run.state, event, run.version.plan)) for run in live.runs]
        if any(run.version.plan.left_out_tags and _tagged(found) for run, found in effects):
            return self._refold(connection, event.key, event)
        return self._save(connection, event.key, live, effects)

    def _save(
        self, connection: sqlite3.Connection, key: Key, live: _Live, effects: list[tuple[_Run, list[Effect]]]
    ) -> tuple[list[tuple[int, Key]], bool]:
        escalated = False
        for (version, state), found in effects:
            plan = version.plan
            changed: dict[str, Round] = {one.id: one for one in state.rounds}
            for effect in found:
                if isinstance(effect, (Opened, Scored)):
                    changed[effect.round.id] = effect.round
            for one in changed.values():
                if version.holds(one.opened_ms):
                    projection.save_round(connection, LIVE, one, score(one, plan, live.now_ms), plan)
            escalated |= self._carry_out(connection, version, found)
        live.settle()
        return live.due(key), escalated

    def _carry_out(
        self, connection: sqlite3.Connection, version: _Version, effects: Iterable[Effect], *, open_only: bool = False
    ) -> bool:
        """Keep verdicts, put escalations in the outbox; whether there was one. ``open_only``: of answered rounds none."""
        escalated, policy = False, version.plan.policy
        for effect in effects:
            if isinstance(effect, Judged) and version.holds(effect.message.at_ms):
                projection.save_verdict(connection, LIVE, policy, effect)
            elif not isinstance(effect, Escalated) or not version.holds(effect.round.opened_ms):
                continue
            elif effect.round.answerable or not open_only:
                escalated |= self._enqueue(connection, effect, policy.id) > 0
        return escalated

    def _enqueue(self, connection: sqlite3.Connection, effect: Escalated, policy: str) -> int:
        now_ms = self._clock.now_ms()
        targets = self._roster.told(effect.notify, effect.round.agent, now_ms) if effect.notify else []
        if targets and all(target.skipped for target in targets):
            _log.error("nobody is there to be told", ladder=effect.ladder, step=effect.step, wanted=effect.notify)
        return outbox.enqueue(connection, effect, policy, targets, now_ms)

    def _refold(self, connection: sqlite3.Connection, key: Key, cause: Event) -> tuple[list[tuple[int, Key]], bool]:
        """Fold the conversation again from its journal, write the rows that differ, and record what changed."""
        before = self._cache.pop(key, None)
        live, folds = self._fold(connection, key)
        live.now_ms = max(live.now_ms, cause.at_ms, before.now_ms if before else cause.at_ms)
        self._remember(key, live)
        escalated = False
        for policy in self._policies:
            mine = [(version, effects, fold) for version, effects, fold in folds if version.plan.policy.id == policy.id]
            rounds: list[tuple[Round, Score, Plan]] = []
            for version, effects, fold in mine:
                effects.extend(fold.wait(live.now_ms))
                found = fold.rounds(live.now_ms)
                rounds += [(one, scored, version.plan) for one, scored in found if version.holds(one.opened_ms)]
            changed = projection.replace_conversation(connection, LIVE, policy.id, key, rounds)
            if before is not None:  # not the first we hear of it
                projection.record_changes(connection, policy.id, cause, key, changed, self._clock.now_ms())
            for version, effects, _ in mine:
                # Steps of rounds answered meanwhile are not told late.
                escalated |= self._carry_out(connection, version, effects, open_only=True)
        live.settle()
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
            effects = [(run, tick(run.state, now_ms, run.version.plan)) for run in live.runs]
            touched, told = self._save(connection, key, live, effects)
            due += touched
            escalated |= told
        return _Applied(Receipt(0, 0), due, escalated)

    def _store_changed(self, connection: sqlite3.Connection, event: Store) -> tuple[list[tuple[int, Key]], bool]:
        """The shop's state holds for all its conversations: those still open, and those it reaches back to."""
        due: list[tuple[int, Key]] = []
        escalated = False
        touches = set(projection.conversations_since(connection, LIVE, event.key.shop, event.at_ms))
        for key in sorted(touches):
            touched, told = self._refold(connection, key, event)
            due += touched
            escalated |= told
        for key in [key for key in self._cache if key.shop == event.key.shop and key not in touches]:
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

    def _fold(
        self, connection: sqlite3.Connection, key: Key
    ) -> tuple[_Live, list[tuple[_Version, list[Effect], Fold]]]:
        events = journal.read(connection, key)
        first_ms = events[0].at_ms if events else NEVER
        folds: list[tuple[_Version, list[Effect], Fold]] = []
        left_ms = -NEVER
        for version in self._versions:
            if version.until_ms == NEVER or first_ms < version.until_ms:
                fold = Fold(Conversation(key), version.plan)
                folds.append((version, [effect for event in events for effect in fold.feed(event)], fold))
            else:
                left_ms = max(left_ms, version.until_ms)
        live = _Live([_Run(version, fold.state) for version, _, fold in folds], left_ms)
        live.now_ms = max((event.at_ms for event in events), default=-NEVER)
        live.settle()
        return live, folds


def _tagged(effects: list[Effect]) -> bool:
    return any(type(effect) is Tagged for effect in effects)
