"""What memory lets go of is folded again, and nobody notices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engine.shop import MINUTE, START, Rows, open_shop

from sanfen.core.events import Event, Key, Store
from sanfen.store import journal
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


async def test_who_waits_is_not_read_from_the_journal_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those let go of last, as many as there is room for; whoever was answered needs none."""
    monkeypatch.setattr("sanfen.engine.memory._MOST", 1)
    monkeypatch.setattr("sanfen.engine.memory._MOST_PACKED", 2)
    with open_shop(tmp_path / "log.db") as shop:
        for event in (ask(START, "A"), ask(START, "B"), ask(START, "C"), ask(START, "D"), ask(START, "E")):
            await shop.send(event)
        read: list[Key] = []
        read_many = journal.read_many

        def noted(connection: Any, keys: Sequence[Key], stores: Any) -> Any:
            read.extend(keys)
            return read_many(connection, keys, stores)

        monkeypatch.setattr("sanfen.store.journal.read_many", noted)
        for event in (reply(START + 1000, "C"), reply(START + 1000, "A"), ask(START + 2000, "C")):
            await shop.send(event)

        assert [key.conversation for key in read] == ["A", "C"]
