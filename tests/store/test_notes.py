"""Other names of conversations, and what is to be fetched: in a real file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sanfen.abc import Alias, Pull
from sanfen.core.events import Event
from sanfen.reading import Place
from sanfen.store import journal, notes
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.notes import Moved, Note
from sanfen.store.spill import Aside, Spill

NOW_MS = 1_795_309_140_000
PLACE = Place("shop", "line", NOW_MS)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "log.db"
    Database.open(path).close()
    opened = sqlite3.connect(path)
    yield opened
    opened.close()


def keep(
    connection: sqlite3.Connection, *events: Event, said: tuple[Note, ...] = (), at_ms: int = NOW_MS
) -> list[Event]:
    delivery = Delivery(at_ms, "line", "in", "POST", "/in/line", b"{}", notes=said)
    return [event for _, event in journal.append(connection, delivery, events)]


def test_an_event_belongs_to_the_conversation_whatever_it_was_called(connection: sqlite3.Connection) -> None:
    keep(connection, PLACE.ask("U1", "q1", NOW_MS), said=(Alias("rt", "U1"),))
    (reply,) = keep(connection, PLACE.reply("rt", "m1", NOW_MS))
    (other,) = keep(connection, PLACE.reply("unknown", "m2", NOW_MS))

    assert reply.key.conversation == "U1"
    assert other.key.conversation == "unknown"
    assert [one.id for one in journal.read(connection, reply.key)] == ["q1", "m1"]


def test_names_of_other_channels_are_other_names(connection: sqlite3.Connection) -> None:
    keep(connection, said=(Alias("rt", "U1"),))
    delivery = Delivery(NOW_MS, "kf", "in", "POST", "/in/kf", b"{}")
    ((_, event),) = journal.append(connection, delivery, [Place("shop", "kf", NOW_MS).ask("rt", "q1", NOW_MS)])

    assert event.key.conversation == "rt"


def test_names_are_forgotten_when_their_time_is_over(connection: sqlite3.Connection) -> None:
    keep(connection, said=(Alias("rt", "U1", 1000), Alias("id", "U1")))

    assert notes.forget(connection, NOW_MS + 1001, 100) == 1
    assert keep(connection, PLACE.reply("id", "m1", NOW_MS))[0].key.conversation == "U1"
    assert keep(connection, PLACE.reply("rt", "m2", NOW_MS))[0].key.conversation == "rt"


def test_what_is_to_be_fetched_is_fetched_from_its_cursor(connection: sqlite3.Connection) -> None:
    keep(connection, said=(Pull("desk", "t1"),))
    (one,), _ = notes.waiting(connection, NOW_MS)

    assert (one.channel, one.pull, one.cursor) == ("line", Pull("desk", "t1"), None)
    keep(connection, said=(Moved("desk", "c1", 1, more=True),))
    (again,), _ = notes.waiting(connection, NOW_MS)
    assert again.cursor == "c1"
    keep(connection, said=(Moved("desk", "c2", 1, more=False),))
    assert notes.waiting(connection, NOW_MS) == ([], None)
    keep(connection, said=(Pull("desk", "t2"),))
    (later,), _ = notes.waiting(connection, NOW_MS)
    assert (later.pull.token, later.cursor) == ("t2", "c2")


def test_a_failed_attempt_waits_unless_it_is_asked_for_again(connection: sqlite3.Connection) -> None:
    keep(connection, said=(Pull("desk", "t1"),))
    (one,), _ = notes.waiting(connection, NOW_MS)
    notes.put_off(connection, one, NOW_MS + 5000, "http_500")

    assert notes.waiting(connection, NOW_MS) == ([], NOW_MS + 5000)
    keep(connection, said=(Pull("desk", "t2"),), at_ms=NOW_MS + 1)
    notes.put_off(connection, one, NOW_MS + 60_000, "an answer to the first, late")
    assert notes.waiting(connection, NOW_MS + 1)[0][0].attempts == 0


def test_a_poke_while_fetching_is_not_answered_by_it(connection: sqlite3.Connection) -> None:
    keep(connection, said=(Pull("desk", "t1"),))
    keep(connection, said=(Pull("desk", "t2"),))
    keep(connection, said=(Moved("desk", "c1", 1, more=False),))

    assert [one.asked for one in notes.waiting(connection, NOW_MS)[0]] == [2]


def test_notes_are_written_down_and_read_again() -> None:
    said = (Alias("rt", "U1", 5), Pull("desk", "t"), Moved("desk", "c", 1, more=False))

    assert notes.unpacked(notes.packed(said)) == said


def test_notes_of_a_delivery_that_is_kept_aside_are_kept_aside(tmp_path: Path) -> None:
    said = (Alias("rt", "U1", 5), Pull("desk", "t"))
    delivery = Delivery(NOW_MS, "line", "in", "POST", "/in/line", b"{}", number=7, notes=said)
    spill = Spill(tmp_path / "aside", "one")
    spill.append(delivery, [PLACE.ask("U1", "q1", NOW_MS)]).result()
    (batch,) = spill.batches()
    spill.close()

    assert [one.delivery for one in batch if isinstance(one, Aside)] == [delivery]
