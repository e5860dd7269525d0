"""Blocking calls of libraries, each in a daemon thread: given up when their time is over, and no end waits for them.

Where they connect to is watched. A library resolves names by itself and may follow where it is sent, so every connection
such a thread makes is looked at when it is made: to the addresses the operator named, and to public ones.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from sanfen.abc import DeliveryError, DeniedError, Guard
from sanfen.errors import Phrase

__all__ = ["Threads"]

T = TypeVar("T")

_MOST = 16  # blocked threads, after which nothing more is begun
_WATCHED = ("socket.connect", "socket.sendto", "socket.sendmsg")


class _Bounds:
    """Where one call may connect to."""

    def __init__(self, guard: Guard, named: frozenset[str]) -> None:
        self.guard = guard
        self.named = named  # the addresses of the hosts in the operator's own words, which the guard has allowed
        self.denied: Phrase | None = None

    def look(self, address: object) -> None:
        """Raises DeniedError."""
        if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
            return  # a socket of this machine's own file system
        host = address[0].partition("%")[0]
        if host in self.named:
            return
        literal = f"[{host}]" if ":" in host else host
        # In nobody's words, so loopback, which the guard allows by its own name, is none of it.
        if host.startswith("127.") or host == "::1" or self.guard.refusal(f"https://{literal}") is not None:
            self.denied = Phrase("{host} is not a public address", host=host)
            raise DeniedError(self.denied)


_BOUNDS: ContextVar[_Bounds | None] = ContextVar("_BOUNDS", default=None)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _WATCHED:
        bounds = _BOUNDS.get()
        if bounds is not None:
            bounds.look(args[1])


class Threads:
    """The blocking calls of one notifier."""

    _watching = False

    def __init__(self) -> None:
        self._busy = 0
        self._lock = threading.Lock()

    async def run(self, job: Callable[[], T], patience_s: float, guard: Guard, named: frozenset[str]) -> T:
        """What the job returns or raises. Raises DeliveryError where it went where it must not, or takes too long."""
        if not Threads._watching:
            Threads._watching = True
            sys.addaudithook(_audit)
        with self._lock:
            if self._busy >= _MOST:
                word = Phrase("{count} messages are still being sent", count=_MOST)
                raise DeliveryError(word, reason="busy", retryable=True)
            self._busy += 1
        bounds, context = _Bounds(guard, named), copy_context()
        context.run(_BOUNDS.set, bounds)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        threading.Thread(target=context.run, args=(self._work, loop, done, job), daemon=True).start()
        try:
            async with asyncio.timeout(patience_s):
                result = await done
        except TimeoutError:
            raise DeliveryError("no answer in time", reason="timeout", retryable=True, unknown=True) from None
        except DeliveryError:
            if bounds.denied is None:
                raise
        else:
            if bounds.denied is None:
                return result
        raise DeliveryError(bounds.denied, reason="denied", retryable=False)

    def _work(self, loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]", job: Callable[[], T]) -> None:
        try:
            result, error = job(), None
        except Exception as found:  # noqa: BLE001  # the caller's business
            result, error = None, found
        finally:
            with self._lock:
                self._busy -= 1
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, done, result, error)


def _settle(done: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
