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
from sanfen.core.classify import Rule
from sanfen.core.events import Event, Message, Mode
from sanfen.core.policy import Policy
from sanfen.errors import PolicyError
from sanfen.testing import FakeClock
from sanfen.wire import parse_instant, read_event

DATA = Path(__file__).parent.parent / "data" / "peer_cases.jsonl"
CASES = {case["id"]: case for case in map(json.loads, DATA.read_text(encoding="utf-8").splitlines())}
SPEAKS = [case for case in CASES.values() if case["check"] == "rounds"]
# Not here: no case of these speaks of a round, a clock, of what is valid or of who is credited.
LEFT_OUT = {
    "chains that repeat, acknowledgements, escalating by hand, mutes": "ga-02 ga-03 ga-05 ga-06 oc-01 oc-05 oc-07",
    "when steps are taken, over a restart and a doubled timer": "ga-08 ft-02 rc-01 wm-01 wm-02 oc-08 oc-10",
    "pop-ups, fair queues, steps allowed at certain hours": "qn-01 ga-14 oc-03b oc-03e",
    "notices grouped, repeated, inhibited, sent once": "am-01 am-02 am-03 am-04 am-07 am-08c am-08e am-08f",
}
MODES = {"human": "human", "bot": "bot", "auto": "auto", "campaign": "broadcast"}
SYSTEM = {"assign": "transfer", "resolve": "close"}
DAY_MS = 86_400_000


# Who wrote a message, as the peer tells it: what sent it first, whatever its author; the rest are people.
SENT_BY = tuple(
    Rule(name, mode=Mode(mode), credentials=frozenset({name})) for name, mode in MODES.items() if mode != "human"
)
PEOPLE = Rule("people", verdict="valid")


def policy_of(case: dict[str, Any], deadline_s: int, **other: Any) -> Policy:
    """A round counts by itself, at any hour and over midnight, unless the case says otherwise."""
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
    tree = presets.tree("taobao-2022-01") | {"id": "peer", "tz": case["tz"]} | changed | other
    holidays = frozenset((clock or {}).get("holidays", ()))
    return presets.scoring(
        presets.validate({k: v for k, v in tree.items() if v is not None}, "peer"), holidays=holidays
    )


def event_of(given: dict[str, Any], number: int, case: dict[str, Any]) -> Event | None:
    """The event in our words; None for what never reaches us as one: notes, pauses, and reopening by hand."""
    customer = given.get("customer", "A")
    fields = {"id": given.get("id", str(number)), "at": given["t"], "customer": customer, "agent": given.get("agent")}
    if given["from"] == "customer":
        blocked = customer in case["policy"].get("exclude_customers", ())
        fields |= {"from": "customer", "tags": ["blocked"] if blocked else None}
    elif given["from"] in MODES:
        fields |= {"from": "merchant", "mode": MODES[given["from"]], "credential": given["from"]}
    elif given.get("kind") in SYSTEM:
        fields |= {"from": "system", "event": SYSTEM[given["kind"]], "agent": None, "to": given.get("agent")}
    else:
        return None
    return read_event(fields, zone=ZoneInfo(case["tz"]))


async def play(case: dict[str, Any], path: Path, rules: tuple[Rule, ...] = (), **other: Any) -> list[dict[str, Any]]:
    """The rounds the engine keeps, after every event came when it came and the clock stands at ``now``.

    ``rules``: nothing tells the mode of a message but these. ``other``: keys of the policy that the case does not ask for.
    """
    zone, clock = ZoneInfo(case["tz"]), FakeClock(0)
    deadline_s = case["policy"]["deadline_s"]
    order = sorted(enumerate(case["events"]), key=lambda pair: pair[1].get("arrival", pair[1]["t"]))
    for number, given in order:
        clock._now_ms = max(clock.now_ms(), parse_instant(given.get("arrival", given["t"]), zone))
        deadline_s = given.get("deadline_s", deadline_s)
        # Each time as after a restart.
        with open_shop(path, (policy_of(case, deadline_s, **other),), clock, rules) as shop:
            await shop.engine.adopt()
            event = event_of(given, number, case)
            if event is not None:
                await shop.send(event._replace(mode=Mode.unknown) if isinstance(event, Message) and rules else event)
    now_ms = parse_instant(case["now"], zone) if "now" in case else clock.now_ms() + 30 * DAY_MS
    with open_shop(path, (policy_of(case, deadline_s, **other),), clock, rules) as shop:
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


async def test_what_sent_a_message_is_asked_before_its_author(tmp_path: Path) -> None:
    """The auto-responder speaks under the operator's name: asked for the author first, it would answer."""
    author = Rule("staff", verdict="valid", agents=frozenset({"op"}))

    (found,) = await play(CASES["lhc-02"], tmp_path / "what.db", (*SENT_BY, author))
    assert found["response_s"] == 90
    (found,) = await play(CASES["lhc-02"], tmp_path / "who.db", (author, *SENT_BY))
    assert found["response_s"] == 40


@pytest.mark.parametrize("case", [case for case in SPEAKS if case["group"] == "validity"], ids=lambda case: case["id"])
async def test_rules_tell_what_the_channel_does_not(case: dict[str, Any], tmp_path: Path) -> None:
    """The same rounds where no message says what it is, and the rules go by what sent it."""
    told = await play(case, tmp_path / "told.db")
    untold = await play(case, tmp_path / "untold.db", (*SENT_BY, PEOPLE))

    assert told == untold


@pytest.mark.parametrize(
    ("name", "other", "outcome", "wait_s"),
    [
        ("zm-16b", {"wait_from": "first"}, "met", 10_800),
        ("ww-06", {"replies": {"bot": "ignored"}}, "missed", None),
        ("ww-06", {"replies": {"bot": "voids"}}, "excluded", 2),
        ("ghl-01", {"replies": {"bot": "answers", "auto": "answers"}}, "met", 10),
        ("ghl-01", {"replies": {"bot": "ignored", "auto": "answers"}}, "met", 30),
        ("cw-sla-03a", {"inclusive": False}, "late", 180),
    ],
)
async def test_the_other_school(
    name: str, other: dict[str, Any], outcome: str, wait_s: int | None, tmp_path: Path
) -> None:
    """Where products disagree a policy has a key: turned the other way it gives the other answer."""
    (found,) = await play(CASES[name], tmp_path / "log.db", **other)

    assert (found["outcome"], found["response_s"]) == (outcome, wait_s)


def test_no_case_is_left_out_silently() -> None:
    others = {case["id"] for case in CASES.values() if case not in SPEAKS}

    assert (len(CASES), len(SPEAKS)) == (82, 56)
    assert others == set(" ".join(LEFT_OUT.values()).split())
    assert {CASES[name]["group"] for name in others} == {"escalation", "grouping"}


def test_what_differs_is_on_record() -> None:
    """With our reason and the peer's answer, or with what the peer counts instead."""
    differs = {name for name, case in CASES.items() if "differs" in case}

    assert differs == {
        "cw-bh-02", "zm-04", "zm-16b", "cw-attr-02", "cw-blocked-01", "ww-06", "cw-hit-01",
        "fr-08a", "fr-09", "zm-13", "zm-14", "zm-15",
    }  # fmt: skip
    assert differs >= {name for name, case in CASES.items() if case["agrees_with_peer"] is False}
