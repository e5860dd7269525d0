"""A notifier of somebody else's that blocks, hangs or will not end: the loop goes on, and the next way is tried."""

import asyncio
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.notify.desk import Desk, Phone, is_
from tests.served import served

from sanfen import apart, hookspecs
from sanfen.abc import DeliveryError, Limit, Notice, Notifier
from sanfen.apart import Apart
from sanfen.config.settings import Way
from sanfen.notify import ways
from sanfen.notify.worker import Worker
from sanfen.plugins import Plugins
from sanfen.store.db import Database
from sanfen.testing import notice

NOTICE = notice()
FREE = threading.Event()


class Theirs(Notifier):
    """Does what its address says."""

    name = "theirs"
    limits = (Limit(7, 1_000),)
    closed: ClassVar[list[str]] = []

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        match address:
            case "theirs:block":
                FREE.wait(20)
            case "theirs:hang":
                await asyncio.Event().wait()
            case "theirs:stay":
                while not FREE.is_set():
                    try:
                        await asyncio.sleep(0.01)  # until the test is over
                    except asyncio.CancelledError:
                        continue
            case "theirs:refuse":
                raise DeliveryError("no", reason="refused", retryable=False)
            case _:
                pass
        return threading.current_thread().name

    async def close(self) -> None:
        self.closed.append("theirs")


class Plugin:
    @staticmethod
    @hookspecs.hookimpl
    def register_notifiers() -> list[type[Notifier]]:
        return [Theirs]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ways, "_LONGEST_S", 0.2)
    monkeypatch.setattr(apart, "_ANSWERS_S", 0.1)
    FREE.clear()
    yield
    FREE.set()


async def test_it_works_in_a_thread_of_its_own_and_is_closed_there() -> None:
    made = Plugins([Plugin]).notifiers()
    said = [await ways.send(made, Way("theirs:x"), NOTICE) for _ in range(2)]
    await made["theirs"].close()

    assert said == ["sanfen-theirs", "sanfen-theirs"]
    assert made["theirs"].limits == (Limit(7, 1_000),)
    assert Theirs.closed == ["theirs"]
    await made["theirs"].close()  # safe to repeat


async def test_what_it_raises_is_passed_on() -> None:
    with pytest.raises(DeliveryError, match="no"):
        await ways.send(Plugins([Plugin]).notifiers(), Way("theirs:refuse"), NOTICE)


@pytest.mark.parametrize("how", ["block", "hang", "stay"])
async def test_it_holds_nothing_up(how: str) -> None:
    """Given up in time, while the loop goes on; and it can be asked again."""
    made = Plugins([Plugin]).notifiers()
    turns = 0

    async def live() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)  # a loop that goes on
            turns += 1

    living = asyncio.create_task(live())
    with pytest.raises(DeliveryError, match="no answer in time") as caught:
        await ways.send(made, Way(f"theirs:{how}"), NOTICE)
    living.cancel()

    assert (caught.value.unknown, turns > 3) == (True, True)
    assert await ways.send(made, Way("theirs:x"), NOTICE) == "sanfen-theirs"


async def test_after_three_threads_left_behind_it_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "_LONGEST_S", 1)  # the thread has to begin before it can block, also on a busy machine
    one = Plugins([Plugin]).notifiers()["theirs"]
    for _ in range(3):
        with pytest.raises(DeliveryError, match="no answer in time"):
            await ways.send({"theirs": one}, Way("theirs:block"), NOTICE)
    with pytest.raises(DeliveryError, match="has hung 3 times") as caught:
        await ways.send({"theirs": one}, Way("theirs:x"), NOTICE)

    assert (caught.value.reason, caught.value.retryable, caught.value.unknown) == ("plugin_hangs", False, False)


async def test_the_next_way_is_tried(tmp_path: Path) -> None:
    phone = Phone()
    async with served(phone.handle) as address:
        desk = Desk(Database.open(tmp_path / "log.db"), ("theirs:block", f"webhook+http://{address}/notice"))
        notifiers = Plugins().notifiers() | Plugins([Plugin]).notifiers()
        desk.worker = Worker(desk.db, notifiers, desk.settings, desk.clock)
        await desk.escalate()
        await desk.settle(is_("told"), turns=1_000)
        query = "SELECT way, result FROM attempts ORDER BY id"
        attempts = await desk.do(lambda c: [tuple(row) for row in c.execute(query)])
        await desk.stop()

    assert [result for _, result in attempts] == ["unknown", "told"]
    assert len(phone.notices) == 1


def test_what_comes_with_sanfen_is_not_apart() -> None:
    assert not [one for one in Plugins().notifiers().values() if isinstance(one, Apart)]
