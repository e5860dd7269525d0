"""The shape of ``sanfen.yaml``. What stands here is what ``config/sanfen.example.yaml`` shows and editors complete."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from sanfen.config.patterns import readable
from sanfen.config.policies import DAYS, DayName
from sanfen.config.types import Date, Duration, Share, Whole, Window, parse_zone
from sanfen.core.events import Mode
from sanfen.errors import Phrase, UnfitError, UnreadableError

__all__ = ["Config", "OwnPolicy"]

_COMPARE = re.compile(r"(>=|<=|<|>)\s*([0-9]+)")
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):([0-9]{1,5})")
_HIGHEST_PORT = 65535
_SHORTEST_EVERY_MS = 10_000


def _length(value: Any) -> tuple[str, int]:
    found = _COMPARE.fullmatch(str(value).strip())
    if not found:
        raise UnreadableError(
            Phrase("not a comparison: {value!r}", value=str(value)), "write it as '>= 12'", example=">= 12"
        )
    return found[1], int(found[2])


def _less_than(value: Any) -> Any:
    text = str(value).strip()
    if not text.startswith("<"):
        raise UnreadableError(Phrase("not a bound: {text!r}", text=text), "write it as '< 1500ms'", example="< 1500ms")
    return text[1:].strip()


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _address(value: Any) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(str(value).strip())
    if not found or not 0 <= int(found[3]) <= _HIGHEST_PORT:
        raise UnreadableError(
            Phrase("not an address: {value!r}", value=str(value)),
            "write it as 127.0.0.1:8970",
            example="127.0.0.1:8970",
        )
    return found[1] or found[2], int(found[3])


def _url(value: Any) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"https?://[^/?#\s@]+(/[^?#\s]*)?", text):
        raise UnreadableError(
            "not a base address",
            "write it as http://127.0.0.1:9001/in, without query and user name",
            example="http://127.0.0.1:9001/in",
        )
    return text


Length = Annotated[tuple[str, int], BeforeValidator(_length), WithJsonSchema({"type": "string", "examples": [">= 12"]})]
Within = Annotated[Duration, BeforeValidator(_less_than), WithJsonSchema({"type": "string", "examples": ["< 1500ms"]})]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Option = Annotated[
    str | tuple[str, ...],
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_MODE_NAMES = {"enum": [str(mode) for mode in Mode]}
Modes = Annotated[
    tuple[Mode, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_MODE_NAMES, {"type": "array", "items": _MODE_NAMES}]}),
]
Address = Annotated[tuple[str, int], BeforeValidator(_address), WithJsonSchema({"type": "string"})]
Url = Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value).strip())
    except ValueError:
        raise UnreadableError(
            Phrase("not a network: {value!r}", value=str(value)),
            "write it as 10.0.0.0/8 or 192.0.2.7",
            example="10.0.0.0/8",
        ) from None


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network), WithJsonSchema({"type": "string"})]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ShopModel(_Model):
    """The shop whose conversations these are."""

    id: str = Field(default="default", min_length=1, max_length=100)
    """Its name in rows and events."""
    name: str = "default"
    """Its name for people."""
    timezone: str = "Asia/Shanghai"
    """Every clock time in this file is in this zone."""
    language: Literal["zh", "en"] = "zh"
    """Of notices."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return parse_zone(value).key


class ListenModel(_Model):
    """Two listeners of one process."""

    hooks: Address = ("127.0.0.1", 8970)
    """Messages, both ways."""
    board: Address = ("127.0.0.1", 8971)
    """Status page, API, metrics. Anywhere but on loopback it needs admin.token."""
    url: Url | None = None
    """Where people reach the board from outside; links in notices begin with it. Absent: notices have no links."""
    hooks_url: Url | None = None
    """Where channels reach hooks from outside; it is put where a bot registers an address. Absent: hooks itself."""
    datasette: Url | None = None
    """Where Datasette shows this log, http://127.0.0.1:8001/sanfen; lists on the board lead there. Absent: they show the SQL."""
    connections: Whole = 1_024
    """The most at a time, for each of the two."""
    per_address: Whole = 64
    """The most of one address; trusted proxies are not counted."""
    trusted_proxies: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    """Whose X-Forwarded-… and Forwarded headers are passed on; anybody else's are replaced."""


def _more(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


class TokenModel(_Model):
    """A token, and what whoever has it may do."""

    value: str
    """The token. Write ${NAME} or ${file:PATH}."""
    name: str | None = None
    """Whose it is, in the account of who did what; absent: its place in the list."""
    role: Literal["lead", "viewer"] = "lead"
    """viewer: looks. lead: also takes and reassigns rounds, sees customers' names, quiets, erases."""
    not_after: str | None = None
    """Local time from which on it is refused, 2026-12-01T00:00."""


_TOKEN_SCHEMA = {
    "type": "object",
    "properties": {
        "value": {"type": "string"}, "name": {"type": "string"}, "role": {"enum": ["lead", "viewer"]}, "not_after": {"type": "string"},
    },
    "required": ["value"],
    "additionalProperties": False,
}  # fmt: skip
AnyToken = Annotated[TokenModel, BeforeValidator(_more), WithJsonSchema({"anyOf": [{"type": "string"}, _TOKEN_SCHEMA]})]


class AdminModel(_Model):
    """Who may look: the board, the API and the metrics."""

    token: str | None = None
    """A lead's: sent as Authorization: Bearer, or typed on the login page. Make one with openssl rand -hex 32, and write
    ${NAME} or ${file:PATH}."""
    tokens: tuple[AnyToken, ...] = ()
    """More: one for each person, or one that replaces another."""
    session: Duration = 12 * 3_600_000
    """How long a browser stays logged in."""


class OutboundModel(_Model):
    """What sanfen itself connects to: the workflow, and the addresses of people."""

    allow: Names = ()
    """Networks (10.0.0.0/8) and host names that may be reached though their addresses are not public."""


class TextModel(_Model):
    """Message text."""

    keep: Duration = 30 * 86_400_000
    """How long it is kept; 0 keeps none, and everything else still works."""

    @field_validator("keep", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return "0s" if str(value).strip() == "0" else value


class ForwardModel(_Model):
    """Where one direction goes on to."""

    forward: Url
    """The base address; what follows the channel's name is put behind it."""


class SecretModel(_Model):
    """A secret with its name and its end."""

    value: str = Field(min_length=8)
    """The secret. Write ${NAME} or ${file:PATH}."""
    name: str | None = None
    """What it is called where its uses are counted; absent: its place in the list."""
    not_after: str | None = None
    """Local time from which on it is refused, 2026-12-01T00:00."""


_SECRET_TEXT = {"type": "string", "minLength": 8}


def _way_schema(name: str, model: dict[str, Any]) -> WithJsonSchema:
    """A text, or the same with more facts."""
    return WithJsonSchema({"anyOf": [model["properties"][name], model]})


_SECRET_SCHEMA = {
    "type": "object",
    "properties": {"value": _SECRET_TEXT, "name": {"type": "string"}, "not_after": {"type": "string"}},
    "required": ["value"],
    "additionalProperties": False,
}
AnySecret = Annotated[
    SecretModel,
    BeforeValidator(_more),
    _way_schema("value", _SECRET_SCHEMA),
]


class ChannelModel(_Model):
    """One channel."""

    adapter: str = "generic"
    """Which adapter reads its messages."""
    from_customer: ForwardModel | None = None
    """Arrives at /in/NAME: what customers say, on to the workflow."""
    from_shop: ForwardModel | None = None
    """Arrives at /out/NAME: what the shop answers, on to the channel."""
    secret: AnySecret | None = None
    """Senders sign with it. Write ${NAME} or ${file:PATH}."""
    secrets: tuple[AnySecret, ...] = ()
    """Several, newest first, while one replaces another."""
    signing: Literal["required", "none"] = "required"
    """none: take unsigned messages, on loopback only."""
    host: Literal["keep", "upstream"] = "keep"
    """The Host header that is passed on: the sender's, or the target's."""
    timeout: Duration = 10_000
    """How long the target may take."""
    ack_within: Duration = 1_000
    """How long an answer may wait for our own commit; keep it below the channel's time-out."""
    delivery: Literal["relay", "store", "store-repeat"] = "relay"
    """relay: pass on at once, answer with the target's answer. store: answer when it is kept, then pass on with retries;
    what may have arrived is not sent again, with store-repeat it is."""
    deadline: Duration | None = None
    """How long the channel waits for our answer; absent: what the adapter knows of it."""
    options: dict[str, Option] = {}
    """The adapter's own settings; a value is a text, or a list of them."""


class MatchModel(_Model):
    """What a classification rule looks at; all that is given must hold."""

    mode: Modes = ()
    """How the channel marks the reply."""
    bot: Names = ()
    agent: Names = ()
    """Who sent it, by the channel's name for them."""
    credential: Names = ()
    channel: Names = ()
    text: str | None = None
    """A regular expression, searched."""
    length: Length | None = None
    """Characters."""
    typed_in: Within | None = None
    """Since the customer's last message."""

    @field_validator("text")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return value if value is None else readable(value)


class RuleModel(_Model):
    """One classification rule. The first that matches wins."""

    name: str
    match: MatchModel = MatchModel()
    verdict: Literal["valid", "invalid"] | None = None
    """valid: an unmarked reply is a person's. invalid: it is an auto-reply."""
    mode: Mode | None = None
    """The exact mode, instead of a verdict."""
    bot: str | None = None
    """The bot's name to record."""

    @model_validator(mode="after")
    def _one(self) -> "RuleModel":
        if (self.verdict is None) == (self.mode is None):
            raise UnfitError("a rule needs verdict or mode, one of them", example={"verdict": "valid"})
        return self


class BotModel(_Model):
    """A bot: known by its tokens, where its calls pass through sanfen, or by the channels' ids for it."""

    token: Names = ()
    """What it calls the channel's API with. Write ${NAME}."""
    ids: Names = ()
    """The channels' names for it, as user or as bot."""
    mode: Literal["bot", "assisted"] = "bot"
    """assisted: a person sends what it drafts."""


class AutoModel(_Model):
    """Texts nobody typed, though they stand under a person's name."""

    exact: Names = ()
    prefix: Names = ()
    pattern: Names = ()
    """Regular expressions, searched."""
    within: Duration | None = None
    """A reply that came in less than this after the customer's message: 1s, where a channel knows seconds only."""
    repeats: Whole | None = None
    """A text of six characters or more, said on one channel so often in 24 hours, from then on."""

    @field_validator("pattern")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            MatchModel(text=one)
        return value


class WayModel(_Model):
    """An address with its secret."""

    url: str
    """dingtalk://${TOKEN}, feishu://, lark://, wecombot://, webhook+https://…, command:, console:, or Apprise's."""
    secret: str | None = Field(default=None, min_length=8)
    """Notices are signed with it. Write ${NAME}."""


_WAY_SCHEMA = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "secret": {"type": "string", "minLength": 8}},
    "required": ["url"],
    "additionalProperties": False,
}
AnyWay = Annotated[WayModel, _way_schema("url", _WAY_SCHEMA)]


class DutyModel(_Model):
    """When somebody is there. Off duty nobody is told."""

    hours: Window | None = None
    """Of the day, 21:00-05:00 too; absent: always."""
    days: tuple[DayName, ...] = DAYS
    """mon … sun; a shift past midnight belongs to the day it begins on."""
    holidays: Literal["work", "off"] = "work"
    """Whether they work on the dates under holidays."""
    off: tuple[Date, ...] = ()
    """Dates on which they are not there: 2026-12-24."""


class PersonModel(DutyModel):
    """Somebody who can be told."""

    via: tuple[AnyWay, ...] = Field(min_length=1)
    """Addresses, tried in order: dingtalk://${TOKEN}, wecombot://${KEY}, webhook+https://… (docs/notifiers.md)."""
    agents: Names = ()
    """The channels' names for this person: who notify: [agent] reaches when they hold the conversation."""

    @field_validator("via", mode="before")
    @classmethod
    def _ways(cls, value: Any) -> Any:
        return [{"url": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


class ShiftModel(DutyModel):
    """People of a roster who are there together."""

    people: Names = Field(min_length=1)
    """Who; all of them are told."""


class StepModel(_Model):
    """One step of a ladder. It needs one of at, before, late; and notify or reassign."""

    at: Duration | None = None
    """This long after the first unanswered question."""
    before: Duration | None = None
    """This long before the deadline."""
    late: Duration | None = None
    """This long after the deadline; 0s: at the breach."""
    notify: Names = ()
    """Who is told: people, rosters, or agent: whoever holds the conversation."""
    reassign: str | None = None
    """Give the conversation to this agent, or to whoever is there of a roster, by the channel's own API."""
    if_: str | None = Field(default=None, alias="if")
    """A condition in CEL: waited > duration('2m') && agent_open > 5."""
    every: Duration | None = None
    """Told again this often until the next step, until it is taken or answered."""
    times: Whole | None = None
    """At most this often again; absent: 20."""

    @model_validator(mode="after")
    def _whole(self) -> "StepModel":
        if sum(one is not None for one in (self.at, self.before, self.late)) != 1:
            raise UnfitError("a step needs at, before or late, one of them", example={"at": "1s"})
        if not self.notify and self.reassign is None:
            raise UnfitError("a step needs notify or reassign", example={"notify": ["agent"]})
        if self.every is not None and self.every < _SHORTEST_EVERY_MS:
            raise UnreadableError(
                "not a bearable pace: every is shorter than 10s", "write every: 30s", example={"every": "30s"}
            )
        return self


class LadderMatchModel(_Model):
    """The rounds a ladder is for; all that is given must hold."""

    shop: Names = ()
    channel: Names = ()
    agent: Names = ()
    """Who holds the conversation."""
    group: Names = ()
    """A group of agents, under groups."""
    tag: Names = ()
    """A tag of the conversation, such as vip."""
    hours: Window | None = None
    """When the round opened."""
    policy: Names = ()
    """Rounds of these policies; absent: of the first one."""


class LadderModel(_Model):
    """Who is told when. The first ladder that matches wins."""

    name: str
    match: LadderMatchModel = LadderMatchModel()
    steps: tuple[StepModel, ...]


class HeartbeatModel(_Model):
    """An address that is called while the watch is awake, so that its silence is noticed elsewhere."""

    url: str
    """http://… or https://…"""
    every: Duration = 60_000


class QuietModel(_Model):
    """A planned silence: nobody is told."""

    from_: str = Field(alias="from")
    """Local time, 2026-11-29T02:00."""
    until: str
    why: str


class OwnPolicy(_Model):
    """A policy of your own: what differs from the one it is based on. Any key of a policy file may stand here."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    based_on: str
    """The preset, or another policy of this file, whose values hold otherwise."""
    deadline: Duration | None = None
    """Short for due: [{after: …}]."""
    window: Window | None = None
    """Short for hours: {open, close}."""
    target: Share | None = None
    """Short for targets."""


class Config(_Model):
    """The whole file."""

    version: Literal["1"]
    """Of this format: 1."""
    shop: ShopModel = ShopModel()
    listen: ListenModel = ListenModel()
    admin: AdminModel = AdminModel()
    outbound: OutboundModel = OutboundModel()
    plugins: Names = ()
    """Plugins beside those that come with sanfen, by the name of their entry point. Others are not loaded."""
    storage: str = "data/sanfen.db"
    """The log: a SQLite file, relative to this file's folder."""
    spill: str | None = None
    """Where deliveries wait while the log cannot take them, best on another disk; absent: beside the log."""
    text: TextModel = TextModel()
    tracing: Literal["off", "otlp"] = "off"
    """otlp: traces go to OTEL_EXPORTER_OTLP_ENDPOINT; needs sanfen[otel]."""
    policy: str = "taobao-2022-01"
    """The policy that rounds are judged and escalated by: a preset, or a name under policies."""
    also: Names = ()
    """Further policies that score the same conversations."""
    target: Share | None = None
    """The shop's own target for the policy."""
    policies: dict[str, OwnPolicy] = {}
    """Your own policies."""
    channels: dict[str, ChannelModel] = {}
    """The channels, by the name that stands in their addresses."""
    classify: tuple[RuleModel, ...] = ()
    """What replies are; the first rule that matches wins."""
    staff: Names = ()
    """People by the channels' names for them, beside the agents under people: where a channel does not say who is one."""
    bots: dict[str, BotModel] = {}
    """Bots, by the names that figures show."""
    auto_replies: AutoModel = AutoModel()
    """Texts that are nobody's answer, on every channel."""
    people: dict[str, PersonModel] = {}
    """Who can be told."""
    rosters: dict[str, tuple[ShiftModel, ...]] = {}
    """Who is there when, by name; notify and reassign may name them."""
    groups: dict[str, Names] = {}
    """Groups of agents, by the channels' names for them."""
    holidays: Names = ()
    """Dates, or countries whose public holidays hold: [CN, 2026-11-11]."""
    fallback: Names = ()
    """Who is told, at any hour, when a step reaches nobody."""
    merge: Duration = 15_000
    """A person gets at most one message in this time; what comes meanwhile stands in the next one."""
    heartbeat: HeartbeatModel | None = None
    escalation: tuple[LadderModel, ...] = ()
    """Who is told when; the first ladder that matches wins."""
    quiet: tuple[QuietModel, ...] = ()
    """Planned silences."""

    @field_validator("version", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value)
