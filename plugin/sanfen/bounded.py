"""A channel's adapter of somebody else's runs between the chat and its workflow: a call that does not end is cut off.

Its calls are short and plain (parse these bytes), and are made in the event loop, so the only thing that can end one is a
signal. Where there is none (another thread, another system) there is no limit.
"""

import signal
import threading
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

import structlog

from sanfen.abc import ChannelAdapter
from sanfen.errors import Phrase, SanfenError, given_up

__all__ = ["CutOffError", "bounded"]

_LONGEST_S = 1.0
_MOST = 3
_CALLS = (
    "verify", "parse", "handshake", "answered", "tap", "heard", "rewrite", "shown", "pulls", "pull", "pulled", "can",
    "act", "refusal",
)  # fmt: skip

_log = structlog.get_logger("sanfen.gateway")


class CutOffError(SanfenError):
    """An adapter's call took too long."""


def bounded(kind: type[ChannelAdapter]) -> type[ChannelAdapter]:
    """The same adapter, whose calls may take a second each. After three that did not end it is asked no more."""
    limit = _Limit(kind.name)
    own = [name for name in _CALLS if getattr(kind, name) is not getattr(ChannelAdapter, name)]
    return type(kind.__name__, (kind,), {name: limit.on(getattr(kind, name)) for name in own})


class _Limit:
    """One adapter's calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inside = False
        self._hung = 0

    def on(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method within the limit."""

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside or threading.current_thread() is not threading.main_thread():
                return method(*args, **kwargs)
            if self._hung >= _MOST:
                raise CutOffError(given_up(self._name, self._hung))
            before = signal.signal(signal.SIGALRM, self._cut)
            self._inside = True
            signal.setitimer(signal.ITIMER_REAL, _LONGEST_S, _LONGEST_S)  # again, for one that catches everything
            try:
                result = method(*args, **kwargs)
            except CutOffError:
                self._hung += 1
                _log.error("an adapter's call did not end and was cut off", adapter=self._name, times=self._hung)
                raise
            finally:
                self._inside = False
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
            self._hung = 0
            return result

        return call if hasattr(signal, "setitimer") else method

    def _cut(self, _signal: int, _frame: FrameType | None) -> None:
        if self._inside:
            raise CutOffError(Phrase("the adapter {name} did not end", name=self._name))
