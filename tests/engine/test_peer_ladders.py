"""What other products' own tests say of chains, acknowledgements, restarts and merged messages, through the real parts.

Times are seconds after the opening. Cases that were written as chains are ladders here: each step's instant is written out.
Where we answer differently on purpose, ``DIFFERS`` says why.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engine.shop import START, Shop, open_shop

from sanfen.config.settings import Settings
from sanfen.core.events import Escalate, Event, Key, Snooze, Take
from sanfen.core.policy import DueRule, Ladder, Policy, Step
from sanfen.engine.ingest import Terms
from sanfen.roster import Roster
from sanfen.testing import FakeClock, ask, reply

DATA = Path(__file__).parent.parent / "data" / "peer_cases.jsonl"
CASES = {case["id"]: case for case in map(json.loads, DATA.read_text(encoding="utf-8").splitlines())}
S = 1_000
KEY = Key("default", "default", "A")
OPEN = ask(START)

DIFFERS = {
    "oc-07": "a snooze that ends goes on where time is: the step that passed meanwhile is told, not the first one again",
    "ga-06": "a silence drops what is due in it and says so; no step is kept back until it ends",
    "ft-02": "nothing is taken back when the answer comes: the next message no longer lists the round",
    "oc-03e": "hours are people's, and a step waits for nobody: the fallback is told",
}
ELSEWHERE = {
    **dict.fromkeys(("qn-01", "ga-14", "oc-03b"), "tests/notify/test_peer_notices.py, with ga-06, ft-02 and oc-03e"),
    "am-01": "tests/notify/test_worker.py: the first message at once, the others within the window in one",
    "am-02": "a step with every is told again: tests/core/test_acts.py",
    "am-03": "tests/notify/test_worker.py: a silence hides what it covers",
    "am-04": "no round stands for others; a closed shop's rounds are excluded: tests/core/test_escalation.py",
    "am-08c": "tests/notify/test_worker.py: what is new is sent",
    "am-08e": "told again after a step's every: tests/core/test_acts.py",
    "am-08f": "an answered round is dropped, never announced: tests/notify/test_stages.py",
}


def policy_of(*steps: Step) -> Policy:
    return Policy("p", due=(DueRule(after_ms=180 * S),), ladders=(Ladder("l", steps),))


def step(at_s: int, person: str, **more: Any) -> Step:
    return Step(at_s * S, (person,), **more)


async def played(
    path: Path, policy: Policy, events: Sequence[Event], until_s: int, down_s: tuple[int, int] | None = None
) -> list[tuple[int, str, int]]:
    """Second of the commit, who, and which step: each event when it came, time served in between; restarts are real."""
    clock = FakeClock(START)
    stops = sorted({*(event.at_ms for event in events), *(START + second * S for second in range(until_s + 1))})
    if down_s is not None:
        stops = [at for at in stops if not down_s[0] * S < at - START < down_s[1] * S]
    coming = sorted(events, key=lambda event: event.at_ms)
    found: list[tuple[int, str, int]] = []

    async def serve(shop: Shop, moments: Sequence[int]) -> None:
        for moment in moments:
            shop.clock._now_ms = moment
            while coming and coming[0].at_ms <= moment:
                await shop.send(coming.pop(0))
            await shop.tick(moment)
        rows = shop.rows("SELECT created_ms, person, step FROM outbox WHERE reason IS NULL ORDER BY id")
        found[:] = [((created - START) // S, person, number) for created, person, number in rows]

    down_ms = START + down_s[0] * S if down_s else START + until_s * S
    with open_shop(path, (policy,), clock) as shop:
        await serve(shop, [at for at in stops if at <= down_ms])
    with open_shop(path, (policy,), clock) as shop:  # as after a restart
        for key in {event.key for event in events}:
            shop.ticker.push(0, key)
        await serve(shop, [at for at in stops if at > down_ms])
    return found


TAKE = Take(START + 600 * S, KEY, "t", "bob")


@pytest.mark.parametrize(
    ("name", "steps", "events", "until_s"),
    [
        ("ga-02", [step(0, "bob"), step(1800, "bob2")], [OPEN, TAKE], 1900),
        (
            "ga-03",
            [step(3600, "jane")],
            [OPEN, Take(START, KEY, "t", "bob"), Escalate(START + 60 * S, KEY, "e", "bob")],
            600,
        ),
        ("ga-05", [step(0, "bob"), step(1800, "bob2"), step(5400, "bob"), step(7200, "bob2")], [OPEN], 7300),
        ("oc-01", [step(0, "x"), step(900, "y")], [OPEN], 1000),
        ("oc-05", [step(0, "x", every_ms=60 * S, times=5)], [OPEN], 1000),
        ("wm-01", [step(1800, "lead")], [OPEN, reply(START + 1500 * S)], 2400),
        ("wm-02", [step(1800, "lead")], [OPEN], 2400),
        ("oc-10", [step(90, "owner"), step(150, "lead")], [OPEN], 300),
    ],
)
async def test_chain(tmp_path: Path, name: str, steps: list[Step], events: list[Event], until_s: int) -> None:
    """Served every second: a Tick that comes twice or for nothing tells nobody anything."""
    expected = [(one["t"], one["to"]) for one in CASES[name]["expect"]["escalations"]]
    found = await played(tmp_path / "log.db", policy_of(*steps), events, until_s)

    assert [(second, person) for second, person, _ in found] == expected


async def test_ga_08_and_oc_08_after_an_outage_every_step_that_passed_is_there(tmp_path: Path) -> None:
    """Each is a row, due when it was due; the worker makes one message of what is one person's."""
    same = policy_of(step(60, "bob"), step(120, "bob"))
    two = policy_of(step(90, "owner"), step(150, "lead"))

    assert await played(tmp_path / "a.db", same, [OPEN], 200, (5, 180)) == [(180, "bob", 0), (180, "bob", 1)]
    assert await played(tmp_path / "b.db", two, [OPEN], 500, (10, 400)) == [(400, "owner", 0), (400, "lead", 1)]


async def test_oc_07_a_snooze_that_ends_goes_on_where_time_is(tmp_path: Path) -> None:
    snoozed = Snooze(START + 100 * S, KEY, "s", "bob", START + 3000 * S)
    found = await played(tmp_path / "log.db", policy_of(step(0, "bob"), step(1800, "bob2")), [OPEN, snoozed], 3100)

    assert found == [(0, "bob", 0), (3000, "bob2", 1)]


async def test_am_07_another_configuration_announces_nothing_twice(tmp_path: Path) -> None:
    """What was told is a row; ladders that say the same tell nothing again, and new steps only what is still to come."""
    before, after = policy_of(step(90, "bob")), policy_of(step(90, "bob"), step(150, "lead"))
    with open_shop(tmp_path / "log.db", (before,), FakeClock(START)) as shop:
        await shop.engine.adopt()
        await shop.send(OPEN)
        await shop.tick(START + 100 * S)
        await shop.engine.adopt(Terms((after,), (), zone="UTC", keep_text=True, roster=Roster(Settings())))
        await shop.send(ask(START + 110 * S))
        await shop.tick(START + 160 * S)

        assert shop.rows("SELECT person, due_ms FROM outbox ORDER BY id") == [
            ("bob", START + 90 * S), ("lead", START + 150 * S),
        ]  # fmt: skip


async def test_rc_01_a_chat_may_be_given_away_again(tmp_path: Path) -> None:
    """The peer does it once and then nothing; here each step does what it says."""
    steps = [Step(120 * S, reassign="next"), Step(170 * S, reassign="third")]
    found = await played(tmp_path / "log.db", policy_of(*steps), [OPEN], 300)

    assert found == [(120, "next", 0), (170, "third", 1)]


def test_no_case_is_left_out_silently() -> None:
    here = {
        "ga-02",
        "ga-03",
        "ga-05",
        "oc-01",
        "oc-05",
        "wm-01",
        "wm-02",
        "oc-10",
        "ga-08",
        "oc-08",
        "oc-07",
        "rc-01",
        "am-07",
    }
    speak = {name for name, case in CASES.items() if case["group"] in ("escalation", "grouping")}

    assert speak == here | ELSEWHERE.keys() | DIFFERS.keys()
