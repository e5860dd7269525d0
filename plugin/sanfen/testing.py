"""Published for the authors of adapters: a clock that tests move, and short ways to write events and notices.

Nothing here is used by the running service.
"""

import asyncio
import heapq
from typing import Any

from sanfen.abc import Notice
from sanfen.core.events import Key, Message, Mode

__all__ = ["FakeClock", "ask", "notice", "reply"]


class FakeClock:
    """A clock that moves only when told to; sleepers wake in order of their time."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._order = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self._now_ms

    def off_ms(self) -> int:
        """It is never set."""
        return 0

    async def sleep_ms(self, duration_ms: int) -> None:
        """Wait until the test has moved time that far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now_ms + duration_ms, self._order, future))
        await future

    async def advance(self, duration_ms: int) -> None:
        """Move time, waking each sleeper at its instant and letting it run."""
        end_ms = self._now_ms + duration_ms
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end_ms:
            due_ms, _, future = heapq.heappop(self._sleepers)
            self._now_ms = max(self._now_ms, due_ms)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now_ms = end_ms
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)


def ask(at_ms: int, customer: str = "A", *, name: str | None = None, text: str | None = None) -> Message:
    """A customer's message in the conversation of the same name."""
    return Message(
        at_ms, Key("default", "default", customer), name or f"q{customer}{at_ms}", "customer", customer, text=text
    )


def reply(
    at_ms: int, customer: str = "A", *, agent: str = "a1", mode: Mode = Mode.human, bot: str | None = None
) -> Message:
    """A merchant-side message in a customer's conversation."""
    key = Key("default", "default", customer)
    return Message(
        at_ms, key, f"m{customer}{at_ms}", "merchant", customer, mode=mode, agent=agent, bot=bot, evidence="field"
    )


def notice(**facts: Any) -> Notice:
    """What the lead is told of one customer; ``facts``: fields that are otherwise."""
    usual = Notice(
        "r1.default.0.7", "r1", "flagship", "desk", "c", "tb**34", None, "default", 0, "lead", _OPENED_MS, _OPENED_MS + 180_000,
        90_000, None, "title", "text",
    )  # fmt: skip
    return usual._replace(**facts)


_OPENED_MS = 1_673_056_800_000
