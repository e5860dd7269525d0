"""The log's files: damage is told from what is not ours, put aside whole, and room is kept for bad times."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sanfen.core.policy import Policy
from sanfen.engine.ingest import Engine
from sanfen.errors import DamagedError, StoreError
from sanfen.store import files
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.store.opening import open_reader
from sanfen.testing import FakeClock, ask, reply

START = 1_673_056_800_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A closed log with fifty rounds."""
    path = tmp_path / "log.db"
    asyncio.run(_fill(path))
    return path


async def _fill(path: Path) -> None:
    db = Database.open(path)
    engine = Engine(db, (Policy("p"),), (), FakeClock(START))
    for number in range(50):
        at_ms = START + number * 1000
        events = [ask(at_ms, f"c{number}", text="在吗" * 20), reply(at_ms + 500, f"c{number}")]
        await engine.submit(Delivery(at_ms, "default", "in", "POST", "", b"raw" * 100), events)
    db.close()


def opens(path: Path) -> None:
    """Open, read everything, write something. Raises StoreError."""
    db = Database.open(path)
    try:
        db.write(lambda c: c.execute("PRAGMA integrity_check(1)").fetchone()).result(10)
        db.write(lambda c: c.execute("SELECT sum(length(body)) FROM deliveries").fetchone()).result(10)
        db.write(lambda c: c.execute("UPDATE events SET agent = 'x'").rowcount).result(10)
    finally:
        db.close()


def test_every_damage_is_a_clear_sentence_and_never_taken_for_a_foreign_file(log: Path) -> None:
    """Bytes flipped at seeded places, and the file cut at every page: it opens, or it is said to be damaged and ours."""
    whole = log.read_bytes()
    dice = random.Random(1)
    page = 4096
    spoilt = [bytearray(whole[: cut * page]) for cut in range(1, len(whole) // page, 3)]
    for _ in range(60):
        one = bytearray(whole)
        for _ in range(20):
            one[dice.randrange(len(one))] ^= dice.randrange(1, 256)
        spoilt.append(one)
    head = bytearray(whole)
    head[0:16] = b"\0" * 16
    spoilt.append(head)
    told = [told_of(log, bytes(data)) for data in spoilt]

    assert set(told) <= {"", "damaged"}
    assert told.count("damaged") > 30


def told_of(log: Path, data: bytes) -> str:
    """What opening and using a log of these bytes comes to."""
    log.write_bytes(data)
    for side in ("-wal", "-shm"):
        log.with_name(log.name + side).unlink(missing_ok=True)
    try:
        opens(log)
    except DamagedError:
        return "damaged"
    except StoreError as error:
        return error.message
    return ""


def test_a_damaged_header_does_not_make_it_foreign(log: Path) -> None:
    data = bytearray(log.read_bytes())
    data[68:72] = b"\0\0\0\1"
    log.write_bytes(bytes(data))
    opens(log)
    assert log.read_bytes()[68:72] == b"sanf"


def test_somebody_elses_file_is_never_ours(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError) as error:
        Database.open(path)

    assert not isinstance(error.value, DamagedError)


def test_damage_is_put_aside_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    for _ in range(2):
        for side in ("", "-wal"):
            log.with_name(log.name + side).write_bytes(b"x" + side.encode())
        files.put_aside(log)
    names = sorted(path.name for path in tmp_path.iterdir())

    assert len(names) == 4
    assert all(name.startswith("log.db.damaged-") for name in names)
    assert len([name for name in names if name.endswith("-wal")]) == 2


def test_who_holds_the_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    Database.open(path).close()
    code = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None); c.execute('BEGIN EXCLUSIVE'); "
        "print('ok', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StoreError, match=rf"locked by python.* \(process {other.pid}\)"):
            Database.open(path)
        other.communicate(b"\n")


def test_room_is_kept_and_given_up_once(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    files.make_reserve(log)
    reserve = tmp_path / "log.db.reserve"
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size > 0
    files.release_reserve(log)
    files.release_reserve(log)
    assert not reserve.exists()


def test_a_log_with_a_broken_index_is_found_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    Database.open(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'events_time'")
        other.commit()
    with closing(open_reader(path)) as reader, pytest.raises((DamagedError, sqlite3.DatabaseError)):
        files.check_small(path, reader)
