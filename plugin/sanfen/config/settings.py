"""The configuration as the rest of the program reads it: plain, frozen, already checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from sanfen.core.classify import NOBODY, Directory

__all__ = [
    "ChannelSettings", "Duty", "Heartbeat", "Listen", "Person", "Quiet", "Secret", "Settings", "Shift", "Shop", "Token", "Way",
]  # fmt: skip


class Secret:
    """A text that never shows itself: not in logs, not in errors, not in ``repr``.

    ``name``: what it is called where uses are counted. ``not_after_ms``: epoch milliseconds from which on it is refused.
    """

    __slots__ = ("_value", "name", "not_after_ms")

    def __init__(self, value: str, name: str = "1", not_after_ms: int | None = None) -> None:
        self._value = value
        self.name = name
        self.not_after_ms = not_after_ms

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Token(Secret):
    """What somebody proves with who they are, on the second port."""

    __slots__ = ("role",)

    def __init__(
        self, value: str, name: str = "1", role: Literal["lead", "viewer"] = "lead", not_after_ms: int | None = None
    ) -> None:
        super().__init__(value, name, not_after_ms)
        self.role = role


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop whose conversations these are."""

    id: str = "default"
    name: str = "default"
    timezone: str = "Asia/Shanghai"
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True)
class Listen:
    """Addresses of the two listeners, how many connections each takes, and whose word about senders is believed."""

    hooks_host: str = "127.0.0.1"
    hooks_port: int = 8970
    board_host: str = "127.0.0.1"
    board_port: int = 8971
    url: str | None = None  # where people reach the board; links in notices begin with it
    hooks_url: str | None = None  # where channels reach the traffic port from outside; absent: by its own address
    datasette: str | None = None  # where Datasette shows the log
    connections: int = 1_024
    per_address: int = 64
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One channel. ``forward_in`` and ``forward_out`` are base addresses; None: nothing to pass on that way."""

    name: str
    adapter: str
    forward_in: str | None = None
    forward_out: str | None = None
    secrets: tuple[Secret, ...] = ()
    signing: Literal["required", "none"] = "required"
    host: Literal["keep", "upstream"] = "keep"
    timeout_ms: int = 10_000
    ack_budget_ms: int = 1_000
    delivery: Literal["relay", "store", "store-repeat"] = "relay"
    deadline_ms: int | None = None  # how long the channel waits for an answer; None: what the adapter knows of it
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Way:
    """One address by which a person is reached, and the secret its messages are signed with."""

    address: str
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """When somebody is there, in the shop's time. A shift past midnight belongs to the day it begins on.

    ``hours``: minutes of the local day ``[start, end)``, None: all of it. ``off``: local dates, YYYY-MM-DD.
    """

    hours: tuple[int, int] | None = None
    days: frozenset[int] = frozenset(range(7))
    holidays: Literal["work", "off"] = "work"
    off: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told. Ways are tried in order. ``agents``: the channels' names for them."""

    name: str
    ways: tuple[Way, ...]
    duty: Duty = Duty()
    agents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shift:
    """People of a roster who are there together."""

    people: tuple[str, ...]
    duty: Duty = Duty()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An address that is called while the watch is awake, so that its silence is noticed elsewhere."""

    url: str
    every_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Quiet:
    """A planned silence, epoch milliseconds."""

    from_ms: int
    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the policies and the classification rules.

    ``outbound``: networks and hosts that may be reached though their addresses are not public. ``plugins``: entry points
    that are loaded beside what comes with sanfen.
    """

    shop: Shop = Shop()
    listen: Listen = Listen()
    storage: Path = Path("data/sanfen.db")
    spill: Path = Path("data/sanfen.db.spill")  # what the names of the files begin with
    text_keep_ms: int = 30 * 86_400_000
    channels: Mapping[str, ChannelSettings] = field(default_factory=lambda: MappingProxyType({}))
    people: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    rosters: Mapping[str, tuple[Shift, ...]] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    fallback: tuple[str, ...] = ()
    holidays: frozenset[str] = frozenset()  # local dates, YYYY-MM-DD
    merge_ms: int = 15_000  # one person is sent at most one message in this time
    heartbeat: Heartbeat | None = None
    quiet: tuple[Quiet, ...] = ()
    admin_tokens: tuple[Token, ...] = ()  # leads' before viewers'
    session_ms: int = 12 * 3_600_000  # how long a browser stays logged in
    tracing: Literal["off", "otlp"] = "off"
    outbound: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    directory: Directory = NOBODY
    dry_run: bool = False  # judge and show, tell nobody
