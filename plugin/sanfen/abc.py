"""The published surface: everything an adapter imports. Change it only by adding.

A channel adapter is two translations and a manifest: ``verify`` says whether a request is authentic, ``parse`` turns its
bytes into events; both are pure. A notifier carries one notice to one address and says honestly what became of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from sanfen.core.events import Event, Evidence, Key, Message, Mode, Sender, Tag, Transfer
from sanfen.errors import DeliveryError, ParseError, VerifyError
from sanfen.strictjson import Row, RowError, json_rows, strict_json
from sanfen.wire import parse_instant, read_event

__all__ = [
    "Action",
    "Call",
    "ChannelAdapter",
    "DeliveryError",
    "Direction",
    "Event",
    "Evidence",
    "Key",
    "Limit",
    "Message",
    "Mode",
    "Notice",
    "Notifier",
    "ParseError",
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

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``secrets``: newest first; any of them is accepted. ``options``: the channel's own settings."""
        self.shop = shop
        self.channel = channel
        self.secrets = tuple(secrets)
        self.options = options

    @abstractmethod
    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Return if the request is authentic. Looks at the raw bytes. Raises VerifyError."""

    @abstractmethod
    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """The events a request carries; empty where it carries none. Pure. Raises ParseError.

        ``received_ms``: epoch milliseconds at which it arrived, for channels whose messages have no time.
        """

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

    @abstractmethod
    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Deliver, and return the remote side's answer in a few words. Raises DeliveryError.

        ``secret``: what the operator gave for this address, to sign or log in with.
        """

    async def close(self) -> None:  # noqa: B027  # most have nothing to release
        """Release connections."""
