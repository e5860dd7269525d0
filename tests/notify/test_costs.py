"""What a step costs and what the target still bears: a real file, engine, store and worker, over real HTTP.

Under a policy with ``transfer: split`` a conversation given away unanswered is itself a miss, so its holder is told first.
"""

from pathlib import Path

import pytest
from tests.engine.shop import START
from tests.notify.live import Ends, Live

from sanfen.core.events import Transfer
from sanfen.testing import ask, reply

GIVEN_AWAY = "      - {at: 2m30s, reassign: a2}  # sanfen: allow W109\n"


async def test_who_holds_it_is_told_before_it_is_given_away(tmp_path: Path, ends: Ends) -> None:
    """And when it is, the giver has a miss and the taker a round of their own: what the nudge was to spare them."""
    live = Live(tmp_path, ends, GIVEN_AWAY)
    assert [finding.code for finding in live.loaded.warnings] == []
    await live.begin()
    await live.shop.send(ask(START)._replace(agent="a1"))
    nudged = await live.at(120)
    given = await live.at(150)
    await live.shop.send(Transfer(START + 151_000, ask(START).key, "t", "a1", "a2"))
    rounds = live.shop.rows("SELECT agent, status, reason FROM rounds ORDER BY agent")
    await live.stop()

    assert nudged == [(0, "notify", "lily", "told", None)]
    assert given[1:] == [(1, "reassign", "a2", "told", None)]
    assert ends.seen == ["lily", "assign A a2"]
    assert rounds == [("a1", "missed", "transferred"), ("a2", "pending", None)]


async def test_who_answers_when_told_keeps_it(tmp_path: Path, ends: Ends) -> None:
    live = Live(tmp_path, ends, GIVEN_AWAY)
    await live.begin()
    await live.shop.send(ask(START)._replace(agent="a1"))
    await live.at(120)
    await live.shop.send(reply(START + 140_000))
    await live.at(170)
    rounds = live.shop.rows("SELECT agent, status FROM rounds")
    await live.stop()

    assert (ends.seen, rounds) == (["lily"], [("a1", "met")])


@pytest.mark.parametrize(
    ("condition", "misses", "told"),
    [
        ("budget_left < 2", 0, False),
        ("budget_left < 2", 1, True),
        ("burn_rate > 1", 0, False),
        ("burn_rate > 1", 3, True),
    ],
)
async def test_the_budget_decides_who_is_bothered(
    tmp_path: Path, ends: Ends, condition: str, misses: int, told: bool
) -> None:
    """Twenty rounds of this hour bear two misses; the boss hears of a question only when that is nearly used up."""
    live = Live(tmp_path, ends, f"      - {{at: 1m, notify: [boss], if: {condition}}}\n")
    await live.begin()
    for number in range(20):
        at_ms = START - 1_800_000 + number * 1_000
        wait_ms = 200_000 if number < misses else 10_000
        name = f"c{number}"
        await live.shop.send(ask(at_ms, name), reply(at_ms + wait_ms, name))
    await live.at(0)
    ends.seen.clear()
    await live.shop.send(ask(START, "late"))
    await live.at(60)
    (row,) = live.shop.rows(
        "SELECT state, o.reason FROM outbox o JOIN rounds r ON r.id = o.round WHERE conversation = 'late'"
    )
    await live.stop()

    assert row == (("told", None) if told else ("inhibited", "condition"))
    assert ends.seen == (["boss"] if told else [])
