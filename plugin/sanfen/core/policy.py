"""A policy: one platform's rule as frozen data. It has no behaviour; ``rounds``, ``score`` and ``metrics`` read it.

The words are those of docs/policies.md and of the YAML. Durations are milliseconds, clock times minutes after local
midnight, weekdays 0 (Monday) to 6. ``None`` means the policy does not say.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

__all__ = [
    "DueRule",
    "Hours",
    "Ladder",
    "Marks",
    "Period",
    "Policy",
    "ReplyEffect",
    "Report",
    "Session",
    "Step",
    "Target",
]

ReplyEffect = Literal["answers", "ignored", "voids", "excuses"]

REPLY_DEFAULTS: dict[str, ReplyEffect] = {
    "human": "answers",
    "shortcut": "answers",
    "action": "answers",
    "assisted": "answers",
    "bot": "ignored",
    "auto": "ignored",
    "broadcast": "ignored",
    "unknown": "ignored",
}


@dataclass(frozen=True, slots=True)
class Hours:
    """When the rule looks: half-open ``[open_min, close_min)`` local; a close at or before the open runs past midnight.

    ``week``: the spans of each weekday, Monday first, in place of one span on all ``days``.
    """

    open_min: int = 0
    close_min: int = 1440
    days: frozenset[int] = frozenset(range(7))
    holidays: Literal["open", "closed"] = "open"
    by: Literal["opened", "session_opened", "replied", "either"] = "opened"
    outside: Literal["exclude", "ignore", "defer"] = "exclude"
    week: tuple[tuple[tuple[int, int], ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What ends a session: ``gap_ms`` of silence since the reference. No gap: one session for good."""

    gap_ms: int | None = None
    since: Literal["last_message", "last_customer", "close"] = "last_message"


@dataclass(frozen=True, slots=True)
class DueRule:
    """One way to reach a deadline; the first rule whose ``when`` holds is used. Exactly one of the four forms is set."""

    when_days: frozenset[int] | None = None
    when_hours: Literal["inside", "outside"] | None = None
    after_ms: int | None = None
    clock: Literal["wall", "hours"] = "wall"
    workdays: int | None = None
    batch_min: int | None = None
    weekday: int | None = None
    at_min: int | None = None  # None with ``workdays``: the same time of day


@dataclass(frozen=True, slots=True)
class Period:
    """The days a rate is taken over."""

    kind: Literal["rolling", "day", "week", "month"] = "rolling"
    count: int = 1
    lag_days: int = 1
    anchor: Literal["today", "last_unit"] = "today"
    assign_by: Literal["opened", "due"] = "opened"
    min_units: int = 0
    otherwise_value: Fraction | None = None
    otherwise_last_units: int | None = None
    otherwise_within_days: int | None = None
    otherwise_assess: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What the number is: a share of units hit, a share of late ones, or a mean response time."""

    kind: Literal["share", "late_share", "mean"] = "share"
    cap_ms: int | None = None
    gap_cut_ms: int | None = None
    trim: Fraction | None = None
    recent_share: Fraction | None = None
    recent_weight: Fraction | None = None
    rounding: Literal["none", "floor_percent"] = "none"


@dataclass(frozen=True, slots=True)
class Marks:
    """A mark for one response time: that of the first band whose bound is at or above the wait; ``beyond`` after the last.

    The default is the table of the seed article on response rates; what it prints ends at an hour, the 0 after it is ours.
    """

    bands: tuple[tuple[int, int], ...] = (
        (60_000, 100), (120_000, 95), (300_000, 90), (600_000, 85), (900_000, 80), (1_200_000, 75), (1_800_000, 70),
        (2_400_000, 65), (3_000_000, 60), (3_600_000, 55),
    )  # fmt: skip
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A value the platform demands; compared exactly, as fractions. Means compare in seconds."""

    name: str
    op: Literal[">=", ">", "<", "<="]
    value: Fraction
    then: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder: at an instant of the round's life, tell these people, or give it to another agent.

    ``at_ms`` counts from the start of the round's clock, or from its deadline (negative: before it). ``condition`` is
    asked by the shell when the step is due. ``every_ms``: told again so often, ``times`` times, until the next step.
    """

    at_ms: int
    notify: tuple[str, ...] = ()
    since: Literal["clock", "deadline"] = "clock"
    reassign: str | None = None
    condition: str | None = None
    every_ms: int = 0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Ladder:
    """Escalation steps for the rounds that match all that is given; one that gives nothing takes every round.

    ``agents``: who holds it. ``hours``: local minutes ``[start, end)`` of its opening; an end at or before the start runs
    past midnight.
    """

    name: str
    steps: tuple[Step, ...]
    shops: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    hours: tuple[int, int] | None = None

    @property
    def moves(self) -> bool:
        """Whether a round can come to match it, or cease to, after it opened."""
        return bool(self.agents or self.tags)


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule of one platform. ``version`` is a hash of its content, kept with every score."""

    id: str
    tz: str = "Asia/Shanghai"
    hours: Hours | None = None
    unit: Literal["message", "round", "session", "customer_day", "agent_customer_day"] = "round"
    judge: Literal["each", "first", "any", "all", "mean"] = "each"
    wait_from: Literal["first", "last"] = "first"
    starts: Literal["message", "handoff"] = "message"
    session: Session = Session()
    due: tuple[DueRule, ...] = (DueRule(after_ms=180_000),)
    inclusive: bool = True
    replies: dict[str, ReplyEffect] = field(default_factory=lambda: dict(REPLY_DEFAULTS), hash=False)
    bots: frozenset[str] = frozenset()
    empty_replies: tuple[str, ...] = ()
    no_reply: Literal["missed", "excluded"] = "missed"
    midnight: Literal["none", "exclude_pending", "exclude_crossing", "missed"] = "none"
    transfer: Literal["carry", "split"] = "carry"
    agent_clock: Literal["opened", "assigned"] = "opened"
    away: Literal["count", "exclude", "defer"] = "count"
    exclude: frozenset[str] = frozenset()
    period: Period | None = None
    report: Report = Report()
    marks: Marks = Marks()
    targets: tuple[Target, ...] = ()
    holidays: frozenset[str] = frozenset()  # local dates, YYYY-MM-DD
    ladders: tuple[Ladder, ...] = ()
    version: str = ""
