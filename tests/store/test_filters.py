"""One table of filters: what they ask, what they refuse, and that the SQL a person reads is the SQL that is asked."""

import sqlite3
from typing import Any

import pytest

from sanfen.catalogue import TEXTS
from sanfen.core.events import Evidence, Mode
from sanfen.errors import InputError
from sanfen.store.filters import EQUAL, OF_ROUNDS, conditions, shown, where

ROWS = "CREATE TABLE round_rows (id, score_set, policy, agent, status, day, hour, wait_ms, customer, conversation, opened_ms)"


def test_what_is_not_set_narrows_nothing() -> None:
    assert where({"agent": None, "status": ()}) == ("", ())


def test_an_empty_agent_is_nobody_and_several_outcomes_are_any_of_them() -> None:
    assert where({"agent": "", "status": "late,missed"}) == (
        "WHERE coalesce(agent, '') = ? AND status IN (?, ?)", ("", "late", "missed"),
    )  # fmt: skip
    assert where({"status": ("late", "missed")}) == where({"status": "late,missed"})


def test_instants_are_those_of_the_rows() -> None:
    assert [one.sql for one in conditions({"since_ms": 1, "until_ms": 2}, "at_ms")] == ["at_ms >= ?", "at_ms < ?"]


@pytest.mark.parametrize("day", ["2026-13-01", "x", "2026-1-1"])
def test_no_day_is_said(day: str) -> None:
    with pytest.raises(InputError, match="not a day"):
        where({"first_day": day})


def test_a_name_that_is_no_filter_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        where({"nonsense": 1})


def test_what_a_person_reads_asks_the_same() -> None:
    log = sqlite3.connect(":memory:")
    log.execute(ROWS)
    people = ["莉莉", "O'Hara?", None]
    for number in range(60):
        row = (f"r{number}", "live", "p", people[number % 3], ("met", "late")[number % 2], f"2026-11-{1 + number % 28:02}",
               number % 24, number * 1000, f"c{number}", f"v{number}", number)  # fmt: skip
        log.execute(f"INSERT INTO round_rows VALUES ({', '.join('?' * len(row))})", row)
    asked: list[dict[str, Any]] = [
        {"agent": "O'Hara?", "status": "late"}, {"agent": "", "hour": "5"}, {"weekday": "0", "first_day": "2026-11-08"},
        {"wait_from_ms": "5000", "wait_to_ms": 9000}, {"about": "c7"}, {"ids": ["r1", "r2"]},
    ]  # fmt: skip
    for filters in asked:
        clause, values = where(filters)
        bound = log.execute(f"SELECT id FROM round_rows {clause}", values).fetchall()

        assert bound, filters
        assert log.execute(f"SELECT id FROM round_rows WHERE {shown(filters)}").fetchall() == bound, filters
    assert shown({"hour": "5"}) == "hour = 5"
    log.close()


def test_no_name_means_two_things() -> None:
    assert not set(EQUAL) & set(OF_ROUNDS)


def test_every_mode_and_every_kind_of_evidence_has_its_words() -> None:
    assert {f"mode_{mode}" for mode in Mode} | {f"evidence_{kind}" for kind in Evidence} <= set(TEXTS)
