"""Spans in which deliveries could not be kept, so that figures over them can be known as incomplete."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Gap", "save"]


class Gap(NamedTuple):
    """Deliveries of one channel that were relayed and not journaled, from the first to the last of them."""

    channel: str
    from_ms: int
    until_ms: int
    deliveries: int
    reason: str

    def grown(self, at_ms: int) -> "Gap":
        """One delivery more."""
        return self._replace(until_ms=max(self.until_ms, at_ms), deliveries=self.deliveries + 1)


def save(connection: sqlite3.Connection, gaps: Iterable[Gap]) -> None:
    """Keep gaps once there is a log again."""
    connection.executemany(
        "INSERT INTO gap_rows (channel, from_ms, until_ms, deliveries, reason) VALUES (?, ?, ?, ?, ?)", gaps
    )
