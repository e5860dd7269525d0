"""A customer's words are gone from the file itself; what was decided stays, and so does an account of the erasing."""

import io
import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Sanfen

from sanfen.core.events import Message
from sanfen.store import journal
from sanfen.store.db import Database
from sanfen.store.erasure import Erased, erase, erasures
from sanfen.store.journal import Delivery
from sanfen.store.opening import open_reader
from sanfen.testing import ask, reply

START = 1_700_000_000_000
CANARY = "CANARY-这是顾客说的话"
FACTS = json.dumps({"shop": "default", "channel": "default", "customer": "tb_zhao", "question": CANARY})
OUTBOX = (
    "INSERT INTO outbox (round, policy, ladder, step, wanted, person, due_ms, created_ms, next_try_ms, facts, answer) "
    "VALUES ('r', 'p', 'l', 0, 'lead', 'lead', 0, 0, 0, ?, ?)"
)


def append(connection: sqlite3.Connection, delivery: Delivery, events: list[Message]) -> None:
    journal.append(connection, delivery, events)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log in which two customers have spoken, at length."""
    db = Database.open(tmp_path / "log.db")
    for number, customer in enumerate(["tb_zhao", "tb_qian"] * 5):
        words = f"{CANARY} {customer} " + "啊" * 3_000
        event = ask(START + number, customer, text=words)
        delivery = Delivery(START + number, "default", "in", "POST", "/in/desk", words.encode())
        said = [event, reply(event.at_ms + 1, customer)]
        db.write(partial(append, delivery=delivery, events=said)).result()
    db.write(lambda c: c.execute(OUTBOX, (FACTS, CANARY)).rowcount).result()
    db.write(lambda c: c.execute("INSERT INTO attempts (outbox, at_ms, way, result, answer) VALUES (1, 0, 'w', 'told', ?)", (CANARY,)).rowcount).result()  # fmt: skip
    db.close()
    return tmp_path / "log.db"


def words_in(path: Path) -> int:
    """How often the customer's words stand anywhere in the files, free pages and write-ahead log included."""
    files = [path, *path.parent.glob(path.name + "-*")]
    return sum(file.read_bytes().count(f"{CANARY} tb_zhao".encode()) for file in files if file.exists())


def test_the_words_are_gone_from_the_file(log: Path) -> None:
    assert words_in(log) >= 10
    db = Database.open(log)

    assert db.write(lambda c: erase(c, "tb_zhao", None, START, "test")).result() == Erased(10, 1)
    db.close()

    assert words_in(log) == 0
    assert log.read_bytes().count(f"{CANARY} tb_qian".encode()) >= 10
    reader = open_reader(log)
    try:
        assert reader.execute("SELECT count(*) FROM events").fetchone()[0] == 20
        assert [row["question"] for row in reader.execute("SELECT facts ->> '$.question' AS question FROM outbox")] == [
            None
        ]
        assert [tuple(row) for row in reader.execute("SELECT answer FROM attempts")] == [(None,)]
        (account,) = erasures(reader)
    finally:
        reader.close()
    assert account == {
        "at_ms": START,
        "shop": "default",
        "customer": "tb**ao",
        "messages": 10,
        "notices": 1,
        "by": "test",
    }


def test_another_shops_customer_of_the_same_name_stays(log: Path) -> None:
    db = Database.open(log)

    assert db.write(lambda c: erase(c, "tb_zhao", "elsewhere", START, "test")).result() == Erased(0, 0)
    assert db.write(erasures).result() == []
    db.close()


def test_the_command_erases_and_lists(sanfen: Sanfen, log: Path) -> None:
    done = sanfen("erase", log, "--customer", "tb_zhao", "--yes")
    listed: Any = sanfen("erase", log, "--list", "--json").json

    assert (done.code, done.err) == (0, "emptied: 10 messages, 1 notices; rounds and scores stay\n")
    assert words_in(log) == 0
    assert [(row["customer"], row["by"]) for row in listed] == [("tb**ao", "command")]
    assert sanfen("erase", log, "--customer", "nobody", "--yes").code == 1
    assert sanfen("erase", log).code == 2


def test_a_log_in_use_is_not_touched(sanfen: Sanfen, log: Path) -> None:
    """Two writers on one file are one too many: whoever runs the service asks it instead."""
    db = Database.open(log)
    try:
        refused = sanfen("erase", log, "--customer", "tb_zhao", "--yes")
    finally:
        db.close()

    assert refused.code == 2
    assert "in use by another sanfen" in refused.err
    assert words_in(log) >= 10


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_erased(
    sanfen: Sanfen, log: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    assert sanfen("erase", log, "--customer", "tb_zhao").code == 130
    assert words_in(log) >= 10
