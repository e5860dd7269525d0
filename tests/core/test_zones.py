"""Every zone of the tz database across every change of its clocks: days tile time, and each second counts once."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from sanfen.core.days import Calendar
from sanfen.core.policy import Hours

FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1986, 2038))
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SHAPES = {
    "all day": Hours(),
    "morning": Hours(540, 1080),
    "over night": Hours(1320, 360),
    "the hour that changes": Hours(120, 180),
}


def ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def offset_s(zone: ZoneInfo, at_s: int) -> int:
    return int((datetime.fromtimestamp(at_s, zone).utcoffset() or timedelta()).total_seconds())


def transitions(zone: ZoneInfo) -> list[int]:
    """The seconds at which a zone's offset changes. Found between probes a week apart: no zone changes twice in one."""
    out, step = [], 7 * 86_400
    start, end = (ms(at) // 1000 for at in (FIRST, LAST))
    for probe in range(start, end, step):
        if offset_s(zone, probe) != offset_s(zone, probe + step):
            seconds = range(probe, probe + step + 1)
            before = offset_s(zone, probe)
            out.append(probe + bisect_right(seconds, False, key=lambda at: offset_s(zone, at) != before))
    return out


@pytest.mark.parametrize("name", sorted(available_timezones() - {"localtime"}))
def test_each_second_counts_once_across_every_change(name: str) -> None:
    zone = ZoneInfo(name)
    changes = transitions(zone)
    calendars = {shape: Calendar(name, hours, frozenset()) for shape, hours in SHAPES.items()}
    plain = calendars["all day"]
    for at_s in changes:
        days = [plain.day(at_s * 1000 - 2 * DAY_MS)]
        while days[-1].end_ms <= at_s * 1000 + 2 * DAY_MS:
            days.append(plain.day(days[-1].end_ms))
        for day, after in pairwise(days):
            assert day.end_ms == after.start_ms
            assert day.date < after.date
            skipped = (date.fromisoformat(after.date) - date.fromisoformat(day.date)).days
            assert skipped == 1 or not exists(zone, date.fromisoformat(day.date) + timedelta(days=1))
            assert plain.open_between(day.start_ms, day.end_ms) == day.end_ms - day.start_ms
        for probe in (at_s * 1000 - 1, at_s * 1000, at_s * 1000 + 1, at_s * 1000 + HOUR_MS):
            day = plain.day(probe)
            assert day.start_ms <= probe < day.end_ms
            # A day runs from its first instant to that of the next: where clocks go back over midnight, what is local
            # time of the day before for an hour once more belongs to the day that has begun.
            assert datetime.fromtimestamp(probe // 1000, zone).date().isoformat() in (day.date, before(day.date))
        for calendar in calendars.values():
            spans_are_counted_once(calendar, days[0].start_ms, days[-1].end_ms)
        for day in days[:-1]:
            opens, closes = calendars["morning"].day(day.start_ms).spans[0]
            assert (clock(zone, opens), clock(zone, closes)) == ("09:00", "18:00")


def clock(zone: ZoneInfo, at_ms: int) -> str:
    """The local time of an instant, as people read it."""
    return datetime.fromtimestamp(at_ms // 1000, zone).strftime("%H:%M")


def before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def exists(zone: ZoneInfo, day: date) -> bool:
    """Whether a zone had a date at all: Apia has no 2011-12-30."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


def spans_are_counted_once(calendar: Calendar, start_ms: int, end_ms: int) -> None:
    at_ms, total = start_ms, 0
    while at_ms < end_ms:
        day = calendar.day(at_ms)
        reach = day.start_ms
        for opens, closes in day.spans:
            assert reach <= opens < closes <= day.end_ms
            assert calendar.is_open(opens)
            assert calendar.is_open(closes - 1)
            reach = closes
        total += sum(closes - opens for opens, closes in day.spans)
        at_ms = day.end_ms
    assert calendar.open_between(start_ms, at_ms) == total
    for part in (1, total // 3, total // 2, total):
        if total:  # an hour that never was is open no time at all
            reached = calendar.after_open(start_ms, part)
            assert calendar.open_between(start_ms, reached) == part


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        ("Asia/Shanghai", "1986-05-04", 23),
        ("Asia/Shanghai", "1991-09-15", 25),
        ("Asia/Shanghai", "1992-05-03", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Sao_Paulo", "2019-02-16", 25),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("Pacific/Apia", "2011-12-31", 24),
        ("America/Toronto", "1919-03-31", 23.5),  # it began at half past midnight
    ],
)
def test_days_one_can_look_up(name: str, day: str, hours: float) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(name)).astimezone(UTC)
    found = Calendar(name, None, frozenset()).day(ms(noon))

    assert found.date == day
    assert found.end_ms - found.start_ms == hours * HOUR_MS
