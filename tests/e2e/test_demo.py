"""The real demo: it lives, ends cleanly on Ctrl-C, and its log answers questions."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

COMMAND = [
    sys.executable,
    "-Im",
    "sanfen.cli",
    "--lang",
    "en",
    "demo",
    "--no-browser",
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
        [*COMMAND, "--port", "18972", "--board-port", "18973", "--for", "6s"],
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


def test_the_demo_opens_on_a_living_shop(tmp_path: Path) -> None:
    """Thirty days are behind it, nine wait, a customer of one's own is left alone by the simulated desk."""
    command = [*COMMAND, "--speed", "1", "--port", "18974", "--board-port", "18975"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        welcome = [process.stdout.readline() for _ in range(3)]
        with urlopen("http://127.0.0.1:18975/api/v1/now") as answer:  # our own process
            now = json.load(answer)
        said = [
            subprocess.run(
                [*COMMAND[:5], "say", *words], cwd=tmp_path, capture_output=True, text=True, check=True
            ).stdout
            for words in (["在吗"], ["稍等", "--from", "agent:小美", "--auto"], ["有货的", "--from", "agent:小美"])
        ]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with closing(sqlite3.connect(tmp_path / "sanfen-demo" / "sanfen.db")) as connection:
        days = connection.execute("SELECT count(DISTINCT day) FROM rounds WHERE status = 'met'").fetchone()[0]
        facts = connection.execute(
            "SELECT count(*), avg(status = 'met') FROM rounds WHERE status IN ('met', 'late', 'missed')"
        )
        rounds, rate = facts.fetchone()
        reasons = {row[0] for row in connection.execute("SELECT DISTINCT because FROM rounds")}
        told = connection.execute("SELECT count(DISTINCT person) FROM escalations WHERE state = 'told'").fetchone()[0]
        moved = connection.execute("SELECT count(*) FROM events WHERE kind = 'transfer'").fetchone()[0]

    assert "http://127.0.0.1:18975/" in welcome[1]
    assert 'sanfen say "在吗" --from buyer:me' in welcome[2]
    assert len(now["open"]) >= 8
    assert [words in line for words, line in zip(("pending, due", "invalid", "met"), said, strict=True)] == [True] * 3
    assert days == 31
    assert (rounds > 7_000, 0.90 < rate < 0.94) == (True, True)
    assert reasons >= {
        "bot_only",
        "platform_staff",
        "sub_account",
        "outside_hours",
        "answered_late",
        "answered_in_time",
    }
    assert told == 2
    assert moved > 20
