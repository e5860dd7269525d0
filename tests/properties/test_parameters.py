"""No parameter is decoration: each value of each shipped rule, turned to another, is noticed by some random log or period."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple, get_args

import pytest
from tests.properties.shops import Case, Maker, played, scoring_names

from sanfen.config import presets
from sanfen.config.policies import DAYS, ExcludeName, HoursModel, PeriodModel, PolicyModel, ReportModel
from sanfen.config.types import parse_duration
from sanfen.core.periods import Unit, Wait, assess
from sanfen.core.policy import Policy
from sanfen.errors import PolicyError

CASES = 6000  # random logs and periods at most, until every change is noticed
TODAY = date(2026, 11, 24)
DAY_MS = 86_400_000
TELLS_NOTHING = {"schema", "id", "kind", "title", "status", "sources", "valid", "unit", "name", "then"}
OF_PERIODS = ("period.", "targets")  # no log is long enough for these
HOLIDAYS = {"special_day", "public_holiday"}  # two words for one thing
EFFECTS = ("answers", "ignored", "voids", "excuses")
WORDS: dict[str, tuple[Any, ...]] = {
    "kind": ("rolling", "day", "week", "month"),
    "by": ("opened", "session_opened", "replied", "either"),
    "outside": ("exclude", "ignore", "defer"),
    "holidays": ("open", "closed"),
    "since": ("last_message", "last_customer", "close"),
    "clock": ("wall", "hours"),
    "wait_from": ("first", "last"),
    "starts": ("message", "handoff"),
    "inclusive": ("true", "false"),
    "no_reply": ("missed", "excluded"),
    "midnight": ("none", "exclude_pending", "exclude_crossing", "missed"),
    "transfer": ("carry", "split"),
    "agent_clock": ("opened", "assigned"),
    "away": ("count", "exclude", "defer"),
    "judge": ("each", "first", "any", "all", "mean"),
    "as": ("share", "late_share", "mean"),
    "rounding": ("none", "floor_percent"),
    "anchor": ("today", "last_unit"),
    "assign_by": ("opened", "due"),
    "op": (">=", ">", "<", "<="),
    "tz": ("Asia/Kolkata", "America/New_York"),
    "weekday": DAYS,
    "hours": ("inside", "outside"),
    "assess": ("true", "false"),
}


Keys = dict[str, Any]
# Changes that by definition change nothing: what the label begins with, where, why.
SAME: tuple[tuple[str, Callable[[Keys], bool], str], ...] = (
    ("period.kind: rolling > day", bool, "both end lag_days before today and span count days"),
    ("period.kind: day > rolling", bool, "the same"),
    (
        "hours.by",
        lambda keys: not asks_hours(keys),
        "what is outside exists not at all, waits, or has its own deadline",
    ),
    ("inclusive", lambda keys: keys["due"][0].get("after") == "3650d", "no log is that long"),
    ("wait_from", lambda keys: keys["unit"] == "message", "a round of one message has one question"),
    ("hours.holidays", lambda keys: not HOLIDAYS.isdisjoint(keys.get("exclude", ())), "the day is left out already"),
    (
        "period.min_units",
        lambda keys: "last_units" in keys["period"]["otherwise"],
        "the newest so many are all of them",
    ),
)


class Flip(NamedTuple):
    """One change. ``name``: ``hours.open: 08:00 > 08:01``; ``keys``: the whole rule with it."""

    name: str
    keys: Keys


def asks_hours(keys: Keys) -> bool:
    return keys["hours"]["outside"] == "exclude" and not any("hours" in rule.get("when", {}) for rule in keys["due"])


def flips(name: str) -> list[Flip]:
    """Every change of one value, and of one member of a list, that is a rule still and not the same one."""
    keys = presets.tree(name)
    for key, model in (("hours", HoursModel), ("period", PeriodModel), ("report", ReportModel)):
        if key in keys:
            keys[key] = silent(model) | keys[key]
    keys = silent(PolicyModel) | keys
    out = []
    for label, changed in [*inside("", keys), *added(keys)]:
        same = any(label.startswith(begin) and holds(keys) for begin, holds, _ in SAME)
        try:
            presets.scoring(presets.validate(changed, name))
        except PolicyError:
            continue
        if not same:
            out.append(Flip(label, changed))
    return out


def silent(model: Any) -> Keys:
    """What a silent file says, where it is one of some words."""
    found = {field.alias or name: field.default for name, field in model.model_fields.items()}
    return {name: str(one).lower() if isinstance(one, bool) else one for name, one in found.items() if name in WORDS}


def inside(label: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value with one thing in it changed, in each way."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in TELLS_NOTHING or (key == "kind" and label):
                for told, other in scalars(key, one) if isinstance(one, str) else inside(key, one):
                    yield f"{label}.{told}".removeprefix("."), value | {key: other}
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield f"{label} without {one}", value[:number] + value[number + 1 :]
            if isinstance(one, dict):
                for told, other in inside(str(number), one):
                    yield f"{label}.{told}", [*value[:number], other, *value[number + 1 :]]


def scalars(key: str, value: str) -> Iterator[tuple[str, str]]:
    """The other values of a key."""
    words = WORDS.get(key) or (EFFECTS if value in EFFECTS else (shifted(value),))
    return ((f"{key}: {value} > {word}", word) for word in words if word != value)


def added(keys: Keys) -> Iterator[tuple[str, Keys]]:
    """What a rule could say besides, or count in another way."""
    exclude = keys.get("exclude", [])
    absent = set(get_args(ExcludeName)).difference(exclude, () if HOLIDAYS.isdisjoint(exclude) else HOLIDAYS)
    for one in sorted(absent):
        yield f"exclude with {one}", keys | {"exclude": [*exclude, one]}
    for effect in ("answers", "excuses", "voids"):
        yield f"replies.unknown: {effect}", keys | {"replies": keys.get("replies", {}) | {"unknown": effect}}
    for unit in ("message", "round", "session", "customer_day", "agent_customer_day"):
        if unit != keys["unit"]:
            judge = "each" if unit in ("message", "round") else "all"
            yield f"unit: {unit}", keys | {"unit": unit, "judge": judge}


def shifted(text: str) -> str:
    """A second more, a minute less, a number up, a share down."""
    if ":" in text or text == "same":
        minutes = (1440 if text == "same" else int(text[:-3]) * 60 + int(text[-2:])) - 1
        return f"{minutes % 1440 // 60:02}:{minutes % 60:02}"
    if text.isdigit():
        return str(int(text) + 1)
    try:
        return f"{parse_duration(text) + 1000}ms"
    except ValueError:
        return f"{float(text) * 0.95:.6f}"


def log_of(case: Case, keys: dict[str, Any]) -> tuple[Any, ...]:
    """All that a rule makes of a log."""
    found, tally = played(case._replace(keys=keys))
    rows = [
        (name, one.opened_ms, *scored[:2], one.wait_ms, one.messages, one.agent, one.due_ms)
        for name, one, scored in found
    ]
    return rows, tally.numerator, tally.denominator, tally.value, tally.units, sorted(tally.waits)


def period_of(policy: Policy, dice: Random) -> tuple[Any, ...]:
    """What a rule makes of some units of the months before a day, most shares next to a target."""
    aim = float(dice.choice(policy.targets).value) if policy.targets else 0.5
    least = policy.period.min_units if policy.period else 0
    many = max(1, dice.choice([1, 9, 10, 40, 100, 400, least, least - 1]))
    reach = dice.choice([1, 3, 40, 120, 400, 500])
    ends = dice.choice([0, 0, 1, 7])
    share = min(1.0, max(0.0, dice.choice([aim, aim, 1 - aim, aim - 0.01, aim * 0.97, 0.57])))
    units, waits = [], []
    for number in range(many):
        ago = reach - (reach - ends) * (number + 1) // many
        day = (TODAY - timedelta(days=ago)).isoformat()
        hit = int((number + 1) * share) > int(number * share)
        units.append(Unit(-ago * DAY_MS + number, day, hit))
        waits.append(Wait(-ago * DAY_MS + number, day, round(1000 * aim) if dice.random() < 0.9 else number * 1000))
    found = assess(units, policy, TODAY, waits)
    return tuple(found)


def unnoticed(name: str) -> list[str]:
    """The changes of a rule that no log and no period tells apart."""
    own = presets.tree(name)
    waiting = {flip.name: flip.keys for flip in flips(name)}
    policies = {label: presets.scoring(presets.validate(keys, name)) for label, keys in waiting.items()}
    policy = presets.policy(name)
    for number in range(CASES):
        dice = Random(f"{name} {number}")
        periods = number % 2
        case = Maker(dice, own).case()
        whole = period_of(policy, Random(number)) if periods else log_of(case, own)
        for label, keys in list(waiting.items()):
            if periods or not label.startswith(OF_PERIODS) or "assign_by" in label:
                other = period_of(policies[label], Random(number)) if periods else log_of(case, keys)
                if other != whole:
                    del waiting[label]
        if not waiting:
            break
    return list(waiting)


@pytest.mark.parametrize("name", scoring_names())
def test_every_value_is_noticed(name: str) -> None:
    assert unnoticed(name) == []
