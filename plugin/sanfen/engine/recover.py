"""At start: what was due while we were away comes due now. Answered rounds stay quiet, they are no longer open."""

import asyncio

from sanfen.engine.timers import Ticker
from sanfen.store import projection
from sanfen.store.db import Database
from sanfen.store.projection import LIVE

__all__ = ["recover"]


async def recover(db: Database, ticker: Ticker) -> int:
    """Fill the ticker from the open rounds of the database; returns how many conversations wait for something."""

    def load() -> int:
        connection = db.reader()
        connection.row_factory = None
        try:
            ticker.fill(projection.open_rounds(connection, LIVE))
        finally:
            connection.close()
        return len(ticker)

    return await asyncio.to_thread(load)
