"""What stands between a due step and a person: one small class each, in the order of ``stages``.

A stage looks at everything that is due for one person and may drop rows of it, hold all of it, or choose another way. What
comes after them, the attempt, its record and the next try, is the outbox's protocol.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from sanfen.abc import Limit
from sanfen.conditions import BadCondition, Condition
from sanfen.config.settings import Person, Quiet
from sanfen.notify.pace import Breaker, Pace
from sanfen.store.outbox import Row, may_send

__all__ = ["Batch", "Breaking", "Conditional", "Inhibit", "Merge", "Silence", "Stage", "Throttle"]

_MOMENT_MS = 3_000

_log = structlog.get_logger("sanfen.notify")


@dataclass
class Batch:
    """What is due for one person now."""

    person: Person
    rows: list[Row]
    now_ms: int
    last_ms: int | None = None  # when the person was last sent anything
    facts: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # for conditions, by row
    way: int = 0
    dropped: list[tuple[Row, str]] = field(default_factory=list)
    held: tuple[int, str] | None = None  # until when, and why

    def keep(self, reason_of: Callable[[Row], str | None]) -> None:
        """Drop the rows that have a reason."""
        reasons = [(row, reason_of(row)) for row in self.rows]
        self.dropped += [(row, reason) for row, reason in reasons if reason is not None]
        self.rows = [row for row, reason in reasons if reason is None]

    @property
    def address(self) -> str:
        """Where the message would go."""
        return self.person.ways[self.way].address

    @property
    def due_ms(self) -> int:
        """The soonest deadline, which may have passed; far away if there is none."""
        return min((row.facts["due_ms"] for row in self.rows if row.facts["due_ms"]), default=1 << 62)


class Stage(ABC):
    """One reason not to send, not yet, or not this way."""

    @abstractmethod
    def ask(self, batch: Batch) -> None:
        """Change the batch."""


class Inhibit(Stage):
    """The round has been answered, excluded, taken or snoozed meanwhile."""

    def ask(self, batch: Batch) -> None:
        """Drop what need not be told any more."""
        batch.keep(lambda row: self._reason(row, batch.now_ms))

    def _reason(self, row: Row, now_ms: int) -> str | None:
        if row.status not in ("pending", "missed"):
            return f"round_{row.status or 'gone'}"
        if row.taken_by is not None:
            return "taken"
        return "snoozed" if (row.rests_ms or 0) > now_ms else None


class Silence(Stage):
    """A planned silence: what is due in it is dropped, and the row says so."""

    def __init__(self, silences: Callable[[], Iterable[Quiet]]) -> None:
        self._silences = silences

    def ask(self, batch: Batch) -> None:
        """Drop everything inside a silence."""
        if any(quiet.from_ms <= batch.now_ms < quiet.until_ms for quiet in self._silences()):
            batch.keep(lambda _row: "quiet")


class Conditional(Stage):
    """A step's condition. One that fails when it is asked counts as holding: rather a message too many than none."""

    def __init__(self) -> None:
        self._made: dict[str, Condition | None] = {}

    def condition(self, text: str) -> Condition | None:
        """The condition of a step; None if it cannot be used."""
        if text not in self._made:
            try:
                self._made[text] = Condition(text)
            except BadCondition as bad:
                _log.error("a condition cannot be asked: its step is told", condition=text, error=bad.message)
                self._made[text] = None
        return self._made[text]

    def ask(self, batch: Batch) -> None:
        """Drop rows whose condition does not hold."""
        batch.keep(lambda row: self._reason(row, batch.facts.get(row.id, {})))

    def _reason(self, row: Row, facts: Mapping[str, Any]) -> str | None:
        made = self.condition(row.condition) if row.condition is not None else None
        if made is None:
            return None
        try:
            return None if made.holds(facts) else "condition"
        except BadCondition as bad:
            _log.error("a condition failed: its step is told", condition=made.text, error=bad.message)
            return None


class Merge(Stage):
    """One message for a person within the window; what comes meanwhile stands in the next one. A new try waits for nothing."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms

    def ask(self, batch: Batch) -> None:
        """Hold what comes too soon after the last message."""
        again = any(row.attempts and may_send(row.unknown) for row in batch.rows)  # one that may not is not sent at all
        if batch.last_ms is not None and not again:
            free_ms = batch.last_ms + self._window_ms
            if free_ms > batch.now_ms:
                batch.held = (free_ms, "merge")


class Breaking(Stage):
    """A way that keeps failing is left out while it rests."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def ask(self, batch: Batch) -> None:
        """Take the first way from the chosen one on that does not rest; hold if all rest."""
        ways = batch.person.ways
        order = [(batch.way + offset) % len(ways) for offset in range(len(ways))]
        rests = {index: self._breaker.rests_until(ways[index].address, batch.now_ms) for index in order}
        awake = next((index for index in order if rests[index] is None), None)
        if awake is not None:
            batch.way = awake
        else:
            batch.held = (min(until for until in rests.values() if until is not None), "way_rests")


class Throttle(Stage):
    """No service is sent more than it takes. If waiting would pass a deadline, another way that is free is used.

    A deadline that has passed can wait for a moment, not for the minutes that a robot mutes somebody.
    """

    def __init__(self, pace: Pace, limits: Callable[[str], tuple[Limit, ...]]) -> None:
        self._pace = pace
        self._limits = limits

    def ask(self, batch: Batch) -> None:
        """Hold until the way is free, or take the next one that is free sooner."""
        ways = batch.person.ways
        free = [self._free_ms(way.address, batch.now_ms) for way in ways]
        if free[batch.way] <= batch.now_ms:
            return
        others = [index for index in range(batch.way + 1, len(ways)) if free[index] <= batch.now_ms]
        if others and free[batch.way] >= max(batch.due_ms, batch.now_ms + _MOMENT_MS):
            batch.way = others[0]
        else:
            batch.held = (free[batch.way], "throttle")

    def _free_ms(self, address: str, now_ms: int) -> int:
        return self._pace.free_ms(address, self._limits(address), now_ms)
