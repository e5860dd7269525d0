"""What a channel's adapter makes of what goes by: of requests, of answers, of answers still being written.

Whatever the adapter does, the chat goes on: what cannot be read is an error to keep beside the bytes, never an exception.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from sanfen.abc import (
    Alias,
    Answer,
    Call,
    ChannelAdapter,
    DeliveryError,
    Direction,
    Event,
    Fact,
    Here,
    ParseError,
    Pull,
    Pulled,
    Reply,
    Request,
    Tap,
    Unread,
)
from sanfen.core.classify import Directory, placed
from sanfen.core.events import Message, Recall
from sanfen.errors import Phrase
from sanfen.gateway.intake import reads
from sanfen.gateway.journaling import Counters
from sanfen.log import Throttle

__all__ = ["Heard", "Hearing"]

_log = structlog.get_logger("sanfen.gateway")

_READ_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_WINDOW = {"gzip": 31, "deflate": 15}


class Heard(NamedTuple):
    """Events, what is to be remembered beside them, and why there is no more."""

    events: Sequence[Event] = ()
    notes: tuple[Alias | Pull, ...] = ()
    error: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to keep."""
        return not self.events and not self.notes and self.error is None


class Hearing:
    """One channel's. ``most_bytes``: what is longer is not read."""

    def __init__(
        self, adapter: ChannelAdapter, directory: Directory, most_bytes: int, counters: Counters, here: Here
    ) -> None:
        self.adapter = adapter
        self._directory = directory
        self._most_bytes = most_bytes
        self._counters = counters
        self._here = here
        self._throttle = Throttle()
        answers = _does(adapter, "answered") or _does(adapter, "tap")
        self._answers: dict[Direction, bool] = {"in": answers and adapter.ack == "passthrough", "out": answers}
        self._local_ids = getattr(adapter, "ids", "channel") == "conversation"
        self._taps = _does(adapter, "tap")
        self._hides = _does(adapter, "shown")
        self._rewrites = _does(adapter, "rewrite")
        self._greets = _does(adapter, "handshake") and adapter.options.get("handshake") != "forward"

    def hears_answers(self, direction: Direction) -> bool:
        """Whether the answers to what goes this way tell something."""
        return self._answers[direction]

    def shown(self, path: str) -> str:
        """A path as the log keeps it."""
        try:
            return self.adapter.shown(path) if self._hides else path
        except Exception:  # noqa: BLE001  # better none than one with a token
            self._say(0)
            return ""

    def request(self, wire: Request, direction: Direction, received_ms: int) -> Heard:
        """What a request tells."""
        if wire.body and not reads(self.adapter, wire.headers):
            return Heard(error=f"content-type {wire.headers['content-type'][:60]!a}: forwarded, not read")
        if len(wire.body) > self._most_bytes:
            return self._unread(f"larger than {self._most_bytes} bytes: forwarded, not read")
        encoding = wire.headers.get("content-encoding", "identity").lower()
        if wire.body and encoding not in ("", "identity"):
            return self._unread(f"content-encoding {encoding[:20]}: forwarded, not read")
        return self._heard(lambda: self.adapter.parse(wire, direction, received_ms), received_ms)

    def handshake(self, wire: Request, direction: Direction, now_ms: int) -> Reply | None:
        """Our own answer, if the request is a challenge and we are to answer those."""
        if not self._greets:
            return None
        try:
            return self.adapter.handshake(wire, direction)
        except ParseError:
            return None  # the same bytes are read below, and the error kept
        except Exception:  # noqa: BLE001  # it goes on to the workflow
            self._say(now_ms)
            return None

    def rewritten(self, wire: Request, direction: Direction, now_ms: int) -> Request:
        """The request with our addresses in it, where it holds others'."""
        if not self._rewrites:
            return wire
        try:
            return self.adapter.rewrite(wire, direction, self._here) or wire
        except ParseError:
            return wire
        except Exception:  # noqa: BLE001  # the chat goes on as it was
            self._say(now_ms)
            return wire

    def answer(self, wire: Request, answer: Answer, direction: Direction, received_ms: int) -> Heard:
        """What a whole answer tells."""
        encoding = answer.headers.get("content-encoding", "identity").lower()
        if len(answer.body) > self._most_bytes:
            return self._unread(f"an answer larger than {self._most_bytes} bytes: passed on, not read")
        if encoding not in _READ_ENCODINGS:
            return self._unread(f"an answer with content-encoding {encoding[:20]}: passed on, not read")
        if encoding in _WINDOW:
            plain = _inflated(answer.body, _WINDOW[encoding], self._most_bytes)
            if plain is None:
                return self._unread("an answer whose compression is broken: passed on, not read")
            answer = answer._replace(body=plain)
        read = self.adapter.heard if self._taps else self.adapter.answered
        return self._heard(lambda: read(wire, answer, direction, received_ms), received_ms)

    def pull(self, pull: Pull, cursor: str | None, now_ms: int) -> Call | None:
        """The request that fetches the next page. Raises DeliveryError."""
        try:
            return self.adapter.pull(pull, cursor, now_ms)
        except Exception as failure:  # noqa: BLE001  # it is tried again
            self._say(now_ms)
            raise DeliveryError(
                Phrase("the adapter failed: {name}", name=type(failure).__name__),
                reason="adapter_failed",
                retryable=True,
            ) from None

    def pulled(self, pull: Pull, answer: Answer, cursor: str | None, received_ms: int) -> tuple[Pulled, Heard]:
        """What a page told, and where to go on."""
        found = Pulled()

        def read() -> Sequence[Fact]:
            nonlocal found
            found = self.adapter.pulled(pull, answer, cursor, received_ms)
            return found.facts

        heard = self._heard(read, received_ms)
        return found, heard

    def stream(self, wire: Request, answer: Answer, direction: Direction) -> "Stream":
        """A reader of an answer that is still being written."""
        tap: Tap | None = None
        try:
            tap = self.adapter.tap(wire, answer, direction)
        except Exception:  # noqa: BLE001  # it goes on all the same
            self._say(0)
        return Stream(self, tap, wire, answer, direction, self._most_bytes)

    def _heard(self, read: Callable[[], Sequence[Fact]], now_ms: int) -> Heard:
        try:
            facts = read()
        except ParseError as failure:
            return self._unread(failure.message)
        except Exception as failure:  # noqa: BLE001  # the chat goes on without this adapter
            self._say(now_ms)
            return self._unread(f"the adapter failed: {type(failure).__name__}")
        if not facts:
            return _NOTHING
        directory = self._directory
        events = [placed(one, directory) if type(one) is Message else one for one in facts]
        if self._local_ids:
            events = [_named(one) for one in events]
        besides = [one for one in events if isinstance(one, Alias | Pull | Unread)]
        if not besides:
            return Heard(events)  # type: ignore[arg-type]  # there is nothing else
        unread = next((one.sentence for one in besides if isinstance(one, Unread)), None)
        if unread is not None:
            self._counters.add("poison", self.adapter.channel)
        notes = tuple(one for one in besides if not isinstance(one, Unread))
        return Heard([one for one in events if not isinstance(one, Alias | Pull | Unread)], notes, unread)

    def _unread(self, error: str) -> Heard:
        self._counters.add("poison", self.adapter.channel)
        return Heard(error=error)

    def _say(self, now_ms: int) -> None:
        swallowed = self._throttle.take("adapter", now_ms)
        if swallowed is not None:
            _log.exception("an adapter failed", channel=self.adapter.channel, more_like_it=swallowed)


class Stream:
    """Reads an answer as it goes by: by the adapter's tap, or whole at its end."""

    def __init__(
        self, hearing: Hearing, tap: Tap | None, wire: Request, answer: Answer, direction: Direction, most_bytes: int
    ) -> None:
        self._hearing = hearing
        self._tap = tap
        self._wire = wire
        self._answer = answer
        self._direction: Direction = direction
        self._left_bytes = most_bytes + 1
        self._parts: list[bytes] = []
        encoding = answer.headers.get("content-encoding", "identity").lower()
        self._inflate = zlib.decompressobj(_WINDOW[encoding]) if encoding in _WINDOW else None
        self._deaf = tap is not None and encoding not in _READ_ENCODINGS

    def feed(self, chunk: bytes, received_ms: int) -> Heard:
        """The next bytes."""
        if self._tap is None:
            kept = chunk[: self._left_bytes]
            self._left_bytes -= len(kept)
            self._parts.append(kept)
            return _NOTHING
        return self._tapped(chunk, received_ms)

    def end(self, received_ms: int) -> Heard:
        """There are no more."""
        tap = self._tap
        if tap is None:
            answer = self._answer._replace(body=b"".join(self._parts))
            return self._hearing.answer(self._wire, answer, self._direction, received_ms)
        return _NOTHING if self._deaf else self._checked(lambda: tap.end(received_ms), received_ms)

    def _tapped(self, chunk: bytes, received_ms: int) -> Heard:
        tap = self._tap
        if self._deaf or tap is None:
            return _NOTHING
        try:
            plain = chunk if self._inflate is None else self._inflate.decompress(chunk, 1 << 20)
        except zlib.error:
            self._deaf = True
            return self._hearing._unread("an answer whose compression is broken: passed on, not read")  # noqa: SLF001
        return self._checked(lambda: tap.feed(plain, received_ms), received_ms)

    def _checked(self, read: Callable[[], Sequence[Fact]], received_ms: int) -> Heard:
        heard = self._hearing._heard(read, received_ms)  # noqa: SLF001  # one reader in two classes
        self._deaf |= heard.error is not None
        return heard


def heard_headers(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """An answer's headers as adapters see them."""
    return {n.decode("latin-1").lower(): v.decode("utf-8", "surrogateescape") for n, v in raw}


def narrowed(headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """A request's headers, without leave to answer in an encoding that we could not read."""
    return [
        (name, _encodings(value)) if name.lower() == b"accept-encoding" else (name, value) for name, value in headers
    ]


def _named(fact: Fact) -> Fact:
    """With an id that is unlike all others of the channel, where the channel's own are so in their conversation only."""
    if isinstance(fact, Alias | Pull | Unread):
        return fact
    talk = fact.key.conversation
    if isinstance(fact, Recall):
        return fact._replace(id=f"{talk}:{fact.id}", message=f"{talk}:{fact.message}")
    return fact._replace(id=f"{talk}:{fact.id}")


def _does(adapter: ChannelAdapter, name: str) -> bool:
    """Whether an adapter has something of its own to do there."""
    base = getattr(ChannelAdapter, name)
    return getattr(type(adapter), name, base) is not base


def _encodings(value: bytes) -> bytes:
    offered = [part.strip() for part in value.split(b",")]
    kept = [part for part in offered if part.split(b";")[0].strip().lower() in (b"gzip", b"deflate", b"identity")]
    return b", ".join(kept) or b"identity"


def _inflated(body: bytes, window: int, most_bytes: int) -> bytes | None:
    try:
        return zlib.decompressobj(window).decompress(body, most_bytes)
    except zlib.error:
        return None


_NOTHING = Heard()
