"""The log is damaged, full or foreign under a real service: the chat flows, nothing is deleted, and it mends itself."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed


async def ask(sanfen: Sanfen, name: str) -> int:
    body = message(name, "customer", conversation=name)
    return (await post(sanfen, "/in/desk", body, signed(body, name)))[0]


def names(sanfen: Sanfen) -> set[str]:
    try:
        return {row[0] for row in sanfen.rows("SELECT id FROM messages")}
    except sqlite3.Error:
        return set()


def beside(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


async def test_a_log_damaged_at_start_is_put_aside_and_a_new_one_begun(tmp_path: Path, upstream: Upstream) -> None:
    sanfen = Sanfen(tmp_path, upstream)
    await sanfen.start()
    assert await ask(sanfen, "old") == 200
    assert await sanfen.stop() == 0
    log = tmp_path / "sanfen.db"
    spoilt = bytearray(log.read_bytes())
    spoilt[100:4096] = b"\xaa" * 3996
    log.write_bytes(bytes(spoilt))
    await sanfen.start()

    assert await ask(sanfen, "new") == 200
    assert names(sanfen) == {"new"}
    (aside,) = beside(tmp_path, "sanfen.db.damaged-*")
    assert aside.read_bytes() == bytes(spoilt)
    assert "put aside, a new one is begun" in sanfen.log
    await eventually(lambda: sanfen.rows("SELECT count(*) FROM gaps WHERE channel = '*'") == [(1,)])
    assert sanfen.rows("SELECT DISTINCT incomplete FROM rates_daily") == [(1,)]
    assert "Traceback" not in sanfen.log
    assert await sanfen.stop() == 0


async def test_a_log_damaged_while_running_is_put_aside_without_a_restart(tmp_path: Path, upstream: Upstream) -> None:
    sanfen = Sanfen(tmp_path, upstream, ack="300ms")
    await sanfen.start()
    assert await ask(sanfen, "old") == 200
    log = tmp_path / "sanfen.db"
    with closing(sqlite3.connect(log)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with log.open("r+b") as file:  # every page but the first
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xaa" * (size - 4096))
    for number in range(5):
        assert await ask(sanfen, f"q{number}") == 200
    await eventually(lambda: names(sanfen) >= {f"q{number}" for number in range(5)}, says=lambda: sanfen.log)

    assert len(upstream.bodies) == 6
    assert len([path for path in beside(tmp_path, "*.damaged-*") if not path.name.endswith(("-wal", "-shm"))]) == 1
    assert await ask(sanfen, "last") == 200
    await eventually(lambda: "last" in names(sanfen))
    assert await sanfen.stop() == 0


async def test_a_log_that_cannot_be_put_aside_does_not_stop_the_chat(tmp_path: Path, upstream: Upstream) -> None:
    """A folder where the log should be."""
    (tmp_path / "sanfen.db").mkdir()
    sanfen = Sanfen(tmp_path, upstream)
    sanfen.spawn()
    await eventually(lambda: "events http" in sanfen.log, says=lambda: sanfen.log)

    assert await ask(sanfen, "q1") == 200
    assert len(upstream.bodies) == 1
    (tmp_path / "sanfen.db").rmdir()
    await eventually(lambda: names(sanfen) == {"q1"}, says=lambda: sanfen.log)
    assert "Traceback" not in sanfen.log
    assert await sanfen.stop() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four MiB of memory as a disk. Needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_is_survived_and_counted_to_the_last_delivery(
    tmp_path: Path, small_disk: Path, upstream: Upstream
) -> None:
    """Log and spill on the same full disk: every message is passed on, and journaled or counted. Then there is room."""
    sanfen = Sanfen(tmp_path, upstream, ack="500ms", storage=small_disk)
    await sanfen.start()
    ballast = small_disk / "ballast"
    sent = 0
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    for number in range(400):
        body = message(f"q{number}", "customer", conversation=f"c{number}", text="在吗" * 500)
        status, _ = await post(sanfen, "/in/desk", body, signed(body, f"q{number}"))
        assert status == 200
        sent += 1
    assert len(upstream.bodies) == sent
    assert "no space left" in sanfen.log
    assert "reserved room was released" in sanfen.log
    ballast.unlink()
    await eventually(lambda: kept(sanfen) == sent, says=lambda: f"{kept(sanfen)} {sanfen.log}")

    assert lost(sanfen) > 0
    assert await ask(sanfen, "last") == 200
    await eventually(lambda: "last" in names(sanfen))
    assert len(sanfen.log) < 100_000
    assert "Traceback" not in sanfen.log
    assert await sanfen.stop() == 0


def lost(sanfen: Sanfen) -> int:
    return int(sanfen.rows("SELECT coalesce(sum(deliveries), 0) FROM gaps")[0][0])


def kept(sanfen: Sanfen) -> int:
    return int(sanfen.rows("SELECT count(*) FROM deliveries")[0][0]) + lost(sanfen)
