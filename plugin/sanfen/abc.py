"""The published surface: everything an adapter imports. Change it only by adding.

A channel adapter is a few translations and a manifest: ``verify`` says whether a request is authentic, ``parse`` and
``answered`` turn what went by into facts; all are pure. A notifier carries one notice to one address and says honestly
what became of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from sanfen.core.events import Close, Event, Evidence, Handoff, Key, Message, Mode, Recall, Sender, Tag, Transfer
from sanfen.errors import ConfigError, DeliveryError, DeniedError, ParseError, Phrase, VerifyError
from sanfen.reading import Place, Unread, dig, each, fingerprint, instant_ms, json_object, listed
from sanfen.strictjson import Row, RowError, json_rows, strict_json
from sanfen.wire import parse_instant, read_event

__all__ = [
    "Action",
    "Alias",
    "Answer",
    "Call",
    "ChannelAdapter",
    "Close",
    "ConfigError",
    "DeliveryError",
    "DeniedError",
    "Direction",
    "Event",
    "Evidence",
    "Fact",
    "Guard",
    "Handoff",
    "Here",
    "Key",
    "Limit",
    "Message",
    "Mode",
    "Notice",
    "Notifier",
    "ParseError",
    "Phrase",
    "Place",
    "Proof",
    "Pull",
    "Pulled",
    "Recall",
    "Reply",
    "Request",
    "Row",
    "RowError",
    "Sender",
    "Tag",
    "Tap",
    "Transfer",
    "Unread",
    "VerifyError",
    "Waiting",
    "dig",
    "each",
    "fingerprint",
    "instant_ms",
    "json_object",
    "json_rows",
    "listed",
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


class Answer(NamedTuple):
    """One HTTP answer as it came: header names in lower case, the body as its Content-Encoding left it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it was done: a 2xx."""
        return 200 <= self.status < 300


class Reply(NamedTuple):
    """An answer of ours, to a channel that only wants to know whether somebody is here."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


class Alias(NamedTuple):
    """Another name of a conversation: a reply token, a second id of the customer, a session's address.

    An event of this channel whose conversation is called ``alias`` belongs to ``conversation``, also what was kept before.
    """

    alias: str
    conversation: str
    keep_ms: int = 30 * 86_400_000  # it is forgotten when it was not given again for so long


class Pull(NamedTuple):
    """There is something to fetch: the channel said so (a poke), or it is time. Those of one name are done one by one."""

    name: str  # what the cursor belongs to: an account, a desk
    token: str = ""  # what the poke gave along


class Pulled(NamedTuple):
    """What an answer to a pull told. ``cursor``: where to go on; None leaves it. ``more``: ask again at once."""

    facts: "Sequence[Fact]" = ()
    cursor: str | None = None
    more: bool = False


Fact = Event | Alias | Pull | Unread
"""What an adapter reads from a request or an answer."""


class Here(NamedTuple):
    """Where a channel's traffic arrives at us, without a slash at the end: what ``rewrite`` puts into bodies."""

    inward: str  # https://sanfen.example.com/in/desk
    outward: str


class Tap(Protocol):
    """Reads an answer that is still being written. What it raises ends the reading, never the answer."""

    def feed(self, chunk: bytes, received_ms: int) -> Sequence[Fact]:
        """The next bytes, as they go by. Raises ParseError."""

    def end(self, received_ms: int) -> Sequence[Fact]:
        """There are no more. Raises ParseError."""


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
    ack: ClassVar[Literal["store", "passthrough"]] = "store"
    """``passthrough``: the workflow's answer is a message itself, so it cannot be answered before the workflow does."""
    ids: ClassVar[Literal["channel", "conversation"]] = "channel"
    """Where a message's id is unlike all others; the manifest says it."""
    judges_calls: ClassVar[bool] = False  # the channel itself judges who calls its API: that needs no secret of ours
    pull_every_ms: ClassVar[int | None] = None
    """How often what ``pulls`` names is fetched though nobody poked; the manifest says it."""

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
    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a request tells; empty where it tells nothing. Pure. Raises ParseError.

        ``received_ms``: epoch milliseconds at which it arrived, for channels whose messages have no time.
        """

    def handshake(self, request: Request, direction: Direction) -> Reply | None:  # noqa: ARG002  # most have none
        """Our answer to a challenge (``hub.challenge``, ``url_verification``, ``echostr``); None: it is no challenge.

        Asked after ``verify``. With ``options: {handshake: forward}`` the workflow answers instead. Raises ParseError.
        """
        return None

    def answered(
        self,
        request: Request,  # noqa: ARG002  # most channels' answers tell nothing
        answer: Answer,  # noqa: ARG002
        direction: Direction,  # noqa: ARG002
        received_ms: int,  # noqa: ARG002
    ) -> Sequence[Fact]:
        """What the HTTP answer to a request tells: a sent message's id and time, or the message itself. Pure.

        An ``in`` answer is the workflow's, an ``out`` answer the channel's. Looked at where this is overridden. What it
        returns is journaled before the answer is passed on, within the channel's budget. Raises ParseError.
        """
        return ()

    def tap(self, request: Request, answer: Answer, direction: Direction) -> Tap | None:  # noqa: ARG002  # as above
        """What reads an answer as it is written, by its head (``answer.body`` is empty); None: whole, by ``answered``."""
        return None

    def heard(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> "Sequence[Fact]":
        """What a whole answer tells, by the tap that would read it while it is written, if there is one. Raises ParseError."""
        tap = self.tap(request, answer._replace(body=b""), direction)
        if tap is None:
            return self.answered(request, answer, direction, received_ms)
        return [*tap.feed(answer.body, received_ms), *tap.end(received_ms)]

    def rewrite(self, request: Request, direction: Direction, here: Here) -> Request | None:  # noqa: ARG002  # as above
        """The request with an address of ours where it names the workflow's or the channel's own; None: as it is.

        Only ``query`` and ``body`` may differ. Whoever checks a signature behind us will refuse what was rewritten, so
        rewrite nothing that is signed. Raises ParseError.
        """
        return None

    def shown(self, path: str) -> str:
        """A request's path as the log may keep it: without the token, where a channel's paths hold one."""
        return path

    def pulls(self) -> Sequence[Pull]:
        """What to fetch at the start, and then every ``pull_every_ms``."""
        return ()

    def pull(self, pull: Pull, cursor: str | None, now_ms: int) -> Call | None:  # noqa: ARG002  # as above
        """The request that fetches what comes after the cursor (None: from the beginning); None: there is no need.

        An adapter that needs an access token first returns the request for the token; ``pulled`` keeps it and says
        ``more``.
        """
        return None

    def pulled(self, pull: Pull, answer: Answer, cursor: str | None, received_ms: int) -> Pulled:  # noqa: ARG002  # as above
        """What the answer told. Its facts and its cursor are kept in one commit. Raises ParseError: it is tried again."""
        return Pulled()

    def can(self, kind: Literal["assign", "note"]) -> bool:  # noqa: ARG002  # most channels have no such API
        """Whether ``act`` has a request for this kind of action, by what the options say."""
        return False

    def act(self, action: Action) -> Call | None:  # noqa: ARG002  # most channels have no such API
        """The request that does it, by what the options say of the channel's API; None: this channel cannot."""
        return None

    def refusal(self, answer: Answer) -> str | None:  # noqa: ARG002  # most say it by the status
        """Why the API did not do it although its status is 2xx, in its words; None: it did."""
        return None

    def texts(self, option: str) -> tuple[str, ...]:
        """An option that is one text or a list of them; empty where it is not given."""
        said = self.options.get(option) or ()
        return (said,) if isinstance(said, str) else tuple(map(str, said))

    def place(self, received_ms: int) -> Place:
        """Where a request came in: what events are built with."""
        return Place(self.shop, self.channel, received_ms)


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
    still: tuple[Waiting, ...] = ()  # of whom the person was told before, and who still wait; the text lists them too

    def plain(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return self._asdict() | {name: [one._asdict() for one in getattr(self, name)] for name in ("waiting", "still")}


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

    @classmethod
    def home(cls, address: str) -> str:  # noqa: ARG003  # for those that know it
        """The web address its messages go to: ``sanfen check --online`` looks whether anybody answers there. Empty: unknown."""
        return ""

    guard: Guard
    """Which addresses may be connected to. The service puts it here; ask it for every connection."""

    @abstractmethod
    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Deliver, and return the remote side's answer in a few words. Raises DeliveryError.

        ``secret``: what the operator gave for this address, to sign or log in with.
        """

    async def close(self) -> None:  # noqa: B027  # most have nothing to release
        """Release connections."""
