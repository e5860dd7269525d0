"""Our own ticker: an in-memory heap of what is due, rebuilt from SQLite at start.

A deadline is never a scheduler's one-shot job: those are dropped when late and follow clock jumps. The heap is only a
reminder; what is true stands with the round in the database, and a Tick that comes late, twice or for nothing is
harmless. It holds plain texts and numbers only, which the garbage collector does not follow: a million reminders cost it
nothing. A reminder that is true no more stays in the heap until its time; of those there are at most about as many as true
ones, as under a policy of thirty days it would stay for thirty days.
"""

import heapq
from collections.abc import Iterable

import structlog

from sanfen.clock import Clock
from sanfen.core.days import NEVER
from sanfen.core.events import Key
from sanfen.engine.ingest import Engine
from sanfen.engine.packing import key_of, named
from sanfen.errors import StoreError
from sanfen.log import Throttle

__all__ = ["Ticker"]

_LONGEST_SLEEP_MS = 250  # so that a clock step or a suspended machine is noticed soon
_BATCH = 500
_AGAIN_MS = 5_000  # after a bug of ours
_FEW = 1_000  # reminders that are true no more, which are not worth looking for
_TIDIED = 4  # that are looked at with each new one: never a pause

_log = structlog.get_logger("sanfen.engine")


class Ticker:
    """Serves due instants to the engine, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, str]] = []
        self._older: list[tuple[int, str]] = []  # the heap as it was when most of it was true no more
        self._soonest: dict[str, int] = {}
        self._serving = 0  # taken, and not served yet
        self._throttle = Throttle()

    def fill(self, reminders: Iterable[tuple[str, int]]) -> None:
        """Begin with these conversations and their due times, the soonest first; of each conversation the first counts."""
        soonest, heap = self._soonest, self._heap
        for name, due_ms in reminders:
            if name not in soonest:
                soonest[name] = due_ms
                heap.append((due_ms, name))
        heapq.heapify(heap)

    def push(self, due_ms: int, key: Key) -> None:
        """Remember that a conversation has something due at ``due_ms``, or nothing (NEVER). The latest word counts."""
        name = named(key)
        if due_ms == NEVER:
            self._soonest.pop(name, None)
        elif self._soonest.get(name) != due_ms:
            self._soonest[name] = due_ms
            heapq.heappush(self._heap, (due_ms, name))
            if self._older or len(self._heap) > 2 * len(self._soonest) + _FEW:
                self._tidy()

    def _tidy(self) -> None:
        """Let go of what is true no more, a few with each new one. The last of a heap can be taken off: it stays one."""
        if not self._older:
            self._older, self._heap = self._heap, []
        for _ in range(min(_TIDIED, len(self._older))):
            due_ms, name = self._older.pop()
            if self._soonest.get(name) == due_ms:
                heapq.heappush(self._heap, (due_ms, name))

    def _first(self) -> list[tuple[int, str]]:
        """The heap with the soonest reminder."""
        older = self._older
        return older if older and (not self._heap or older[0] < self._heap[0]) else self._heap

    def __len__(self) -> int:
        return len(self._soonest) + self._serving

    def due(self, now_ms: int) -> list[Key]:
        """Take up to a batch of conversations with something due; stale reminders are dropped."""
        keys, soonest = list[Key](), self._soonest
        while (heap := self._first() if self._older else self._heap) and heap[0][0] <= now_ms and len(keys) < _BATCH:
            due_ms, name = heapq.heappop(heap)
            if soonest.get(name) == due_ms:
                del soonest[name]
                keys.append(key_of(name))
        return keys

    def pause_ms(self, now_ms: int) -> int:
        """How long to sleep before looking again."""
        heap = self._first()
        return max(0, min(_LONGEST_SLEEP_MS, heap[0][0] - now_ms)) if heap else _LONGEST_SLEEP_MS

    async def run(self, engine: Engine) -> None:
        """Serve until cancelled. What cannot be served now is kept and tried again."""
        while True:
            now_ms = self._clock.now_ms()
            keys = self.due(now_ms)
            if not keys:
                await self._clock.sleep_ms(max(1, self.pause_ms(now_ms)))
                continue
            self._serving = len(keys)
            try:
                await engine.tick(keys)
            except StoreError as error:
                swallowed = self._throttle.take("wait", now_ms)
                if swallowed is not None:
                    _log.error(
                        "deadlines wait for the log", waiting=len(keys), error=error.message, more_like_it=swallowed
                    )
                for key in keys:
                    self.push(now_ms, key)
                await self._clock.sleep_ms(_LONGEST_SLEEP_MS)
            except Exception:
                _log.exception("deadlines could not be served; they are tried again", waiting=len(keys))
                for key in keys:
                    self.push(now_ms + _AGAIN_MS, key)
            finally:
                self._serving = 0
