"""Loaded by Python itself in the service under test, and by nothing else: what an operator cannot set, for the controls.

SANFEN_CRASH_SYNCHRONOUS=NORMAL|OFF   the log is opened with less than FULL
SANFEN_CRASH_BUSY_S=0.3               a lock of another program is not waited for as long
SANFEN_CRASH_CHORES=1                 what is done once an hour or once a day is done every second
"""

import os
import re
import sqlite3
from typing import Any


class Connection(sqlite3.Connection):
    """Says another word for FULL."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(re.sub(r"(synchronous\s*=\s*)FULL", rf"\1{SYNCHRONOUS}", sql), *parameters)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        return super().executescript(re.sub(r"(synchronous\s*=\s*)FULL", rf"\1{SYNCHRONOUS}", sql))


SYNCHRONOUS = os.environ.get("SANFEN_CRASH_SYNCHRONOUS")
BUSY_S = os.environ.get("SANFEN_CRASH_BUSY_S")
if SYNCHRONOUS or BUSY_S:
    connect = sqlite3.connect

    def changed(*given: Any, **named: Any) -> sqlite3.Connection:
        more: dict[str, Any] = {"factory": Connection} if SYNCHRONOUS else {}
        if BUSY_S:
            more["timeout"] = float(BUSY_S)
        made: sqlite3.Connection = connect(*given, **(named | more))
        return made

    sqlite3.connect = changed  # type: ignore[assignment]

if os.environ.get("SANFEN_CRASH_CHORES"):
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    class Often(AsyncIOScheduler):  # type: ignore[misc]
        def add_job(self, job: Any, _kind: Any = None, **named: Any) -> Any:
            return super().add_job(job, "interval", seconds=1, id=named.get("id"))

    import apscheduler.schedulers.asyncio

    apscheduler.schedulers.asyncio.AsyncIOScheduler = Often
