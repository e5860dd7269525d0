"""Every instant falls in exactly one local day, and hours are counted on instants."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanfen.core.days import NEVER, Calendar, Day
from sanfen.core.policy import DueRule, Hours

DAY = 86_400_000


def ms(*moment: int, zone: str = "UTC") -> int:
    return int(datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[arg-type,misc]


@given(st.sampled_from(sorted(available_timezones())), st.integers(ms(1975, 1, 1), ms(2037, 1, 1)))
@settings(max_examples=300, deadline=None)
def test_an_instant_lies_in_its_local_day(zone: str, at_ms: int) -> None:
    day = Calendar(zone, None, frozenset()).day(at_ms)
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))

    assert day.start_ms <= at_ms < day.end_ms
    assert abs((local.date() - datetime.fromisoformat(day.date).date()).days) <= 1
    assert day.spans == ((day.start_ms, day.end_ms),)


def test_shanghai_had_summer_time() -> None:
    """A day of 23 hours in April 1986, one of 25 in September."""
    calendar = Calendar("Asia/Shanghai", None, frozenset())
    lengths, day = set(), calendar.day(ms(1986, 1, 1))
    while day.start_ms < ms(1987, 1, 1):
        lengths.add(day.end_ms - day.start_ms)
        day = calendar.day(day.end_ms)

    assert lengths == {DAY, DAY - 3_600_000, DAY + 3_600_000}


def test_no_instant_is_never_and_never_fits_a_database() -> None:
    assert ms(9999, 12, 31) < NEVER < 1 << 63


def test_days_are_found_whatever_was_asked_before() -> None:
    """Days far apart, in any order, at their first and their last millisecond."""
    order, wanted = Random(7), [(2023, 1, number) for number in range(1, 32)] + [(1990, 5, 5), (2099, 6, 6)]
    for zone in ("UTC", "America/Havana"):
        calendar = Calendar(zone, None, frozenset())
        known: dict[tuple[int, ...], Day] = {}
        for moment in order.choices(wanted, k=300):
            start = ms(*moment, zone=zone)
            day = calendar.day(order.choice([start, start + DAY - 1, start + order.randrange(DAY)]))
            assert known.setdefault(moment, day) is day

            assert (day.start_ms, day.end_ms, day.date) == (start, start + DAY, date(*moment).isoformat())


def test_a_date_that_comes_twice_begins_once() -> None:
    """Havana goes back from 01:00 to 00:00, São Paulo went back from 24:00 to 23:00, St. John's from 00:01 to 23:01."""
    havana, paulo = (Calendar(zone, None, frozenset()) for zone in ("America/Havana", "America/Sao_Paulo"))
    first, again = ms(2024, 11, 3, 4), ms(2024, 11, 3, 5)  # midnight, and once more
    before, after = ms(2019, 2, 17, 1, 59), ms(2019, 2, 17, 2)  # 23:59, then 23:00

    assert havana.day(again) == havana.day(first)
    assert havana.day(again).start_ms == first
    assert paulo.day(before).date == paulo.day(after).date == "2019-02-16"
    assert paulo.day(after).end_ms - paulo.day(after).start_ms == 25 * 3_600_000
    johns = Calendar("America/St_Johns", None, frozenset())
    begun, once_more = ms(2006, 10, 29, 2, 30), ms(2006, 10, 29, 3, 29)  # midnight, and the second 23:59
    assert johns.day(once_more) == johns.day(begun)
    assert (johns.day(begun).start_ms, johns.day(begun).date) == (begun, "2006-10-29")


@pytest.mark.parametrize(
    ("zone", "moment", "minute"),
    [
        ("UTC", (2023, 1, 7), 0),
        ("UTC", (2023, 1, 7, 9, 5, 59), 545),
        ("Asia/Shanghai", (2023, 1, 7, 1, 30), 570),
        ("Asia/Kathmandu", (2023, 1, 7, 20, 14), 119),
        ("UTC", (1969, 12, 31, 23, 59), 1439),
    ],
)
def test_the_clock_on_the_wall(zone: str, moment: tuple[int, ...], minute: int) -> None:
    assert Calendar(zone, None, frozenset()).minute(ms(*moment)) == minute


def test_hours_are_half_open_and_may_run_past_midnight() -> None:
    zone = "Asia/Shanghai"
    day = Calendar(zone, Hours(480, 1440), frozenset())
    night = Calendar(zone, Hours(1200, 120), frozenset())

    assert [day.is_open(ms(2023, 1, 7, *at, zone=zone)) for at in ((7, 59, 59), (8, 0), (23, 59, 59), (0, 0))] == [
        False,
        True,
        True,
        False,
    ]
    assert [night.is_open(ms(2023, 1, 7, *at, zone=zone)) for at in ((1, 59), (2, 0), (19, 59), (20, 0))] == [
        True,
        False,
        False,
        True,
    ]


@given(st.integers(0, 20 * DAY), st.integers(0, 30 * 3_600_000))
def test_open_time_adds_up(offset: int, duration_ms: int) -> None:
    """What ``after_open`` adds is what ``open_between`` counts."""
    calendar = Calendar("America/New_York", Hours(540, 1080, days=frozenset(range(5))), frozenset({"2023-03-13"}))
    start_ms = ms(2023, 3, 1) + offset
    end_ms = calendar.after_open(start_ms, duration_ms)

    assert calendar.open_between(start_ms, end_ms) == duration_ms


def test_a_shop_that_never_opens() -> None:
    calendar = Calendar("UTC", Hours(540, 1080, days=frozenset()), frozenset())

    assert calendar.next_opening(0) == calendar.after_open(0, 1) == NEVER
    assert calendar.due((DueRule(workdays=1, at_min=60),), 0) == (NEVER, False)
    assert calendar.due((DueRule(workdays=0, at_min=60),), 0) == (3_600_000, False)


def test_a_shop_that_opens_once_in_ten_years() -> None:
    """A search goes on for 3,700 days, today among them."""
    holidays = frozenset((date(1970, 1, 1) + timedelta(days=number)).isoformat() for number in range(3700))
    closed = Hours(540, 1080, holidays="closed")
    last = max(holidays)

    assert Calendar("UTC", closed, holidays).next_opening(0) == NEVER
    assert Calendar("UTC", closed, holidays - {last}).next_opening(0) == 3699 * DAY + 540 * 60_000


def test_open_hours_that_go_on_all_day_and_hours_that_are_not_there() -> None:
    always = Calendar("UTC", Hours(540, 540), frozenset())
    skipped = Calendar("Europe/Berlin", Hours(150, 180), frozenset())  # 02:30 to 03:00: clocks go from 02:00 to 03:00
    whole = Calendar("Europe/Berlin", Hours(120, 180), frozenset())

    assert always.open_between(0, 10 * DAY) == 10 * DAY
    assert always.next_opening(5) == 5
    assert skipped.next_opening(ms(2024, 3, 31, 0, 30)) == ms(2024, 4, 1, 0, 30)
    assert skipped.open_between(ms(2024, 3, 31), ms(2024, 4, 2)) == 1_800_000
    assert whole.next_opening(ms(2024, 3, 31, 0, 30)) == ms(2024, 4, 1)


def test_time_is_counted_to_the_instant() -> None:
    """Open 09:00 to 18:00 on the first days there were."""
    calendar, hour = Calendar("UTC", Hours(540, 1080), frozenset()), 3_600_000

    assert calendar.after_open(0, 9 * hour) == 18 * hour
    assert calendar.after_open(0, 9 * hour + 1) == DAY + 9 * hour + 1
    assert calendar.after_open(10 * hour, 9 * hour) == DAY + 10 * hour
    assert calendar.after_open(18 * hour, 0) == DAY + 9 * hour
    assert calendar.open_between(0, 9 * hour + 1) == 1
    assert calendar.open_between(17 * hour, DAY + 10 * hour) == 2 * hour
    assert calendar.next_opening(18 * hour - 1) == 18 * hour - 1
    assert calendar.next_opening(18 * hour) == DAY + 9 * hour


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (DueRule(after_ms=180_000), (2023, 1, 6, 17, 3)),
        (DueRule(after_ms=7_200_000, clock="hours"), (2023, 1, 9, 10, 0)),
        (DueRule(workdays=0, at_min=1440), (2023, 1, 7, 0, 0)),
        (DueRule(workdays=1), (2023, 1, 9, 17, 0)),
        (DueRule(workdays=2, at_min=720), (2023, 1, 10, 12, 0)),
        (DueRule(workdays=3, at_min=720), (2023, 1, 11, 12, 0)),
        (DueRule(batch_min=1080, at_min=1140), (2023, 1, 6, 19, 0)),
        (DueRule(batch_min=1020, at_min=1140), (2023, 1, 7, 19, 0)),
        (DueRule(batch_min=1021, at_min=0), (2023, 1, 6, 0, 0)),
        (DueRule(batch_min=1020, at_min=0), (2023, 1, 7, 0, 0)),
        (DueRule(weekday=4, at_min=720), (2023, 1, 13, 12, 0)),
        (DueRule(weekday=5, at_min=0), (2023, 1, 7, 0, 0)),
        (DueRule(weekday=3, at_min=1440), (2023, 1, 13, 0, 0)),
    ],
)
def test_deadlines_of_a_friday_at_five(rule: DueRule, wanted: tuple[int, ...]) -> None:
    """Open Monday to Friday, 09:00 to 18:00; asked on Friday 2023-01-06 at 17:00."""
    calendar = Calendar("UTC", Hours(540, 1080, days=frozenset(range(5))), frozenset())

    assert calendar.due((rule,), ms(2023, 1, 6, 17))[0] == ms(*wanted)


def test_a_week_of_several_spans() -> None:
    """Monday in two spans, and a Saturday night that runs into Sunday."""
    week = (((540, 720), (780, 1020)), (), (), (), (), ((1320, 120),), ())
    calendar = Calendar("UTC", Hours(week=week), frozenset())

    assert calendar.after_open(ms(2023, 1, 9, 11), 7_200_000) == ms(2023, 1, 9, 14)
    assert calendar.open_between(ms(2023, 1, 7), ms(2023, 1, 9)) == 4 * 3_600_000
    assert calendar.is_open(ms(2023, 1, 8, 1, 59))
    assert not calendar.is_open(ms(2023, 1, 8, 2))
    assert calendar.next_opening(ms(2023, 1, 8, 2)) == ms(2023, 1, 9, 9)


def test_the_first_rule_whose_condition_holds() -> None:
    calendar = Calendar("UTC", Hours(540, 1080), frozenset())
    rules = (DueRule(when_days=frozenset({5}), after_ms=1), DueRule(when_hours="outside", after_ms=2))

    assert calendar.due(rules, ms(2023, 1, 7, 12))[0] == ms(2023, 1, 7, 12) + 1
    assert calendar.due(rules, ms(2023, 1, 6, 20))[0] == ms(2023, 1, 6, 20) + 2
    assert calendar.due(rules, ms(2023, 1, 6, 12)) == (NEVER, False)
