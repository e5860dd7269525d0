"""A shop's people for a week: its file with rosters and ladders, and apart from it what that file should come to.

Who is there and which step is due are said a second time here, by hand and by plain counting, to judge the service by.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

__all__ = ["FALLBACK", "LIMITS", "QUIET", "Act", "Due", "Expected", "config", "expected", "ladder_of", "local", "there"]

MINUTE_MS = 60_000
SECOND_MS = 1_000
DEADLINE_MS = 180_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHANGHAI = timedelta(hours=8)

# --- the file ---------------------------------------------------------------------------------------------------------

_FILE = """\
version: 1
shop: {{id: shop, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{url: "http://127.0.0.1:8971"}}
storage: log.db
policy: week
policies:
  week: {{based_on: taobao-2022-01, deadline: 3m, window: 00:00-24:00, midnight: none}}
channels:
  desk:
    adapter: chatwoot
    signing: none
    from_customer: {{forward: "http://127.0.0.1:9001/in"}}
    options: {{api: "http://127.0.0.1:9002", token: the-token-of-an-agent}}
people:
  lily: {{via: [{lily}], agents: ["user:1"], hours: 09:00-21:00}}
  amy: {{via: [{amy}, {amy2}], agents: ["user:2"], hours: 09:00-21:00, days: [mon, tue, wed, thu, fri], off: [2026-09-30]}}
  ben: {{via: [{ben}], agents: ["user:3"], hours: 21:00-09:00}}
  lead: {{via: [{lead}, {lead2}], agents: ["user:8"], hours: 08:00-21:00, days: [mon, tue, wed, thu, fri], holidays: "off"}}
  deputy: {{via: [{deputy}], hours: 10:00-18:00, days: [sat, sun]}}
  owl: {{via: [{owl}, {owl2}], agents: ["user:9"], hours: 20:00-09:00, off: [2026-10-02]}}
{temp}  ghost: {{via: [{ghost}]}}
  boss: {{via: [{boss}, {boss2}]}}
  chief: {{via: [{chief}]}}
rosters:
  floor:
    - {{people: [lead{and_temp}], hours: 08:00-20:00, days: [mon, tue, wed, thu, fri], holidays: "off"}}
    - {{people: [deputy], hours: 10:00-18:00, days: [sat, sun]}}
    - {{people: [owl], hours: 20:00-08:00}}
holidays: [CN]
fallback: [boss, chief]
merge: 15s
quiet:
  - {{from: 2026-09-30T02:00, until: 2026-09-30T04:00, why: 平台维护}}
escalation:
  - name: vip
    match: {{tag: [vip]}}
    steps:
      - {{at: 30s, notify: [floor]}}
      - {{before: 1m, notify: [ghost]}}
      - {{late: 0s, notify: [boss], every: 1m, times: 2}}
  - name: night
    match: {{hours: 22:00-07:00}}
    steps:
      - {{at: 1m, notify: [agent]}}
      - {{at: 2m, notify: [floor]}}
      - {{before: 30s, notify: [boss], if: "hour < 23 && !vip"}}
      - {{late: 0s, notify: [boss]}}
  - name: day
    steps:
      - {{at: 90s, notify: [agent]}}
      - {{at: 2m, notify: [floor, lead]}}
      - {{before: 30s, reassign: floor}}
      - {{late: 0s, notify: [boss, ghost], every: 1m, times: 2}}
"""


def config(address: Mapping[str, str], *, temp: bool) -> str:
    """The file. ``address``: of each robot. ``temp``: whether the help for the first days is there."""
    ways = {name: f'"{one}"' for name, one in address.items()}
    ways["lead"] = f'{{url: {ways["lead"]}, secret: "a signing secret"}}'
    help_ = f"  temp: {{via: [{ways['temp']}], hours: 09:00-17:00}}\n" if temp else ""
    return _FILE.format(**ways | {"temp": help_, "and_temp": ", temp" if temp else ""})


# --- who is there, once more ------------------------------------------------------------------------------------------

FALLBACK = ("boss", "chief")
QUIET = (datetime(2026, 9, 29, 18, tzinfo=UTC), datetime(2026, 9, 29, 20, tzinfo=UTC))
LIMITS = {"dingtalk": ((20, 60_000),), "wecombot": ((20, 60_000),), "feishu": ((5, 1_000), (100, 60_000))}
LIMITS["lark"] = LIMITS["feishu"]
_GOLDEN_WEEK = frozenset(f"2026-10-0{day}" for day in range(1, 8))
_WORKDAYS = frozenset(range(5))


def local(at_ms: int) -> datetime:
    """The shop's own time."""
    return _EPOCH + timedelta(milliseconds=at_ms) + _SHANGHAI


def _shift(at_ms: int, start: int, end: int) -> datetime | None:
    """The day a shift ``[start, end)`` belongs to that an instant falls into; None outside of it."""
    now = local(at_ms)
    if start < end:
        return now if start <= now.hour < end else None
    return now if now.hour >= start else now - timedelta(days=1) if now.hour < end else None


def there(name: str, at_ms: int) -> bool:
    """Whether somebody is there, as one would read it off the file."""
    spans = {"lily": (9, 21), "amy": (9, 21), "ben": (21, 9), "lead": (8, 21), "deputy": (10, 18), "owl": (20, 9)}
    spans["temp"] = (9, 17)
    if name not in spans:
        return True
    day = _shift(at_ms, *spans[name])
    if day is None:
        return False
    date = f"{day:%Y-%m-%d}"
    rules: dict[str, Callable[[], bool]] = {
        "amy": lambda: day.weekday() in _WORKDAYS and date != "2026-09-30",
        "lead": lambda: day.weekday() in _WORKDAYS and date not in _GOLDEN_WEEK,
        "deputy": lambda: day.weekday() not in _WORKDAYS,
        "owl": lambda: date != "2026-10-02",
    }
    return rules.get(name, lambda: True)()


def _on_shift(at_ms: int, *, temp: bool) -> list[str]:
    """The members of the roster ``floor`` whose shift it is."""
    found: list[str] = []
    day = _shift(at_ms, 8, 20)
    if day is not None and day.weekday() in _WORKDAYS and f"{day:%Y-%m-%d}" not in _GOLDEN_WEEK:
        found += ["lead", "temp"] if temp else ["lead"]
    day = _shift(at_ms, 10, 18)
    if day is not None and day.weekday() not in _WORKDAYS:
        found.append("deputy")
    return found + (["owl"] if _shift(at_ms, 20, 8) is not None else [])


class Expected(NamedTuple):
    """Everybody a step stands for at an instant: told, or not there; ``stand_in``: nobody is left, so the fallback is."""

    told: frozenset[str]
    away: frozenset[str]
    stand_in: bool


def expected(names: Iterable[str], at_ms: int, *, temp: bool) -> Expected:
    """Of the names of a step but ``agent``, who changes hands."""
    told, away = set[str](), set[str]()
    for name in names:
        if name == "floor":
            shift = _on_shift(at_ms, temp=temp)
            told |= {one for one in shift if there(one, at_ms)}
            away |= {one for one in shift if not there(one, at_ms)} if shift else {"floor"}
        else:
            (told if there(name, at_ms) else away).add(name)
    return Expected(frozenset(told), frozenset(away - told), not told)


# --- what is due, once more -------------------------------------------------------------------------------------------


class StepOf(NamedTuple):
    """A step of a ladder: when, after the question, and for whom. ``again``: how often it is told again."""

    after_ms: int
    notify: tuple[str, ...]
    reassign: bool = False
    again: int = 0


_LADDERS = {
    "vip": (StepOf(30_000, ("floor",)), StepOf(120_000, ("ghost",)), StepOf(180_000, ("boss",), again=2)),
    "night": (
        StepOf(60_000, ("agent",)),
        StepOf(120_000, ("floor",)),
        StepOf(150_000, ("boss",)),
        StepOf(180_000, ("boss",)),
    ),
    "day": (
        StepOf(90_000, ("agent",)),
        StepOf(120_000, ("floor", "lead")),
        StepOf(150_000, (), reassign=True),
        StepOf(180_000, ("boss", "ghost"), again=2),
    ),
}


def ladder_of(opened_ms: int, *, vip: bool) -> tuple[str, Sequence[StepOf]]:
    """The first that matches."""
    hour = local(opened_ms).hour
    name = "vip" if vip else "night" if hour >= 22 or hour < 7 else "day"
    return name, _LADDERS[name]


class Act(NamedTuple):
    """What somebody did about a round: take, release, snooze (until), escalate."""

    kind: str
    at_ms: int
    until_ms: int = 0


class Due(NamedTuple):
    """A step that must have been told, or a reason why not be there: since when."""

    number: int
    at_ms: int


def due(steps: Sequence[StepOf], opened_ms: int, acts: Sequence[Act], end_ms: float) -> Iterator[Due]:
    """The steps of a ladder that came due before the round's end, by plain counting; repeats are left out.

    While the round is taken or snoozed no step is due; when that is over, of those that passed only the last one.
    """
    begins = next((act.at_ms for act in acts if act.kind in ("take", "snooze")), None)
    ends = next((act.until_ms or act.at_ms for act in acts if act.kind in ("snooze", "release")), None)
    by_hand = next((act.at_ms for act in acts if act.kind == "escalate"), None)
    instants = [(number, opened_ms + step.after_ms) for number, step in enumerate(steps)]
    if by_hand is not None:
        called = next((number for number, at_ms in instants if at_ms > by_hand), None)
        instants = [(number, by_hand if number == called else at_ms) for number, at_ms in instants]
    rested: int | None = None
    for number, at_ms in instants:
        if begins is not None and at_ms >= begins and (ends is None or at_ms <= ends):
            rested = number
        elif at_ms < end_ms:
            yield Due(number, at_ms)
    if rested is not None and ends is not None and ends < end_ms:
        yield Due(rested, ends)


def reasons(row: Mapping[str, Any], end_ms: float, acts: Sequence[Act]) -> bool:
    """Whether what a row that was not told gives as its reason is so."""
    done_ms, why = row["done_ms"], row["reason"]
    if why in ("round_met", "round_late"):
        return bool(done_ms >= end_ms)
    if why in ("taken", "snoozed"):
        kind = {"taken": "take", "snoozed": "snooze"}[why]
        return any(act.kind == kind and act.at_ms <= done_ms for act in acts)
    if why == "off_duty":
        return row["person"] == "floor" or not there(row["person"], row["created_ms"])
    if why == "quiet":
        return QUIET[0] <= _EPOCH + timedelta(milliseconds=done_ms) < QUIET[1]
    if why == "condition":
        return (row["ladder"], row["step"]) == ("night", 2) and local(done_ms).hour == 23
    return why in ("nobody_holds_it", "agent_unknown") and row["wanted"] == "agent"
