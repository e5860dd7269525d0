"""Who is there: from the names in a step to the people who are told now."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sanfen.config.settings import Duty, Person, Settings

__all__ = ["AGENT", "Roster", "Target", "on_duty"]

AGENT = "agent"
"""The built-in name of whoever holds the conversation."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Target(NamedTuple):
    """One person to be told, or why somebody who was named is not. ``wanted``: the name that stands in the step."""

    person: str
    wanted: str
    skipped: str | None = None  # off_duty, nobody_holds_it, agent_unknown


class Roster:
    """People, rosters and who stands in when nobody is there."""

    def __init__(self, settings: Settings, notes: Iterable[str] = ()) -> None:
        """``notes``: channels in which a private note reaches whoever holds a conversation."""
        self._notes = frozenset(notes)
        self._people = settings.people
        self._rosters = settings.rosters
        self._fallback = settings.fallback
        self._holidays = settings.holidays
        self._zone = ZoneInfo(settings.shop.timezone)
        self._by_agent: Mapping[str, str] = {
            agent: person.name for person in settings.people.values() for agent in person.agents
        }

    def told(self, names: Iterable[str], agent: str | None, at_ms: int, channel: str = "") -> list[Target]:
        """Everybody these names stand for at an instant; the fallback, at any hour, where they stand for nobody."""
        found: dict[str, Target] = {}
        for one in (one for name in names for one in self._named(name, agent, at_ms, channel)):
            if one.person not in found or (one.skipped is None and found[one.person].skipped is not None):
                found[one.person] = one
        if found and all(one.skipped is not None for one in found.values()):
            found |= {name: Target(name, "fallback") for name in self._fallback}
        return list(found.values())

    def agents(self, name: str, at_ms: int) -> list[str]:
        """The agents a reassign step may give a conversation to: of a roster or person who is there; else the name itself."""
        if name not in self._rosters and name not in self._people:
            return [name]
        people = [one.person for one in self._named(name, None, at_ms, "") if one.skipped is None]
        return [agent for person in people for agent in sorted(self._people[person].agents)]

    def person_of(self, agent: str | None) -> Person | None:
        """The person behind a channel's agent."""
        name = self._by_agent.get(agent) if agent is not None else None
        return self._people[name] if name is not None else None

    def _named(self, name: str, agent: str | None, at_ms: int, channel: str) -> Iterable[Target]:
        if name == AGENT and AGENT not in self._people:
            person = self.person_of(agent)
            if person is not None:
                yield self._one(person, name, at_ms)
            elif agent is None:
                yield Target(AGENT, name, "nobody_holds_it")
            else:  # a note in the conversation, where its channel takes one
                yield Target(AGENT, name, None if channel in self._notes else "agent_unknown")
        elif name in self._rosters:
            there = [shift for shift in self._rosters[name] if self._there(shift.duty, at_ms)]
            for shift in there:
                for member in shift.people:
                    yield self._one(self._people[member], name, at_ms)
            if not there:
                yield Target(name, name, "off_duty")
        elif name in self._people:
            yield self._one(self._people[name], name, at_ms)
        else:  # a policy's ladder in a test, or a person who left the file: the row says so
            yield Target(name, name)

    def _one(self, person: Person, wanted: str, at_ms: int) -> Target:
        return Target(person.name, wanted, None if self._there(person.duty, at_ms) else "off_duty")

    def _there(self, duty: Duty, at_ms: int) -> bool:
        return on_duty(duty, at_ms, self._zone, self._holidays)


def on_duty(duty: Duty, at_ms: int, zone: ZoneInfo, holidays: frozenset[str] = frozenset()) -> bool:
    """Whether somebody with these hours is there. The part of a shift after midnight belongs to the day before."""
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    minute, day = local.hour * 60 + local.minute, local.date()
    if duty.hours is not None:
        start, end = duty.hours
        if start < end:
            if not start <= minute < end:
                return False
        elif minute < end:
            day -= _DAY
        elif minute < start:
            return False
    date = day.isoformat()
    free = duty.holidays == "off" and date in holidays
    return day.weekday() in duty.days and date not in duty.off and not free
