"""What the gateway hands deliveries to: the engine, or nobody while there is no database; and the count of what is lost.

Received is journaled plus gap: a delivery that could not be committed is counted by channel, and the span is written to
the log as soon as something can be written again.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from sanfen.core.events import Event
from sanfen.engine.ingest import Engine, Receipt
from sanfen.errors import StoreError
from sanfen.store import journal
from sanfen.store.db import Database
from sanfen.store.journal import Delivery, Gap

__all__ = ["Front"]


class Front:
    """Takes deliveries on the event loop."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._db: Database | None = None
        self._trouble = "the database is not open yet"
        self.gaps: dict[str, Gap] = {}  # by channel, not written yet

    def say(self, trouble: str) -> None:
        """Why there is no engine."""
        self._trouble = trouble

    def connect(self, engine: Engine, db: Database) -> None:
        """From now on deliveries are kept; what was missed is written down."""
        self._engine, self._db = engine, db
        self._write()

    def submit(self, delivery: Delivery, events: Sequence[Event]) -> "asyncio.Future[Receipt]":
        """Hand a delivery on. The future raises StoreError where it cannot be kept."""
        if self._engine is None:
            future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreError(self._trouble))
        else:
            future = self._engine.submit(delivery, events)
        future.add_done_callback(partial(self._settled, delivery))
        return future

    def _settled(self, delivery: Delivery, future: "asyncio.Future[Receipt]") -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            at_ms, reason = delivery.received_ms, getattr(error, "message", type(error).__name__)
            gap = self.gaps.get(delivery.channel) or Gap(delivery.channel, at_ms, at_ms, 0, reason)
            self.gaps[delivery.channel] = gap.grown(at_ms)
        elif self.gaps:
            self._write()

    def _write(self) -> None:
        if self._db is None or not self.gaps:
            return
        found, self.gaps = self.gaps, {}
        written = self._db.write(lambda connection: journal.save_gaps(connection, found.values()))
        asyncio.wrap_future(written).add_done_callback(partial(self._written, found))

    def _written(self, found: dict[str, Gap], future: "asyncio.Future[None]") -> None:
        if future.cancelled() or future.exception() is not None:
            self.gaps = found | self.gaps
