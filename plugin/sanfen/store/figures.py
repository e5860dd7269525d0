"""Figures that follow no policy, of any span and grouping: the journal's lines, counted by ``core.sessions``."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from sanfen.core.attribution import USUAL, Terms, credits_of
from sanfen.core.events import VALID, Key
from sanfen.core.sessions import Desk, Line, Marked, Settings, mark
from sanfen.errors import InputError, Phrase
from sanfen.store import journal
from sanfen.store.filters import check_day
from sanfen.store.gaps import marked

__all__ = ["GROUPS", "figures"]

GROUPS = ("shop", "channel", "agent", "day", "week", "month", "hour")

_DAY = "strftime('%Y-%m-%d', {0} / 1000 + offset_min * 60, 'unixepoch')"
_LINES = (
    f"SELECT shop, channel, conversation, at_ms, {_DAY.format('at_ms')}, "
    "CAST(strftime('%H', at_ms / 1000 + offset_min * 60, 'unixepoch') AS INTEGER), customer, customer_type, sender, mode, "
    "agent, tags, chars FROM events WHERE kind = 'message' AND at_ms BETWEEN ? AND ? {0} "
    "ORDER BY shop, channel, conversation, at_ms, seq"
)
_ADS = frozenset({"ad", "spam"})
_MARGIN_DAYS = 2  # a wait may end, and a session have begun, on another day; zones differ from UTC


class _Sale(NamedTuple):
    """An order as the figures look at it."""

    created_ms: int | None
    created_day: str | None
    paid_day: str | None
    received_day: str | None
    amount: int
    order_by: str | None
    paid_by: str | None
    aftersale_by: str | None


def figures(
    connection: sqlite3.Connection,
    *,
    by: Sequence[str] = (),
    first_day: str | None = None,
    last_day: str | None = None,
    settings: Settings | None = None,
    **filters: str | None,
) -> list[dict[str, Any]]:
    """A row for each group of ``by`` with messages or orders. Filters: shop, channel, agent. Raises InputError."""
    for name in by:
        if name not in GROUPS:
            raise InputError(
                Phrase("cannot group by {name!r}", name=name),
                hint=Phrase("choose from {names}", names=", ".join(GROUPS)),
            )
    for day in filter(None, (first_day, last_day)):
        check_day(day)
    used = settings or Settings()
    first, last = first_day or "", last_day or "9999"
    agent = filters.pop("agent", None)
    desks: defaultdict[tuple[Any, ...], Desk] = defaultdict(lambda: Desk(used))
    sales: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SALES, 0))
    orders = _orders(connection, filters, Terms(used.gap_ms, used.takeover_ms, used.silent_ms, used.lookback_ms))
    for key, lines in _conversations(connection, (first_day, last_day), filters):
        made = [(one.created_ms, one.created_day or "") for one in orders.get(key, ()) if one.created_ms is not None]
        for one in mark(lines, used.gap_ms):
            if first <= one.line.day <= last and agent in (None, one.agent):
                desks[_group(by, key, one)].add(key[:2], key, one, made)
    for key, found in orders.items():
        for sale in found:
            _sell(sales, by, key, sale, (first, last, agent))
    rows = [
        dict(zip(by, group, strict=True)) | desks[group].figures() | sales[group]
        for group in {*desks.keys(), *sales.keys()}
    ]
    rows = marked(connection, rows, {"first_day": first_day, "last_day": last_day, **filters})
    return sorted(rows, key=lambda row: [(row[name] is None, row[name]) for name in by])


_SALES = ("order_num", "order_amount", "silent_order_num", "paid_num", "paid_amount", "aftersale_owner_num")


def _sell(
    sales: dict[tuple[Any, ...], dict[str, int]],
    by: Sequence[str],
    key: tuple[str, str, str],
    one: _Sale,
    wanted: tuple[str, str, str | None],
) -> None:
    """Count an order on the day it was made, its payment on the day it was paid, its after-sale on the day the goods came;
    an hour has none.
    """
    if "hour" in by:
        return
    first, last, agent = wanted
    owned = one.received_day if one.aftersale_by else None
    for day, who, number, amount in (
        (one.created_day, one.order_by, "order_num", "order_amount"),
        (one.paid_day, one.paid_by, "paid_num", "paid_amount"),
        (owned, one.aftersale_by, "aftersale_owner_num", None),
    ):
        if day is None or not first <= day <= last or agent not in (None, who or ""):
            continue
        facts = {"shop": key[0], "channel": key[1], "agent": who or "", **_days(day)}
        row = sales[tuple(facts[name] for name in by)]
        row[number] += 1
        if amount is not None:
            row[amount] += one.amount
        row["silent_order_num"] += number == "order_num" and who is None


def _group(by: Sequence[str], key: tuple[str, str, str], one: Marked) -> tuple[Any, ...]:
    facts: dict[str, Any] = {"shop": key[0], "channel": key[1], "agent": one.agent, "hour": one.line.hour}
    if any(name in ("day", "week", "month") for name in by):
        facts |= _days(one.line.day)
    return tuple(facts[name] for name in by)


def _days(day: str) -> dict[str, str]:
    """A day, the Monday of its week, its month."""
    found = date.fromisoformat(day)
    return {"day": day, "week": (found - timedelta(days=found.weekday())).isoformat(), "month": day[:7]}


def _conversations(
    connection: sqlite3.Connection, days: tuple[str | None, str | None], filters: dict[str, str | None]
) -> Iterator[tuple[tuple[str, str, str], list[Line]]]:
    where, values = _where(filters)
    bounds = (_edge(days[0], -_MARGIN_DAYS), _edge(days[1], _MARGIN_DAYS + 1))
    rows = connection.execute(_LINES.format(where), (*bounds, *values))
    for key, found in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        yield key, [_line(row) for row in found]


def _line(row: Sequence[Any]) -> Line:
    at_ms, day, hour, customer, customer_type, sender, mode, agent, tags, chars = row[3:]
    asks, valid = sender == "customer", sender == "merchant" and mode in VALID
    ad = bool(tags) and not _ADS.isdisjoint(tags.split(","))
    return Line(at_ms, day, hour, customer, customer_type or "buyer", asks, valid, agent, ad, chars)


def _orders(
    connection: sqlite3.Connection, filters: dict[str, str | None], terms: Terms
) -> dict[tuple[str, str, str], list[_Sale]]:
    where, values = _where(filters)
    rows = connection.execute(
        f"SELECT r.shop, r.channel, r.conversation, r.order_id, r.created_ms, {_DAY.format('r.created_ms')}, "
        f"{_DAY.format('r.paid_ms')}, {_DAY.format('r.received_ms')}, coalesce(r.amount, 0), r.order_by, r.paid_by, "
        f"o.aftersale_by FROM order_rows r JOIN orders o USING (shop, channel, conversation, order_id) WHERE 1 {where}",
        values,
    )
    out: dict[tuple[str, str, str], dict[str, _Sale]] = {}
    for row in rows:
        out.setdefault((row[0], row[1], row[2]), {})[row[3]] = _Sale(*tuple(row)[4:])
    if terms != USUAL:  # by which the rows are credited
        for key, sales in out.items():
            for one in credits_of(journal.read(connection, Key(*key)), terms):
                sales[one.order] = sales[one.order]._replace(order_by=one.order_by, paid_by=one.paid_by)
    return {key: list(sales.values()) for key, sales in out.items()}


def _where(filters: dict[str, str | None]) -> tuple[str, tuple[str, ...]]:
    given = {name: value for name, value in filters.items() if value is not None and name in ("shop", "channel")}
    return "".join(f" AND {name} = ?" for name in given), tuple(given.values())


def _edge(day: str | None, days: int) -> int:
    """An instant that many days after a local day, for a first look at the journal."""
    if day is None:
        return -(1 << 62) if days < 0 else 1 << 62
    try:
        found = date.fromisoformat(day) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise InputError(Phrase("not a day: {day!r}", day=day), hint="write 2026-11-01") from None
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp() * 1000)
