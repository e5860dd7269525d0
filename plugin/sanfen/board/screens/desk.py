"""What all screens stand on: the moment they show, links to the rounds behind a number, words of catalogues."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web

from sanfen.board.access import Access
from sanfen.board.pages import HasLog, Pages
from sanfen.catalogue import TEXTS, t
from sanfen.clock import Clock
from sanfen.config.load import Loaded
from sanfen.core.policy import Policy
from sanfen.core.reasons import Reason, sentence
from sanfen.errors import InputError, Phrase
from sanfen.store.filters import check_day
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text

__all__ = ["Desk", "Moment", "Shown", "Span", "Trouble", "because", "local", "page_of", "span_of", "untold", "usual_ms"]

_DAYS = 30
_MOST_DAYS = 400
_DIGITS = 6  # of a page's number


class Trouble(NamedTuple):
    """The journal lacks something at this moment."""

    cause: str | None  # why deliveries are kept aside; None: they no longer are, and what was is being journaled
    since_ms: int
    kept: int  # kept aside and not in the journal yet
    lost: int  # in neither, and not written down yet


class Shown(HasLog, Protocol):
    """What the screens need of the service."""

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""

    @property
    def is_standby(self) -> bool:
        """Whether another instance writes the log, and this one shows it."""

    @property
    def trouble(self) -> Trouble | None:
        """Why the figures of this moment are incomplete; None while all is well."""

    @property
    def not_adopted(self) -> str | None:
        """Why the last reload changed nothing; None if it did, or there was none."""

    @property
    def problems(self) -> str:
        """All that was wrong with what was not adopted, as a compiler would show it."""


class Moment(NamedTuple):
    """When somebody looks, and at what."""

    now_ms: int
    zone: ZoneInfo
    policy: Policy

    @property
    def day(self) -> str:
        """The local day."""
        return local(self.now_ms, self.zone)[:10]

    @property
    def target(self) -> float | None:
        """The share of rounds that must be met, if the policy demands one."""
        found = (one.value for one in self.policy.targets if one.op.startswith(">") and one.value <= 1)
        return next((float(value) for value in found), None)


class Span(NamedTuple):
    """The days that are looked at, first and last."""

    first: str
    last: str

    @property
    def days(self) -> list[str]:
        """All of them."""
        first = date.fromisoformat(self.first)
        count = (date.fromisoformat(self.last) - first).days + 1
        return [(first + timedelta(days=number)).isoformat() for number in range(max(0, min(count, _MOST_DAYS)))]

    def asked(self, policy: str) -> dict[str, str | None]:
        """As filters of the live rounds under a policy."""
        return {"score_set": LIVE, "policy": policy, "first_day": self.first, "last_day": self.last}


def span_of(request: web.Request, today: str) -> Span:
    """As the address says, or the last thirty days. Raises InputError."""
    first = (date.fromisoformat(today) - timedelta(days=_DAYS - 1)).isoformat()
    found = Span(request.query.get("first_day") or first, request.query.get("last_day") or today)
    for day in found:
        check_day(day)
    return found


def page_of(request: web.Request) -> int:
    """Which page of a list is asked for, from 1 on. Raises InputError."""
    page = request.query.get("page", "1")
    if not (page.isascii() and page.isdigit() and len(page) <= _DIGITS and int(page) > 0):
        raise InputError(Phrase("page is not a number from 1 on: {number!r}", number=page[:20]), hint="write page=2")
    return int(page)


class Desk:
    """The service, the pages and the clock, for every screen."""

    def __init__(self, service: Shown, pages: Pages, access: Access, clock: Clock) -> None:
        self.service = service
        self.pages = pages
        self._access = access
        self._clock = clock

    def moment(self) -> Moment:
        """Now, under the policy rounds are judged by."""
        loaded = self.service.loaded
        return Moment(self._clock.now_ms(), ZoneInfo(loaded.settings.shop.timezone), loaded.policies[0])

    def check(self, request: web.Request) -> None:
        """Return if whoever asked may still look. Raises Refusal."""
        self._access.check(request, self._clock.now_ms())

    def names(self) -> list[str]:
        """Who may say they take a round."""
        return list(self.service.loaded.settings.people)

    async def show(self, name: str, request: web.Request, *, status: int = 200, **shown: Any) -> web.Response:
        """A page; put into words in a thread, as it may be long."""
        moment = self.moment()
        common = {"moment": moment, "policy": moment.policy, "now_ms": moment.now_ms}
        return await asyncio.to_thread(self.pages.render, name, request, status=status, **(common | shown))


def local(at_ms: int | None, zone: ZoneInfo) -> str:
    """``2026-11-22T21:04:10+08:00``; nothing for None."""
    return "" if at_ms is None else instant_text(at_ms, zone) or ""


def usual_ms(policy: Policy) -> int:
    """How long there usually is to answer."""
    return next((one.after_ms for one in policy.due if one.after_ms is not None), 0)


def untold(reason: str | None, language: str) -> str:
    """How a refusal is mended, or why nobody was told."""
    names = (f"mend_{reason}", f"skipped_{reason}")
    return next((t(name, language) for name in names if name in TEXTS), reason or "")


def because(row: Mapping[str, Any], language: str) -> str:
    """Why a round has its outcome, as a sentence."""
    return sentence(Reason(row["because"]), language)
