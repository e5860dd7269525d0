"""The core against a second scorer that shares no line with it, over random logs of every shipped rule.

``SANFEN_ORACLE=10000`` runs that many conversations for each policy instead of the usual few.
"""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests import oracle
from tests.properties.shops import Case, Maker, changed, played, scoring_names

from sanfen.config import presets
from sanfen.core.days import NEVER

GOLDEN = Path(__file__).parent.parent / "data" / "golden.jsonl"
CONVERSATIONS = int(os.environ.get("SANFEN_ORACLE", "200"))


def rows_of(found: list[oracle.Row]) -> dict[str, list[oracle.Row]]:
    out: dict[str, list[oracle.Row]] = {}
    for row in sorted(found, key=lambda row: row.opened_ms):
        out.setdefault(row.conversation, []).append(row)
    return out


def ours(case: Case) -> oracle.Result:
    """What the core says."""
    found, tally = played(case)
    rows = []
    for name, one, scored in found:
        due = None if one.due_ms >= NEVER else one.due_ms
        told = (str(scored.outcome), scored.public_reason, one.wait_ms, one.messages, one.agent, due, scored.evidence)
        rows.append(oracle.Row(name, one.opened_ms, *told))
    return oracle.Result(rows, tally.numerator, tally.denominator, tally.value)


def theirs(case: Case) -> oracle.Result:
    """What the rules say."""
    return oracle.score(case.keys, case.log, shop_tz=case.zone, holidays=case.holidays, as_of=case.as_of)


def differs(case: Case) -> bool:
    one, other = ours(case), theirs(case)
    return rows_of(one.rounds) != rows_of(other.rounds) or one[1:] != other[1:]


def smallest(case: Case) -> Case:
    """The case without every event it can differ without."""
    at = len(case.log) - 1
    while at >= 0:
        shorter = case._replace(log=case.log[:at] + case.log[at + 1 :])
        if differs(shorter):
            case, at = shorter, len(shorter.log)
        at -= 1
    return case


def check(label: str, make: Callable[[Random], Case]) -> None:
    """Score cases until the conversations are used up."""
    done, number = 0, 0
    while done < CONVERSATIONS:
        case = make(Random(f"{label} {number}"))
        if differs(case):
            case = smallest(case)
            one, other = ours(case), theirs(case)
            keys = {key: value for key, value in case.keys.items() if key not in ("sources", "title", "status")}
            pytest.fail(f"{label}, seed {number}\n{keys}\n{case}\ncore:  {one}\nrules: {other}", pytrace=False)
        done += len({event.get("conversation") for event in case.log} - {None})
        number += 1


@pytest.mark.parametrize("name", scoring_names())
def test_the_core_agrees_with_the_rules(name: str) -> None:
    check(name, lambda dice: Maker(dice, presets.tree(name)).case())


@pytest.mark.parametrize("name", scoring_names())
def test_the_core_agrees_where_users_bend_a_rule(name: str) -> None:
    check(f"{name} bent", lambda dice: Maker(dice, changed(dice, name)).case())


def worked() -> list[dict[str, Any]]:
    cases = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    return [case for case in cases if case["kind"] in ("events", "due")]


@pytest.mark.parametrize("case", worked(), ids=lambda case: case["id"])
def test_oracle_reads_the_worked_cases(case: dict[str, Any]) -> None:
    """What the judge itself is judged by."""
    zone = ZoneInfo(case["tz"])
    given = case.get("events") or [{"t": at, "from": "customer"} for at in case["opened"]]
    log = []
    for number, one in enumerate(given):
        customer = one.get("customer", "A" if case["kind"] == "events" else f"k{number}")
        kind = case.get("customers", {}).get(customer, {}).get("type", "buyer")
        mapped = {
            "at": one["t"],
            "customer": customer,
            "conversation": one.get("conv", customer),
            "customer_type": kind,
        }
        log.append(one | mapped)
    keys = presets.tree(case["preset"]) | case.get("override", {})
    found = oracle.score(keys, log, shop_tz=case["tz"], holidays=case.get("holidays", ()), as_of=case.get("asof"))

    def local(at_ms: int | None) -> str | None:
        return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S")

    rows = [
        {
            "opened": local(row.opened_ms),
            "status": row.status,
            "reason": row.reason,
            "wait_s": None if row.wait_ms is None else row.wait_ms / 1000,
            "n": row.messages,
            "agent": row.agent,
            "due": local(row.due_ms),
        }
        for row in found.rounds
    ]
    expected = case["expect"]
    wanted = [{key: value for key, value in one.items() if key != "from"} for one in expected.get("rounds", ())]
    if case["kind"] == "due":
        due = {row["opened"]: row["due"] for row in rows}
        assert expected["due"] == [due[at] for at in case["opened"]]
        return
    assert (expected["numerator"], expected["denominator"]) == (found.numerator, found.denominator)
    if "mean_s" in expected:
        assert expected["mean_s"] == found.value
    assert "rounds" not in expected or len(wanted) == len(rows)
    assert wanted == [{key: row[key] for key in one} for one, row in zip(wanted, rows, strict=False)]
