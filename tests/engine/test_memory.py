"""What memory lets go of is folded again, and nobody notices."""

from pathlib import Path

import pytest
from tests.engine.shop import MINUTE, START, Rows, open_shop

from sanfen.core.events import Event, Key, Store
from sanfen.testing import ask, reply

TALK: list[Event] = [
    event
    for number in range(6)
    for event in (
        ask(START + number * 10 * MINUTE, "ABC"[number % 3]),
        reply(START + number * 10 * MINUTE + 30_000, "ABC"[number % 3]),
        ask(START + number * 10 * MINUTE + 60_000, "ABC"[(number + 1) % 3]),
    )
]


async def rows(path: Path) -> Rows:
    with open_shop(path) as shop:
        for event in [*TALK[:9], Store(TALK[9].at_ms - 1, Key("default", "default", ""), "s", "away"), *TALK[9:]]:
            await shop.send(event)
        return shop.rows()


async def test_a_memory_of_one_conversation_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = await rows(tmp_path / "all.db")
    monkeypatch.setattr("sanfen.engine.memory._MOST", 1)

    assert await rows(tmp_path / "one.db") == wanted
    assert wanted


async def test_so_it_is_within_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries that wait together, of more conversations than memory holds."""
    wanted = await rows(tmp_path / "all.db")
    monkeypatch.setattr("sanfen.engine.memory._MOST", 1)
    store = Store(TALK[9].at_ms - 1, Key("default", "default", ""), "s", "away")
    with open_shop(tmp_path / "one.db") as shop:
        futures = [shop.submit(event) for event in [*TALK[:9], store, *TALK[9:]]]
        for future in futures:
            await future

        assert shop.rows() == wanted
