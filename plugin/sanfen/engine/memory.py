"""Conversations in memory: what folding their journal gives, kept while they are in use. For the writer thread only."""

import sqlite3
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.effects import Effect
from sanfen.core.events import Event, Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan
from sanfen.store import journal

__all__ = ["Folded", "Live", "Memory", "Run", "Version"]

_MOST = 10_000  # conversations; what one adds to a full garbage collection is about a microsecond


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

    def __init__(self, runs: list[Run], left_ms: int) -> None:
        self.runs = runs
        self.left_ms = left_ms  # an event before this may belong to a version that is not among the runs
        self.now_ms = -NEVER  # how far time has come for it
        self.floor_ms = -NEVER  # an event before this needs a refold

    @property
    def next_ms(self) -> int:
        """When something is due next, epoch milliseconds, or NEVER."""
        return min((run.state.next_ms for run in self.runs), default=NEVER)

    def due(self, key: Key) -> list[tuple[int, Key]]:
        """What to remember: when the conversation has something due next, if it has."""
        return [] if self.next_ms == NEVER else [(self.next_ms, key)]

    def settle(self) -> None:
        """Raise the floor to what the runs have seen, and let go of old versions that have nothing open."""
        seen_ms = -NEVER
        done: list[Run] = []
        for run in self.runs:
            version, state = run
            seen_ms = max(seen_ms, state.settled_ms, -NEVER if state.last_ms is None else state.last_ms)
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
        self._known: OrderedDict[Key, Live] = OrderedDict()
        self._stores: dict[str, dict[int, Event]] = {}  # by shop, the changes of its state
        self.adopt(versions)

    def adopt(self, versions: Iterable[Version]) -> None:
        """Fold by these from now on."""
        self._versions = sorted(versions, key=_until)
        self.clear()

    def get(self, key: Key) -> Live | None:
        """A conversation, if it is here."""
        return self._known.get(key)

    def put(self, key: Key, live: Live) -> None:
        """Keep a conversation, and let go of the one not heard of for longest."""
        self._known[key] = live
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def drop(self, key: Key) -> Live | None:
        """Let go of a conversation; returns it if it was here."""
        return self._known.pop(key, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._known.clear()
        self._stores.clear()

    def store_changed(self, shop: str) -> None:
        """There is news of a shop's state."""
        self._stores.pop(shop, None)

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
        missing = self.missing(keys)
        if missing:
            for key, events in journal.read_many(connection, missing, self._stores).items():
                self.put(key, self._fold(key, events)[0])

    def need(self, connection: sqlite3.Connection, key: Key) -> Live:
        """A conversation, brought here if it is not."""
        self.load(connection, (key,))
        return self._known[key]

    def fold(self, connection: sqlite3.Connection, key: Key) -> tuple[Live, list[Folded]]:
        """A conversation from its journal, whatever is here."""
        return self._fold(key, journal.read_many(connection, [key], self._stores)[key])

    def _fold(self, key: Key, events: Sequence[Event]) -> tuple[Live, list[Folded]]:
        first_ms = events[0].at_ms if events else NEVER
        folds: list[Folded] = []
        left = min(bisect_right(self._versions, first_ms, key=_until), bisect_left(self._versions, NEVER, key=_until))
        left_ms = self._versions[left - 1].until_ms if left else -NEVER
        for version in self._versions[left:]:
            fold = Fold(Conversation(key), version.plan)
            folds.append(Folded(version, [effect for event in events for effect in fold.feed(event)], fold))
        live = Live([Run(version, fold.state) for version, _, fold in folds], left_ms)
        live.now_ms = max((event.at_ms for event in events), default=-NEVER)
        live.settle()
        return live, folds
