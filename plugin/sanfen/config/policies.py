"""The shape of a policy file: docs/policies.md is generated from its docstrings.

Rules between keys are checked here too, so a policy that loads can be run.
"""

from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sanfen.config.patterns import readable
from sanfen.config.types import Clock, Date, Duration, Flag, Share, Whole, Window, parse_zone
from sanfen.core import policy as core
from sanfen.errors import Phrase, UnfitError

__all__ = ["DAYS", "DueModel", "HoursModel", "PeriodModel", "PolicyModel", "ReportModel"]

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EffectName = Literal["answers", "ignored", "voids", "excuses"]
ExcludeName = Literal[
    "sub_account", "merchant", "platform_staff", "group_chat", "spam", "ad", "blocked", "abnormal", "red_packet",
    "recalled", "no_response_needed", "cn_account", "disabled_account", "opened_by_merchant", "holiday_mode",
    "closed_shop", "public_holiday", "special_day", "zero_second",
]  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TitleModel(_Model):
    """What people call the rule."""

    en: str
    zh: str | None = None


class StatusModel(_Model):
    """How sure the rule is."""

    confidence: Literal["high", "medium", "low"]
    """Several sources that agree, or the platform itself; one good source; hearsay."""
    as_of: str | None = None
    """The months for which the sources speak."""
    note: str | None = None
    """What is doubtful."""


class SourceModel(_Model):
    """Where a statement comes from."""

    at: str
    date: str | None = None
    says: str | None = None
    """What it says, in our words."""


class ValidModel(_Model):
    """The days on which the rule was in force."""

    from_: Date | None = Field(default=None, alias="from")
    to: Date | None = None


class WeekModel(_Model):
    """The spans of each weekday; a day that is not named is closed."""

    mon: tuple[Window, ...] = ()
    tue: tuple[Window, ...] = ()
    wed: tuple[Window, ...] = ()
    thu: tuple[Window, ...] = ()
    fri: tuple[Window, ...] = ()
    sat: tuple[Window, ...] = ()
    sun: tuple[Window, ...] = ()

    @model_validator(mode="after")
    def _some_and_apart(self) -> "WeekModel":
        spans = [span for name in DAYS for span in getattr(self, name)]
        if not spans:
            raise UnfitError("no day is open", 'name at least one, such as mon: ["09:00-17:00"]')
        for name in DAYS:
            day = getattr(self, name)
            if any(later[0] < (earlier[1] if earlier[1] > earlier[0] else 1441) for earlier, later in pairwise(day)):
                raise UnfitError(Phrase("{name}: spans overlap or are not in order", name=name))
        return self


class HoursModel(_Model):
    """When the rule looks."""

    open: Clock = 0
    """First minute of the day that counts."""
    close: Clock = 1440
    """First minute that does not; at or before ``open`` it runs past midnight."""
    days: tuple[DayName, ...] = DAYS
    """Weekdays on which the hours apply."""
    week: WeekModel | None = None
    """The spans of each weekday, in place of ``open``, ``close`` and ``days``: ``{mon: ["09:00-12:00", "13:00-17:00"]}``."""
    holidays: Literal["open", "closed"] = "open"
    """Whether the hours apply on the given holidays."""
    by: Literal["opened", "session_opened", "replied", "either"] = "opened"
    """Which instant is tested."""
    outside: Literal["exclude", "ignore", "defer"] = "exclude"
    """A question outside: its round is excluded, it does not exist, or its clock waits for the opening."""

    @model_validator(mode="after")
    def _opens(self) -> "HoursModel":
        if not self.days:
            raise UnfitError("no day is open", "leave days out for all seven")
        if self.week is not None and self.model_fields_set & {"open", "close", "days"}:
            raise UnfitError("week stands in place of open, close and days: give one or the other")
        return self


class SessionModel(_Model):
    """What ends a session."""

    gap: Duration | None = None
    """Silence that ends it; absent: one session for good."""
    since: Literal["last_message", "last_customer", "close"] = "last_message"
    """What the silence is counted from."""


class WhenModel(_Model):
    """The questions a due rule is for."""

    days: tuple[DayName, ...] | None = None
    """Asked on these weekdays."""
    hours: Literal["inside", "outside"] | None = None
    """Asked inside or outside the hours."""


class DueModel(_Model):
    """One way to reach a deadline. Give one of ``after``, ``workdays``, ``batch``, ``weekday``."""

    when: WhenModel = WhenModel()
    """Only for these questions."""
    after: Duration | None = None
    """This long after the clock started."""
    clock: Literal["wall", "hours"] = "wall"
    """Whether ``after`` runs always or in opening hours only."""
    workdays: Whole | None = None
    """This many working days later, at ``at``."""
    at: Clock | Literal["same"] | None = None
    """The local time of the deadline."""
    batch: Clock | None = None
    """Asked before this time: due at ``at`` today, else tomorrow."""
    weekday: DayName | None = None
    """The next such day, at ``at``."""

    @model_validator(mode="after")
    def _one_form(self) -> "DueModel":
        forms = [name for name in ("after", "workdays", "batch", "weekday") if getattr(self, name) is not None]
        if len(forms) != 1:
            raise UnfitError("a due rule needs exactly one of after, workdays, batch, weekday")
        if forms != ["after"] and self.at is None:
            raise UnfitError(Phrase("a due rule with {forms} needs at: the local time of the deadline", forms=forms[0]))
        if self.at == "same" and forms != ["workdays"]:
            raise UnfitError("at: same goes with workdays only")
        return self


class RepliesModel(_Model):
    """The effect of each kind of reply: answers ends the round, ignored is as if not sent, excuses does not end it but
    drops it if nothing else answers, voids ends it and drops it.
    """

    human: EffectName = "answers"
    """A person typed it."""
    shortcut: EffectName = "answers"
    """A person sent a stored phrase."""
    action: EffectName = "answers"
    """A person did something that counts as an answer: accepted, sent an order card."""
    assisted: EffectName = "answers"
    """A bot's draft that a person sent."""
    bot: EffectName = "ignored"
    """A program wrote and sent it."""
    auto: EffectName = "ignored"
    """The platform or the shop's settings sent it."""
    broadcast: EffectName = "ignored"
    """Sent to many at once."""
    unknown: EffectName = "ignored"
    """Nothing tells."""


class OtherwiseModel(_Model):
    """What holds when a period has too few units."""

    value: Share | None = None
    """This number."""
    last_units: Whole | None = None
    """The newest so many units, also from before the period."""
    within_days: Whole | None = None
    """But none older than this."""
    assess: Flag = False
    """Whether the number is judged by the targets all the same."""


class PeriodModel(_Model):
    """The days a rate is taken over."""

    kind: Literal["rolling", "day", "week", "month"] = "rolling"
    """A span that ends before today, or whole days, weeks (from Monday) or months."""
    count: Whole = 1
    """How many days, weeks or months."""
    lag_days: Whole = 1
    """How many days before today the last one lies."""
    anchor: Literal["today", "last_unit"] = "today"
    """Whether the span is counted back from today or from the newest unit."""
    assign_by: Literal["opened", "due"] = "opened"
    """Which instant files a unit under a day."""
    min_units: Whole = 0
    """With fewer units ``otherwise`` holds."""
    otherwise: OtherwiseModel = OtherwiseModel()
    """What holds with fewer."""


class RecentModel(_Model):
    """The newest ``share`` of the units counts again, by ``weight``; the whole by the rest."""

    share: Share
    weight: Share


class ReportModel(_Model):
    """What the number is."""

    as_: Literal["share", "late_share", "mean"] = Field(default="share", alias="as")
    """The share of units that are hit, of those that are not, or the mean wait in seconds."""
    cap: Duration | None = None
    """A longer wait counts as this; an unanswered round too."""
    gap_cut: Duration | None = None
    """A round with a longer wait is left out."""
    trim: Share | None = None
    """Only this fastest part of the waits."""
    recent: RecentModel | None = None
    """The newest units count for more."""
    rounding: Literal["none", "floor_percent"] = "none"
    """Whether the percentage is cut to a whole one."""


class BandModel(_Model):
    """A bound of response times and its mark."""

    within: Duration
    mark: Whole


class MarksModel(_Model):
    """A mark for each answered round, by its response time."""

    bands: tuple[BandModel, ...] = tuple(BandModel(within=f"{ms}ms", mark=mark) for ms, mark in core.Marks().bands)
    """The first band whose ``within`` is at or above the wait gives the mark."""
    beyond: Whole = 0
    """The mark of a longer wait, and of an unanswered round."""

    @model_validator(mode="after")
    def _rising(self) -> "MarksModel":
        if any(later.within <= earlier.within for earlier, later in pairwise(self.bands)):
            raise UnfitError("bands: each within must be longer than the one before")
        return self


class TargetModel(_Model):
    """A value the platform demands."""

    name: str = "target"
    op: Literal[">=", ">", "<", "<="]
    """How the number is compared."""
    value: Share
    """With what: 0.9 is 90 %; of a mean, seconds."""
    then: str = ""
    """What follows where it is not met."""


class FreeReplyModel(_Model):
    """How long free replies may be sent."""

    after: Duration
    """This long."""
    since: Literal["last_customer_message"] = "last_customer_message"


class ConstraintModel(_Model):
    """A limit on sending."""

    free_reply_until: FreeReplyModel
    """This long after the customer's last message."""
    afterwards: Literal["template_only"] = "template_only"
    """What may still be sent then."""


class PolicyModel(_Model):
    """One rule of one platform."""

    schema_: Literal["sanfen.policy/0"] = Field(default="sanfen.policy/0", alias="schema")
    """The version of this shape."""
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Its name: lower-case letters, digits, dots, dashes; platform and date."""
    based_on: str | None = None
    """The policy whose values hold where this one is silent."""
    kind: Literal["response", "constraint", "none"] = "response"
    """A rule on answers, a limit on sending, or a platform that has no such rule."""
    title: TitleModel | None = None
    """What people call it."""
    status: StatusModel | None = None
    """How sure it is."""
    sources: tuple[SourceModel, ...] = ()
    """Where it is written."""
    valid: ValidModel = ValidModel()
    """When it was in force; for readers, nothing is decided by it."""
    tz: str = "shop"
    """``shop``, or an IANA time zone."""
    hours: HoursModel | None = None
    """When it looks; absent: always."""
    unit: Literal["message", "round", "session", "customer_day", "agent_customer_day"] = "round"
    """What is counted."""
    judge: Literal["each", "first", "any", "all", "mean"] = "each"
    """Which rounds of a unit decide it."""
    wait_from: Literal["first", "last"] = "first"
    """The clock starts at the first, or restarts at each later, unanswered question."""
    starts: Literal["message", "handoff"] = "message"
    """What starts the clock: the question, or the bot's handoff to people."""
    session: SessionModel = SessionModel()
    """What ends a session."""
    due: tuple[DueModel, ...] = (DueModel(after="180s"),)
    """The deadline: the first rule whose ``when`` holds."""
    inclusive: Flag = True
    """A reply at the very instant of the deadline is in time."""
    replies: RepliesModel = RepliesModel()
    """What each kind of reply does."""
    bots: tuple[str, ...] = ()
    """Bots whose assisted replies count (and whose unattended ones, where ``replies.bot`` answers); empty: any."""
    empty_replies: tuple[str, ...] = ()
    """Regular expressions of texts that answer nothing."""
    no_reply: Literal["missed", "excluded"] = "missed"
    """What an unanswered round is."""
    midnight: Literal["none", "exclude_pending", "exclude_crossing", "missed"] = "none"
    """What the end of the local day does to an open round (docs/scoring.md)."""
    transfer: Literal["carry", "split"] = "carry"
    """A transfer hands the round on, or leaves the giver a missed one."""
    agent_clock: Literal["opened", "assigned"] = "opened"
    """After a transfer the clock goes on, or starts at the transfer."""
    away: Literal["count", "exclude", "defer"] = "count"
    """A question while nobody is online."""
    exclude: tuple[ExcludeName, ...] = ()
    """Customers, tags and store states that are left out."""
    period: PeriodModel | None = None
    """The days its number is taken over; absent: the whole log."""
    report: ReportModel = ReportModel()
    """What its number is."""
    marks: MarksModel = MarksModel()
    """The mark of a response time."""
    targets: tuple[TargetModel, ...] = ()
    """What the platform demands."""
    constraint: ConstraintModel | None = None
    """Of ``kind: constraint`` only: a rule that limits sending instead of judging replies."""

    @field_validator("tz")
    @classmethod
    def _zone(cls, value: str) -> str:
        return value if value == "shop" else parse_zone(value).key

    @field_validator("empty_replies")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(readable(pattern, ours=True) for pattern in value)

    @field_validator("due", mode="before")
    @classmethod
    def _some_due(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise UnfitError("a list must stand here", Phrase("write [{{after: {value}}}]", value=value))
        if not value:
            raise UnfitError("a policy needs at least one due rule")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "PolicyModel":
        if (self.kind == "constraint") != (self.constraint is not None):
            raise UnfitError("kind: constraint and constraint: go together")
        if self.judge == "mean" and self.due[0].after is None:
            raise UnfitError("judge: mean needs a first due rule with after")
        single = self.unit in ("round", "message")
        if single and self.judge != "each":
            raise UnfitError(Phrase("unit: {unit} needs judge: each", unit=self.unit))
        if not single and self.judge == "each":
            raise UnfitError(Phrase("unit: {unit} needs judge: first, any, all or mean", unit=self.unit))
        return self
