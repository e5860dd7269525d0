"""A hundred rounds a minute, one robot that takes twenty messages: nobody is lost, nothing is refused, nobody is flooded."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.robots import Rate, Robot, open_robots

from sanfen.config.settings import Person, Settings, Way
from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.notify.worker import Worker
from sanfen.plugins import Plugins
from sanfen.roster import Target
from sanfen.store import outbox, projection
from sanfen.store.db import Database
from sanfen.testing import FakeClock, ask

START = 1_673_056_800_000
PLAN = plan_of(Policy(id="p"))
STRICT = {"dingtalk": Rate(20, 60_000, 600_000), "wecombot": Rate(20, 60_000), "feishu": Rate(5, 1_000)}


class Flood:
    """A worker with one person behind one robot; time moves only when told."""

    def __init__(self, db: Database, robot: Robot, clock: FakeClock, merge_ms: int) -> None:
        self.db, self.robot, self.clock = db, robot, clock
        settings = Settings(people={"lead": Person("lead", (Way(robot.address),))}, merge_ms=merge_ms)
        self.worker = Worker(db, Plugins().notifiers(), settings, clock)
        self.sent_ms: list[int] = []

    async def do(self, job: Any) -> Any:
        return await asyncio.wrap_future(self.db.write(job))

    async def due(self, number: int) -> None:
        """One more customer waits too long."""
        now_ms = self.clock.now_ms()
        asked = ask(now_ms - 90_000, f"c{number}")
        ((one, _),) = fold(Conversation(asked.key), [asked], PLAN).rounds()
        step = Escalated(now_ms, one, "default", 0, ("lead",))

        def put(connection: Any) -> None:
            projection.save(connection, "live", [(one, score(one, PLAN, now_ms), PLAN)])
            outbox.enqueue(connection, [outbox.asked(step, "p", [Target("lead", "lead")], now_ms)])

        await self.do(put)
        self.worker.wake()

    async def settled(self) -> None:
        """Until nothing is being sent and nothing is due at this instant; bounded."""
        left = 0
        query = "SELECT count(*) FROM outbox WHERE state = 'sending' OR (state = 'waiting' AND next_try_ms <= ?)"
        for _ in range(2_000):
            (left,) = await self.do(lambda c: c.execute(query, (self.clock.now_ms(),)).fetchone())
            if not left:
                break
            await asyncio.sleep(0.005)  # until the rows change; bounded
        else:
            raise AssertionError(left)
        self.sent_ms += [self.clock.now_ms()] * (self.robot.asked - len(self.sent_ms))


@pytest.mark.parametrize(
    ("kind", "merge_ms"), [("dingtalk", 1_000), ("wecombot", 1_000), ("feishu", 0), ("dingtalk", 15_000)]
)
async def test_a_flood_is_merged_and_spaced_out(tmp_path: Path, kind: str, merge_ms: int) -> None:
    clock = FakeClock(START)
    async with open_robots() as robots:
        robot = robots.add(kind, rates=[STRICT[kind]], now_ms=clock.now_ms)
        flood = Flood(Database.open(tmp_path / "log.db"), robot, clock, merge_ms)
        task = asyncio.create_task(flood.worker.run())
        for number in range(100):
            await flood.due(number)
            await flood.settled()
            await clock.advance(600)
        for _ in range(150):
            await clock.advance(1_000)
            await flood.settled()
        states = await flood.do(lambda c: c.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await flood.worker.close()
        flood.db.close()

    assert states == [("told", 100)]
    assert robot.asked == len(robot.group)  # the robot refused nothing: it was never asked too often
    assert all(after - before >= merge_ms for before, after in pairwise(flood.sent_ms))
    assert len(robot.group) < 100 or merge_ms == 0
