"""What a step costs and what the target still bears: a real file, engine, store and worker, over real HTTP.

Under a policy with ``transfer: split`` a conversation given away unanswered is itself a miss, so its holder is told first.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.engine.shop import START, Shop
from tests.notify.test_acting import Desk as Channel
from tests.served import served

from sanfen.config.load import Loaded, load
from sanfen.core.events import Transfer
from sanfen.engine.ingest import Terms
from sanfen.notify.acting import Acting
from sanfen.notify.worker import Worker
from sanfen.outbound import Guard
from sanfen.plugins import Plugins
from sanfen.roster import Roster
from sanfen.testing import FakeClock, ask, reply

FILE = """\
version: 1
shop: {{id: default, timezone: Asia/Shanghai}}
policy: ours
policies:
  ours: {{based_on: taobao-2023-05, window: 00:00-24:00, target: 90%{more}}}
people:
  lily: {{via: ["webhook+http://{address}/lily"], agents: [a1]}}
  boss: {{via: ["webhook+http://{address}/boss"]}}
merge: 0s
escalation:
  - name: default
    steps:
{steps}
"""


class Ends:
    """The people's phones and the channel's API: what reached them, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen.append(body.decode() if request.path == "/api" else request.path[1:])
        return web.Response(text="ok")


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    async with served(made.handle) as address:
        made.address = address
        yield made


class Live:
    """The shop with its worker."""

    def __init__(self, folder: Path, ends: Ends, steps: str, more: str = "") -> None:
        file = folder / "sanfen.yaml"
        file.write_text(FILE.format(address=ends.address, steps=steps, more=more), encoding="utf-8")
        self.loaded: Loaded = load(file, {})
        self.clock = FakeClock(START)
        self.shop = Shop(folder / "log.db", self.clock, self.loaded.policies)
        channel = Channel("default", "default", (), {"api": f"http://{ends.address}/api"})
        roster = Roster(self.loaded.settings, ["default"])
        self.terms = Terms(self.loaded.policies, (), "Asia/Shanghai", keep_text=True, roster=roster)
        self.worker = Worker(
            self.shop.db, Plugins().notifiers(Guard()), self.loaded.settings, self.clock, roster=roster,
            acting=Acting({"default": channel}, Guard()),
        )  # fmt: skip
        self.task = asyncio.create_task(self.worker.run())

    async def at(self, second: int) -> list[tuple[Any, ...]]:
        """Let time come to a second after the start and everything due then be done; the rows that are there."""
        await self.shop.tick(START + second * 1000)
        self.worker.wake()
        query = "SELECT step, kind, person, state, reason FROM outbox WHERE person <> 'nobody' ORDER BY id"
        rows: list[tuple[Any, ...]] = []
        for _ in range(1_000):
            rows = self.shop.rows(query)
            if all(state not in ("waiting", "sending") for _, _, _, state, _ in rows):
                return rows
            await asyncio.sleep(0.01)  # until the rows are settled; bounded
        raise AssertionError(rows)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.worker.close()
        self.shop.db.close()


GIVEN_AWAY = "      - {at: 2m30s, reassign: a2}  # sanfen: allow W109\n"


async def test_who_holds_it_is_told_before_it_is_given_away(tmp_path: Path, ends: Ends) -> None:
    """And when it is, the giver has a miss and the taker a round of their own: what the nudge was to spare them."""
    live = Live(tmp_path, ends, GIVEN_AWAY)
    assert [finding.code for finding in live.loaded.warnings] == []
    await live.shop.engine.adopt(live.terms)
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
    await live.shop.engine.adopt(live.terms)
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
    await live.shop.engine.adopt(live.terms)
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
