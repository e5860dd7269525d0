"""The real demo: it lives, ends cleanly on Ctrl-C, and its log answers questions."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

COMMAND = [
    sys.executable,
    "-Im",
    "sanfen.cli",
    "--lang",
    "en",
    "demo",
    "--speed",
    "300",
    "--port",
    "18970",
    "--board-port",
    "18971",
]


def test_the_demo_lives_and_ends(tmp_path: Path) -> None:
    """Real servers, real signatures both ways, escalations arriving at a real webhook, scores in SQLite."""
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if "●" in line)
        told = next(line for line in process.stdout if "▲" in line)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    log = tmp_path / "sanfen-demo" / "sanfen.db"
    with closing(sqlite3.connect(log)) as connection:
        outcomes = dict(connection.execute("SELECT status, count(*) FROM rounds GROUP BY status"))
        states = dict(connection.execute("SELECT state, count(*) FROM escalations GROUP BY state"))
        check = connection.execute("PRAGMA integrity_check").fetchone()[0]

    assert (process.returncode, errors) == (0, "")
    assert first
    assert told
    assert "sanfen rates" in rest.splitlines()[-1]
    assert "lost their signature" not in rest
    assert outcomes["met"] > 0
    assert states["told"] > 0
    assert check == "ok"
    rates = subprocess.run(
        [*COMMAND[:3], "rates", str(log), "--by", "agent"], capture_output=True, text=True, check=True
    )
    assert "莉莉" in rates.stdout


def test_live_equals_replay_of_the_demos_log(tmp_path: Path) -> None:
    """What the service scored while it ran, a replay of its journal scores again, row for row."""
    subprocess.run(
        [*COMMAND, "--port", "18972", "--board-port", "18973", "--seconds", "6"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    log = tmp_path / "sanfen-demo" / "sanfen.db"
    replay = [sys.executable, "-Im", "sanfen.cli", "replay", str(log), "--out", "again.db"]
    subprocess.run(replay, cwd=tmp_path, check=True, capture_output=True)
    query = (
        "SELECT id, agent, closed_ms, wait_ms, status, because, messages, evidence FROM rounds "
        "WHERE status IN ('met', 'late') ORDER BY id"
    )
    with closing(sqlite3.connect(log)) as live, closing(sqlite3.connect(tmp_path / "again.db")) as again:
        rows = live.execute(query).fetchall()

        assert rows == again.execute(query).fetchall()
        assert len(rows) > 10
