"""The recurring jobs, run by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sanfen.core.drive import fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import score
from sanfen.engine.chores import Chores
from sanfen.engine.timers import Ticker
from sanfen.roster import Target
from sanfen.store import journal, outbox, projection
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask

START = 1_673_056_800_000
KEY = Key("default", "default", "A")


class Night:
    def __init__(self, path: Path) -> None:
        self.clock = FakeClock(START)
        self.db = Database.open(path)
        self.ticker = Ticker(self.clock)
        self.chores = Chores(self.db, self.ticker, self.clock, keep_text_ms=1000)


@pytest.fixture
async def night(tmp_path: Path) -> AsyncIterator[Night]:
    made = Night(tmp_path / "log.db")
    yield made
    made.chores.stop()
    made.db.close()


async def test_the_auditor_finds_a_step_the_ticker_lost(night: Night) -> None:
    plan = plan_of(Policy(id="p"))
    for one, _ in fold(Conversation(KEY), [ask(START)], plan).rounds():
        night.db.write(lambda c, one=one: projection.save(c, "live", [(one, score(one, plan, START), plan)])).result()  # type: ignore[misc]
    assert await night.chores.audit() == 0
    night.clock._now_ms = START + 180_001 + 5_001

    assert await night.chores.audit() == 1
    assert night.ticker.due(night.clock.now_ms()) == [KEY]


async def test_the_auditor_finds_notices_nobody_sends(night: Night) -> None:
    done = fold(Conversation(KEY), [ask(START)], plan_of(Policy(id="p")))
    ((one, _),) = done.rounds()
    step = Escalated(START, one, "l", 0, ("lead",))
    night.db.write(lambda c: outbox.enqueue(c, [outbox.asked(step, "p", [Target("lead", "lead")], START)])).result()
    assert (await night.chores.audit(), await night.chores.trouble()) == (0, None)
    night.clock._now_ms = START + 90_001

    assert (await night.chores.audit(), await night.chores.trouble()) == (1, "steps are overdue")


async def test_a_log_that_cannot_be_asked_is_trouble(night: Night) -> None:
    night.db.close()

    assert await night.chores.trouble() == "the log is closed"


async def test_text_is_forgotten_after_its_time(night: Night) -> None:
    events = [ask(START - 2000, text="old"), ask(START, text="new")]
    night.db.write(lambda c: journal.append(c, Delivery(START - 2000, "c", "in", "POST", "", b"raw"), events)).result()
    await night.chores.forget()

    assert night.db.write(lambda c: c.execute("SELECT text FROM events ORDER BY at_ms").fetchall()).result() == [
        (None,),
        ("new",),
    ]
    assert night.db.write(lambda c: c.execute("SELECT body FROM deliveries").fetchone()).result() == (None,)


async def test_replays_and_quotes_are_forgotten_after_theirs(night: Night) -> None:
    """A replay is known for thirty days at least, whatever becomes of text; a notice quotes no longer than text is kept."""
    key = Delivery(START, "desk", "in", "POST", "", b"", replay_key=b"k")
    facts = '{"shop": "s", "question": "CANARY", "customer": "c"}'
    fill = (
        "INSERT INTO outbox (round, policy, ladder, step, wanted, person, due_ms, created_ms, next_try_ms, facts, answer) "
        "VALUES ('r', 'p', 'l', 0, 'lead', 'lead', 0, ?, 0, ?, 'CANARY')"
    )
    night.db.write(lambda c: journal.append(c, key, [])).result()
    night.db.write(lambda c: c.execute(fill, (START, facts)).rowcount).result()

    def left(table: str) -> list[tuple[object, ...]]:
        return night.db.write(lambda c: c.execute(f"SELECT * FROM {table}").fetchall()).result()

    night.clock._now_ms = START + 30 * 86_400_000
    assert await night.chores.forget() == 1
    assert "CANARY" not in str(left("outbox"))
    assert len(left("replays")) == 1
    night.clock._now_ms = START + 32 * 86_400_000
    assert await night.chores.forget() == 1
    assert left("replays") == []


async def test_upkeep_finds_nothing_wrong(night: Night) -> None:
    await night.chores.upkeep()


async def test_a_closed_log_puts_chores_off(night: Night) -> None:
    night.db.close()

    assert (await night.chores.audit(), await night.chores.forget()) == (0, 0)


async def test_the_schedule_starts_and_stops(night: Night) -> None:
    night.chores.start()
    night.chores.stop()
    night.chores.stop()
