"""One writer, group commit, clear words for every file that cannot be used."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sanfen.errors import DamagedError, StoreError
from sanfen.store.db import Database, touch
from sanfen.store.opening import open_reader

INSERT = "INSERT INTO gap_rows (from_ms, channel, deliveries, reason) VALUES (?, 'c', 1, 'r')"


def count(path: Path) -> int:
    with closing(open_reader(path)) as reader:
        return int(reader.execute("SELECT count(*) FROM gap_rows").fetchone()[0])


def test_a_job_is_durable_when_its_future_resolves(db: Database) -> None:
    db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount).result()

    assert count(db.path) == 1
    with closing(db.reader()) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.write(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]).result() == 2  # FULL


def test_no_future_resolves_before_its_group_is_committed(db: Database) -> None:
    gate = threading.Event()
    first = db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount)
    second = db.write(lambda _: (gate.wait(10), first.done()))
    gate.set()

    assert second.result() == (True, False) or count(db.path) == 1  # one group, or two


def test_a_job_that_raises_alone_leaves_nothing_and_is_no_end(db: Database) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute(INSERT, (2,))
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        db.write(broken).result()
    assert count(db.path) == 0
    assert db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount).result() == 1
    assert count(db.path) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux which files are open")
def test_a_commit_writes_no_temporary_file(db: Database) -> None:
    def job(connection: sqlite3.Connection) -> list[str]:
        connection.executemany(INSERT.replace("'r'", "hex(zeroblob(2000))"), [(number,) for number in range(100)])
        connection.execute("SAVEPOINT inner")
        connection.execute("UPDATE gap_rows SET reason = hex(zeroblob(2001))")
        connection.execute("RELEASE inner")
        return [os.path.realpath(name) for name in Path("/proc/self/fd").iterdir()]

    assert [name for name in db.write(job).result() if "etilqs" in name] == []


def test_only_one_connection_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that write or checkpoint can damage a WAL (SQLite before 3.51.3): every other one is read-only."""
    opened: list[str] = []
    connect = sqlite3.connect

    def watched(path: Any, *given: Any, **named: Any) -> sqlite3.Connection:
        opened.append(str(path))
        made: sqlite3.Connection = connect(path, *given, **named)
        return made

    monkeypatch.setattr("sqlite3.connect", watched)
    monkeypatch.setattr("sanfen.store.wal._WAL_PAGES", 0)  # fold back after every commit
    log = Database.open(tmp_path / "log.db")
    log.write(lambda connection: connection.execute(INSERT, (1,)).rowcount).result()
    log.reader().close()
    log.close()

    assert len([path for path in opened if "mode=ro" not in path]) == 1


def test_a_job_that_raises_takes_nothing_with_it(db: Database) -> None:
    """Jobs before and after it in the same group are kept; what it wrote is not."""
    gate, dropped = threading.Event(), []
    db.on_rollback(lambda: dropped.append(True))
    blocked = db.write(lambda _: gate.wait(10))

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute(INSERT, (2,))
        raise RuntimeError("mine")

    first = db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount)
    bad = db.write(broken)
    wrong = db.write(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    last = db.write(lambda connection: connection.execute(INSERT, (3,)).rowcount)
    gate.set()
    blocked.result()

    assert (first.result(), last.result()) == (1, 1)
    with pytest.raises(RuntimeError, match="mine"):
        bad.result()
    with pytest.raises(StoreError, match="no such table"):
        wrong.result()
    assert count(db.path) == 2
    assert dropped


def test_a_second_writer_is_refused_and_told_who_has_it(db: Database) -> None:
    with pytest.raises(StoreError, match=f"in use by another sanfen \\(process {os.getpid()}\\)"):
        Database.open(db.path)


def test_a_killed_writer_leaves_its_role(tmp_path: Path) -> None:
    """kill -9: what was acknowledged is there, and the next one can write."""
    path = tmp_path / "log.db"
    code = (
        "import sys; from pathlib import Path; from sanfen.store.db import Database\n"
        f"db = Database.open(Path({str(path)!r}))\n"
        "while True:\n"
        f"    db.write(lambda c: c.execute({INSERT!r}, (1,))).result(); print('ok', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-Ic", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = sum(process.stdout.readline() == b"ok\n" for _ in range(20))
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().count(b"ok\n")
    db = Database.open(path)

    assert count(path) >= acknowledged >= 20
    db.close()


def test_a_lock_of_another_program_is_waited_for_and_then_said(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer goes on as soon as the lock is gone."""
    db.write(lambda connection: connection.execute("PRAGMA busy_timeout = 50")).result()
    monkeypatch.setattr("sanfen.store.opening._BUSY_MS", 50)
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another program"):
            db.write(lambda connection: connection.execute(INSERT, (1,))).result(timeout=10)
        other.execute("ROLLBACK")

    assert db.write(lambda connection: connection.execute(INSERT, (1,)).rowcount).result(timeout=10) == 1


def test_the_log_stays_ours_when_it_is_opened_again(db: Database) -> None:
    """After a failed commit: another program that looks into the file and closes it must not take it for abandoned.

    Not even while somebody of ours was reading, whose locks a new handle shares. It would fold the WAL back and remove it from under us, and with it what we acknowledge from then on.
    """

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    reader = db.reader()
    reader.execute("SELECT count(*) FROM gap_rows").fetchone()
    with pytest.raises(StoreError):
        db.write(broken).result()
    db.write(lambda connection: connection.execute(INSERT, (1,))).result()
    look = f"import sqlite3; c = sqlite3.connect({str(db.path)!r}); c.execute('SELECT 1 FROM gap_rows'); c.close()"
    subprocess.run([sys.executable, "-Ic", look], check=True)
    db.write(lambda connection: connection.execute(INSERT, (2,))).result()
    reader.close()

    assert count(db.path) == 2
    assert db.path.with_name(db.path.name + "-wal").is_file()


def fill(db: Database, monkeypatch: pytest.MonkeyPatch, commits: int) -> int:
    """Commits of about a page each, one by one; how large the write-ahead log is then, in pages."""
    monkeypatch.setattr("sanfen.store.wal._WAL_PAGES", 64)
    big = "INSERT INTO gap_rows (from_ms, channel, deliveries, reason) VALUES (1, 'c', 1, ?)"
    for _ in range(commits):
        db.write(lambda connection: connection.execute(big, ("r" * 4000,)).rowcount).result()
    return db.path.with_name(db.path.name + "-wal").stat().st_size // 4096


def test_the_write_ahead_log_stays_short_under_load(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fill(db, monkeypatch, 400) < 200


def test_a_reader_that_holds_the_write_ahead_log_is_noticed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be sent away; the log says why the disk fills, and once it ends the file is given back."""
    monkeypatch.setattr("sanfen.store.db._FEW_PAGES", 1 << 30)
    db.write(lambda connection: connection.execute("PRAGMA journal_size_limit = 262144").fetchall()).result()
    with closing(db.reader()) as reader, capture_logs() as lines:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM gap_rows").fetchone()
        grown = fill(db, monkeypatch, 600)

    assert grown > 600
    assert {line["event"] for line in lines} == {
        "the write-ahead log grows: another program reads this log and does not end"
    }
    assert len(lines) < 4  # not at every commit
    assert fill(db, monkeypatch, 400) < 200


def test_readers_cannot_write(db: Database) -> None:
    with closing(db.reader()) as reader, pytest.raises(sqlite3.OperationalError):
        reader.execute(INSERT, (1,))


def test_after_close_nothing_is_taken(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(StoreError, match="closed"):
        db.write(lambda connection: connection.execute(INSERT, (1,))).result()


def test_a_schema_that_is_no_text_is_a_damaged_log(tmp_path: Path) -> None:
    """SQLite quotes it in its complaint, which then is no text either."""
    Database.open(tmp_path / "log.db").close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as other, other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute(
            "UPDATE sqlite_master SET sql = CAST(x'435245415445205441424C4520A0A0' AS TEXT) WHERE name = 'events'"
        )

    with pytest.raises(StoreError, match="is damaged"):
        Database.open(tmp_path / "log.db")


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        (b"reason TEXT NOT NULL\n", b"reasoo TEXT NOT NULL\n"),  # a column of the table that is written below
        (b"CREATE TABLE gap_rows", b"CREATE TABLE gap_rowr"),
        (b"ON round_rows WHEN old.status IS NOT", b"ON round_rows WHEN old.statut IS NOT"),
    ],
)
def test_a_byte_of_the_schemas_text_is_a_damaged_log(tmp_path: Path, text: bytes, hit: bytes) -> None:
    """To SQLite it is another schema, and our statements are wrong."""
    path = tmp_path / "log.db"
    Database.open(path).close()
    whole = path.read_bytes()
    assert whole.count(text) == 1
    path.write_bytes(whole.replace(text, hit))

    def use() -> None:
        with closing(Database.open(path)) as opened:
            opened.write(lambda connection: connection.execute(INSERT, (1,))).result()
            opened.write(lambda connection: connection.execute("UPDATE round_rows SET status = 'met'")).result()

    with pytest.raises(DamagedError):
        use()


def test_a_wrong_statement_of_ours_is_no_damage(db: Database) -> None:
    with pytest.raises(StoreError, match="no such column") as caught:
        db.write(lambda connection: connection.execute("SELECT not_there FROM events")).result()

    assert not isinstance(caught.value, DamagedError)
    assert db.write(lambda _: 1).result() == 1


def test_a_touch_reaches_the_disk_and_changes_nothing(db: Database) -> None:
    def written() -> int:
        return (db.path.parent / f"{db.path.name}-wal").stat().st_size

    before = written()
    db.write(lambda _: None).result()
    assert written() == before
    db.write(touch).result()

    assert written() > before
    assert count(db.path) == 0
