"""What conditions look at, from a real log."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.engine.shop import START, TAOBAO, open_shop
from tests.notify.rows import FACTS, due

from sanfen.conditions import VARIABLES, Condition
from sanfen.core.policy import Target
from sanfen.notify.facts import Facts
from sanfen.store.outbox import Row
from sanfen.testing import FakeClock, ask, reply

NOW = START + 120_000
ROW = due(1, policy="taobao", condition="-", facts=FACTS | {"agent": "a1", "clock_ms": START, "tags": ["vip"]})


async def gathered(path: Path, *names: str, row: Row = ROW, now_ms: int = NOW) -> dict[str, Any]:
    """Two rounds are late, one waits for a1, who has just answered somebody else."""
    policy = replace(TAOBAO, targets=(Target("all", ">=", Fraction(1)),))
    with open_shop(path, (policy,), FakeClock(now_ms)) as shop:
        await shop.engine.adopt()
        await shop.send(ask(START, "A")._replace(agent="a1"), ask(START, "B"), reply(START + 60_000, "B"))
        facts, connection = Facts("Asia/Shanghai"), shop.db.reader()
        found = facts.gather(
            connection, [row], lambda _: Condition(" && ".join(f"{name} == {name}" for name in names)), now_ms
        )
        connection.close()
    return dict(found[row.id])


async def test_every_variable_has_a_value(tmp_path: Path) -> None:
    found = await gathered(tmp_path / "log.db", *VARIABLES)

    assert found == {
        "waited": timedelta(seconds=120), "text": FACTS["question"], "tags": ["vip"], "vip": True, "agent": "a1",
        "agent_open": 1, "agent_online": True, "channel": "desk", "hour": 10, "budget_left": 0, "burn_rate": 0.0,
    }  # fmt: skip


async def test_an_agent_who_said_nothing_for_ten_minutes_is_not_there(tmp_path: Path) -> None:
    found = await gathered(tmp_path / "log.db", "agent_online", now_ms=START + 60_000 + 600_001)

    assert found == {"agent_online": False}


async def test_nobody_holds_it(tmp_path: Path) -> None:
    row = ROW._replace(facts=ROW.facts | {"agent": None, "question": None})
    found = await gathered(tmp_path / "log.db", "agent", "agent_open", "text", row=row)

    assert found == {"agent": "", "agent_open": 0, "text": ""}
