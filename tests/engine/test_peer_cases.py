"""What other help desks' own tests say about rounds, clocks, validity and attribution, through the real engine and file.

Each case names its source. Where we differ on purpose, ``differs`` says why and ``peer_expect`` keeps the peer's answer.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.engine.shop import Shop, open_shop

from sanfen.config import presets
from sanfen.core.events import Event
from sanfen.core.policy import Policy
from sanfen.errors import PolicyError
from sanfen.testing import FakeClock
from sanfen.wire import parse_instant, read_event

DATA = Path(__file__).parent.parent / "data" / "peer_cases.jsonl"
CASES = {case["id"]: case for case in map(json.loads, DATA.read_text(encoding="utf-8").splitlines())}
SPEAKS = [case for case in CASES.values() if case["check"] == "rounds" and case["group"] != "pause"]
LEFT_OUT = {
    "pause": "no rule of a platform stops the clock while the customer is asked something back",
    "escalation": "chains, mutes and acknowledgements of other products; the ladder has its own tests",
    "grouping": "merging of notices; the notifier has its own tests",
}
MODES = {"human": "human", "bot": "bot", "auto": "auto", "campaign": "broadcast"}
SYSTEM = {"assign": "transfer", "resolve": "close"}
DAY_MS = 86_400_000


def policy_of(case: dict[str, Any], deadline_s: int) -> Policy:
    given = case["policy"]
    changed: dict[str, Any] = {"due": [{"after": f"{deadline_s}s"}], "hours": None, "midnight": "none", "bots": []}
    changed |= {"exclude": ["blocked"], "unit": "round"}
    clock = given.get("clock")
    if clock is not None:
        week = {day: [f"{start}-{end}" for start, end in spans] for day, spans in clock["hours"].items()}
        changed["hours"] = {"week": week, "holidays": "closed", "outside": "defer"}
        changed["due"] = [{"after": f"{deadline_s}s", "clock": "hours"}]
    if given.get("opens") == "latest_customer":
        changed["wait_from"] = "last"
    changed["replies"] = {"bot": "excuses" if given.get("on_bot_reply") == "exclude" else "ignored"}
    tree = presets.tree("taobao-2022-01") | {"id": "peer", "tz": case["tz"]} | changed
    holidays = frozenset((clock or {}).get("holidays", ()))
    return presets.scoring(
        presets.validate({k: v for k, v in tree.items() if v is not None}, "peer"), holidays=holidays
    )


def event_of(given: dict[str, Any], number: int, case: dict[str, Any]) -> Event | None:
    """The event in our words; None for what never reaches us as one: notes, and reopening by hand."""
    customer = given.get("customer", "A")
    fields = {"id": given.get("id", str(number)), "at": given["t"], "customer": customer, "agent": given.get("agent")}
    if given["from"] == "customer":
        blocked = customer in case["policy"].get("exclude_customers", ())
        fields |= {"from": "customer", "tags": ["blocked"] if blocked else None}
    elif given["from"] in MODES:
        fields |= {"from": "merchant", "mode": MODES[given["from"]]}
    elif given.get("kind") in SYSTEM:
        fields |= {"from": "system", "event": SYSTEM[given["kind"]], "agent": None, "to": given.get("agent")}
    else:
        return None
    return read_event(fields, zone=ZoneInfo(case["tz"]))


async def play(case: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The rounds the engine keeps, after every event came when it came and the clock stands at ``now``."""
    zone, clock = ZoneInfo(case["tz"]), FakeClock(0)
    deadline_s = case["policy"]["deadline_s"]
    order = sorted(enumerate(case["events"]), key=lambda pair: pair[1].get("arrival", pair[1]["t"]))
    for number, given in order:
        clock._now_ms = max(clock.now_ms(), parse_instant(given.get("arrival", given["t"]), zone))
        deadline_s = given.get("deadline_s", deadline_s)
        with open_shop(path, (policy_of(case, deadline_s),), clock) as shop:  # each time as after a restart
            await shop.engine.adopt()
            event = event_of(given, number, case)
            if event is not None:
                await shop.send(event)
    now_ms = parse_instant(case["now"], zone) if "now" in case else clock.now_ms() + 30 * DAY_MS
    with open_shop(path, (policy_of(case, deadline_s),), clock) as shop:
        await shop.engine.adopt()
        return await told(case, shop, now_ms)


async def told(case: dict[str, Any], shop: Shop, now_ms: int) -> list[dict[str, Any]]:
    for shop_key in shop.rows("SELECT DISTINCT shop, channel, conversation FROM round_rows WHERE next_ms IS NOT NULL"):
        shop.clock._now_ms = max(shop.clock.now_ms(), now_ms)
        await shop.engine.tick([type(read_event(ASK).key)(*shop_key)])
    zone, out = ZoneInfo(case["tz"]), []
    query = "SELECT opened_ms, closed_ms, wait_ms, status, due_ms, agent, reason FROM rounds ORDER BY opened_ms"
    for opened_ms, closed_ms, wait_ms, status, due_ms, agent, reason in shop.rows(query):
        cap_s, deadline_s = case["policy"].get("cap_s"), case["policy"]["deadline_s"]
        wait_s = None if wait_ms is None else wait_ms / 1000
        capped = wait_s if cap_s is None or wait_s is None else min(wait_s, cap_s)
        out.append(
            {
                "opened": local(opened_ms, zone), "closed": local(closed_ms, zone), "due": local(due_ms, zone),
                "response_s": capped, "outcome": "open" if status == "pending" else status, "agent": agent,
                "reason": reason, "due_fold": fold(due_ms, zone), "late_s": None if wait_s is None else wait_s - deadline_s,
            }
        )  # fmt: skip
    return out


ASK = {"id": "x", "at": "2024-01-01T00:00:00Z", "from": "customer", "customer": "A"}


def local(at_ms: int | None, zone: ZoneInfo) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S")


def fold(at_ms: int | None, zone: ZoneInfo) -> int:
    """1 for the second of two equal local times, when the clocks go back."""
    return 0 if at_ms is None else datetime.fromtimestamp(at_ms / 1000, zone).fold


@pytest.mark.parametrize("case", SPEAKS, ids=lambda case: case["id"])
async def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    expected = case["expect"]
    if "refused" in expected:
        with pytest.raises(PolicyError, match=expected["refused"]):
            policy_of(case, case["policy"]["deadline_s"])
        return
    found = await play(case, tmp_path / "log.db")

    assert expected["rounds"] == [
        {key: row[key] for key in wanted} for wanted, row in zip(expected["rounds"], found, strict=True)
    ]
    if "rate" in expected:
        assert expected["rate"] == [sum(row["outcome"] == "met" for row in found), len(found)]


def test_no_case_is_left_out_silently() -> None:
    others = [case for case in CASES.values() if case not in SPEAKS]

    assert (len(CASES), len(SPEAKS)) == (82, 51)
    assert {case["group"] for case in others} == LEFT_OUT.keys()
    assert [case["id"] for case in CASES.values() if "differs" in case] == [
        "cw-bh-02", "zm-04", "zm-16b", "cw-attr-02", "cw-blocked-01", "ww-06", "cw-hit-01",
    ]  # fmt: skip
