"""Random shops, policies and logs: instants lie where a policy decides something, or a millisecond beside."""

import json
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests import oracle

from sanfen.config import presets
from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.events import Store
from sanfen.core.facts import Conversation, Round
from sanfen.core.metrics import Tally
from sanfen.core.plan import plan_of
from sanfen.core.score import Score
from sanfen.errors import PolicyError
from sanfen.wire import read_event

__all__ = ["Case", "Maker", "changed", "played", "scoring_names"]

ZONES = ("Asia/Shanghai", "America/New_York", "Europe/Berlin", "America/Santiago", "Asia/Kolkata", "UTC")
STARTS = (  # a Friday each, most of them before a change of the clocks: Santiago's falls on midnight itself
    date(2023, 1, 6), date(2025, 3, 7), date(2025, 3, 28), date(2025, 4, 4), date(2025, 9, 5), date(2025, 10, 24), date(2025, 10, 31),
)  # fmt: skip
MODES = [
    "human",
    "human",
    "human",
    "assisted",
    "assisted",
    "bot",
    "bot",
    "auto",
    "shortcut",
    "action",
    "broadcast",
    "unknown",
]
TYPES = ("sub_account", "merchant", "platform_staff", "group_chat", "cn_account", "disabled_account")
BOTS = (None, "leyan", "dianxiaomi", "other")
TEXTS = (None, None, "Hi", "hello there!", "稍等。", "It ships tomorrow", "Hi, it ships tomorrow")
TAGS = ("spam", "ad", "blocked", "abnormal", "red_packet", "recalled", "no_response_needed", "vip")
STATES = ("online", "online", "away", "away", "holiday_mode", "closed_shop")
AGENTS = ("a1", "a2")
DAY_MS = 86_400_000
NUDGES = (0, 0, 0, 1, -1, 1000, -1000)


class Case(NamedTuple):
    """A policy, a shop and a log."""

    keys: dict[str, Any]
    zone: str
    holidays: frozenset[str]
    log: list[dict[str, Any]]
    as_of: int | None

    def __str__(self) -> str:
        lines = [f"zone {self.zone}, holidays {sorted(self.holidays)}, as_of {self.local(self.as_of)}"]
        for event in self.log:
            shown = {key: value for key, value in event.items() if value is not None and key not in ("id", "at")}
            lines.append(f"  {self.local(event['at'])} {json.dumps(shown, ensure_ascii=False)}")
        return "\n".join(lines)

    def local(self, at: int | None) -> str:
        own = self.keys.get("tz", "shop")
        zone = ZoneInfo(self.zone if own == "shop" else own)
        return "-" if at is None else datetime.fromtimestamp(at / 1000, zone).isoformat(timespec="milliseconds")


def span_ms(text: str) -> int:
    return oracle.in_ms(oracle.duration(text))


class Maker:
    """Makes cases whose instants lie where the policy decides something, or a second or a millisecond beside."""

    def __init__(self, dice: Random, keys: dict[str, Any]) -> None:
        self.dice = dice
        self.keys = keys
        self.shop = dice.choice(ZONES)
        self.zone = ZoneInfo(self.shop if keys.get("tz", "shop") == "shop" else keys["tz"])
        hours, due = keys.get("hours") or {}, keys.get("due") or ()
        self.brisk = False  # one customer, question upon question: many rounds of one unit
        self.clocks = ["00:00", hours.get("open", "09:00"), hours.get("close", "18:00")]
        self.clocks += [rule[key] for rule in due for key in ("at", "batch") if rule.get(key, "same") != "same"]
        report = keys.get("report") or {}
        texts = [rule.get("after") for rule in due] + [report.get("cap"), report.get("gap_cut")]
        texts.append((keys.get("session") or {}).get("gap"))
        spans = [span_ms(text) for text in texts if text]
        self.spans = [span for span in spans if span < 100 * DAY_MS] or [180_000]  # a log ends before 2100

    def nudge(self) -> int:
        return self.dice.choice(NUDGES)

    def edge(self, after: int) -> int:
        """The next time of day at which something changes, a deadline before it, or nearly."""
        clock = self.dice.choice(self.clocks)
        local = datetime.fromtimestamp(after / 1000, self.zone)
        day = local.date() + timedelta(days=clock == "24:00")
        hour, minute = int(clock[:2]) % 24, int(clock[3:])
        at = datetime.combine(day, time(hour, minute), self.zone)
        if at <= local:
            at = datetime.combine(day + timedelta(days=1), time(hour, minute), self.zone)
        lead = self.dice.choice([0, 0, 60_000, 90_000, self.dice.choice(self.spans)])
        return oracle.epoch_ms(at.astimezone(UTC)) - (lead if lead < DAY_MS else 0) + self.nudge()

    def next(self, at: int, marks: list[int]) -> int:
        """When the next event happens: never before ``at``."""
        dice = self.dice
        roll = dice.random() * (0.6 if self.brisk else 1)
        if roll < 0.3:
            made = at + dice.choice([0, 0, 1, 400, 1000, 20_000, 45_000, 100_000])
        elif roll < 0.6:
            made = dice.choice([at, *marks[-6:]]) + dice.choice(self.spans) + self.nudge()
        elif roll < 0.75:
            made = self.edge(at)
        elif roll < 0.95:
            made = at + dice.choice([120_000, 601_000, 1_800_000, 7_200_000])
        else:
            made = at + dice.choice([46_800_000, 86_400_000, 172_800_000])
        return max(at, made)

    def case(self) -> Case:
        dice = self.dice
        first = dice.choice(STARTS)
        day = first + timedelta(days=dice.choice([-1, 0, 0, 1, 1, 2, 3]))
        at = oracle.epoch_ms(datetime.combine(day, time(dice.choice([0, 7, 9, 10, 17, 23])), self.zone).astimezone(UTC))
        at = dice.choice([at, self.edge(at), self.edge(at)])
        holidays = frozenset((first + timedelta(days=n)).isoformat() for n in range(6) if dice.random() < 0.15)
        self.brisk = dice.random() < 0.2
        talks = [Talk(dice, number) for number in range(1 if self.brisk else dice.choice([2, 2, 3]))]
        if len(talks) > 1 and dice.random() < 0.3:
            talks[1].customer = talks[0].customer
        log: list[dict[str, Any]] = []
        marks: list[int] = []
        for number in range(dice.randint(6, 25)):
            talk = dice.choice([talks[0], *talks])
            event = talk.event(self.keys)
            if event["from"] == "customer":
                talk.asked.append(f"e{number}")
            log.append({"id": f"e{number}", "at": at} | event)
            if event["from"] != "merchant":
                marks.append(at)
            at = self.next(at, marks)
        as_of = dice.choice([None, None, log[-1]["at"], self.next(log[-1]["at"], marks)])
        return Case(self.keys, self.shop, holidays, log, as_of)


class Talk:
    """One conversation, and who holds it."""

    def __init__(self, dice: Random, number: int) -> None:
        self.dice = dice
        self.name = f"c{number}"
        self.customer = f"k{number}"
        self.type = dice.choice(["buyer"] * 12 + list(TYPES))
        self.tag = dice.choice(TAGS)
        self.holder: str | None = dice.choice([None, *AGENTS])
        self.asked: list[str] = []

    def who(self) -> str | None:
        """Whom a message is from or for: mostly who holds the conversation."""
        return self.holder if self.dice.random() < 0.85 else self.dice.choice([None, *AGENTS])

    def event(self, keys: dict[str, Any]) -> dict[str, Any]:
        dice = self.dice
        kinds = (
            "qqqqqqqqrrrrrrrrttlc"
            + ("o" if dice.random() < 0.1 else "")
            + ("hhh" if keys.get("starts") == "handoff" else "")
        )
        kinds += "lll" if (keys.get("session") or {}).get("since") == "close" else ""
        kinds += "cc" if keys.get("away") in ("exclude", "defer") else ""
        kinds += "gg" if keys.get("exclude") and dice.random() < 0.3 else ""
        kinds += "dd" if "recalled" in keys.get("exclude", ()) and self.asked else ""
        kind = dice.choice(kinds)
        out: dict[str, Any] = {"conversation": self.name, "customer": self.customer}
        if kind == "q":
            out |= {"from": "customer", "customer_type": self.type, "agent": self.who()}
            if dice.random() < 0.02:
                out["tags"] = [self.tag]
        elif kind == "r":
            out |= {"from": "merchant", "mode": dice.choice(MODES), "agent": self.who(), "text": dice.choice(TEXTS)}
            out["bot"] = dice.choice([*BOTS, *keys.get("bots", ())]) if out["mode"] in ("assisted", "bot") else None
            if dice.random() < 0.02:
                out["tags"] = [self.tag]
        elif kind == "t":
            giver, self.holder = self.holder, dice.choice(AGENTS)
            out |= {"from": "system", "event": "transfer", "agent": giver, "to": self.holder}
        elif kind == "c":
            out = {"from": "system", "event": "store", "state": dice.choice(STATES)}
        elif kind == "g":
            out |= {"from": "system", "event": "tag", "tag": self.tag}
        elif kind == "o":  # which is no matter of rounds
            out |= {"from": "system", "event": "order", "order": "o1", "stage": "created"}
        elif kind == "d":
            out |= {"from": "system", "event": "recall", "message": dice.choice(self.asked[-2:])}
        else:
            out |= {"from": "system", "event": {"h": "handoff", "l": "close"}[kind]}
        return {key: value for key, value in out.items() if value is not None}


def each(key: str, *values: Any) -> list[dict[str, Any]]:
    return [{key: value} for value in values]


CHANGES: dict[str, list[dict[str, Any]]] = {
    "midnight": each("midnight", "none", "exclude_pending", "exclude_crossing", "missed"),
    "transfer": [{"transfer": way, "agent_clock": clock} for way in ("carry", "split") for clock in ("opened", "assigned")],
    "away": each("away", "count", "exclude", "defer"),
    "starts": each("starts", "message", "handoff"),
    "wait_from": each("wait_from", "first", "last"),
    "no_reply": each("no_reply", "missed", "excluded"),
    "inclusive": each("inclusive", True, False),
    "hours": [{"hours": {"open": opens, "close": closes, "by": by, "outside": outside}}
              for opens, closes in (("08:00", "23:00"), ("09:30", "18:00"), ("20:00", "02:00"))
              for by in ("opened", "session_opened", "replied", "either") for outside in ("exclude", "ignore", "defer")],
    "weekdays": [{"hours": {"open": "09:00", "close": "18:00", "days": ["mon", "tue", "fri"], "holidays": "closed", "outside": outside}}
                 for outside in ("exclude", "ignore", "defer")],
    "unit": [{"unit": unit, "judge": judge} for unit in ("session", "customer_day", "agent_customer_day")
             for judge in ("first", "any", "all", "mean")] + [{"unit": unit, "judge": "each"} for unit in ("round", "message")],
    "session": [{"session": {"gap": gap, "since": since}} for gap in ("10m", "12h") for since in ("last_message", "last_customer", "close")],
    "due": each("due", [{"after": "30s"}], [{"after": "10m"}], [{"after": "6h", "clock": "hours"}], [{"workdays": 0, "at": "24:00"}],
                [{"workdays": 2, "at": "same"}], [{"batch": "18:00", "at": "19:00"}], [{"weekday": "mon", "at": "12:00"}],
                [{"when": {"days": ["sat", "sun"]}, "weekday": "mon", "at": "12:00"}, {"after": "1h"}]),
    "replies": each("replies", {"bot": "ignored"}, {"bot": "voids"}, {"bot": "excuses", "auto": "excuses"}, {"bot": "answers"}, {"shortcut": "ignored"}),
    "bots": each("bots", [], ["leyan"]),
    "empty_replies": each("empty_replies", ["^hi", "稍等"]),
    "exclude": each("exclude", [], ["spam", "ad", "zero_second"], ["opened_by_merchant", "platform_staff"], ["special_day", "closed_shop"],
                    ["blocked", "holiday_mode", "public_holiday"], ["recalled", "spam"]),
    "report": each("report", {"as": "share"}, {"as": "late_share"}, {"as": "mean"}, {"as": "mean", "cap": "10m"}, {"as": "mean", "trim": "0.75"},
                   {"as": "mean", "gap_cut": "10m"}),
}  # fmt: skip


def played(case: Case) -> tuple[list[tuple[str, Round, Score]], Tally]:
    """What the core makes of a case: the rounds of each conversation, and the number."""
    plan = plan_of(presets.scoring(presets.validate(case.keys, "made"), tz=case.zone, holidays=case.holidays))
    events = sorted((read_event(dict(one)) for one in case.log), key=lambda event: event.at_ms)
    folds = {event.key: Fold(Conversation(event.key), plan) for event in events if not isinstance(event, Store)}
    for event in events:
        for each in list(folds.values()) if isinstance(event, Store) else [folds[event.key]]:
            each.feed(event)
    as_of_ms = NEVER - 1 if case.as_of is None else case.as_of
    tally, rows = Tally(plan), []
    tally.keep_units()
    for key, each in folds.items():
        each.wait(as_of_ms)
        rows += [(key.conversation, *row) for row in each.rounds(as_of_ms)]
    for _, one, scored in rows:
        tally.add(one, scored.outcome)
    return rows, tally


def scoring_names() -> list[str]:
    """The shipped policies that score replies."""
    out = []
    for name in presets.names():
        try:
            presets.policy(name)
        except PolicyError:
            continue
        out.append(name)
    return out


def changed(dice: Random, name: str) -> dict[str, Any]:
    """A shipped policy as a user might bend it: up to three keys replaced."""
    while True:
        keys = presets.tree(name)
        for key in dice.sample(sorted(CHANGES), dice.choice([1, 1, 2, 3])):
            keys |= dice.choice(CHANGES[key])
        try:
            presets.scoring(presets.validate(keys, name))
        except PolicyError:
            continue
        return keys
