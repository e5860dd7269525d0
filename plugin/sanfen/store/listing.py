"""The views as pages of rows, the newest first: for whoever reads them over HTTP.

A page ends with a mark: the value its last row is ordered by, and how many rows with that value were seen. So new rows do
not shift the pages that follow, and no customer's name stands in an address.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from sanfen.errors import InputError
from sanfen.store.queries import check_day

__all__ = ["EQUAL", "MARK", "OF_ROUNDS", "VIEWS", "Page", "View", "listed"]

EQUAL = ("score_set", "policy", "shop", "channel", "agent", "status", "reason", "conversation", "customer", "round", "person", "state")  # fmt: skip
"""What rows can be narrowed by where their view has a column of that name."""

OF_ROUNDS = {
    "status": "status IN (SELECT value FROM json_each(?))",
    "hour": "hour = ?",
    "weekday": "CAST(strftime('%w', day) AS INTEGER) = ?",  # 0 is Sunday
    "wait_from_ms": "wait_ms >= ?",
    "wait_to_ms": "wait_ms < ?",
    "about": "? IN (id, customer, conversation)",
}
"""What rounds can be narrowed by besides."""

MARK = r"^(-?[0-9]{1,16}|[0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9]{1,9})$"
"""What the mark of a page looks like."""


class View(NamedTuple):
    """``order``: what its rows are ordered by, descending: an instant, a number or a day. ``ties``: what tells them apart."""

    order: str
    ties: str
    narrow: tuple[str, ...]  # the names of EQUAL it has

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
    """A page of a view. ``filters``: names of EQUAL, first_day, last_day, since_ms, until_ms. Raises InputError.

    ``longest``: the longest waits first; rounds only.
    """
    view = VIEWS[name]
    order = "coalesce(wait_ms, -1)" if longest else view.order
    asked = _filters(name, view, filters)
    seen = 0
    mark: int | str | None = None
    if after is not None:
        mark, seen = _read(after, is_day=order == "day")
        asked.append((f"{order} <= ?", mark))
    where = " AND ".join(condition for condition, _ in asked)
    rows = connection.execute(
        f"SELECT *, {order} AS ordered_by FROM {name} {f'WHERE {where}' if where else ''} "
        f"ORDER BY ordered_by DESC, {view.ties} LIMIT ? OFFSET ?",
        (*(value for _, value in asked), limit + 1, seen),
    )
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    values = [row.pop("ordered_by") for row in found]
    if len(found) <= limit:
        return Page(found, None)
    last = values[limit - 1]
    same = sum(value == last for value in values[:limit])
    return Page(found[:limit], f"{last}.{same + (seen if last == mark else 0)}")


def _filters(of: str, view: View, filters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for name, value in filters.items():
        if value is None or value == ():
            continue
        if of == "rounds" and name in OF_ROUNDS:
            out.append((OF_ROUNDS[name], json.dumps(value) if isinstance(value, tuple) else value))
        elif name == "agent" and name in view.narrow:
            out.append(("coalesce(agent, '') = ?", value))
        elif name in EQUAL and name in view.narrow:
            out.append((f"{name} = ?", value))
        elif name in ("first_day", "last_day") and view.has_days:
            check_day(value)
            out.append(("day >= ?" if name == "first_day" else "day <= ?", value))
        elif name in ("since_ms", "until_ms") and view.order != "day":
            out.append((f"{view.order} {'>=' if name == 'since_ms' else '<'} ?", value))
        else:
            raise InputError(f"these rows are not narrowed by {name}", hint="the API's page lists what they have")
    return out


def _read(after: str, *, is_day: bool) -> tuple[int | str, int]:
    found = re.fullmatch(MARK, after)
    if found is None or is_day != (found[1].count("-") == 2):
        raise InputError(f"not the mark of a page: {after[:40]!r}", hint="take `next` of the page before")
    return (found[1] if is_day else int(found[1])), int(found[2])
