"""Questions with names: groups, filters, explanations."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from sanfen.core.drive import Fold
from sanfen.core.effects import Judged
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.errors import InputError
from sanfen.store import journal, projection, queries
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import ask, reply

START = 1_673_056_800_000
EVENTS = [
    ask(START),
    reply(START + 475_000, agent="a"),
    ask(START + 500_000),
    reply(START + 530_000, agent="b"),
    ask(START + 10**7),
]


@pytest.fixture
def filled(db: Database, run: Callable[..., Any]) -> Database:
    run(journal.append, Delivery(0, "default", "in", "POST", "", b""), EVENTS)
    for name in ("p", "q"):
        fold = Fold(Conversation(Key("default", "default", "A")), plan_of(Policy(id=name)))
        effects = [effect for event in EVENTS for effect in fold.feed(event)]
        judged = [effect for effect in effects if isinstance(effect, Judged)]
        run(projection.bulk_save, "live", fold.plan, fold.rounds(START + 10**7), judged)
    return db


def test_rates_are_grouped_and_narrowed(filled: Database) -> None:
    with closing(filled.reader()) as reader:
        by_agent = queries.rates(reader, by=["agent"], policy="p")
        whole = queries.rates(reader, score_set="live")

    assert [(row["agent"], row["met"], row["late"], row["pending"], row["mean_wait_ms"]) for row in by_agent] == [
        ("a", 0, 1, 0, 475_000),
        ("b", 1, 0, 1, 30_000),
    ]
    assert [(row["policy"], row["rounds"], row["pending"]) for row in whole] == [("p", 2, 1), ("q", 2, 1)]


def test_an_unknown_group_is_refused(filled: Database) -> None:
    with closing(filled.reader()) as reader, pytest.raises(InputError, match="cannot group by 'moon'"):
        queries.rates(reader, by=["moon"])


def test_rounds_by_status_and_by_length(filled: Database) -> None:
    with closing(filled.reader()) as reader:
        late = queries.rounds(reader, policy="p", status="late")
        longest = queries.rounds(reader, policy="p", longest=True, limit=1)

    assert [row["wait_ms"] for row in late] == [475_000] == [row["wait_ms"] for row in longest]
    assert late[0]["evidence"] == [EVENTS[0].id, EVENTS[1].id]


@pytest.mark.parametrize(
    ("name", "shown"), [("tb_赵47", "tb**47"), ("abcd", "ab**"), ("ab", "ab**"), ("a", "a"), ("", "")]
)
def test_customers_are_masked(name: str, shown: str) -> None:
    assert queries.mask(name) == shown
