"""The views as pages of rows, the newest first: for whoever reads them over HTTP.

A page ends with a mark: the value its last row is ordered by, and how many rows with that value were seen. So new rows do
not shift the pages that follow, and no customer's name stands in an address.
"""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from sanfen.errors import InputError, Phrase
from sanfen.store.filters import OF_ROUNDS, Condition, conditions

__all__ = ["MARK", "VIEWS", "Page", "View", "listed"]

MARK = r"^(-?[0-9]{1,16}|[0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9]{1,9})$"
"""What the mark of a page looks like."""


class View(NamedTuple):
    """``order``: what its rows are ordered by, descending: an instant, a number or a day. ``ties``: what tells them apart."""

    order: str
    ties: str
    narrow: tuple[str, ...]  # the names of ``filters.EQUAL`` it has

    @property
    def has_days(self) -> bool:
        """Whether a first and a last day narrow it."""
        return "day" in self.narrow


_SCORED = ("score_set", "policy", "shop", "channel")
VIEWS = {
    "rounds": View("opened_ms", "id, score_set, policy", (*_SCORED, "agent", "status", "reason", "conversation", "customer", "day")),
    "messages": View("at_ms", "seq, score_set, policy", (*_SCORED, "agent", "reason", "conversation", "customer")),
    "escalations": View("due_ms", "id", ("policy", "reason", "round", "person", "state")),
    "rates_daily": View("day", "score_set, policy, shop, channel", (*_SCORED, "day")),
    "rates_hourly": View("day", "hour DESC, score_set, policy, shop, channel", (*_SCORED, "day")),
    "agents_daily": View("day", "agent, score_set, policy, shop, channel", (*_SCORED, "agent", "day")),
    "sessions": View("began_ms", "shop, channel, conversation, number", ("shop", "channel", "conversation", "customer", "day")),
    "waits": View("asked_ms", "shop, channel, conversation, session, wait_ms", ("shop", "channel", "agent", "conversation", "customer", "day")),
    "customers_daily": View("day", "shop, channel, customer", ("shop", "channel", "customer", "day")),
    "orders": View("coalesce(created_ms, paid_ms, received_ms, 0)", "shop, channel, conversation, order_id", ("shop", "channel", "conversation", "day")),
    "changes": View("at_ms", "id", ("policy", "shop", "channel", "conversation", "round")),
    "onward": View("created_ms", "number", ("channel", "conversation", "state", "reason")),
    "unread": View("received_ms", "number", ("channel",)),
    "clock_steps": View("at_ms", "id", ()),
    "gaps": View("from_ms", "id", ("channel", "reason")),
    "audit": View("at_ms", "id, act", ("shop", "round")),
}  # fmt: skip
"""Every view, and how it is read page by page."""


class Page(NamedTuple):
    """Some rows, and the mark the next ones come after; None: there are no more."""

    rows: list[dict[str, Any]]
    next: str | None


def listed(
    connection: sqlite3.Connection,
    name: str,
    *,
    limit: int,
    after: str | None = None,
    longest: bool = False,
    filters: Mapping[str, Any],
) -> Page:
    """A page of a view. ``filters``: those of ``filters`` it has. Raises InputError.

    ``longest``: the longest waits first; rounds only.
    """
    view = VIEWS[name]
    order = "coalesce(wait_ms, -1)" if longest else view.order
    _check(name, view, filters)
    asked = list(conditions(filters, view.order))
    seen = 0
    mark: int | str | None = None
    if after is not None:
        mark, seen = _read(after, is_day=order == "day")
        asked.append(Condition(f"{order} <= ?", (mark,)))
    where = " AND ".join(one.sql for one in asked)
    rows = connection.execute(
        f"SELECT *, {order} AS ordered_by FROM {name} {f'WHERE {where}' if where else ''} "
        f"ORDER BY ordered_by DESC, {view.ties} LIMIT ? OFFSET ?",
        (*(value for one in asked for value in one.values), limit + 1, seen),
    )
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    values = [row.pop("ordered_by") for row in found]
    if len(found) <= limit:
        return Page(found, None)
    last = values[limit - 1]
    same = sum(value == last for value in values[:limit])
    return Page(found[:limit], f"{last}.{same + (seen if last == mark else 0)}")


def _check(of: str, view: View, filters: Mapping[str, Any]) -> None:
    """Raises InputError for what these rows are not narrowed by."""
    known = {
        *view.narrow,
        *(OF_ROUNDS if of == "rounds" else ()),
        *(("first_day", "last_day") if view.has_days else ()),
        *(("since_ms", "until_ms") if view.order != "day" else ()),
    }
    for name, value in filters.items():
        if name not in known and value not in (None, ()):
            raise InputError(
                Phrase("these rows are not narrowed by {name}", name=name), hint="the API's page lists what they have"
            )


def _read(after: str, *, is_day: bool) -> tuple[int | str, int]:
    found = re.fullmatch(MARK, after)
    if found is None or is_day != (found[1].count("-") == 2):
        raise InputError(
            Phrase("not the mark of a page: {after!r}", after=after[:40]), hint="take `next` of the page before"
        )
    return (found[1] if is_day else int(found[1])), int(found[2])
