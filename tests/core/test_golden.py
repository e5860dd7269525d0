"""Worked cases: printed by a source, or derived from one. Each states what it is sure of; the rest is free."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sanfen.config import presets
from sanfen.core.days import NEVER
from sanfen.core.drive import Fold, fold
from sanfen.core.events import Event, Store
from sanfen.core.facts import Conversation
from sanfen.core.metrics import Tally
from sanfen.core.periods import Unit, assess, span
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.sending import SendingLimit
from sanfen.wire import parse_instant, read_event

DATA = Path(__file__).parent.parent / "data" / "golden.jsonl"
CASES = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
KINDS = ("events", "period", "span", "due", "window")
READY = [case for case in CASES if case["kind"] in KINDS and case.get("preset") in presets.names()]


def policy_of(case: dict[str, Any]) -> Policy:
    zone = case.get("tz", "UTC")
    holidays = frozenset(case.get("holidays", ()))
    return presets.policy(case["preset"], overrides=case.get("override"), tz=zone, holidays=holidays)


def events_of(case: dict[str, Any]) -> list[Event]:
    """The case's events in our own words."""
    zone = ZoneInfo(case["tz"])
    types = {name: facts.get("type", "buyer") for name, facts in case.get("customers", {}).items()}
    out = []
    for number, given in enumerate(case["events"]):
        fields = dict(given)
        customer = fields.pop("customer", "A")
        fields |= {"at": fields.pop("t"), "customer": customer, "conversation": fields.pop("conv", customer)}
        out.append(read_event({"id": str(number), "customer_type": types.get(customer, "buyer")} | fields, zone=zone))
    return sorted(out, key=lambda event: event.at_ms)


def scored(case: dict[str, Any]) -> dict[str, Any]:
    policy = policy_of(case)
    plan, zone = plan_of(policy), ZoneInfo(case["tz"])
    as_of_ms = parse_instant(case["asof"], zone) if "asof" in case else NEVER - 1
    folds: dict[Any, Fold] = {}
    for event in events_of(case):
        folds.setdefault(event.key, Fold(Conversation(event.key), plan))
        for each in list(folds.values()) if isinstance(event, Store) else [folds[event.key]]:
            each.feed(event)
    tally, rows = Tally(plan), []
    tally.keep_units()
    for each in folds.values():
        each.wait(as_of_ms)
        rows += each.rounds(as_of_ms)
    for one, outcome in rows:
        tally.add(one, outcome.outcome)

    def local(at_ms: int) -> str | None:
        return None if at_ms >= NEVER else datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S")

    return {
        "numerator": tally.numerator,
        "denominator": tally.denominator,
        "n": tally.waited,
        "total_s": tally.waited_ms / 1000,
        "mean_s": None if tally.value is None else float(tally.value),
        "rounds": [
            {
                "opened": local(one.opened_ms),
                "status": str(outcome.outcome),
                "reason": outcome.public_reason,
                "wait_s": None if one.wait_ms is None else one.wait_ms / 1000,
                "n": one.messages,
                "due": local(one.due_ms),
                "agent": one.agent,
                "from": local(one.clock_ms),
            }
            for one, outcome in sorted(rows, key=lambda pair: pair[0].opened_ms)
        ],
    }


def period(case: dict[str, Any]) -> dict[str, Any]:
    zone, units = ZoneInfo(case["tz"]), []
    for unit in case["units"]:
        made = Unit(parse_instant(unit["t"], zone), unit["t"][:10], unit["ok"])
        units += [made] * unit.get("times", 1)
    found = assess(units, policy_of(case), date.fromisoformat(case["today"]))
    return {
        "value": None if found.value is None else float(found.value),
        "assessed": found.assessed,
        "units": found.units,
        "from": found.first_day,
        "to": found.last_day,
        "targets": found.targets,
    }


def days(case: dict[str, Any]) -> dict[str, Any]:
    rule = policy_of(case).period
    assert rule is not None
    last = date.fromisoformat(case["last_unit"]) if "last_unit" in case else None
    first, last = span(rule, date.fromisoformat(case["today"]), last)
    return {"from": str(first), "to": str(last)}


def deadlines(case: dict[str, Any]) -> dict[str, Any]:
    """When a question asked at each of the instants is due."""
    plan, zone = plan_of(policy_of(case)), ZoneInfo(case["tz"])
    out = []
    for opened in case["opened"]:
        question = read_event({"id": "q", "at": opened, "from": "customer", "customer": "A"}, zone=zone)
        ((one, _),) = fold(Conversation(question.key), [question], plan).rounds()
        out.append(datetime.fromtimestamp(one.due_ms / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S"))
    return {"due": out}


def sending(case: dict[str, Any]) -> dict[str, Any]:
    """Until when a reply is free after each event."""
    zone, constraint = ZoneInfo(case["tz"]), presets.model(case["preset"]).constraint
    assert constraint is not None
    limit = SendingLimit(constraint.free_reply_until.after)
    until = [limit.feed(event) or 0 for event in events_of(case)]
    return {"free_reply_until": [datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S") for ms in until]}


def stated(expected: Any, actual: Any) -> Any:
    """The part of what is actual that the case speaks of."""
    if isinstance(expected, dict):
        return {key: stated(value, actual.get(key)) for key, value in expected.items()}
    if isinstance(expected, list) and len(expected) == len(actual):
        return [stated(one, other) for one, other in zip(expected, actual, strict=True)]
    if isinstance(expected, float) and isinstance(actual, float):
        return pytest.approx(actual)
    return actual


@pytest.mark.parametrize("case", READY, ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    told = {"events": scored, "period": period, "span": days, "due": deadlines, "window": sending}
    actual = told[case["kind"]](case)

    assert case["expect"] == stated(case["expect"], actual)


def test_no_case_of_a_rule_is_left_out() -> None:
    """Those of the kind metric are in tests/store/test_figures.py."""
    assert len(READY) == len([case for case in CASES if case["kind"] in KINDS]) == 133
    assert {case["kind"] for case in CASES} == {*KINDS, "metric"}
    assert len(CASES) == 146
