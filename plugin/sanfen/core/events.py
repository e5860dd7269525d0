"""The vocabulary adapters emit: what can happen to a conversation.

Every event is an immutable tuple with the instant it happened (``at_ms``, epoch milliseconds UTC). A conversation is
identified by ``Key``: one customer with one shop account on one channel. The public file format of these events is
``sanfen.event/1`` (docs/events.md).
"""

from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "CUSTOMER_TYPES",
    "SOMEBODY",
    "STORE_STATES",
    "VALID",
    "Close",
    "CustomerType",
    "Escalate",
    "Event",
    "Evidence",
    "Handoff",
    "Key",
    "Message",
    "Mode",
    "Order",
    "Recall",
    "Release",
    "Sender",
    "Snooze",
    "Store",
    "Tag",
    "Take",
    "Transfer",
]


class Sender(StrEnum):
    """Who a message is from."""

    customer = "customer"
    merchant = "merchant"
    system = "system"


SOMEBODY = "somebody"
"""The ``sender`` of a message of which the channel does not say which side it is from, until the directory was asked."""


class Mode(StrEnum):
    """How a merchant-side message came to be (reply kind)."""

    human = "human"
    shortcut = "shortcut"
    action = "action"
    assisted = "assisted"
    bot = "bot"
    auto = "auto"
    broadcast = "broadcast"
    unknown = "unknown"


class Evidence(StrEnum):
    """How we know a reply's mode, strongest first."""

    field = "field"  # the channel says so in a field of the message
    credential = "credential"  # whose token sent it
    directory = "directory"  # the sender is in the list of staff or bots
    text = "text"  # a text or timing rule
    default = "default"  # the operator's last rule, for whatever is left
    none = "none"  # nothing told us: the mode is unknown


VALID = frozenset({Mode.human, Mode.shortcut, Mode.action, Mode.assisted})
"""Modes in which a person answers: what figures that follow no policy count. A policy gives its own effects."""

CustomerType = str
CUSTOMER_TYPES = frozenset(
    {"buyer", "sub_account", "merchant", "platform_staff", "group_chat", "cn_account", "disabled_account"}
)
STORE_STATES = frozenset({"online", "away", "holiday_mode", "closed_shop"})


class Key(NamedTuple):
    """Identity of a conversation."""

    shop: str
    channel: str
    conversation: str


class Message(NamedTuple):
    """Somebody said something. ``mode`` and ``bot`` mean something for merchant messages only."""

    at_ms: int
    key: Key
    id: str
    sender: str
    customer: str = ""
    mode: str = "unknown"
    agent: str | None = None
    bot: str | None = None
    customer_type: str = "buyer"
    text: str | None = None
    tags: tuple[str, ...] = ()
    evidence: str = "none"
    credential: str | None = None
    rule: str | None = None


class Transfer(NamedTuple):
    """The conversation moved from one agent to another."""

    at_ms: int
    key: Key
    id: str
    agent: str | None
    to: str | None


class Handoff(NamedTuple):
    """A bot gave the conversation to people (转人工)."""

    at_ms: int
    key: Key
    id: str


class Close(NamedTuple):
    """The conversation was closed by somebody or by the platform."""

    at_ms: int
    key: Key
    id: str


class Store(NamedTuple):
    """The shop's state changed; it holds for all conversations of ``key.shop``."""

    at_ms: int
    key: Key
    id: str
    state: str


class Tag(NamedTuple):
    """A fact about the conversation's session: spam, blocked, red_packet, ... (a policy's ``exclude`` list)."""

    at_ms: int
    key: Key
    id: str
    tag: str


class Recall(NamedTuple):
    """The sender took a message back."""

    at_ms: int
    key: Key
    id: str
    message: str


class Order(NamedTuple):
    """An order moved on: created, paid or received. ``amount`` in the currency's minor unit."""

    at_ms: int
    key: Key
    id: str
    order: str
    stage: str
    amount: int | None = None


class Take(NamedTuple):
    """Somebody says "I take it": nobody else needs to be told. It stops the ladder, never the customer's clock."""

    at_ms: int
    key: Key
    id: str
    agent: str | None


class Snooze(NamedTuple):
    """Nobody is told until an instant; then the ladder goes on."""

    at_ms: int
    key: Key
    id: str
    agent: str | None
    until_ms: int


class Release(NamedTuple):
    """Whoever took it hands it back: the ladder goes on."""

    at_ms: int
    key: Key
    id: str
    agent: str | None


class Escalate(NamedTuple):
    """Somebody wants the next step now, whoever has taken it."""

    at_ms: int
    key: Key
    id: str
    agent: str | None


Event = Message | Transfer | Handoff | Close | Store | Tag | Recall | Order | Take | Snooze | Release | Escalate
