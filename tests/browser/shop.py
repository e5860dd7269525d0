"""A shop to look at: thirty days of rounds scored by the real engine, nine customers waiting, and the real service over it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web
from tests.ports import free_port
from tests.served import served

from sanfen.bootstrap import Service
from sanfen.clock import Clock
from sanfen.config.load import Loaded, load
from sanfen.core.events import Event, Key, Message, Mode, Sender, Take
from sanfen.demo.clock import FastClock
from sanfen.engine.ingest import Engine
from sanfen.roster import Roster
from sanfen.store import outbox
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock

__all__ = ["NOW", "SECRETS", "WAITING", "Board", "ask", "configured", "history", "opened", "running"]

SECRETS = {"SHOP_SECRET": "whsec_" + "QUJD" * 8}

ZONE = ZoneInfo("Asia/Shanghai")
NOW = int(datetime(2026, 11, 22, 21, 4, 10, tzinfo=ZONE).timestamp() * 1000)
WAITING = (201, 164, 142, 119, 98, 75, 53, 34, 13, 6)
"""How many seconds each has waited; the first one's deadline has passed."""

_CONFIG = """\
version: 1
shop: {{id: flagship, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{hooks: "127.0.0.1:{hooks}", board: "127.0.0.1:{board}", per_address: 1024, datasette: "http://127.0.0.1:8001/sanfen"}}
storage: sanfen.db
{text}policy: taobao-2022-01
also: [taobao-2023-05]
target: 90%
channels:
  taobao:
    adapter: generic
    secret: ${{SHOP_SECRET}}
{forward}classify:
  - name: platform-flag
    match: {{mode: [auto, bot]}}
    verdict: invalid
  - name: greeting
    match: {{text: "^亲，您好"}}
    verdict: invalid
  - name: never-used
    match: {{agent: [nobody]}}
    verdict: valid
people:
  值班组长: {{via: [{{url: "webhook+http://{robot}/lead", secret: "${{SHOP_SECRET}}"}}], hours: 08:00-24:00}}
  主管: {{via: [{{url: "webhook+http://{robot}/boss", secret: "${{SHOP_SECRET}}"}}]}}
escalation:
  - name: 售后
    match: {{channel: taobao, agent: [莉莉]}}
    steps:
      - {{at: 1m, notify: [值班组长]}}
      - {{at: 2m, notify: [主管]}}
  - name: default
    steps:
      - {{at: 1m30s, notify: [值班组长]}}
      - {{at: 2m30s, notify: [主管]}}
      - {{at: 2m45s, notify: [值班组长, 主管]}}
"""
_AGENTS = (("莉莉", 70, 0.14), ("小美", 45, 0.08), ("阿强", 32, 0.04), ("周舟", 22, 0.02))
_QUESTIONS = ("在吗？这件 M 码还有货吗", "退款三天了怎么还没到账", "今天下单什么时候发货", "发票可以开公司抬头吗", "收到的颜色不对，怎么换",
              "满 300 减 40 的券怎么用", "165/52kg 穿什么码", "物流两天没动了", "Is size M still in stock?", "可以便宜一点吗")  # fmt: skip
_BUSY = {9: 4, 10: 6, 11: 6, 12: 5, 13: 5, 14: 7, 15: 7, 16: 6, 17: 5, 18: 5, 19: 7, 20: 9, 21: 8, 22: 5, 23: 2}


class Board(NamedTuple):
    """A running service and where its board is."""

    service: Service
    url: str
    told: list[str]

    async def say(self, *events: Event) -> None:
        """A delivery, committed."""
        await self.service.front.submit(Delivery(self.service.clock.now_ms(), "taobao", "in", "POST", "", b""), events)


def running() -> FastClock:
    """A clock that goes on from NOW, as fast as any other."""
    clock = FastClock(NOW, 1)
    clock.begin()
    return clock


def ask(at_ms: int, customer: str, text: str | None = None, name: str | None = None) -> Message:
    """A customer's message."""
    key = Key("flagship", "taobao", customer)
    return Message(at_ms, key, name or f"q{customer}{at_ms}", Sender.customer, customer, text=text)


def _reply(at_ms: int, customer: str, agent: str, text: str, mode: Mode = Mode.human) -> Message:
    key = Key("flagship", "taobao", customer)
    name = f"m{customer}{at_ms}{mode}"
    return Message(at_ms, key, name, Sender.merchant, customer, mode=mode, agent=agent, evidence="field", text=text)


def _day(back: int, dice: Random) -> Iterator[list[Event]]:
    """Conversations of a day so many days ago, each with everything said in it."""
    midnight = datetime(2026, 11, 22, tzinfo=ZONE) - timedelta(days=back)
    for hour, usual in _BUSY.items():
        for _ in range(dice.randint(max(1, usual - 2), usual + 2)):
            at_ms = int((midnight + timedelta(hours=hour)).timestamp() * 1000) + dice.randrange(3_600_000)
            if at_ms <= NOW - 900_000:
                yield _visit(at_ms, f"tb_{dice.randrange(10**6):06}", hour, dice)


def _waiting(seconds: tuple[int, ...]) -> Iterator[list[Event]]:
    """Who has waited for so many seconds, greeted by a machine."""
    for number, one in enumerate(seconds):
        agent, customer = _AGENTS[number % 4][0], f"tb_{number:02}{number * 37 % 100:02}"
        at_ms = NOW - one * 1000
        greeting = _reply(at_ms + 900, customer, agent, "亲，您好，欢迎光临本店～", Mode.auto)
        yield [ask(at_ms, customer, _QUESTIONS[number % len(_QUESTIONS)]), greeting]


def _visit(at_ms: int, customer: str, hour: int, dice: Random) -> list[Event]:
    agent, usual_s, forgets = dice.choice(_AGENTS)
    said: list[Event] = [ask(at_ms, customer, dice.choice(_QUESTIONS))]
    said.append(_reply(at_ms + 1_000, customer, agent, "亲，您好，欢迎光临本店～", Mode.auto))
    luck = dice.random() - (0.06 if hour in (12, 20, 21) else 0)
    wait_s = dice.uniform(185, 420) if luck < forgets else max(5.0, dice.gauss(usual_s, usual_s / 3))
    if luck > forgets / 5 - 0.04:
        said.append(_reply(at_ms + int(wait_s * 1000), customer, agent, "有货的，今天可以发"))
    if dice.random() < 0.2 and wait_s > 60:
        said.insert(2, ask(at_ms + 40_000, customer, "有人吗"))
    if wait_s > 200 and dice.random() < 0.7:
        said.insert(-1, Take(at_ms + 150_000, Key("flagship", "taobao", customer), f"t{customer}{at_ms}", "值班组长"))
    return sorted(said, key=lambda one: one.at_ms)


async def history(path: Path, loaded: Loaded, *, days: int = 30, waiting: tuple[int, ...] = WAITING) -> None:
    """Write what happened until NOW, through the engine."""
    clock, dice = FakeClock(NOW), Random(11)
    db = await asyncio.to_thread(Database.open, path)
    engine = Engine(
        db, loaded.policies, loaded.rules, clock, roster=Roster(loaded.settings), zone="Asia/Shanghai",
        keep_text=loaded.settings.text_keep_ms > 0,
    )  # fmt: skip
    await engine.adopt()
    for back in range(max(days, 1) - 1, -1, -1):
        clock._now_ms = NOW - back * 86_400_000 + (0 if back == 0 else 10_000_000)  # the end of that day
        visits = [*(_day(back, dice) if days else ()), *(_waiting(waiting) if back == 0 else ())]
        await asyncio.gather(*(engine.submit(*_delivered(said)) for said in visits))
        await engine.tick({one.key for said in visits for one in said})
    await asyncio.wrap_future(db.write(lambda connection: _tell(connection, dice)))
    await asyncio.to_thread(db.close)


def _delivered(said: list[Event]) -> tuple[Delivery, list[Event]]:
    past = [one for one in said if one.at_ms <= NOW]
    return Delivery(past[-1].at_ms, "taobao", "in", "POST", "", b""), past


def _tell(connection: object, dice: Random) -> None:
    """What became of the notices until now."""
    rows = outbox.claim(connection, NOW, 10**6, 1)  # type: ignore[arg-type]
    for row in outbox.begin(connection, rows):  # type: ignore[arg-type]
        took_ms, luck = dice.randint(120, 900), dice.random()
        refused = luck < 0.05
        state = outbox.Transition("failed" if refused else "told", 0, 0, NOW, "keyword" if refused else None)
        answer = "310000 keywords not in content" if refused else "200 ok"
        outbox.record(
            connection, [(row, state)], now_ms=row.due_ms + took_ms, way="webhook://robot", answer=answer,  # type: ignore[arg-type]
            result="refused" if refused else "told", took_ms=took_ms,
        )  # fmt: skip


@asynccontextmanager
async def opened(
    folder: Path,
    clock: Callable[[], Clock] = lambda: FakeClock(NOW),
    *,
    days: int = 30,
    waiting: tuple[int, ...] = WAITING,
    text: bool = True,
    around: Callable[[Path], Awaitable[None]] | None = None,
) -> AsyncIterator[Board]:
    """The real service over such a log; ``clock`` is made once the history is written. The people's robot takes anything."""
    told: list[str] = []

    async def robot(request: web.Request) -> web.Response:
        told.append(request.path)
        return web.json_response({"ok": True})

    async with served(robot) as address:
        loaded = configured(folder, address, text=text)
        await history(folder / "sanfen.db", loaded, days=days, waiting=waiting)
        if around is not None:
            await around(folder)
        service = Service(loaded, clock())
        await service.start()
        try:
            yield Board(service, f"http://127.0.0.1:{loaded.settings.listen.board_port}", told)
        finally:
            await service.stop()


def configured(folder: Path, robot: str, *, text: bool = True, forward: str | None = None) -> Loaded:
    """The shop's configuration, on ports of its own. ``forward``: where customers' messages are passed on to."""
    path = folder / "sanfen.yaml"
    onward = "" if forward is None else f'    from_customer: {{forward: "{forward}/in"}}\n'
    kept = "" if text else "text: {keep: 0}\n"
    path.write_text(
        _CONFIG.format(hooks=free_port(), board=free_port(), robot=robot, text=kept, forward=onward), encoding="utf-8"
    )
    return load(path, env=SECRETS)
