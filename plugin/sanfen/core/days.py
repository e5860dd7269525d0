"""Local days, opening hours and deadlines, in integer milliseconds.

A local day runs from its first instant to the first instant of the next one, so every instant falls in exactly one day,
also where clocks change at midnight. Clock arithmetic is done on instants, never on local times.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sanfen.core.policy import DueRule, Hours

__all__ = ["NEVER", "Calendar", "Day", "calendar_of"]

NEVER = 1 << 62
"""Later than any instant: a deadline that does not come."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_DAYS = 3700  # how far a search for an open hour looks before it gives up


class Day(NamedTuple):
    """One local day ``[start_ms, end_ms)`` and the instants at which the rule looks at it."""

    start_ms: int
    end_ms: int
    date: str  # YYYY-MM-DD
    weekday: int  # 0 is Monday
    works: bool  # opening hours apply on this day
    holiday: bool
    spans: tuple[tuple[int, int], ...]  # open intervals, half-open


class Calendar:
    """Days of one zone under one set of hours. Days once computed are remembered. Threads may share it."""

    def __init__(self, tz: str, hours: Hours | None, holidays: frozenset[str]) -> None:
        self._zone = ZoneInfo(tz)
        self._hours = hours or Hours()
        self._holidays = holidays
        self._days: list[Day] = []  # in order of time

    def day(self, at_ms: int) -> Day:
        """The local day that holds the instant ``at_ms``."""
        days = self._days
        place = bisect_right(days, (at_ms, NEVER))  # a day is a tuple that begins so
        if place and at_ms < days[place - 1].end_ms:
            return days[place - 1]
        found = self._find(at_ms)
        self._days = [*days[:place], found, *days[place:]]  # a new list: another thread may be looking at the old one
        return found

    def is_open(self, at_ms: int) -> bool:
        """Whether ``at_ms`` lies inside the opening hours."""
        return any(start <= at_ms < end for start, end in self.day(at_ms).spans)

    def minute(self, at_ms: int) -> int:
        """The local clock time of an instant, in minutes after midnight."""
        local = self._local(at_ms)
        return local.hour * 60 + local.minute

    def next_opening(self, at_ms: int) -> int:
        """The first open instant at or after ``at_ms``; ``NEVER`` if none comes."""
        for day in self._onward(at_ms):
            for start, end in day.spans:
                if at_ms < end:
                    return max(start, at_ms)
        return NEVER

    def after_open(self, at_ms: int, duration_ms: int) -> int:
        """The instant at which ``duration_ms`` of open time have passed since ``at_ms``; ``NEVER`` if they never do."""
        left = duration_ms
        for day in self._onward(at_ms):
            for start, end in day.spans:
                begin = max(start, at_ms)
                if begin < end:
                    if begin + left <= end:
                        return begin + left
                    left -= end - begin
        return NEVER

    def open_between(self, start_ms: int, end_ms: int) -> int:
        """Open milliseconds in ``[start_ms, end_ms)``."""
        total, day = 0, self.day(start_ms)
        while day.start_ms < end_ms:
            total += sum(max(0, min(end, end_ms) - max(start, start_ms)) for start, end in day.spans)
            day = self.day(day.end_ms)
        return total

    def _onward(self, at_ms: int) -> Iterator[Day]:
        """The day of an instant and those that follow, as far as a search goes."""
        day = self.day(at_ms)
        for _ in range(_FAR_DAYS):
            yield day
            day = self.day(day.end_ms)

    def due(self, rules: tuple[DueRule, ...], clock_ms: int) -> tuple[int, bool]:
        """The deadline of a clock started at ``clock_ms``, and whether its wait counts open time only."""
        day = self.day(clock_ms)
        for rule in rules:
            if rule.when_days is not None and day.weekday not in rule.when_days:
                continue
            if rule.when_hours is not None and self.is_open(clock_ms) != (rule.when_hours == "inside"):
                continue
            return self._due(rule, clock_ms, day), rule.after_ms is not None and rule.clock == "hours"
        return NEVER, False

    def _due(self, rule: DueRule, clock_ms: int, day: Day) -> int:
        if rule.after_ms is not None:
            return clock_ms + rule.after_ms if rule.clock == "wall" else self.after_open(clock_ms, rule.after_ms)
        coming = self._onward(day.end_ms)
        target: Day | None = day
        if rule.batch_min is not None:
            target = day if clock_ms < self._at(day, rule.batch_min) else next(coming)
        elif rule.weekday is not None:
            target = next(one for one in coming if one.weekday == rule.weekday)
        elif rule.workdays:
            target = next(islice((one for one in coming if one.works), rule.workdays - 1, None), None)
        if target is None:
            return NEVER
        if rule.at_min is not None:
            return self._at(target, rule.at_min)
        same = self._local(clock_ms).time()
        return self._inside(target, datetime.combine(date.fromisoformat(target.date), same, self._zone))

    def _at(self, day: Day, minute: int) -> int:
        """The instant of a local clock time of a day; 1440 is its end."""
        return self._inside(
            day, datetime.fromisoformat(day.date).replace(tzinfo=self._zone) + timedelta(minutes=minute)
        )

    def _inside(self, day: Day, local: datetime) -> int:
        return min(max(_ms(local), day.start_ms), day.end_ms)

    def _find(self, at_ms: int) -> Day:
        found = self._local(at_ms).date()
        if self._start(found + _DAY) < at_ms:  # clocks went back over midnight: it is the date before once more
            found += _DAY
        return self._build(found)

    def _build(self, local: date) -> Day:
        name, works = local.isoformat(), bool(self._hours_of(local))
        start, end = self._start(local), self._start(local + _DAY)
        day = Day(start, end, name, local.weekday(), works, name in self._holidays, ())
        spans = [(start, self._at(day, close)) for opens, close in self._hours_of(local - _DAY) if close <= opens]
        for opens, close in self._hours_of(local):
            spans.append((self._at(day, opens), end if close <= opens else self._at(day, close)))
        return day._replace(spans=tuple(span for span in spans if span[0] < span[1]))

    def _hours_of(self, local: date) -> tuple[tuple[int, int], ...]:
        """The spans that begin on a local date, in minutes; a close at or before its open runs past midnight."""
        hours, weekday = self._hours, local.weekday()
        if hours.holidays == "closed" and local.isoformat() in self._holidays:
            return ()
        if hours.week is not None:
            return hours.week[weekday]
        return ((hours.open_min, hours.close_min),) if weekday in hours.days else ()

    def _start(self, local: date) -> int:
        """The first instant of a local date; of a date that was skipped, the first instant after it."""
        midnight = datetime(local.year, local.month, local.day, tzinfo=self._zone)
        first, other = _ms(midnight), _ms(midnight.replace(fold=1))
        # Where midnight was skipped the clock change lies between the two readings, and the day starts with it.
        skipped = range(other, first)
        if not skipped:
            return first  # the usual day, or midnight twice: the earlier one
        return other + bisect_right(skipped, False, key=lambda ms: self._local(ms).date() >= local)

    def _local(self, at_ms: int) -> datetime:
        return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(self._zone)


def _ms(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=256)
def calendar_of(tz: str, hours: Hours | None, holidays: frozenset[str]) -> Calendar:
    """The calendar of a policy's zone, hours and holidays; the same object for the same arguments."""
    return Calendar(tz, hours, holidays)
