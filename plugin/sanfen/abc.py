"""The published surface: everything an adapter imports. Change it only by adding.

A channel adapter is two translations and a manifest: ``verify`` says whether a request is authentic, ``parse`` turns its
bytes into events; both are pure. A notifier carries one notice to one address and says honestly what became of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from sanfen.core.events import Event, Evidence, Key, Message, Mode, Sender, Tag, Transfer
from sanfen.errors import DeliveryError, DeniedError, ParseError, VerifyError
from sanfen.strictjson import Row, RowError, json_rows, strict_json
from sanfen.wire import parse_instant, read_event

__all__ = [
    "Action",
    "Call",
    "ChannelAdapter",
    "DeliveryError",
    "DeniedError",
    "Direction",
    "Event",
    "Evidence",
    "Guard",
    "Key",
    "Limit",
    "Message",
    "Mode",
    "Notice",
    "Notifier",
    "ParseError",
    "Proof",
    "Request",
    "Row",
    "RowError",
    "Sender",
    "Tag",
    "Transfer",
    "VerifyError",
    "Waiting",
    "json_rows",
    "parse_instant",
    "read_event",
    "strict_json",
]

Direction = Literal["in", "out"]
"""``in``: from the channel to the workflow. ``out``: from the workflow to the channel."""


class Request(NamedTuple):
    """One HTTP request as it came: nothing decoded, header names in lower case."""

    method: str
    path: str  # what follows /in/{channel}/ or /out/{channel}/, percent-encoded as received
    query: str  # without the question mark, as received
    headers: Mapping[str, str]
    body: bytes


class Proof(NamedTuple):
    """What an authentic request proved. ``secret``: which secret signed it, counted from 0.

    ``replay_key``: SHA-256 of what was signed, for a request whose message ids are not under its signature: whoever
    sends it again with another id is found out by it.
    """

    secret: int
    replay_key: bytes | None = None


class Action(NamedTuple):
    """Something to be done at the channel: give a conversation to an agent, or leave its holder a private note."""

    kind: Literal["assign", "note"]
    conversation: str
    agent: str | None = None
    text: str | None = None


class Call(NamedTuple):
    """One HTTP request to the channel's API."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class ChannelAdapter(ABC):
    """One channel's facts as code. An instance serves one configured channel."""

    name: ClassVar[str]
    """The word after ``adapter:`` in the configuration."""
    deadline_ms: ClassVar[int | None] = None
    """How long the channel waits for an answer, where that is known; the manifest says it."""

    content_types: ClassVar[frozenset[str]] = frozenset(
        {"application/json", "application/x-ndjson", "application/jsonl", "application/octet-stream", "text/plain"}
    )
    """What ``parse`` reads, besides ``+json`` and what declares nothing; another body is passed on and not looked at."""

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``secrets``: newest first; any of them is accepted. ``options``: the channel's own settings."""
        self.shop = shop
        self.channel = channel
        self.secrets = tuple(secrets)
        self.options = options

    @abstractmethod
    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:
        """Return if the request is authentic. Looks at the raw bytes. Raises VerifyError.

        None where the operator wants no proof (``signing: none``). A secret whose last day has passed is refused after
        this by its number, so an adapter need not know about days.
        """

    @abstractmethod
    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """The events a request carries; empty where it carries none. Pure. Raises ParseError.

        ``received_ms``: epoch milliseconds at which it arrived, for channels whose messages have no time.
        """

    def can(self, kind: Literal["assign", "note"]) -> bool:  # noqa: ARG002  # most channels have no such API
        """Whether ``act`` has a request for this kind of action, by what the options say."""
        return False

    def act(self, action: Action) -> Call | None:  # noqa: ARG002  # most channels have no such API
        """The request that does it, by what the options say of the channel's API; None: this channel cannot."""
        return None


class Waiting(NamedTuple):
    """One customer who waits, as a notice lists them."""

    round_id: str
    shop: str
    channel: str
    conversation: str
    customer: str  # masked
    agent: str | None
    opened_ms: int
    due_ms: int | None
    waited_ms: int
    question: str | None
    url: str | None = None


class Notice(NamedTuple):
    """What a person is told: who waits. The fields of one round are those of the most urgent, ``waiting`` has them all."""

    id: str  # the same for every attempt: a receiver can drop duplicates by it
    round_id: str
    shop: str
    channel: str
    conversation: str
    customer: str  # masked
    agent: str | None
    ladder: str
    step: int
    person: str
    opened_ms: int
    due_ms: int | None
    waited_ms: int  # when the notice was made
    question: str | None  # the first unanswered question, if text is kept
    title: str
    text: str  # one message in the shop's language
    url: str | None = None  # where one click takes the round, if there is such an address
    waiting: tuple[Waiting, ...] = ()  # the longest wait first


class Limit(NamedTuple):
    """What a service takes from one address, and what it does about one message too many."""

    most: int  # messages
    per_ms: int  # in any span this long
    muted_ms: int = 0  # it then takes nothing for this long


class Guard(Protocol):
    """Says where the operator lets sanfen connect to."""

    def refusal(self, url: str) -> str | None:
        """Why a URL can never be connected to; None where its addresses decide."""

    async def resolve(self, host: str, port: int) -> list[tuple[int, str]]:
        """Address families and addresses of a host. Raises DeniedError, socket.gaierror."""


class Notifier(ABC):
    """One way to reach people."""

    name: ClassVar[str]
    """Its folder's word, and the scheme of its addresses: ``webhook`` for ``webhook+https://…``."""
    schemes: ClassVar[tuple[str, ...]] = ()
    """The schemes of its addresses where they are not just ``name``; ``*``: every scheme no other notifier has."""
    limits: ClassVar[tuple[Limit, ...]] = ()
    """What the service takes, for whoever spaces the messages out."""
    secret_address: ClassVar[bool] = False
    """Whether the address alone is enough to send by it: then it belongs in the environment."""

    @classmethod  # noqa: B027  # some take any
    def check(cls, address: str) -> None:
        """Return if the address is one of this way's, without reaching out. Raises ConfigError with the mend."""

    @classmethod
    def shown(cls, address: str) -> str:
        """The address as it may stand in logs, tables and pages: without path, query and user, who may be secrets."""
        scheme, _, rest = address.partition(":")
        host = rest.removeprefix("//").partition("?")[0].partition("/")[0].rpartition("@")[2]
        return f"{scheme}://{host}" if host else scheme

    guard: Guard
    """Which addresses may be connected to. The service puts it here; ask it for every connection."""

    @abstractmethod
    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Deliver, and return the remote side's answer in a few words. Raises DeliveryError.

        ``secret``: what the operator gave for this address, to sign or log in with.
        """

    async def close(self) -> None:  # noqa: B027  # most have nothing to release
        """Release connections."""
