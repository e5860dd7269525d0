"""Who waits now: in order of urgency, with the last step, however old a question with a long deadline is."""

from pathlib import Path

from tests.engine.shop import MINUTE, START, open_shop

from sanfen.core.policy import DueRule, Policy
from sanfen.store.present import Waiting, in_order, waiting, zone_of
from sanfen.testing import FakeClock, ask, reply

DAY = "2023-01-07"


def made(name: str, due_ms: int | None) -> Waiting:
    clock_ms = None if due_ms is None else due_ms - 180_000
    return Waiting(name, "s", "c", "tb", None, "pending", START, clock_ms, due_ms, 1, 0, None, None, None, None)


def test_the_soonest_first_then_those_without_a_clock_then_the_passed() -> None:
    names = [
        one.id for one in in_order([made("z", None), made("b", 200), made("o", 90), made("a", 150), made("p", 99)], 100)
    ]

    assert names == ["a", "b", "z", "p", "o"]


def test_zones_are_parts_of_the_time_there_is() -> None:
    one = made("a", 180_000)

    assert [zone_of(one, now_ms) for now_ms in (0, 89_999, 90_000, 149_999, 150_000, 180_000, 180_001)] == [
        "calm", "calm", "soon", "soon", "urgent", "urgent", "over",
    ]  # fmt: skip
    assert zone_of(made("z", None), 10**15) == "calm"


async def test_who_waits_and_the_last_step(tmp_path: Path) -> None:
    with open_shop(tmp_path / "log.db", clock=FakeClock(START)) as shop:
        await shop.send(ask(START, "first", text="在吗"), ask(START + 30_000, "second"), ask(START, "done"))
        await shop.send(reply(START + 20_000, "done"))
        await shop.tick(START + 100_000)
        connection = shop.db.reader()
        first, second = waiting(connection, "taobao", DAY, START + 100_000)
        connection.close()

    assert (first.customer, first.question, first.step, first.last) == (
        "first",
        "在吗",
        1,
        ("notify", "lead", "lead", "waiting"),
    )
    assert (second.customer, second.question, second.span_ms, second.last) == ("second", None, 180_000, None)


async def test_a_passed_deadline_is_history_after_an_hour_and_a_long_one_is_not(tmp_path: Path) -> None:
    slow = Policy("slow", due=(DueRule(after_ms=86_400_000),))
    quick = Policy("quick")
    with open_shop(tmp_path / "log.db", (slow, quick), FakeClock(START)) as shop:
        await shop.send(ask(START, "a"))
        await shop.tick(START + 90 * MINUTE)
        connection = shop.db.reader()
        found = {one: len(waiting(connection, one, DAY, START + 90 * MINUTE)) for one in ("slow", "quick")}
        connection.close()

    assert found == {"slow": 1, "quick": 0}
