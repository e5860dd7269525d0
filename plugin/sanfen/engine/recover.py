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
        try:
            for key, due_ms in projection.open_rounds(connection, LIVE):
                ticker.push(due_ms, key)
        finally:
            connection.close()
        return len(ticker)

    return await asyncio.to_thread(load)
