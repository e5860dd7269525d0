"""A migration is killed at every statement: the next start finds the old schema or the new one, and goes on."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from shutil import copyfile

from sanfen.store.db import Database

CHILD = """
import os, signal, sqlite3, sys
from sanfen.store.migrations import migrate
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
left = int(sys.argv[2])
def count(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
connection.set_trace_callback(count)
migrate(connection)
print(int(sys.argv[2]) - left)
"""


def shape(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()


def migrated(path: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-Ic", CHILD, str(path), str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_killed_anywhere_it_is_finished_the_next_time(old: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    copyfile(old, whole)
    statements = int(migrated(whole, 10**6).stdout)
    Database.open(whole).close()
    wanted = shape(whole)
    assert statements > 40
    for kill_at in range(1, statements, 7):
        path = tmp_path / f"{kill_at}.db"
        copyfile(old, path)
        assert migrated(path, kill_at).returncode == -signal.SIGKILL
        Database.open(path).close()

        assert shape(path) == wanted, kill_at
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT deliveries, kept FROM gap_rows").fetchall() == [(1, 0)]
        path.unlink()
