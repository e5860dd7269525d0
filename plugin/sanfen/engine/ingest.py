"""Deliveries in, journal and projection out, in one transaction of the writer thread.

Everything here but ``submit`` and ``tick`` runs in the writer thread, one job at a time, so conversations need no locks.
The deliveries of a commit are one job: their rows are written together at its end (``Pending``). If one of them fails
the job is done again, event by event, so that it costs no other.

A conversation's state is what folding its journal gives; memory only saves the folding. Whatever does not come in
order (a late message, a tag that changes closed rounds, a message from before a settled midnight) is journaled and its
conversation is folded again from the journal, which is also how state is found after a restart.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.core import repeats
from sanfen.core.classify import Rule, classify, merged
from sanfen.core.days import NEVER
from sanfen.core.effects import Effect, Opened, Scored, Tagged
from sanfen.core.events import Event, Key, Message, Order, Sender, Store
from sanfen.core.facts import Round
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.core.rounds import advance, tick
from sanfen.core.score import Score, score
from sanfen.engine import strayed
from sanfen.engine.memory import Live, Memory, Run, Version
from sanfen.engine.pending import Pending
from sanfen.errors import DamagedError
from sanfen.log import Throttle
from sanfen.roster import Roster
from sanfen.store import journal, orders, projection, said
from sanfen.store import policies as versions
from sanfen.store.db import Database
from sanfen.store.jobs import Lane
from sanfen.store.journal import Delivery, Kept
from sanfen.store.notes import Stray
from sanfen.store.projection import LIVE, Renamed
from sanfen.store.trouble import store_error

__all__ = ["Engine", "Receipt", "Terms"]

_AHEAD_MS = 5 * 60_000  # an event from further in the future than this carries a wrong clock

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


Due = tuple[int, Key]
"""When a conversation has something due, epoch milliseconds; NEVER: nothing any more."""


class _Applied(NamedTuple):
    receipt: Receipt
    due: list[Due]
    escalated: bool = False  # by its whole job, and said once


_ONE_NEW = Receipt(1, 0)


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
        on_scored: Callable[[str, Scored], None] = lambda _policy, _effect: None,
    ) -> None:
        self._db = db
        self._policies = tuple(policies)
        self._memory = Memory([Version(plan_of(policy)) for policy in policies])
        self._rules = rules
        self._counted = repeats.most(rules)  # how often a text must be said again before a rule cares
        self._clock = clock
        self._roster = roster or Roster(Settings())
        self._zone = zone
        self._keep_text = keep_text
        self._throttle = Throttle()
        self._on_due = on_due
        self._on_escalated = on_escalated
        self._on_scored = on_scored
        self._unscored: set[Key] = set()  # conversations whose rows may lack an event
        self._refolded: set[Key] = set()  # conversations folded again by the delivery being applied
        self._lane: Lane[tuple[Delivery, Sequence[Event]], _Applied | Exception] = Lane(
            db.put, self._apply, self._settle, self._apart
        )
        self.failed = 0  # events that are journaled but could not be scored
        db.on_rollback(self._memory.clear)

    # --- on the event loop ---

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Journal a delivery and let the core see its events; resolves after the commit. Raises StoreError in it."""
        return self._lane.put((delivery, events))

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

    def _settle(self, future: "asyncio.Future[Receipt]", outcome: _Applied | BaseException) -> None:
        if isinstance(outcome, _Applied):
            self._tell(outcome)
            if not future.done():
                future.set_result(outcome.receipt)
        elif not future.done():
            future.set_exception(outcome)

    def _tell(self, applied: _Applied) -> None:
        for due_ms, key in applied.due:
            self._on_due(due_ms, key)
        if applied.escalated:
            self._on_escalated()

    # --- in the writer thread ---

    def _pending(self, connection: sqlite3.Connection) -> Pending:
        return Pending(connection, self._clock.now_ms(), self._roster, keep_text=self._keep_text, zone=self._zone)

    def _apply(
        self, connection: sqlite3.Connection, batch: Sequence[tuple[Delivery, Sequence[Event]]]
    ) -> list[_Applied | Exception]:
        unscored = set(self._unscored)
        try:
            return [*self._together(connection, batch)]
        except Exception:  # one of them; which, will show when they are applied apart
            self._unscored = unscored
            self._distrust(event for _, events in batch for event in events)
            raise

    def _apart(
        self, connection: sqlite3.Connection, batch: Sequence[tuple[Delivery, Sequence[Event]]]
    ) -> list[_Applied | Exception]:
        return [self._by_itself(connection, *one) for one in batch]

    def _distrust(self, events: Iterable[Event]) -> None:
        """What memory made of these events is not so."""
        self._refolded.clear()
        for event in events:
            if type(event) is Store:
                self._memory.clear()
            self._memory.drop(event.key)

    def _together(
        self, connection: sqlite3.Connection, batch: Sequence[tuple[Delivery, Sequence[Event]]]
    ) -> list[_Applied]:
        pending = self._pending(connection)
        new = journal.unknown(connection, batch, pending.last)
        self._memory.load(connection, [event.key for one in new for event in one.events if type(event) is not Store])
        applied: list[_Applied] = []
        for (delivery, events), one in zip(batch, new, strict=True):
            due = self._gather(pending, one.strays) if one.strays else []
            fresh = self._kept(pending, one, delivery.received_ms)
            for event in fresh:
                due += self._project(pending, event)
            for message in one.again:
                due += self._merge(pending, message)
            carried = len(events)
            receipt = _ONE_NEW if len(fresh) == carried == 1 else Receipt(len(fresh), carried - len(fresh))
            applied.append(_Applied(receipt, due))
        pending.write()
        if pending.escalated:
            applied[-1] = applied[-1]._replace(escalated=True)
        return applied

    def _by_itself(
        self, connection: sqlite3.Connection, delivery: Delivery, events: Sequence[Event]
    ) -> _Applied | Exception:
        """One delivery, or why it cannot be kept."""
        connection.execute("SAVEPOINT delivery")
        try:
            applied: _Applied | Exception = self._scored(connection, delivery, events)
        except Exception as error:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO delivery")
            self._distrust(events)
            applied = store_error(self._db.path, error, connection) if isinstance(error, sqlite3.Error) else error
            if isinstance(applied, DamagedError):
                raise  # no delivery's fault: the log is lost
        connection.execute("RELEASE delivery")
        return applied

    def _scored(self, connection: sqlite3.Connection, delivery: Delivery, events: Sequence[Event]) -> _Applied:
        """Each event in a savepoint: one that cannot be scored stays journaled, and costs no other."""
        pending = self._pending(connection)
        (new,) = journal.unknown(connection, [(delivery, events)], pending.last)
        due = self._gather(pending, new.strays)
        fresh = self._kept(pending, new, delivery.received_ms)
        pending.write()
        escalated = False
        for event in fresh:
            connection.execute("SAVEPOINT project")
            try:
                touched = self._project(pending, event)
                pending.write()
            except Exception:  # whatever it is, the event stays and the chat goes on
                # Its conversation is folded again from the journal, and its rows compared, when it is next heard from.
                connection.execute("ROLLBACK TO project")
                escalated |= pending.escalated
                pending = self._pending(connection)
                self._distrust((event,))
                self._unscored.add(event.key)
                self.failed += 1
                if self._throttle.take("not scored", delivery.received_ms) is not None:
                    _log.exception("event journaled but not scored", channel=event.key.channel, event_id=event.id)
                touched = []
            connection.execute("RELEASE project")
            due += touched
        for message in new.again:
            due += self._merge(pending, message)
        pending.write()
        receipt = Receipt(len(fresh), len(events) - len(fresh))
        return _Applied(receipt, due, escalated or pending.escalated)

    def _gather(self, pending: Pending, strays: Sequence[Stray]) -> list[Due]:
        """Give conversations what was kept under names nobody could explain then, and fold them anew."""
        due: list[Due] = []
        for stray in strays:
            due += self._refold(pending, *strayed.gather(pending, self._memory, self._policies, self._zone, stray))
        return due

    def _merge(self, pending: Pending, again: Message) -> list[Due]:
        """A message seen once more, perhaps on another way: what it tells better is kept, and its conversation refolded."""
        pending.write()
        held = journal.find(pending.connection, again)
        if type(held) is not Message:
            return []
        better = merged(held, classify(again, self._rules))
        if better == held:
            return []
        journal.amend(pending.connection, better, self._zone)
        return self._refold(pending, again.key, better)

    def _kept(self, pending: Pending, new: Kept, received_ms: int) -> list[Event]:
        """The new events of a delivery, classified, and now among what will be written."""
        self._refolded.clear()
        prepared = [self._prepared(pending, event, received_ms) for event in new.events]
        pending.kept.append(Kept(new.delivery, new.carried, prepared))
        return prepared

    def _adopt(self, connection: sqlite3.Connection, terms: Terms | None) -> None:
        if terms is not None:
            self._policies, self._rules, self._zone, self._keep_text, self._roster = terms
            self._counted = repeats.most(self._rules)
        versions.remember(connection, LIVE, self._policies, self._clock.now_ms())
        projection.let_go(connection, LIVE, [policy.id for policy in self._policies])
        found: list[Version] = []
        for policy in self._policies:
            known = versions.epochs(connection, LIVE, policy.id)
            ends = [epoch.since_ms for epoch in known[1:]] + [NEVER]
            plans: dict[int, Plan] = {}  # however often somebody went to and fro, there are few
            for (since_ms, old), until_ms in zip(known, ends, strict=True):
                plan = plans.get(id(old)) if until_ms != NEVER else plan_of(policy)
                if plan is None:
                    plan = plans[id(old)] = plan_of(replace(old, ladders=policy.ladders))
                found.append(Version(plan, since_ms or -NEVER, until_ms))
        self._memory.adopt(found)

    def _prepared(self, pending: Pending, event: Event, received_ms: int) -> Event:
        """The event classified, its conversation in memory; one from the far future gets the time of receipt."""
        if event.at_ms > received_ms + _AHEAD_MS:
            swallowed = self._throttle.take(event.key.channel, received_ms)
            if swallowed is not None:  # a sender's wrong clock must not fill the disk
                _log.warning(
                    "time lies in the future: using the receipt", channel=event.key.channel, more_like_it=swallowed
                )
            said_ms, event = event.at_ms, event._replace(at_ms=received_ms)
            pending.claims.append((event, said_ms))
        if type(event) is Store:
            return event
        live = self._memory.get(event.key) or self._load(pending, event.key)
        if type(event) is Message and event.sender == Sender.merchant and self._rules:
            again = said.count(pending.connection, event, self._counted) if self._counted else 0
            return classify(event, self._rules, live.runs[-1].state.last_customer_ms, again)
        return event

    def _project(self, pending: Pending, event: Event) -> list[Due]:
        if type(event) is Store:
            return self._store_changed(pending, event)
        key = event.key
        live = self._memory.get(key)
        late = live is None or event.at_ms < live.floor_ms or key in self._unscored
        if type(event) is Order or (late and orders.has(pending.connection, key)):
            pending.write()
            orders.save(pending.connection, key, self._zone)
        if key in self._refolded:  # all that this delivery brought was in the journal then
            return []
        if live is None or late:  # it changes what came after it
            touched = self._refold(pending, key, event)
            self._unscored.discard(key)
            return touched or [(NEVER, key)]
        live.now_ms = max(live.now_ms, event.at_ms)
        effects = [(run, advance(run.state, event, run.version.plan)) for run in live.runs]
        for run, found in effects:
            if run.version.plan.left_out_tags and any(type(one) is Tagged for one in found):
                return self._refold(pending, key, event)
        for run, found in effects:
            self._save(pending, run, found, live.now_ms)
        live.settle()
        return [(live.next_ms, key)]

    def _save(self, pending: Pending, run: Run, found: list[Effect], now_ms: int, *, by_time: bool = False) -> None:
        version, state = run
        changed = dict.fromkeys(() if by_time else state.rounds)
        for effect in found:
            if type(effect) is Opened or type(effect) is Scored:
                changed[effect.round] = None
                if type(effect) is Scored and version.holds(effect.round.opened_ms):
                    self._on_scored(version.plan.policy.id, effect)
        for one in changed:
            if version.holds(one.opened_ms):
                pending.rounds[one] = (score(one, version.plan, now_ms), version.plan)
        if by_time:  # an outcome does not change unless it is told
            for one in state.rounds:
                if one not in changed and version.holds(one.opened_ms):
                    pending.moved.append((one, version.plan))
        pending.carry_out(version, found)

    def _refold(self, pending: Pending, key: Key, cause: Event | Renamed) -> list[Due]:
        """Fold the conversation again from its journal, write the rows that differ, and record what changed."""
        pending.write()
        connection = pending.connection
        self._refolded.add(key)
        before = self._memory.drop(key)
        live, folds = self._memory.fold(connection, key)
        live.now_ms = max(live.now_ms, cause.at_ms, before.now_ms if before else cause.at_ms)
        self._memory.put(key, live)
        for policy in self._policies:
            mine = [(version, effects, fold) for version, effects, fold in folds if version.plan.policy.id == policy.id]
            rounds: list[tuple[Round, Score, Plan]] = []
            for version, effects, fold in mine:
                effects.extend(fold.wait(live.now_ms))
                found = fold.rounds(live.now_ms)
                rounds += [(one, scored, version.plan) for one, scored in found if version.holds(one.opened_ms)]
            waited = projection.waiting(connection, LIVE, policy.id, key)
            changed = projection.replace_conversation(connection, LIVE, policy.id, key, rounds)
            if before is not None:  # not the first we hear of it
                projection.record_changes(connection, policy.id, cause, key, changed, self._clock.now_ms())
            for version, effects, _ in mine:
                pending.carry_out(version, effects, waited)
        live.settle()
        return live.due(key)

    def _tick(self, connection: sqlite3.Connection, keys: list[Key]) -> _Applied:
        pending = self._pending(connection)
        now_ms = pending.now_ms
        due: list[Due] = []
        for key, live in self._memory.look(connection, keys):
            for run in live.runs:
                if run.state.next_ms <= now_ms:
                    live.now_ms = max(live.now_ms, now_ms)
                    self._save(pending, run, tick(run.state, now_ms, run.version.plan), live.now_ms, by_time=True)
            due += live.due(key)
        pending.write()
        return _Applied(Receipt(0, 0), due, pending.escalated)

    def _store_changed(self, pending: Pending, event: Store) -> list[Due]:
        """The shop's state holds for all its conversations: those still open, and those it reaches back to."""
        pending.write()
        self._memory.store_changed(event.key.shop)
        due: list[Due] = []
        touches = set(projection.conversations_since(pending.connection, LIVE, event.key.shop, event.at_ms))
        for key in sorted(touches):
            due += self._refold(pending, key, event)
        for key in self._memory.of_shop(event.key.shop):
            if key not in touches:
                self._memory.drop(key)  # folded again, with the new state, when it is next heard from
        return due

    def _load(self, pending: Pending, key: Key) -> Live:
        pending.write()  # it may be among it
        return self._memory.need(pending.connection, key)
