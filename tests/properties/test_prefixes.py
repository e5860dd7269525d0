"""Stopping anywhere and going on, Ticks at any moment, and every order of arrival: nothing of it changes a score."""

from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.engine.shop import Shop, open_shop
from tests.properties.shops import Maker, scoring_names

from sanfen.config import presets
from sanfen.core.drive import Fold
from sanfen.core.events import Event, Key, Store
from sanfen.core.facts import Conversation
from sanfen.core.plan import Plan, plan_of
from sanfen.store import journal
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock
from sanfen.wire import read_event

NOON = 1_772_424_000_000  # 2026-03-02 12:00 in Shanghai, a Monday
SEEDS = 40
LOGS: dict[str, list[dict[str, Any]]] = {
    "asked twice, handed on": [
        {"at": 0, "from": "customer", "agent": "a"},
        {"at": 20, "from": "merchant", "mode": "auto"},
        {"at": 60, "from": "customer", "agent": "a"},
        {"at": 100, "from": "system", "event": "transfer", "agent": "a", "to": "b"},
        {"at": 250, "from": "merchant", "mode": "human", "agent": "b"},
        {"at": 300, "from": "customer", "agent": "b"},
    ],
    "bot, handoff, person": [
        {"at": 0, "from": "customer"},
        {"at": 5, "from": "merchant", "mode": "bot", "bot": "leyan"},
        {"at": 30, "from": "system", "event": "handoff"},
        {"at": 50, "from": "merchant", "mode": "assisted", "bot": "leyan", "agent": "a"},
        {"at": 400, "from": "customer"},
        {"at": 700, "from": "merchant", "mode": "human", "agent": "b"},
    ],
    "closed and asked again": [
        {"at": 0, "from": "customer"},
        {"at": 30, "from": "merchant", "mode": "human", "agent": "a"},
        {"at": 60, "from": "system", "event": "close"},
        {"at": 400, "from": "customer"},
        {"at": 1200, "from": "customer"},
        {"at": 1300, "from": "merchant", "mode": "shortcut", "agent": "a"},
    ],
    "tags and a recall": [
        {"at": 0, "from": "customer", "id": "asked"},
        {"at": 20, "from": "system", "event": "recall", "message": "asked"},
        {"at": 200, "from": "merchant", "mode": "human", "agent": "a"},
        {"at": 260, "from": "customer"},
        {"at": 300, "from": "system", "event": "tag", "tag": "red_packet"},
        {"at": 500, "from": "merchant", "mode": "human", "agent": "a"},
    ],
    "across midnight": [
        {"at": 43_000, "from": "customer"},
        {"at": 43_100, "from": "merchant", "mode": "bot", "bot": "other"},
        {"at": 43_190, "from": "customer"},
        {"at": 43_200, "from": "merchant", "mode": "human", "agent": "a"},
        {"at": 43_260, "from": "customer"},
        {"at": 43_300, "from": "merchant", "mode": "human"},
    ],
    "silence and a late answer": [
        {"at": 0, "from": "merchant", "mode": "broadcast"},
        {"at": 10, "from": "customer", "customer_type": "buyer"},
        {"at": 700, "from": "merchant", "mode": "unknown"},
        {"at": 86_500, "from": "customer"},
        {"at": 86_510, "from": "system", "event": "transfer", "to": "b"},
        {"at": 86_600, "from": "merchant", "mode": "human", "agent": "b"},
    ],
}
POLICIES = tuple(presets.policy(name) for name in ("taobao-2025-10", "jd-art", "alibaba-com", "taote-2023"))


def events_of(log: list[dict[str, Any]], customer: str) -> list[Event]:
    out = []
    for number, row in enumerate(log):
        name = f"{customer}-{row.get('id', number)}"
        fields = row | {"at": NOON + 1000 * row["at"], "id": name, "customer": customer}
        if "message" in row:
            fields["message"] = f"{customer}-{row['message']}"
        out.append(read_event(fields))
    return out


@pytest.mark.parametrize("name", LOGS)
async def test_all_orders_of_arrival_give_one_score(name: str, tmp_path: Path) -> None:
    """Six events in each of the 720 orders, a conversation for each, through the real engine and file."""
    orders = list(permutations(range(6)))
    with open_shop(tmp_path / "log.db", POLICIES, FakeClock(NOON + 10 * 86_400_000)) as shop:
        events = [events_of(LOGS[name], f"c{number:03}") for number in range(len(orders))]
        for turn in range(6):
            await shop.send(*(mine[order[turn]] for mine, order in zip(events, orders, strict=True)))
        await settle(shop)
        rows = shop.rows(
            "SELECT customer, policy, opened, due, closed, status, because, wait_ms, agent, messages "
            "FROM rounds ORDER BY customer, policy, opened_ms, id"
        )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for customer, *facts in rows:
        found.setdefault(customer, []).append(tuple(facts))

    assert len(found) == 720
    assert {
        customer for customer, facts in found.items() if sorted(facts, key=str) != sorted(found["c000"], key=str)
    } == set()


async def settle(shop: Shop) -> None:
    """Let everything that is due happen."""
    while keys := [Key(*row) for row in shop.rows("SELECT DISTINCT shop, channel, conversation FROM round_rows "
                                                  f"WHERE next_ms <= {shop.clock.now_ms()}")]:  # fmt: skip
        await shop.engine.tick(keys)


def told(fold: Fold) -> list[tuple[Any, ...]]:
    rows = fold.rounds()
    return sorted(
        (one.id, *scored, one.wait_ms, one.agent, one.messages, one.due_ms, one.clock_ms) for one, scored in rows
    )


def played(fold: Fold, events: list[Event]) -> Fold:
    for event in events:
        fold.feed(event)
    return fold


def fresh(key: Key, plan: Plan) -> Fold:
    return Fold(Conversation(key), plan)


@pytest.mark.parametrize("name", scoring_names())
def test_stopping_anywhere_and_ticking_anywhere_change_nothing(name: str) -> None:
    for seed in range(SEEDS):
        dice = Random(f"{name} {seed}")
        case = Maker(dice, presets.tree(name)).case()
        plan = plan_of(presets.policy(name, tz=case.zone, holidays=case.holidays))
        made = sorted((read_event(one) for one in case.log), key=lambda event: event.at_ms)
        for key in {event.key for event in made if not isinstance(event, Store)}:
            events = [event for event in made if event.key == key or isinstance(event, Store)]
            whole = told(played(fresh(key, plan), events))
            cut = dice.randint(0, len(events))
            begun = played(fresh(key, plan), events[:cut])

            ticked = fresh(key, plan)
            for event in events:
                for _ in range(dice.choice([0, 0, 1, 2])):
                    ticked.wait(event.at_ms - dice.choice([1, 1000, 60_000, 3_600_000]))
                ticked.feed(event)
            assert told(played(begun, events[cut:])) == whole, (name, seed, cut)
            assert told(ticked) == whole, (name, seed)


async def test_a_restart_anywhere_is_the_whole(tmp_path: Path) -> None:
    """The journal of a prefix, read back from the file and gone on with, is the conversation that never stopped."""
    plans = [plan_of(policy) for policy in POLICIES]
    with open_shop(tmp_path / "log.db", POLICIES) as shop:
        for number, (name, log) in enumerate(LOGS.items()):
            events = events_of(log, f"k{number}")
            for cut in range(len(events) + 1):
                key = Key("default", "default", f"k{number}-{cut}")
                mine = [event._replace(key=key, id=f"{cut}-{event.id}") for event in events]
                delivery = Delivery(0, "default", "in", "POST", "", b"")
                shop.db.write(lambda c, d=delivery, part=mine[:cut]: journal.append(c, d, part)).result()  # type: ignore[misc]
                reader = shop.db.reader()
                back = journal.read(reader, key)
                reader.close()
                for plan in plans:
                    resumed = played(played(fresh(key, plan), back), mine[cut:])
                    assert told(resumed) == told(played(fresh(key, plan), mine)), (name, cut)
