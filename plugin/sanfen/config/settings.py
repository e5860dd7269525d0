"""The configuration as the rest of the program reads it: plain, frozen, already checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["ChannelSettings", "Listen", "Person", "Quiet", "Secret", "Settings", "Shop", "Way"]


class Secret:
    """A text that never shows itself: not in logs, not in errors, not in ``repr``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop whose conversations these are."""

    id: str = "default"
    name: str = "default"
    timezone: str = "Asia/Shanghai"
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True)
class Listen:
    """Addresses of the two listeners."""

    hooks_host: str = "127.0.0.1"
    hooks_port: int = 8970
    board_host: str = "127.0.0.1"
    board_port: int = 8971


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
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Way:
    """One address by which a person is reached, and the secret its messages are signed with."""

    address: str
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told. Ways are tried in order. ``hours``: minutes of the local day, None: always."""

    name: str
    ways: tuple[Way, ...]
    hours: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """A planned silence, epoch milliseconds."""

    from_ms: int
    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the policies and the classification rules."""

    shop: Shop = Shop()
    listen: Listen = Listen()
    storage: Path = Path("data/sanfen.db")
    spill: Path = Path("data/sanfen.db.spill")  # what the names of the files begin with
    text_keep_ms: int = 30 * 86_400_000
    channels: Mapping[str, ChannelSettings] = field(default_factory=lambda: MappingProxyType({}))
    people: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    quiet: tuple[Quiet, ...] = ()
