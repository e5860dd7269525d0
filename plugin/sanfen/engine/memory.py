"""Conversations in memory: what folding their journal gives, kept while they are in use. For the writer thread only.

Those heard of last are objects; of the others those with something due are bytes (``packing``), for they will be asked for.
"""

import sqlite3
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.effects import Effect
from sanfen.core.events import Event, Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan
from sanfen.core.rounds import advance
from sanfen.engine.packing import key_of, named, packed, unpacked
from sanfen.store import journal

__all__ = ["Folded", "Live", "Memory", "Run", "Version"]

_MOST = 10_000  # conversations; what one adds to a full garbage collection is about a microsecond
_MOST_PACKED = 200_000  # about 100 MiB


class Version(NamedTuple):
    """A policy's version, and the span in which rounds open under it."""

    plan: Plan
    since_ms: int = -NEVER
    until_ms: int = NEVER

    def holds(self, at_ms: int) -> bool:
        """Whether a round opened at an instant belongs to it."""
        return self.since_ms <= at_ms < self.until_ms


def _until(version: Version) -> int:
    return version.until_ms


class Run(NamedTuple):
    """A conversation under one version."""

    version: Version
    state: Conversation


class Folded(NamedTuple):
    """A version's effects of a whole conversation, and its rounds."""

    version: Version
    effects: list[Effect]
    fold: Fold


class Live:
    """One conversation in memory, under every version that can still change a round of it."""

    __slots__ = ("floor_ms", "left_ms", "now_ms", "runs")

    def __init__(self, runs: list[Run], left_ms: int, now_ms: int) -> None:
        self.runs = runs
        self.left_ms = left_ms  # an event before this may belong to a version that is not among the runs
        self.now_ms = now_ms  # how far time has come for it
        self.floor_ms = -NEVER  # an event before this needs a refold; known once it is settled

    @property
    def next_ms(self) -> int:
        """When something is due next, epoch milliseconds, or NEVER."""
        return min([state.next_ms for _, state in self.runs], default=NEVER)

    def due(self, key: Key) -> list[tuple[int, Key]]:
        """What to remember: when the conversation has something due next, if it has."""
        next_ms = self.next_ms
        return [] if next_ms == NEVER else [(next_ms, key)]

    def settle(self) -> None:
        """Raise the floor to what the runs have seen, and let go of old versions with nothing open."""
        seen_ms = -NEVER
        done: list[Run] = []
        for run in self.runs:
            version, state = run
            if state.last_ms is not None and state.last_ms > seen_ms:
                seen_ms = state.last_ms
            seen_ms = max(seen_ms, state.settled_ms)
            if version.until_ms != NEVER and not state.rounds and not state.held:
                done.append(run)
                self.left_ms = max(self.left_ms, version.until_ms)
        self.floor_ms = max(seen_ms, self.left_ms)
        if done:
            self.runs = [run for run in self.runs if run not in done]


class Memory:
    """The conversations heard of last. What is not here is folded again from the journal, and nobody notices."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions: list[Version] = []  # the first to end first
        self._ends: list[int] = []  # of those that have ended
        self._known: OrderedDict[Key, Live] = OrderedDict()
        self._packed: dict[str, bytes] = {}  # by name, with something due; none of them is known
        self._stores: dict[str, dict[int, Event]] = {}  # by shop, the changes of its state
        self.adopt(versions)

    def adopt(self, versions: Iterable[Version]) -> None:
        """Fold by these from now on."""
        self._versions = sorted(versions, key=_until)
        self._ends = [version.until_ms for version in self._versions if version.until_ms != NEVER]
        self.clear()

    def get(self, key: Key) -> Live | None:
        """A conversation, if it is here."""
        return self._known.get(key)

    def put(self, key: Key, live: Live) -> None:
        """Keep a conversation, and let go of the one not heard of for longest."""
        live.settle()
        self._known[key] = live
        while len(self._known) > _MOST:
            self._pack(*self._known.popitem(last=False))

    def drop(self, key: Key) -> Live | None:
        """Let go of a conversation; returns it if it was here."""
        self._packed.pop(named(key), None)
        return self._known.pop(key, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._known.clear()
        self._packed.clear()
        self._stores.clear()

    def store_changed(self, shop: str) -> None:
        """There is news of a shop's state."""
        self._stores.pop(shop, None)
        self._packed = {name: one for name, one in self._packed.items() if key_of(name).shop != shop}

    def of_shop(self, shop: str) -> list[Key]:
        """What is here of a shop."""
        return [key for key in self._known if key.shop == shop]

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Which of them are not here; the others are in use from now on."""
        out: list[Key] = []
        for key in dict.fromkeys(keys):
            if key in self._known:
                self._known.move_to_end(key)
            else:
                out.append(key)
        return out

    def load(self, connection: sqlite3.Connection, keys: Iterable[Key]) -> None:
        """Bring conversations here, those that are not by one look into the journal."""
        missing: list[Key] = []
        for key in self.missing(keys):
            live = self._unpacked(key)
            if live is None:
                missing.append(key)
            else:
                del self._packed[named(key)]
                self.put(key, live)
        if missing:
            for key, live in self._folded(connection, missing):
                self.put(key, live)

    def look(self, connection: sqlite3.Connection, keys: Iterable[Key]) -> Iterator[tuple[Key, Live]]:
        """Conversations that are only looked at: those that are not here are not brought here, so nobody has to go."""
        missing: list[Key] = []
        for key in keys:
            live = self._known.get(key)
            if live is not None:
                yield key, live
                live.settle()  # whatever was done to it
            elif (live := self._unpacked(key)) is not None:
                yield key, live
            else:
                missing.append(key)
        yield from self._folded(connection, missing)

    def _folded(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> Iterator[tuple[Key, Live]]:
        for key, events in zip(keys, journal.read_many(connection, keys, self._stores), strict=True):
            yield key, self._live(key, events)

    def _pack(self, key: Key, live: Live) -> None:
        if not live.due(key):
            return
        numbers = [self._versions.index(version) for version, _ in live.runs]
        data = packed((live.left_ms, live.now_ms, *numbers), [state for _, state in live.runs])
        if data is not None:
            self._packed[named(key)] = data
            if len(self._packed) > _MOST_PACKED:
                del self._packed[next(iter(self._packed))]

    def _unpacked(self, key: Key) -> Live | None:
        data = self._packed.get(named(key))
        if data is None:
            return None
        (left_ms, now_ms, *numbers), states = unpacked(key, data)
        runs = [Run(self._versions[number], state) for number, state in zip(numbers, states, strict=True)]
        return Live(runs, left_ms, now_ms)

    def need(self, connection: sqlite3.Connection, key: Key) -> Live:
        """A conversation, brought here if it is not."""
        self.load(connection, (key,))
        return self._known[key]

    def fold(self, connection: sqlite3.Connection, key: Key) -> tuple[Live, list[Folded]]:
        """A conversation from its journal, whatever is here."""
        (events,) = journal.read_many(connection, [key], self._stores)
        versions, left_ms = self._of(events)
        folds: list[Folded] = []
        for version in versions:
            fold = Fold(Conversation(key), version.plan)
            folds.append(Folded(version, [effect for event in events for effect in fold.feed(event)], fold))
        return Live([Run(version, fold.state) for version, _, fold in folds], left_ms, _latest(events)), folds

    def _live(self, key: Key, events: Sequence[Event]) -> Live:
        """The same without what happened on the way."""
        versions, left_ms = self._of(events)
        runs: list[Run] = []
        for version in versions:
            state = Conversation(key)
            for event in events:
                advance(state, event, version.plan)
            runs.append(Run(version, state))
        return Live(runs, left_ms, _latest(events))

    def _of(self, events: Sequence[Event]) -> tuple[list[Version], int]:
        """The versions these events can matter to, and the end of the last one before them."""
        left = bisect_right(self._ends, events[0].at_ms if events else NEVER)
        return self._versions[left:], self._ends[left - 1] if left else -NEVER


def _latest(events: Sequence[Event]) -> int:
    return events[-1].at_ms if events else -NEVER
