"""Why a notice is not sent, or not yet: one small class each, asked in the order of ``STAGES``."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sanfen.config.settings import Person, Settings
from sanfen.store.outbox import Row

__all__ = ["STAGES", "Drop", "Hold", "Inhibit", "OnDuty", "Quiet", "Situation", "Stage"]

_DAY_MIN = 1440


class Drop(NamedTuple):
    """It is not sent at all."""

    reason: str


class Hold(NamedTuple):
    """It is sent later."""

    until_ms: int
    reason: str


class Situation(NamedTuple):
    """What the stages look at."""

    row: Row
    status: str | None  # the round's outcome as it stands
    person: Person | None
    settings: Settings
    now_ms: int


class Stage(ABC):
    """One reason not to send."""

    @abstractmethod
    def ask(self, situation: Situation) -> Drop | Hold | None:
        """None: nothing against it."""


class Inhibit(Stage):
    """The round has been answered or excluded meanwhile, or nobody is there to be told."""

    def ask(self, situation: Situation) -> Drop | Hold | None:
        """Drop what came too late to help."""
        if situation.status not in ("pending", "missed"):
            return Drop(f"round_{situation.status or 'gone'}")
        if situation.person is None:
            return Drop("person_unknown")
        return None


class Quiet(Stage):
    """A planned silence: what is due in it is dropped, and the row says so."""

    def ask(self, situation: Situation) -> Drop | Hold | None:
        """Drop inside a silence."""
        for quiet in situation.settings.quiet:
            if quiet.from_ms <= situation.now_ms < quiet.until_ms:
                return Drop("quiet")
        return None


class OnDuty(Stage):
    """People are told in their hours only; another step or person covers the rest."""

    def ask(self, situation: Situation) -> Drop | Hold | None:
        """Drop outside the person's hours."""
        hours = situation.person.hours if situation.person else None
        if hours is None:
            return None
        zone = ZoneInfo(situation.settings.shop.timezone)
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=situation.now_ms)).astimezone(zone)
        minute = local.hour * 60 + local.minute
        start, end = hours
        inside = start <= minute < end if start < end else minute >= start or minute < end % _DAY_MIN
        return None if inside else Drop("off_duty")


STAGES: tuple[Stage, ...] = (Inhibit(), Quiet(), OnDuty())
"""In this order. New outgoing behaviour is a new stage here, never a bypass."""
