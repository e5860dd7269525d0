"""Score a stream of events under one policy or several, with memory for what is open, not for the whole log."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sanfen.core.classify import Rule, classify
from sanfen.core.effects import Effect, Escalated, Judged, Scored
from sanfen.core.events import Event, Key, Message, Mode, Recall, Sender, Store, Tag
from sanfen.core.facts import Conversation, Round, Session
from sanfen.core.metrics import Tally
from sanfen.core.plan import Plan
from sanfen.core.repeats import Repeats
from sanfen.core.rounds import advance, tick
from sanfen.core.score import Score, score

__all__ = ["Collected", "LateTag", "Rescore", "carries_tags", "seldom_collected"]

_SILENT_MS = 7 * 86_400_000  # a conversation with nothing open is let go after this much silence of the log's time
_SWEEP = 50_000  # events between looks for such conversations


class LateTag(Exception):  # noqa: N818  # not an error: run again, and keep the conversations that have tags
    """A tag came for a conversation that may have been let go."""


class Collected(NamedTuple):
    """A policy's result."""

    plan: Plan
    tally: Tally


class _State:
    """One conversation under every policy."""

    __slots__ = ("closed", "ids", "last_ms", "may_lack", "states")

    def __init__(self, states: list[Conversation], plans: Sequence[Plan]) -> None:
        self.states = states
        self.ids: set[str] = set()
        self.last_ms = 0
        self.may_lack = False  # earlier rounds of it may have been let go
        # Closed rounds that a later tag can still change; None for policies that no tag concerns.
        self.closed: list[list[tuple[Round, Score]] | None] = [[] if plan.left_out_tags else None for plan in plans]


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let the garbage collector look seldom: a stream of events makes many small objects and hardly a cycle."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


RoundSink = Callable[[int, Round, Score], None]
VerdictSink = Callable[[int, Judged], None]
StepSink = Callable[[int, Escalated], None]


class Rescore:
    """Feed events in order of time, then ``finish``. Numbers in sinks are the policy's place in ``plans``."""

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        as_of_ms: int | None = None,
        rules: tuple[Rule, ...] = (),
        keep: frozenset[Key] = frozenset(),
        with_units: bool = False,
        on_round: RoundSink | None = None,
        on_verdict: VerdictSink | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_step: StepSink | None = None,
    ) -> None:
        """``as_of_ms``: events after it are not seen. ``keep``: conversations that are never let go.

        ``with_units``: also keep every unit with its day, which a period needs; memory then grows with the log.
        """
        self.results = [Collected(plan, Tally(plan)) for plan in plans]
        if with_units:
            for _, tally in self.results:
                tally.keep_units()
        self.replies = self.unknown = self.duplicates = self.events = 0
        self.last_ms = 0
        self._plans = list(plans)
        self._as_of_ms = as_of_ms
        self._keep = keep
        self._some_gone = False
        self._tags_count = any(plan.left_out_tags for plan in plans)
        self._rules = rules
        self._repeats = Repeats(rules)
        self._on_round = on_round
        self._on_verdict = on_verdict
        self._on_event = on_event
        self._on_step = on_step
        self._states: dict[Key, _State] = {}
        self._stores: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._states)

    def feed(self, events: Iterable[Event]) -> Iterator[int]:
        """Score events as they come; yields how many there were, now and then."""
        for event in events:
            if self._as_of_ms is not None and event.at_ms > self._as_of_ms:
                continue
            self.events += 1
            self.last_ms = max(self.last_ms, event.at_ms)
            self._one(event)
            if self.events % _SWEEP == 0:
                self._sweep()
            if self.events % 1000 == 0:
                yield self.events
        yield self.events

    def finish(self, as_of_ms: int) -> list[Collected]:
        """Give every open round its outcome as of an instant, and return the results."""
        for state in self._states.values():
            self._let_go(state, as_of_ms)
        self._states.clear()
        return self.results

    def _one(self, event: Event) -> None:
        if type(event) is Store:
            self._store(event)
            return
        state = self._states.get(event.key)
        if state is None:
            store = self._stores.get(event.key.shop, "online")
            state = _State([Conversation(event.key, store) for _ in self._plans], self._plans)
            state.may_lack = self._some_gone and self._tags_count and event.key not in self._keep
            self._states[event.key] = state
        if state.may_lack and carries_tags(event):
            raise LateTag
        if event.id in state.ids:
            self.duplicates += 1
            return
        state.ids.add(event.id)
        if type(event) is Message and event.sender == Sender.merchant:
            event = self._classified(event, state)
        state.last_ms = event.at_ms
        if self._on_event is not None:
            self._on_event(event)
        for number, plan in enumerate(self._plans):
            self._advance(number, plan, state, event)

    def _classified(self, message: Message, state: _State) -> Message:
        if self._rules:
            message = classify(message, self._rules, state.states[0].last_customer_ms, self._repeats.count(message))
        self.replies += 1
        self.unknown += message.mode == Mode.unknown
        return message

    def _advance(self, number: int, plan: Plan, state: _State, event: Event) -> None:
        effects = advance(state.states[number], event, plan)
        if not effects:
            return
        if self._on_verdict is not None:
            for effect in effects:
                if type(effect) is Judged:
                    self._on_verdict(number, effect)
        self._take(number, plan, state, effects)

    def _take(self, number: int, plan: Plan, state: _State, effects: list[Effect]) -> None:
        """Close the rounds that became final; one that was told overdue and then answered comes twice."""
        if self._on_step is not None:
            for effect in effects:
                if type(effect) is Escalated:
                    self._on_step(number, effect)
        ended = {effect.round: effect.score for effect in effects if type(effect) is Scored}
        for one, scored in ended.items():
            if _final(one, plan):
                self._close(number, state, one, scored)

    def _close(self, number: int, state: _State, one: Round, scored: Score) -> None:
        kept = state.closed[number]
        if kept is None:
            self._emit(number, one, scored)
            return
        session = state.states[number].session
        if kept and kept[0][0].session is not session:  # no tag reaches a session that is over
            for old, told in kept:
                if old.session not in (session, one.session):
                    self._emit_closed(number, old, told)
            kept[:] = [pair for pair in kept if pair[0].session in (session, one.session)]
        kept.append((one, scored))

    def _emit_closed(self, number: int, one: Round, told: Score) -> None:
        """A tag may have come after the outcome was told."""
        self._emit(number, one, score(one, self._plans[number]) if one.session.tags else told)

    def _emit(self, number: int, one: Round, scored: Score) -> None:
        self.results[number].tally.add(one, scored.outcome)
        if self._on_round is not None:
            self._on_round(number, one, scored)

    def _store(self, event: Store) -> None:
        self._stores[event.key.shop] = event.state
        if self._on_event is not None:
            self._on_event(event)
        for key, state in self._states.items():
            if key.shop == event.key.shop:
                for number, plan in enumerate(self._plans):
                    self._advance(number, plan, state, event)

    def _sweep(self) -> None:
        before_ms = self.last_ms - _SILENT_MS
        quiet = [key for key, state in self._states.items() if state.last_ms < before_ms and key not in self._keep]
        for key in quiet:
            if self._idle(self._states[key]):
                self._let_go(self._states.pop(key), self.last_ms)
                self._some_gone = True

    def _idle(self, state: _State) -> bool:
        """Whether starting the conversation afresh would give the same: nothing open, nothing to remember."""
        for number, (one, plan) in enumerate(zip(state.states, self._plans, strict=True)):
            self._take(number, plan, state, tick(one, self.last_ms, plan))
            session: Session | None = one.session
            gone = plan.policy.session.gap_ms is not None and plan.policy.session.gap_ms < _SILENT_MS
            if one.rounds or one.held:
                return False
            if session is not None and not gone and (session.tags or session.by_merchant or session.handed):
                return False
        return True

    def _let_go(self, state: _State, now_ms: int) -> None:
        for number, plan in enumerate(self._plans):
            conversation = state.states[number]
            self._take(number, plan, state, tick(conversation, now_ms, plan))
            for one, told in state.closed[number] or ():
                self._emit_closed(number, one, told)
            for one in conversation.rounds:
                self._emit(number, one, score(one, plan, now_ms))


def carries_tags(event: Event) -> bool:
    """Whether an event can change rounds that are closed."""
    return type(event) in (Tag, Recall) or (type(event) is Message and bool(event.tags))


def _final(one: Round, plan: Plan) -> bool:
    """Whether no further event can end or settle it differently, tags aside."""
    return (
        one.closed_ms is not None
        or one.transferred_id is not None
        or one.settled_ms is not None
        or (one.left and one.overdue_told and not plan.settles)
    )
