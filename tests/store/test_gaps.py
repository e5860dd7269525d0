"""One helper says of every figure whether something is missing from it."""

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from typing import Any

import pytest

from sanfen.core.policy import Policy, Target
from sanfen.engine.ingest import Engine
from sanfen.store import gaps, journal, queries, units
from sanfen.store.db import Database
from sanfen.store.figures import figures
from sanfen.store.journal import Delivery, Gap
from sanfen.testing import FakeClock, ask, reply

START = 1_673_056_800_000  # 2023-01-07 10:00 in Shanghai
DAY = 86_400_000
ZONE = "Asia/Shanghai"

Run = Callable[..., Any]


@pytest.fixture
async def three_days(db: Database, run: Run) -> Database:
    """A round a day, and one delivery lost on the second, between 10 and 11."""
    clock = FakeClock(START + 3 * DAY)
    engine = Engine(db, (Policy("p", tz=ZONE),), (), clock, zone=ZONE)
    for number in range(3):
        at_ms = START + number * DAY
        await engine.submit(Delivery(at_ms, "default", "in", "POST", "", b""), [ask(at_ms), reply(at_ms + 1000)])
    run(journal.save_gaps, [Gap("default", START + DAY, START + DAY + 3_600_000, 1, "full")], ZONE)
    return db


async def test_the_day_is_marked_and_no_other(three_days: Database) -> None:
    with closing(three_days.reader()) as reader:
        asked = {
            "rates": units.rates(reader, by=("day",)),
            "report": figures(reader, by=("day",)),
            "rounds": queries.rounds(reader),
            "view": [dict(row) for row in reader.execute("SELECT * FROM rates_daily")],
            "agents": [dict(row) for row in reader.execute("SELECT * FROM agents_daily")],
        }
        for name, rows in asked.items():
            found = {row["day"]: bool(row["incomplete"]) for row in rows}
            assert found == {"2023-01-07": False, "2023-01-08": True, "2023-01-09": False}, name


@pytest.mark.parametrize(
    ("filters", "incomplete"),
    [
        ({}, True),
        ({"first_day": "2023-01-09"}, False),
        ({"last_day": "2023-01-07"}, False),
        ({"first_day": "2023-01-08", "last_day": "2023-01-08"}, True),
    ],
)
async def test_a_sum_is_incomplete_if_its_span_is(
    three_days: Database, filters: dict[str, str], incomplete: bool
) -> None:
    with closing(three_days.reader()) as reader:
        assert [row["incomplete"] for row in units.rates(reader, **filters)] == [incomplete]
        assert [row["incomplete"] for row in figures(reader, **filters)] == [incomplete]  # type: ignore[arg-type]


async def test_weeks_months_and_hours(three_days: Database) -> None:
    with closing(three_days.reader()) as reader:
        weeks = {row["week"]: row["incomplete"] for row in units.rates(reader, by=("week",))}
        months = {row["month"]: row["incomplete"] for row in units.rates(reader, by=("month",))}
        hours = {row["hour"]: row["incomplete"] for row in units.rates(reader, by=("hour",))}

    assert weeks == {"2023-01-02": True, "2023-01-09": False}
    assert months == {"2023-01": True}
    assert hours == {10: True}


async def test_budget_and_period_are_marked(three_days: Database) -> None:
    with closing(three_days.reader()) as reader:
        policy = Policy("p", tz=ZONE, targets=(Target("own", ">=", Fraction(9, 10)),))
        assert [row["incomplete"] for row in units.budgets(reader, policy, "live", START + 2 * DAY)] == [True]
        assert [row["incomplete"] for row in units.assessed(reader, policy, "live", START + 2 * DAY)] == [True]


def test_another_channel_and_another_score_set_are_whole(db: Database, run: Run) -> None:
    run(journal.save_gaps, [Gap("other", START, START, 1, "full"), Gap("desk", START, START, 0, "later", kept=4)], ZONE)
    with closing(db.reader()) as reader:
        found = gaps.missing(reader)
        rows = gaps.marked(reader, [{"score_set": "replay"}, {"channel": "desk"}, {"channel": "other"}, {}])

    assert found.touches(channel="other")
    assert not found.touches(channel="desk")
    assert [row["incomplete"] for row in rows] == [False, False, True, True]


@pytest.mark.parametrize("channel", ["events", "*"])
def test_a_door_for_all_channels_touches_all(db: Database, run: Run, channel: str) -> None:
    run(journal.save_gaps, [Gap(channel, START, START, 1, "full")], ZONE)
    with closing(db.reader()) as reader:
        assert gaps.missing(reader).touches(channel="desk")


def test_what_waits_beside_the_log_makes_every_day_incomplete(db: Database) -> None:
    beside = db.path.with_name(f"{db.path.name}.spill.x.0001.lines")
    for content, waits in ((b"", False), (b"x", True)):
        beside.write_bytes(content)
        with closing(db.reader()) as reader:
            assert gaps.missing(reader).touches("2020-01-01", "2020-01-01") is waits
