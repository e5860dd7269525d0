"""What was delivered is kept once, and read back as it was."""

from collections.abc import Callable
from typing import Any

from sanfen.core.events import Close, Event, Handoff, Key, Order, Recall, Store, Tag, Transfer
from sanfen.store import journal
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import ask, reply

START = 1_700_000_000_000
KEY = Key("default", "default", "A")
DELIVERY = Delivery(1, "default", "in", "POST", "x", b"raw")
Run = Callable[..., Any]


def test_every_kind_of_event_reads_back(run: Run) -> None:
    events: list[Event] = [
        ask(10, text="在吗"),
        Transfer(11, KEY, "t", "a", None),
        Handoff(12, KEY, "h"),
        Close(13, KEY, "c"),
        Tag(14, KEY, "g", "spam"),
        Recall(15, KEY, "r", "m1"),
        Order(16, KEY, "o", "n1", "paid", 1200),
        reply(17),
    ]
    base = 1_700_000_000_000
    events = [event._replace(at_ms=base + event.at_ms) for event in events]
    run(journal.append, DELIVERY, events)

    assert run(journal.read, KEY) == events


def test_duplicates_change_nothing(run: Run) -> None:
    """By shop, channel and id; the first one stays."""
    run(journal.append, DELIVERY, [ask(10, name="m", text="one")])
    again = run(journal.append, DELIVERY, [ask(99, name="m", text="two"), ask(11, name="n")])

    assert [event.id for _, event in again] == ["n"]
    assert [event.text for event in run(journal.read, KEY)] == ["one", None]


def test_order_is_time_then_arrival(run: Run) -> None:
    run(journal.append, DELIVERY, [ask(20, name="b"), ask(10, name="a"), ask(20, name="a2")])

    assert [event.id for event in run(journal.read, KEY)] == ["a", "b", "a2"]


def test_the_shops_state_is_part_of_every_conversation(run: Run) -> None:
    base = 1_700_000_000_000
    store = Store(base + 5, KEY._replace(conversation=""), "s", "away")
    other = Store(base + 6, Key("other", "default", ""), "s", "away")
    run(journal.append, DELIVERY, [ask(base + 10), store, other])

    assert [event.id for event in run(journal.read, KEY)] == ["s", f"qA{base + 10}"]


def test_text_is_forgotten_in_batches(run: Run) -> None:
    run(journal.append, DELIVERY, [ask(at, text="x") for at in (1, 2, 3)])

    assert run(journal.forget_text, 3, 1) == 1
    assert run(journal.forget_text, 3, 10) == 1
    assert [event.text for event in run(journal.read, KEY)] == [None, None, "x"]


def test_a_customer_can_be_erased(run: Run) -> None:
    run(journal.append, DELIVERY, [ask(1, text="x"), ask(2, "B", text="y")])

    assert run(journal.erase_customer, "default", "A") == 1
    assert run(lambda c: c.execute("SELECT count(*) FROM deliveries WHERE body IS NOT NULL").fetchone()[0]) == 0
    assert [event.text for event in run(journal.read, KEY._replace(conversation="B"))] == ["y"]


def test_a_replay_is_known_by_what_was_signed(db: Database) -> None:
    """The same signed bytes with another message id: no event, no delivery, no effect; also after a restart."""
    first = Delivery(START, "desk", "in", "POST", "/in/desk", b"a", replay_key=b"k" * 32)

    def append(delivery: Delivery, name: str) -> int:
        return db.write(lambda c: len(journal.append(c, delivery, [ask(START, name=name)]))).result()

    assert [append(first, "q1"), append(first, "q2"), append(first._replace(channel="other"), "q3")] == [1, 0, 1]
    assert append(first._replace(replay_key=b"l" * 32), "q4") == 1
    db.close()
    again = Database.open(db.path)
    try:
        assert again.write(lambda c: len(journal.append(c, first, [ask(START, name="q5")]))).result() == 0
    finally:
        again.close()


def test_replays_are_known_for_thirty_days(db: Database, run: Run) -> None:
    def known(at_ms: int) -> Delivery:
        return Delivery(at_ms, "desk", "in", "POST", "/in/desk", b"a", replay_key=str(at_ms).encode())

    for one in (known(START), known(START + 1), known(START + 2)):
        run(journal.append, one, [])

    assert db.write(lambda c: journal.forget_replays(c, START + 2, 1)).result() == 1
    assert db.write(lambda c: journal.forget_replays(c, START + 2, 9)).result() == 1
    assert db.write(lambda c: c.execute("SELECT received_ms FROM replays").fetchall()).result() == [(START + 2,)]
