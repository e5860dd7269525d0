"""A refused notice is shown as refused, in the robot's own words, and the next way is tried: the real worker, real robots."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.notify.desk import Desk, is_
from tests.robots import Robot, Robots

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.config.settings import Secret, Way
from sanfen.notify.ways import send, shown_way
from sanfen.store.db import Database
from sanfen.testing import notice

KINDS = ["dingtalk", "feishu", "lark", "wecombot"]
NOTICE = notice()


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[list[Desk]]:
    made: list[Desk] = []
    yield made
    for desk in made:
        await desk.stop()


async def attempts(desk: Desk) -> list[tuple[Any, ...]]:
    query = "SELECT way, result, answer FROM attempts ORDER BY id"
    return [tuple(row) for row in await desk.do(lambda c: c.execute(query).fetchall())]


async def told_by_two(tmp_path: Path, desks: list[Desk], first: Robot, second: Robot) -> list[tuple[Any, ...]]:
    desk = Desk(Database.open(tmp_path / "log.db"), (first.address, second.address))
    desks.append(desk)
    await desk.escalate()
    await desk.settle(is_("told"), turns=1_000)  # virtual time stands still: there is no pause between the two ways
    return await attempts(desk)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "result"),
    [("500", "refused"), ("502", "unknown"), ("silence", "unknown"), ("reset", "unknown"), ("html", "unknown")],
)
async def test_trouble_with_one_robot_and_the_next_is_told(
    tmp_path: Path, robots: Robots, desks: list[Desk], kind: str, fault: str, result: str
) -> None:
    first, second = robots.add(kind), robots.add("wecombot" if kind != "wecombot" else "feishu")
    first.script = [fault]
    done = await told_by_two(tmp_path, desks, first, second)

    assert [row[1] for row in done] == [result, "told"]
    assert (first.asked, len(second.group)) == (1, 1)
    assert first.token not in str(done)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("dingtalk", {"keyword": "告警"}, "310000 keywords not in content"),
        ("dingtalk", {"secret": "another"}, "310000 sign not match"),
        ("feishu", {"keyword": "告警"}, "19024 Key Words Not Found"),
        ("lark", {"secret": "another"}, "19021 sign match fail"),
    ],
)
async def test_a_200_that_refuses_is_shown_as_refused(
    tmp_path: Path, robots: Robots, desks: list[Desk], kind: str, settings: dict[str, Any], words: str
) -> None:
    first, second = robots.add(kind, **settings), robots.add("wecombot")
    (refused, told) = await told_by_two(tmp_path, desks, first, second)

    assert (refused[1], refused[2][: len(words)], first.group) == ("refused", words, [])
    assert (told[1], told[2], len(second.group)) == ("told", "0 ok", 1)


def test_silence_is_given_up_before_three_seconds_are_over() -> None:
    """The other half of it is above: after that the next way is tried at once."""
    from sanfen_adapters import robots

    assert robots._PATIENCE_S < 3


async def test_a_bug_is_a_refusal_nobody_understands() -> None:
    class Broken(Notifier):
        name = "broken"

        async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
            raise RuntimeError(address, secret)

    with pytest.raises(DeliveryError) as caught:
        await send({"broken": Broken()}, Way("broken:CANARY", Secret("CANARY")), NOTICE)

    assert (caught.value.message, caught.value.reason) == ("RuntimeError in broken", "bug")
    assert (caught.value.retryable, caught.value.unknown) == (True, True)


async def test_a_way_nobody_serves() -> None:
    with pytest.raises(DeliveryError, match="no notifier is called 'pigeon'"):
        await send({}, Way("pigeon:home"), NOTICE)

    assert shown_way({}, Way("pigeon:home")) == "pigeon"
