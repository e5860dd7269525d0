"""The log: one JSON object a line, or coloured text on a terminal. A log call never raises into its caller.

Bodies, message texts, query strings and secrets never enter it: callers do not pass them, and what carries such a name
is blotted out last. Of an exception stand its frames and its class; its words only where we or the system wrote them, for
a library quotes what it was given. Lines that strangers can cause go through ``Throttle``, so that nobody can fill a disk
from outside.
"""

import asyncio
import logging
import os
import re
import sqlite3
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, ClassVar, TextIO

import structlog

from sanfen.errors import SanfenError

__all__ = ["OneLine", "Throttle", "configure", "dropped_lines", "is_debugging", "on_loop_error"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_HIDDEN = re.compile(r"secret|token|signature|authorization|password|cookie|api_?key", re.IGNORECASE)
_NEVER = frozenset({"body", "text", "question", "query"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_EVERY_MS = 10_000
_DEEPEST_CAUSE = 5
_OURS = (SanfenError, OSError, sqlite3.Error, RecursionError, MemoryError)
"""Exceptions whose words hold no message: ours, the system's and SQLite's."""
_MOST_CAUSES = 1_000

_Event = MutableMapping[str, Any]


class _State:
    dropped = 0
    debug = False
    loop: "Throttle"


def dropped_lines() -> int:
    """How many lines could not be written since the start."""
    return _State.dropped


def is_debugging() -> bool:
    """Whether debug lines are written: for callers on the hot path, to whom even a swallowed line costs."""
    return _State.debug


class _Safe(structlog.BoundLoggerBase):
    """A logger whose methods swallow and count every failure of logging itself."""

    threshold: ClassVar[int] = 20

    def debug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """For whoever looks for a fault."""
        self._safely("debug", event, args, fields)

    def info(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What is worth knowing."""
        self._safely("info", event, args, fields)

    def warning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What may need a person, later."""
        self._safely("warning", event, args, fields)

    def error(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What needs a person."""
        self._safely("error", event, args, fields)

    def critical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """What stops the service."""
        self._safely("critical", event, args, fields)

    def exception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """An error with the traceback of the exception being handled."""
        self._safely("error", event, args, {"exc_info": True} | fields)

    def _safely(self, level: str, event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        if _LEVELS[level] < self.threshold:
            return
        try:
            if "event" in fields:  # a payload splatted into a log call
                fields["event_field"] = fields.pop("event")
            self._proxy_to_logger(level, str(event) % args if args else str(event), **fields)
        except Exception:  # noqa: BLE001  # a full disk or a bad __repr__ must cost a line, not a message
            _State.dropped += 1


def _redacted(_logger: Any, _name: str, event: _Event) -> _Event:
    """The last processor before the renderer."""
    for key in list(event):
        if not isinstance(key, str):
            event[str(key)] = event.pop(key)
        elif key in _NEVER or (key != "event" and _HIDDEN.search(key)):
            event[key] = "***"
    return event


def _escaped(_logger: Any, _name: str, event: _Event) -> _Event:
    """On a terminal a control character could forge a line or a colour."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(_CONTROL.sub(lambda found: repr(found[0])[1:-1], line) for line in lines)
    return event


def _traced(_logger: Any, _name: str, event: _Event) -> _Event:
    """The exception as text: frames without local variables, and classes without words that may quote a message."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = _story(error)
    return event


def _story(error: BaseException, depth: int = 0) -> str:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    first = _story(before, depth + 1) + "\n\nthen:\n\n" if before is not None and depth < _DEEPEST_CAUSE else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    words = f": {error}" if isinstance(error, _OURS) else " (its words are not logged)" if str(error) else ""
    return f"{first}Traceback (most recent call last):\n{frames}{type(error).__name__}{words}"


class _Bridge(logging.Handler):
    """What libraries log by the standard module, as lines of ours."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._throttle = Throttle()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, but not a flood of one kind."""
        swallowed = self._throttle.take(f"{record.name} {record.msg}"[:200], int(record.created * 1000))
        if swallowed is None:
            return
        fields: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        fields |= {"more_like_it": swallowed} if swallowed else {}
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a record whose arguments do not fit its text
            message = str(record.msg)
        level = record.levelname.lower()
        log = structlog.get_logger("sanfen.library")
        getattr(log, level if level in _LEVELS else "warning")(message, logger=record.name, **fields)


def configure(level: str | None = None, *, stream: TextIO | None = None, plain: bool | None = None) -> None:
    """Set up logging for the process. ``level``: debug, info, warning, error (default: SANFEN_LOG, or info).

    ``plain``: text for a terminal instead of JSON lines; by default where the stream is one.
    """
    stream = stream or sys.stderr
    wanted = _LEVELS.get((level or os.environ.get("SANFEN_LOG", "info")).lower(), 20)
    _State.debug = wanted <= _LEVELS["debug"]
    render: list[Any] = [structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
    if stream.isatty() if plain is None else plain:
        render = [_escaped, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _traced,
            _redacted,
            *render,
        ],
        wrapper_class=type("Safe", (_Safe,), {"threshold": wanted}),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[_Bridge(logging.WARNING)], level=logging.WARNING, force=True)


def on_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's own complaint: asyncio would show objects, and with them what they hold."""
    error = context.get("exception")
    swallowed = _State.loop.take(type(error).__name__, int(_loop.time() * 1000))
    if swallowed is not None:
        log = structlog.get_logger("sanfen.loop")
        log.error(str(context.get("message", ""))[:200], exc_info=error, more_like_it=swallowed)


class Throttle:
    """At most one line a cause every ten seconds; the next one says how many it stands for."""

    def __init__(self, every_ms: int = _EVERY_MS) -> None:
        self._every_ms = every_ms
        self._last: dict[str, tuple[int, int]] = {}  # cause: when last written, how many swallowed since

    def take(self, cause: str, now_ms: int) -> int | None:
        """How many lines of this cause were swallowed before this one, or None if this one is too."""
        last = self._last.get(cause)
        if last is not None and 0 <= now_ms - last[0] < self._every_ms:
            self._last[cause] = (last[0], last[1] + 1)
            return None
        if len(self._last) >= _MOST_CAUSES:
            self._last.clear()
        self._last[cause] = (now_ms, 0)
        return 0 if last is None else last[1]


class OneLine(logging.Filter):
    """For the HTTP server's own logger: a stranger's broken request is one line without traceback, and throttled."""

    def __init__(self, now_ms: Any) -> None:
        """``now_ms``: a function that gives epoch milliseconds."""
        super().__init__()
        self._now_ms = now_ms
        self._throttle = Throttle()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass; strips the traceback where the fault is the sender's."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not (isinstance(error, OSError) or type(error).__module__.startswith("aiohttp.")):
            return True
        swallowed = self._throttle.take(type(error).__name__, self._now_ms())
        record.exc_info, record.exc_text, record.stack_info = None, None, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = "broken request: %s (and %s more like it)", (type(error).__name__, swallowed)
        return swallowed is not None


_State.loop = Throttle()
