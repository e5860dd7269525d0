"""The real service and robots that refuse: the round still reaches a person, and the log says how."""

import asyncio
from pathlib import Path

from tests.e2e.service import Sanfen, Upstream, message, post, signed
from tests.robots import Robots


async def test_the_next_robot_tells_what_the_first_has_refused(
    tmp_path: Path, upstream: Upstream, robots: Robots
) -> None:
    """A keyword that is missing and a robot that says nothing, then one that takes it; the customer is masked."""
    first, second, third = robots.add("dingtalk", keyword="告警"), robots.add("feishu"), robots.add("wecombot")
    second.script = ["silence"]
    ways = ", ".join(f'"{robot.address}"' for robot in (first, second, third))
    sanfen = Sanfen(tmp_path, upstream)
    lines = sanfen.config.read_text(encoding="utf-8").splitlines()
    lines = [f"  lead: {{via: [{ways}]}}" if line.startswith("  lead:") else line for line in lines]
    sanfen.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    await sanfen.start()
    ask = message("q1", "customer", customer="tb_wang2047")
    await post(sanfen, "/in/desk", ask, signed(ask, "q1"))
    for _ in range(200):
        if sanfen.rows("SELECT 1 FROM escalations WHERE state = 'told'"):
            break
        await asyncio.sleep(0.1)  # until somebody is told; bounded
    attempts = sanfen.rows("SELECT way, result, answer FROM attempts ORDER BY id")
    await sanfen.stop()

    assert [row[1] for row in attempts] == ["refused", "unknown", "told"]
    assert attempts[0][2].startswith("310000 keywords not in content")
    assert (first.group, len(third.group)) == ([], 1)
    assert "tb**47" in third.texts()[0]
    assert not [robot for robot in (first, second, third) if robot.token in str(attempts) + sanfen.log]
