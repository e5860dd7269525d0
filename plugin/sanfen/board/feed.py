"""The live feed: whoever has the board open hears of a change as soon as it is committed, and a beat each second.

One task looks at the log while anybody listens, at most ten times a second; every listener is sent what differs from what he
has. So a slow listener costs no memory, and none of them can hold up the engine, which only says that there is news.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from aiohttp import web

from sanfen.board.access import Refusal
from sanfen.store.present import Waiting

__all__ = ["Entry", "Feed", "Look", "Picture"]

_BEAT_S = 1.0
_PAUSE_S = 0.1
_AT_ONCE = 20  # rows that are put into words on the event loop; more are in a thread


class Look(NamedTuple):
    """For whom the page is put into words."""

    language: str
    is_wall: bool = False


class Entry:
    """A row, and its words once somebody needed them."""

    __slots__ = ("one", "steps", "words")

    def __init__(self, one: Waiting, steps: int) -> None:
        self.one = one
        self.steps = steps
        self.words: dict[Look, str] = {}


class Picture(NamedTuple):
    """What there is to see. ``parts``: the other pieces of the page, in words, for a look. ``rows`` is None without a log."""

    now_ms: int
    rows: Mapping[str, Entry] | None
    parts: Callable[[Look], Mapping[str, str]]


class _Seen:
    """What a listener has."""

    __slots__ = ("parts", "rows")

    def __init__(self) -> None:
        self.rows: Mapping[str, Entry] | None = None
        self.parts: Mapping[str, str] = {}


class Feed:
    """Tells listeners what changes. ``take``: looks at the log. ``word``: puts a row into words."""

    def __init__(
        self, take: Callable[[Picture | None], Awaitable[Picture]], word: Callable[[Entry, Look, int], str]
    ) -> None:
        self._take = take
        self._word = word
        self._news = asyncio.Event()
        self._picture: Picture | None = None
        self._turn = asyncio.Event()  # a new one after each picture
        self._task: asyncio.Task[None] | None = None
        self._listeners = 0
        self._is_over = False

    def wake(self) -> None:
        """Something was committed. On the event loop."""
        self._news.set()

    async def close(self) -> None:
        """Let every listener go: the service stops."""
        self._is_over = True
        self._turn.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def serve(self, request: web.Request, look: Look, check: Callable[[], None]) -> web.StreamResponse:
        """Send events until the listener goes, or ``check`` raises Refusal: he may not look any more."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        self._listeners += 1
        seen = _Seen()
        try:
            await response.write(b"retry: 1000\n\n")
            while not self._is_over:
                turn = self._turn
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._run())
                elif self._picture is not None:
                    await response.write(await self._event(self._picture, look, seen))
                await turn.wait()
                check()
        except (ConnectionError, Refusal):
            pass  # the page was closed, or its session has ended
        finally:
            self._listeners -= 1
        return response

    async def _run(self) -> None:
        """Look while anybody listens."""
        while self._listeners:
            self._news.clear()
            self._picture = await self._take(self._picture)
            turn, self._turn = self._turn, asyncio.Event()
            turn.set()
            await asyncio.sleep(_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_S - _PAUSE_S):
                    await self._news.wait()
        self._picture = None

    async def _event(self, picture: Picture, look: Look, seen: _Seen) -> bytes:
        """What a listener does not have yet."""
        said: dict[str, object] = {"now_ms": picture.now_ms}
        rows, had = picture.rows, seen.rows
        if rows is None:
            said["blind"] = True
        else:
            new = [one for name, one in rows.items() if had is None or had.get(name) is not one]
            if new:
                said["put"] = await self._worded(new, look, picture.now_ms)
            gone = [] if had is None else [name for name in had if name not in rows]
            if gone:
                said["gone"] = gone
            if had is None:
                said["all"] = True
            seen.rows = rows
        parts = picture.parts(look)
        changed = {name: text for name, text in parts.items() if seen.parts.get(name) != text}
        if changed:
            said["parts"] = changed
        seen.parts = parts
        return f"data: {json.dumps(said, ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")

    async def _worded(self, entries: list[Entry], look: Look, now_ms: int) -> str:
        def worded() -> str:
            for one in entries:
                if look not in one.words:
                    one.words[look] = self._word(one, look, now_ms)
            return "".join(one.words[look] for one in entries)

        return await asyncio.to_thread(worded) if len(entries) > _AT_ONCE else worded()
