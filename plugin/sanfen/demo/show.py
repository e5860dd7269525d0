"""The demo's voice: a line for everything that happens, read from the log like anybody else could read it."""

import asyncio
import sqlite3
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from sanfen.catalogue import t
from sanfen.store.db import open_reader
from sanfen.store.queries import mask
from sanfen.wire import instant_text

__all__ = ["Show"]

_ZONE = ZoneInfo("Asia/Shanghai")
_MARKS = {"met": "○", "late": "✕", "missed": "✕", "excluded": "–"}


class Show:
    """Follows a log and prints what it finds."""

    def __init__(self, database: Path, out: TextIO, language: str) -> None:
        self._database = database
        self._out = out
        self._language = language
        self._event = 0
        self._told = 0
        self._settled: set[str] = set()

    def welcome(self, board_url: str, speed: float) -> None:
        """Say where to look."""
        self._say(t("demo_welcome", self._language, speed=f"{speed:g}"))
        self._say(t("demo_board", self._language, url=board_url, log=self._database))

    def goodbye(self, unsigned: int) -> None:
        """Say what came of the day, and the next command to try."""
        try:
            counts = self._counts()
        except sqlite3.Error:
            return
        decided = counts["met"] + counts["late"] + counts["missed"]
        rate = f"{counts['met'] / decided:.1%}" if decided else "–"
        self._say("")
        self._say(t("demo_summary", self._language, rate=rate, decided=decided, **counts))
        if unsigned:
            self._say(t("demo_unsigned", self._language, count=unsigned))
        self._say(t("demo_next", self._language, log=self._database))

    async def run(self) -> None:
        """Print until cancelled."""
        connection = open_reader(self._database)
        try:
            while True:
                self._messages(connection)
                self._escalations(connection)
                self._outcomes(connection)
                await asyncio.sleep(0.25)
        finally:
            connection.close()

    def _messages(self, connection: sqlite3.Connection) -> None:
        for row in connection.execute("SELECT * FROM messages WHERE seq > ? ORDER BY seq LIMIT 50", (self._event,)):
            self._event = row["seq"]
            if row["sender"] == "customer":
                self._line(row["at_ms"], "●", mask(row["customer"]), row["text"] or "", "")
            else:
                word = "verdict_valid" if row["valid"] else "verdict_invalid"
                told = f"{t(word, self._language)} · {row['mode']}"
                self._line(row["at_ms"], " ", row["agent"] or "", row["text"] or "", told)

    def _escalations(self, connection: sqlite3.Connection) -> None:
        query = "SELECT * FROM escalations WHERE state = 'told' AND id > ? ORDER BY id LIMIT 20"
        for row in connection.execute(query, (self._told,)):
            self._told = row["id"]
            self._line(row["done_ms"], "▲", row["person"], t("demo_told", self._language, round=row["round"]), "")

    def _outcomes(self, connection: sqlite3.Connection) -> None:
        query = "SELECT id, status, customer, wait_ms, closed_ms, due_ms FROM rounds WHERE status IN ('late', 'missed') ORDER BY due_ms DESC LIMIT 20"
        for row in connection.execute(query):
            name = f"{row['id']} {row['status']}"
            if name in self._settled:
                continue
            self._settled.add(name)
            waited = f"{row['wait_ms'] // 1000} s" if row["wait_ms"] is not None else ""
            word = t(f"outcome_{row['status']}", self._language)
            self._line(row["closed_ms"] or row["due_ms"], _MARKS[row["status"]], mask(row["customer"]), word, waited)

    def _counts(self) -> dict[str, int]:
        connection = open_reader(self._database)
        try:
            rows = connection.execute("SELECT status, count(*) FROM rounds WHERE score_set = 'live' GROUP BY status")
            found: dict[str, int] = {str(status): int(count) for status, count in rows}
        finally:
            connection.close()
        return {name: found.get(name, 0) for name in ("met", "late", "missed", "pending", "excluded")}

    def _line(self, at_ms: int, mark: str, who: str, what: str, verdict: str) -> None:
        self._say(f"{(instant_text(at_ms, _ZONE) or '')[11:19]} {mark} {who:<12} {what}  {verdict}".rstrip())

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)
