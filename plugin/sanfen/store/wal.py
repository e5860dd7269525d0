"""When the write-ahead log is folded back into the file: under load where it has grown long, else when nobody waits."""

import sqlite3
from collections.abc import Callable

import structlog

__all__ = ["Wal"]

_WAL_PAGES = 4_000  # about 16 MiB: fold back even under load

_log = structlog.get_logger("sanfen.store")


class Wal:
    """The write-ahead log, and when to fold it back into the file. Only the writer's own connection does that."""

    def __init__(self, connection: sqlite3.Connection, is_ours: Callable[[], bool]) -> None:
        self._connection = connection
        self._is_ours = is_ours
        self._held = 0  # pages that could not be folded back, or were not yet when last looked at
        self._commits = 0  # since then
        self._each = 64.0  # pages a commit adds; measured when looked at
        self._told = 0  # how long it was when somebody was told

    @property
    def pages(self) -> int:
        """About how many pages wait to be folded back."""
        return self._held + round(self._commits * self._each)

    def committed(self) -> None:
        """A commit more. Folds back where the WAL has grown long, though others wait."""
        self._commits += 1
        if self.pages > max(_WAL_PAGES, self._held + self._held // 4):
            self.fold_back()

    def fold_back(self) -> None:
        """Copy what no reader needs into the file; the next commit begins the WAL anew if that was all."""
        if not self._is_ours():
            return
        try:
            _, pages, folded = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return
        if self._commits:
            self._each = max(1.0, (pages - self._held) / self._commits)
        self._held, self._commits = (0 if folded == pages else pages), 0
        if self._held > 4 * max(self._told, _WAL_PAGES):
            self._told = self._held
            _log.warning(
                "the write-ahead log grows: another program reads this log and does not end",
                mib=self._held >> 8, hint="end whatever has it open (an editor, a report, a copy)",
            )  # fmt: skip
        elif not self._held:
            self._told = 0
