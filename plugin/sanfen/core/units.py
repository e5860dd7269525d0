"""What a policy counts: rounds put together into units, and what a unit comes to."""

from collections.abc import Hashable
from typing import Protocol

from sanfen.core.days import NEVER
from sanfen.core.events import Key
from sanfen.core.periods import Wait
from sanfen.core.policy import Policy
from sanfen.core.score import COUNTED, Outcome

__all__ = ["Counted", "Part", "judge", "standing", "unit_key"]


class _Session(Protocol):
    @property
    def opened_ms(self) -> int: ...


class Counted(Protocol):
    """What counting needs of a round: the machine's own, or one read back from the log."""

    @property
    def id(self) -> str:
        """The round's name."""

    @property
    def key(self) -> Key:
        """Its conversation."""

    @property
    def customer(self) -> str:
        """Who asked."""

    @property
    def agent(self) -> str | None:
        """Who is credited."""

    @property
    def date(self) -> str:
        """The local day it opened on."""

    @property
    def session(self) -> _Session:
        """Its session."""

    @property
    def opened_ms(self) -> int:
        """When it opened."""

    @property
    def due_ms(self) -> int:
        """Its deadline."""

    @property
    def wait_ms(self) -> int | None:
        """How long the answer took."""


class Part:
    """What is known of one unit. ``first`` is its first round's outcome, even an excluded one."""

    __slots__ = ("counted", "day", "filed", "first", "first_ms", "first_wait", "hits", "missed", "pending", "wait_ms")

    def __init__(self) -> None:
        self.first_ms = NEVER
        self.first: Outcome | None = None
        self.first_wait: Wait | None = None
        self.day = ""
        self.counted = self.hits = self.missed = self.pending = self.wait_ms = 0
        self.filed: tuple[int, str] = (NEVER, "")


def unit_key(one: Counted, policy: Policy) -> Hashable:
    """What a round is counted with: itself, its session, its customer's day."""
    if policy.unit == "session":
        session = 0 if policy.session.gap_ms is None else one.session.opened_ms
        return (one.key, session, one.agent if policy.transfer == "split" else None)
    if policy.unit == "customer_day":
        return (one.key.shop, one.key.channel, one.customer, one.date)
    if policy.unit == "agent_customer_day":
        return (one.key.shop, one.key.channel, one.customer, one.date, one.agent)
    return one.id


def judge(part: Part, rule: str, limit_ms: int) -> bool | None:
    """Whether a unit is hit; None where it is in no count."""
    if not part.counted or (rule == "first" and part.first not in COUNTED):
        return None
    if rule == "first":
        return part.first == Outcome.met
    if rule == "any":
        return part.hits > 0
    if rule == "mean":
        return not part.missed and part.wait_ms <= limit_ms * part.counted
    return part.hits == part.counted


def standing(part: Part, rule: str) -> str | None:
    """How a unit stands while its day goes on; None where it is in no count so far."""
    if not part.counted and not part.pending:
        return None
    if rule == "first":
        return {Outcome.met: "won", Outcome.late: "lost", Outcome.missed: "lost", Outcome.pending: "open"}.get(
            part.first or Outcome.excluded
        )
    if rule == "any":
        return "won" if part.hits else "open"
    if rule == "mean":
        return "lost" if part.missed else "open"
    return "lost" if part.counted > part.hits else "open"
