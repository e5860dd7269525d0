"""What adapters build events with: short, checked and quick, so that a parser is a few lines of what its channel says."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from sanfen.core.events import SOMEBODY, Close, Evidence, Handoff, Key, Message, Mode, Recall, Sender, Tag, Transfer
from sanfen.errors import ParseError, Phrase
from sanfen.strictjson import strict_json
from sanfen.wire import parse_instant

__all__ = ["Place", "Unread", "dig", "each", "fingerprint", "instant_ms", "json_object", "listed"]

T = TypeVar("T")
F = TypeVar("F")

_LONGEST = 512
_NUMBER = re.compile(r"[0-9]{1,17}(\.[0-9]{1,9})?", re.ASCII)
_SECONDS_END = 10**11
_MILLISECONDS_END = 10**14
_FIRST_MS = 631_152_000_000  # 1990-01-01
_LAST_MS = 4_102_444_800_000  # 2100-01-01
_VALID_MODES = frozenset(Mode)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; an empty body is an empty object. Raises ParseError."""
    if not body:
        return {}
    value = strict_json(body)
    if not isinstance(value, dict):
        raise ParseError("the body is no JSON object", hint="is this the channel's address, and this its adapter?")
    return value


def dig(value: Any, *names: str) -> Any:
    """What stands under names inside objects inside objects; None where there is none."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def listed(value: Any, *names: str) -> list[dict[str, Any]]:
    """The objects of the list that stands under names, as in ``dig``; empty where there is none. Raises ParseError."""
    found = dig(value, *names)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ParseError(Phrase("{names} is no list of objects", names=names[-1]), hint="look at the body in the log")
    return found


class Unread(NamedTuple):
    """Something that could not be read, beside what could. ``sentence``: why."""

    sentence: str


def each(items: Iterable[T], read: Callable[[T], Iterable[F]], *, or_raise: bool = True) -> list[F | Unread]:
    """What every item of a delivery tells: one that cannot be read costs no other, and is said beside them.

    Raises ParseError where nothing can be read at all, unless it is not to (``or_raise``).
    """
    out: list[F | Unread] = []
    failure: ParseError | None = None
    for one in items:
        try:
            out += read(one)
        except ParseError as error:
            failure = failure or error
    if failure is not None:
        if or_raise and not out:
            raise failure
        out.append(Unread(failure.message))
    return out


def fingerprint(token: str) -> str:
    """What stands in rows for a token that sent something: never the token."""
    return "token:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def instant_ms(value: Any, received_ms: int) -> int:
    """Epoch milliseconds of a channel's time: seconds, milliseconds or microseconds by their size, or an ISO text.

    None or nothing: ``received_ms``. A fraction of a second is cut off. Raises ParseError.
    """
    if value is None or value == "":
        return received_ms
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        value = int(value[: found.start(1)] if found[1] else value)
    if isinstance(value, float):
        value = int(value) if abs(value) < _MILLISECONDS_END * 1000 else 0  # neither NaN nor infinity comes from JSON
    if not isinstance(value, int) or isinstance(value, bool):
        return parse_instant(value)
    at_ms = value * 1000 if value < _SECONDS_END else value if value < _MILLISECONDS_END else value // 1000
    if not _FIRST_MS <= at_ms < _LAST_MS:
        raise ParseError(
            Phrase("not a time between 1990 and 2100: {value}", value=str(value)[:40]),
            hint="look at the body in the log",
        )
    return at_ms


class Place(NamedTuple):
    """Where a request came in. Its methods make events of it; they raise ParseError for ids that are none.

    ``at``: the channel's own time, as in ``instant_ms``. ``name``: the channel's id; without one it is derived from the
    content and the time. ``rule``: what told who it was, in the channel's words.
    """

    shop: str
    channel: str
    received_ms: int

    def key(self, conversation: Any) -> Key:
        """The identity of a conversation."""
        return Key(self.shop, self.channel, _word(conversation, "conversation"))

    def ask(
        self,
        conversation: Any,
        name: Any,
        at: Any,
        *,
        customer: Any = None,
        text: Any = None,
        agent: str | None = None,
        customer_type: str = "buyer",
        tags: tuple[str, ...] = (),
        rule: str | None = None,
    ) -> Message:
        """A customer's message. ``agent``: who holds the conversation, where the channel says so."""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        said = _text(text)
        return Message(
            at_ms, key, _name(name, at_ms, key, "customer", said), Sender.customer,
            key.conversation if customer in (None, "") else _word(customer, "customer"),
            agent=agent, customer_type=customer_type, text=said, tags=tags, rule=rule,
        )  # fmt: skip

    def somebody(
        self, conversation: Any, name: Any, at: Any, actor: Any, *, text: Any = None, rule: str | None = None
    ) -> Message:
        """A message of which the channel does not say which side it is from: the shop's directory says it, by ``actor``."""
        return self.ask(conversation, name, at, customer=actor, text=text, rule=rule)._replace(sender=SOMEBODY)

    def reply(
        self,
        conversation: Any,
        name: Any,
        at: Any,
        mode: Mode | str = Mode.unknown,
        *,
        text: Any = None,
        agent: Any = None,
        bot: Any = None,
        credential: str | None = None,
        evidence: Evidence | str | None = None,
        rule: str | None = None,
        tags: tuple[str, ...] = (),
    ) -> Message:
        """A message from the merchant's side.

        ``mode``: what the channel's own field says, or ``unknown`` where a directory, a credential or a text must tell:
        the middleware asks those by ``agent``, ``credential`` and ``text``. ``evidence``: absent, it is ``field`` for a
        known mode. ``credential``: ``fingerprint(token)`` of whoever called.
        """
        if mode not in _VALID_MODES:
            raise ParseError(
                Phrase("no such mode: {mode!a}", mode=str(mode)[:40]),
                hint="an adapter's mistake: see the glossary, mode",
            )
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        said = _text(text)
        grade = evidence or (Evidence.none if mode == Mode.unknown else Evidence.field)
        return Message(
            at_ms, key, _name(name, at_ms, key, "merchant", said), Sender.merchant, key.conversation, mode,
            None if agent in (None, "") else _word(agent, "agent"), None if bot in (None, "") else _word(bot, "bot"),
            "buyer", said, tags, grade, credential, rule,
        )  # fmt: skip

    def transfer(self, conversation: Any, name: Any, at: Any, *, to: str | None, agent: str | None = None) -> Transfer:
        """The conversation moved from ``agent`` to ``to``; None: nobody, or nobody knows."""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        return Transfer(at_ms, key, _name(name, at_ms, key, "transfer", to), agent, to)

    def handoff(self, conversation: Any, name: Any, at: Any) -> Handoff:
        """A bot gave the conversation to people."""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        return Handoff(at_ms, key, _name(name, at_ms, key, "handoff", None))

    def close(self, conversation: Any, name: Any, at: Any) -> Close:
        """The conversation was closed."""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        return Close(at_ms, key, _name(name, at_ms, key, "close", None))

    def recall(self, conversation: Any, name: Any, at: Any, *, message: Any) -> Recall:
        """The message of that id was taken back."""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        return Recall(at_ms, key, _name(name, at_ms, key, "recall", str(message)), _word(message, "message"))

    def tag(self, conversation: Any, name: Any, at: Any, *, tag: str) -> Tag:
        """A fact about the conversation's session: spam, blocked, …"""
        key, at_ms = self.key(conversation), instant_ms(at, self.received_ms)
        return Tag(at_ms, key, _name(name, at_ms, key, "tag", tag), tag)


def _word(value: Any, what: str) -> str:
    """An id as a text the log can keep; numbers are ids too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise ParseError(
            Phrase("{what} is missing", what=what),
            hint="this is not what the channel sends: look at the body in the log",
        )
    if len(value) > _LONGEST:
        raise ParseError(
            Phrase("{what} is longer than {longest} characters", what=what, longest=_LONGEST),
            hint="look at the body in the log",
        )
    return value if value.isascii() and "\0" not in value else _sound(value)


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ParseError("the text of a message is no text", hint="look at the body in the log")
    return _sound(value)


def _sound(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _name(value: Any, at_ms: int, key: Key, kind: str, said: str | None) -> str:
    if value not in (None, ""):
        return _word(value, "id")
    material = json.dumps([at_ms, key, kind, said]).encode()
    return "h" + hashlib.blake2b(material, digest_size=8).hexdigest()
