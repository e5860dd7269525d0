"""A second scorer, written from the rules alone: slow, plain, and no line shared with the one it judges.

It reads a policy as the keys of its YAML file and events as ``sanfen.event/1`` objects, asks the whole log each of its
questions anew, and reckons in local times rather than in milliseconds.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["Result", "Row", "score"]

Event = Mapping[str, Any]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
EFFECTS = dict.fromkeys(("human", "shortcut", "action", "assisted"), "answers")
TAGS = (
    "spam",
    "ad",
    "blocked",
    "abnormal",
    "red_packet",
    "recalled",
    "no_response_needed",
)  # in the order they are tested
COUNTED = ("met", "late", "missed")
FORGET = timedelta(days=7)  # after so long a silence nobody is known to hold a conversation any more
HORIZON = 800  # days looked ahead for an opening, before the shop is taken to be closed for good


class Row(NamedTuple):
    """A scored round. ``wait_ms`` where a reply closed it; ``due_ms`` is None where the clock never starts."""

    conversation: str
    opened_ms: int
    status: str
    reason: str | None
    wait_ms: int | None
    messages: int
    agent: str | None
    due_ms: int | None
    evidence: tuple[str, ...]  # ids of the events that prove it: the question, and what decided


class Result(NamedTuple):
    """All rounds in order of opening, and the number. ``value``: a share, or a mean in seconds."""

    rounds: list[Row]
    numerator: int
    denominator: int
    value: Fraction | None


@dataclass
class Round:
    """What happened to a round; its outcome is worked out afterwards."""

    customer: str
    customer_type: str
    session: int  # the place in the log of the message that began it
    opened: datetime
    base: Event  # what started the clock, before it waits for anything
    asked: list[Event]
    agent: str | None
    reply: Event | None = None
    voided: bool = False
    excused: Event | None = None  # the first reply that excuses it
    ended: Event | None = None  # the reply, or the transfer
    transferred: bool = False
    abandoned: bool = False  # its session is over


def instant(at: Any, zone: ZoneInfo) -> datetime:
    """An event's ``at`` in UTC."""
    if isinstance(at, int):
        return datetime.fromtimestamp(at // 1000, UTC) + timedelta(milliseconds=at % 1000)
    made = datetime.fromisoformat(at)
    return (made if made.tzinfo else made.replace(tzinfo=zone)).astimezone(UTC)


def in_ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def epoch_ms(at: datetime) -> int:
    return in_ms(at - datetime(1970, 1, 1, tzinfo=UTC))


def duration(text: str) -> timedelta:
    number, unit = re.fullmatch(r"([0-9]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return timedelta(**{UNITS[unit]: int(number)})


def flag(value: Any, default: bool) -> bool:
    return default if value is None else str(value).lower() == "true"


def same_second(one: datetime, other: datetime) -> bool:
    return one.replace(microsecond=0) == other.replace(microsecond=0)


class Calendar:
    """Local days and opening hours."""

    def __init__(self, policy: Mapping[str, Any], shop_tz: str, holidays: Iterable[str]) -> None:
        name = policy.get("tz", "shop")
        self.zone = ZoneInfo(shop_tz if name == "shop" else name)
        self.holidays = set(holidays)
        self.hours: Mapping[str, Any] | None = policy.get("hours")

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def at(self, day: date, clock: str) -> datetime:
        """The instant of a local time such as ``24:00``."""
        hour, minute = int(clock[:2]), int(clock[3:5])
        if hour == 24:
            return self.at(day + timedelta(days=1), "00:00")
        return datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)

    def midnight_after(self, at: datetime) -> datetime:
        return self.at(self.day(at), "24:00")

    def works(self, day: date) -> bool:
        if self.hours is None:
            return True
        if self.hours.get("holidays") == "closed" and day.isoformat() in self.holidays:
            return False
        return DAYS[day.weekday()] in self.hours.get("days", DAYS)

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """When it is open on a day. Only hours that hold every day run past midnight here."""
        if self.hours is None:
            return [(self.at(day, "00:00"), self.at(day, "24:00"))]
        if not self.works(day):
            return []
        opens, closes = self.hours.get("open", "00:00"), self.hours.get("close", "24:00")
        if closes > opens:
            return [(self.at(day, opens), self.at(day, closes))]
        return [(self.at(day, "00:00"), self.at(day, closes)), (self.at(day, opens), self.at(day, "24:00"))]

    def inside(self, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.spans(self.day(at)))

    def ahead(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the opening hours from an instant on."""
        for number in range(HORIZON):
            for start, end in self.spans(self.day(at) + timedelta(days=number)):
                if end > at:
                    yield max(start, at), end

    def next_open(self, at: datetime) -> datetime | None:
        return next((start for start, _ in self.ahead(at)), None)

    def after_open(self, at: datetime, need: timedelta) -> datetime | None:
        """When the shop has been open that long since."""
        for start, end in self.ahead(at):
            if end - start >= need:
                return start + need
            need -= end - start
        return None

    def open_between(self, start: datetime, end: datetime) -> timedelta:
        total = timedelta()
        for one, other in self.ahead(start):
            if one >= end:
                break
            total += min(other, end) - one
        return total


class Judge:
    """One policy over one log."""

    def __init__(
        self, policy: Mapping[str, Any], shop_tz: str, holidays: Iterable[str], log: Sequence[Event], as_of: Any
    ) -> None:
        self.policy = policy
        self.calendar = Calendar(policy, shop_tz, holidays)
        zone = ZoneInfo(shop_tz)
        made = [{"id": "", **one, "at": instant(one["at"], zone)} for one in log]
        made.sort(key=lambda one: one["at"])  # stable: ties stay in the order they came
        self.log = [one | {"place": place} for place, one in enumerate(made)]
        self.as_of = None if as_of is None else instant(as_of, zone)
        self.hours: Mapping[str, Any] = policy.get("hours") or {}
        self.session: Mapping[str, Any] = policy.get("session") or {}
        self.midnight = policy.get("midnight", "none")
        self.unit = policy.get("unit", "round")
        self.split = policy.get("transfer") == "split"
        self.assigned = policy.get("agent_clock") == "assigned"
        self.by_day = self.midnight != "none" or self.unit in ("customer_day", "agent_customer_day")
        self.exclude: Sequence[str] = policy.get("exclude", ())

    # --- from messages to rounds

    def effect(self, reply: Event) -> str:
        mode, bots = reply.get("mode", "unknown"), self.policy.get("bots", ())
        unlisted = bool(bots) and mode in ("assisted", "bot") and reply.get("bot") not in bots
        replies = EFFECTS | dict(self.policy.get("replies") or {})
        found = str(replies.get("bot" if unlisted else mode, "ignored"))
        if found == "answers" and (unlisted or self.empty(reply.get("text"))):
            return "ignored"
        return found

    def empty(self, text: str | None) -> bool:
        patterns = self.policy.get("empty_replies", ())
        return text is not None and any(re.search(one, text, re.IGNORECASE) for one in patterns)

    def reference(self, log: Sequence[Event], began: int, now: int) -> datetime | None:
        """The instant a session's silence is counted from."""
        since = self.session.get("since", "last_message")
        if since == "close":
            for one in reversed(log[began:now]):
                if one["from"] == "customer":
                    return None  # whoever asks again inside the gap cancels the close
                if one.get("event") == "close":
                    return one["at"]  # type: ignore[no-any-return]
            return None
        wanted = ("customer",) if since == "last_customer" else ("customer", "merchant")
        return max((one["at"] for one in log[:now] if one["from"] in wanted), default=None)

    def is_open(self, one: Round, now: datetime) -> bool:
        if one.reply or one.transferred or one.abandoned:
            return False
        return self.midnight not in ("exclude_pending", "missed") or now < self.calendar.midnight_after(one.opened)

    def build(self, log: Sequence[Event]) -> tuple[list[Round], dict[int, dict[str, str]]]:
        """The rounds of one conversation, and the tags of each session with the events that set them."""
        told: dict[int, dict[str, str]] = {}
        rounds: list[Round] = []
        began: int | None = None
        held: list[Round] = []
        handed = self.policy.get("starts", "message") == "message"
        holder: str | None = None
        for index, event in enumerate(log):
            now, sender = event["at"], event["from"]
            live = [one for one in rounds if self.is_open(one, now)]
            if index and now - log[index - 1]["at"] > FORGET and not live:
                holder = None
            if sender != "system" or event.get("event") == "handoff":  # a handoff before the question is its session's
                since = None if began is None else self.reference(log, began, index)
                silent = "gap" in self.session and since is not None and now - since >= duration(self.session["gap"])
                waits = sender == "system" and held  # a question that waits is what a handoff hands over
                if began is None or (silent and not waits and (sender == "customer" or not live)):
                    for one in live:
                        one.abandoned = True
                    began, held, live = index, [], []
                    handed = self.policy.get("starts", "message") == "message"
            if began is not None:
                set_here = [*event.get("tags", ()), *([event["tag"]] if "tag" in event else [])]
                for tag in [*set_here, *([f"recalled:{event['message']}"] if "message" in event else [])]:
                    told.setdefault(began, {}).setdefault(tag, event["id"])
            if sender != "system":
                holder = event.get("agent") or holder
                for one in live:
                    one.agent = one.agent or event.get("agent")
            if sender == "customer":
                if self.hours.get("outside") == "ignore" and not self.calendar.inside(now):
                    continue
                assert began is not None
                made = Round(
                    event.get("customer", ""), event.get("customer_type", "buyer"), began, now, event, [event], holder
                )
                if handed:
                    self.ask(rounds, live, made)
                elif not held or (self.by_day and self.calendar.day(held[-1].opened) != self.calendar.day(now)):
                    held.append(made)
                else:
                    held[-1].asked.append(event)
            elif sender == "merchant":
                effect = self.effect(event)
                for one in live if effect != "ignored" else []:
                    one.excused = one.excused or (event if effect == "excuses" else None)
                    one.voided = effect == "voids"
                    one.reply = one.ended = None if effect == "excuses" else event
                if effect in ("answers", "voids"):
                    held = []
            elif event.get("event") == "handoff" and not handed:
                handed = True
                for one in held:
                    one.base, one.agent = event, holder
                rounds += held
                held = []
            elif event.get("event") == "transfer":
                holder = event.get("to")
                rounds += self.hand_over(live, event)
        return rounds, told

    def ask(self, rounds: list[Round], live: list[Round], made: Round) -> None:
        """A question joins an open round, or opens one."""
        for one in live:
            same_day = self.calendar.day(one.opened) == self.calendar.day(made.opened)
            others = self.split and one.agent not in (None, made.agent)
            if self.unit == "message" or (self.by_day and not same_day) or others:
                continue
            one.asked += made.asked
            return
        rounds.append(made)

    def hand_over(self, live: list[Round], event: Event) -> list[Round]:
        """A transfer; what it opens."""
        out = []
        for one in live:
            if not self.split:
                one.agent = event.get("to")
                one.base = event if self.assigned else one.base
            elif event.get("agent") is None or one.agent in (None, event["agent"]):
                base = event if self.assigned else one.base
                taken = replace(one, base=base, asked=[*one.asked], agent=event.get("to"), excused=None)
                one.transferred, one.ended = True, event
                one.agent = one.agent or event.get("agent")
                out.append(taken)
        return out

    # --- the clock

    def state(self, at: datetime, place: float = math.inf) -> str:
        """The shop's state at an instant; of stores' events of that very instant those before a place in the log."""
        told = [one for one in self.log if one.get("event") == "store" and one["at"] <= at and one["place"] < place]
        return str(told[-1]["state"]) if told else "online"

    def next_online(self, at: datetime, place: float) -> Event | None:
        told = (one for one in self.log if one.get("state") == "online")
        return next((one for one in told if (one["at"], one["place"]) > (at, place)), None)

    def start(self, one: Round) -> tuple[datetime | None, str]:
        """When the clock starts, None: never so far; and the shop's state then."""
        cause = one.base
        if self.policy.get("wait_from") == "last" and one.asked[-1]["place"] > cause["place"]:
            cause = one.asked[-1]
        start: datetime = cause["at"]
        place: float = cause["place"]
        night = self.calendar.midnight_after(one.opened)
        while True:
            if self.hours.get("outside") == "defer" and not self.calendar.inside(start):
                opening = self.calendar.next_open(start)
                if opening is None:
                    return None, self.state(start, place)
                start, place = opening, math.inf
            seen = (start, place)
            if one.ended is not None:  # over before the clock starts: later states are no matter of this round
                seen = min(seen, (one.ended["at"], one.ended["place"]))
            elif self.midnight in ("exclude_pending", "missed"):  # over at night, or as soon as it opens after it
                begun = (one.base["at"], one.base["place"])
                seen = min(seen, max((night - timedelta(microseconds=1), math.inf), begun))
            state = self.state(*seen)
            if self.policy.get("away") != "defer" or state != "away":
                return start, state
            online = self.next_online(start, place)
            if online is None or self.over(one, online):
                return None, state  # over before anybody was there
            start, place = online["at"], online["place"] + 1

    def over(self, one: Round, event: Event) -> bool:
        """Whether nothing more can happen to a round when an event comes."""
        if one.ended is not None:
            return bool(event["place"] > one.ended["place"])
        return not self.is_open(replace(one, abandoned=False), event["at"])

    def rule(self, start: datetime) -> Mapping[str, Any]:
        for rule in self.policy.get("due") or [{"after": "180s"}]:
            when = rule.get("when", {})
            if "days" in when and DAYS[self.calendar.day(start).weekday()] not in when["days"]:
                continue
            if "hours" in when and (when["hours"] == "inside") != self.calendar.inside(start):
                continue
            return rule  # type: ignore[no-any-return]
        return {}

    def due(self, start: datetime | None) -> datetime | None:
        if start is None:
            return None
        rule, today = self.rule(start), self.calendar.day(start)
        if "after" in rule:
            after = duration(rule["after"])
            return self.calendar.after_open(start, after) if rule.get("clock") == "hours" else start + after
        if "batch" in rule:
            early = start < self.calendar.at(today, rule["batch"])
            return self.calendar.at(today if early else today + timedelta(days=1), rule["at"])
        if "weekday" in rule:
            ahead = (today + timedelta(days=number) for number in range(1, 8))
            return self.calendar.at(next(day for day in ahead if DAYS[day.weekday()] == rule["weekday"]), rule["at"])
        if "workdays" in rule:
            day = today
            for _ in range(int(rule["workdays"])):
                day += timedelta(days=1)
                while not self.calendar.works(day):
                    day += timedelta(days=1)
            if rule["at"] != "same":
                return self.calendar.at(day, rule["at"])
            clock = start.astimezone(self.calendar.zone).time()
            return datetime.combine(day, clock, self.calendar.zone).astimezone(UTC)
        return None

    def wait(self, one: Round) -> timedelta | None:
        if one.reply is None:
            return None
        start, end = self.start(one)[0], one.reply["at"]
        if start is None or start >= end:
            return timedelta()
        if self.rule(start).get("clock") == "hours":
            return self.calendar.open_between(start, end)
        return end - start  # type: ignore[no-any-return]

    # --- the outcome

    def proof(self, one: Round, status: str, reason: str | None, told: Mapping[str, str]) -> tuple[str, ...]:
        """The question, and the event that decided: a tag, the reply, an excuse, a transfer; silence has none."""
        decided = {"non_human": one.reply, "zero_second": one.reply, "transferred": one.ended, "bot_only": one.excused}
        for tag in (str(reason), f"recalled:{one.asked[0]['id']}" if reason == "recalled" else ""):
            if tag in told and one.customer_type != reason:
                return one.asked[0]["id"], told[tag]
        found = one.reply if status in ("met", "late") or reason == "gap_cut" else decided.get(reason or "")
        if reason == "cross_midnight" and self.midnight == "exclude_crossing":
            found = one.reply
        return one.asked[0]["id"], *([found["id"]] if found else [])

    def outcome(self, one: Round, log: Sequence[Event], told: Mapping[str, str]) -> tuple[str, str | None]:
        """The first test that speaks, in the order the rules give."""
        start, state = self.start(one)
        due, reply = self.due(start), None if one.reply is None else one.reply["at"]
        if one.customer_type in self.exclude:
            return "excluded", one.customer_type
        recalled = len(one.asked) == 1 and f"recalled:{one.asked[0]['id']}" in told  # nothing of the question is left
        for tag in sorted(self.exclude, key=lambda tag: TAGS.index(tag) if tag in TAGS else len(TAGS)):
            if tag in told or (tag == "recalled" and recalled):
                return "excluded", tag
        if "opened_by_merchant" in self.exclude and self.opening(one, log)["from"] == "merchant":
            return "excluded", "opened_by_merchant"
        if state in self.exclude:
            return "excluded", state
        holiday = self.calendar.day(one.opened).isoformat() in self.calendar.holidays
        if holiday and ("public_holiday" in self.exclude or "special_day" in self.exclude):
            return "excluded", "public_holiday"
        if self.policy.get("away") == "exclude" and state == "away":
            return "excluded", "away"
        if self.outside(one, log):
            return "excluded", "outside_hours"
        if one.voided:
            return "excluded", "non_human"
        if reply is not None and "zero_second" in self.exclude and same_second(reply, one.asked[-1]["at"]):
            return "excluded", "zero_second"
        night = self.calendar.midnight_after(one.opened)
        if self.midnight == "exclude_crossing" and reply is not None and reply >= night:
            return "excluded", "cross_midnight"
        settles = self.midnight in ("exclude_pending", "missed")
        if settles and reply is None and not one.transferred and self.past(night):
            if one.excused:
                return "excluded", "bot_only"
            if self.midnight == "missed" or (due is not None and due <= night):
                return "missed", "open_at_midnight"
            return "excluded", "cross_midnight"
        if reply is not None:
            cut, wait = (self.policy.get("report") or {}).get("gap_cut"), self.wait(one)
            if cut is not None and wait is not None and wait >= duration(cut):
                return "excluded", "gap_cut"
            in_time = due is None or reply < due or (reply == due and flag(self.policy.get("inclusive"), default=True))
            return "met" if in_time else "late", None
        if one.transferred:
            return "missed", "transferred"
        if one.excused:
            return "excluded", "bot_only"
        if self.policy.get("no_reply") == "excluded":
            return "excluded", "no_reply"
        return "missed" if due is not None and self.past(due, after=True) else "pending", None

    def past(self, at: datetime, *, after: bool = False) -> bool:
        return self.as_of is None or (self.as_of > at if after else self.as_of >= at)

    def opening(self, one: Round, log: Sequence[Event]) -> Event:
        """The first message of a round's session."""
        return next(event for event in log[one.session :] if event["from"] != "system")

    def outside(self, one: Round, log: Sequence[Event]) -> bool:
        asks = any("hours" in rule.get("when", {}) for rule in self.policy.get("due", ()))
        if not self.hours or self.hours.get("outside", "exclude") != "exclude" or asks:
            return False
        by = self.hours.get("by", "opened")
        if by == "session_opened":
            return not self.calendar.inside(self.opening(one, log)["at"])
        tested = [] if by == "replied" and one.reply else [one.opened]
        if one.reply is not None and by in ("replied", "either"):
            tested.append(one.reply["at"])
        return not any(self.calendar.inside(at) for at in tested)

    # --- from rounds to a number

    def units(self, rows: Sequence[tuple[Round, Row]]) -> list[list[Row]]:
        units: dict[Any, list[Row]] = {}
        for number, (one, row) in enumerate(rows):
            key: tuple[Any, ...] = (number,)
            if self.unit == "session":
                key = (row.conversation, one.session, row.agent if self.split else None)
            elif self.unit in ("customer_day", "agent_customer_day"):
                key = (one.customer, self.calendar.day(one.opened))
                key += (row.agent,) if self.unit == "agent_customer_day" else ()
            units.setdefault(key, []).append(row)
        judge = self.policy.get("judge", "each")
        deciding = [rows[:1] if judge == "first" else rows for rows in units.values()]
        return [counted for rows in deciding if (counted := [row for row in rows if row.status in COUNTED])]

    def hit(self, unit: Sequence[Row]) -> bool:
        judge = self.policy.get("judge", "each")
        if judge == "mean":
            waits = [row.wait_ms for row in unit if row.wait_ms is not None]
            limit = in_ms(duration(next(rule["after"] for rule in self.policy["due"] if "after" in rule)))
            return len(waits) == len(unit) and Fraction(sum(waits), len(waits)) <= limit
        met = [row.status == "met" for row in unit]
        return any(met) if judge == "any" else all(met)

    def number(self, units: Sequence[Sequence[Row]]) -> tuple[int, Fraction | None]:
        report = self.policy.get("report") or {}
        hits = sum(self.hit(unit) for unit in units)
        if report.get("as") != "mean":
            wanted = len(units) - hits if report.get("as") == "late_share" else hits
            if not units:
                return 0, None
            share, recent = Fraction(wanted, len(units)), report.get("recent")
            if recent is None:
                return wanted, share
            units = sorted(units, key=lambda unit: (unit[0].opened_ms, self.hit(unit)))  # among equals hits are newest
            newest = units[-max(1, int(len(units) * Fraction(str(recent["share"])))) :]
            weight, late = Fraction(str(recent["weight"])), report.get("as") == "late_share"
            part = Fraction(sum(self.hit(unit) != late for unit in newest), len(newest))
            return wanted, (1 - weight) * share + weight * part
        cap = in_ms(duration(report["cap"])) if "cap" in report else None
        waits = []
        for row in (row for unit in units for row in unit):
            if row.status != "missed" and row.wait_ms is not None:
                waits.append(row.wait_ms if cap is None else min(row.wait_ms, cap))
            elif cap is not None:
                waits.append(cap)
        kept = len(waits)
        if "trim" in report and waits:
            kept = max(1, int(kept * Fraction(str(report["trim"]))))
        return hits, Fraction(sum(sorted(waits)[:kept]), 1000 * kept) if waits else None

    def result(self) -> Result:
        logs: dict[str, list[Event]] = {}
        for event in self.log:
            name = event.get("conversation") or event.get("customer", "")
            if event.get("event") != "store":
                logs.setdefault(name, []).append(event | {"customer": event.get("customer", name)})
        rows: list[tuple[Round, Row]] = []
        for name, log in logs.items():
            rounds, told = self.build(log)
            for one in rounds:
                tags = told.get(one.session, {})
                status, reason = self.outcome(one, log, tags)
                wait, due = self.wait(one), self.due(self.start(one)[0])
                told_wait, told_due = None if wait is None else in_ms(wait), None if due is None else epoch_ms(due)
                agent = one.agent if one.reply is None else one.reply.get("agent")
                facts = (told_wait, len(one.asked), agent, told_due, self.proof(one, status, reason, tags))
                row = Row(name, epoch_ms(one.opened), status, reason, *facts)
                rows.append((one, row))
        rows.sort(key=lambda pair: pair[0].opened)
        units = self.units(rows)
        numerator, value = self.number(units)
        return Result([row for _, row in rows], numerator, len(units), value)


def score(
    policy: Mapping[str, Any],
    log: Sequence[Event],
    *,
    shop_tz: str = "Asia/Shanghai",
    holidays: Iterable[str] = (),
    as_of: Any = None,
) -> Result:
    """Score a log. ``as_of``: now; absent: far later, when nothing can change any more."""
    return Judge(policy, shop_tz, holidays, log, as_of).result()
