"""The journal fails or is late under a running service: the chat flows, and nothing acknowledged is lost or uncounted."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed
from tests.faults.ours import locked


async def send(sanfen: Sanfen, *names: str) -> list[int]:
    bodies = [(name, message(name, "customer", conversation=name)) for name in names]
    return [(await post(sanfen, "/in/desk", body, signed(body, name)))[0] for name, body in bodies]


async def get(sanfen: Sanfen, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(sanfen.board + path) as answer:
        return answer.status, await answer.text()


def aside(folder: Path) -> list[str]:
    """The files beside the log that hold deliveries."""
    return [path.name for path in folder.glob("*.spill*") if path.suffix == ".lines"]


def received(sanfen: Sanfen) -> tuple[int, int]:
    """Deliveries in the journal, and those it counts as lost."""
    ((rows,),) = sanfen.rows("SELECT count(*) FROM deliveries")
    ((lost,),) = sanfen.rows("SELECT coalesce(sum(deliveries), 0) FROM gaps")
    return int(rows), int(lost)


def rates(sanfen: Sanfen, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-Im", "sanfen.cli", "rates", str(sanfen.folder / "sanfen.db"), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_a_locked_log_degrades_is_seen_everywhere_and_recovers(tmp_path: Path, upstream: Upstream) -> None:
    sanfen = Sanfen(tmp_path, upstream, ack="800ms")
    await sanfen.start()
    assert await send(sanfen, "a") == [200]
    await eventually(lambda: received(sanfen) == (1, 0), says=lambda: sanfen.log)
    with locked(tmp_path / "sanfen.db"):
        assert await send(sanfen, "b", "c") == [200, 200]
        assert len(upstream.bodies) == 3
        status, text = await get(sanfen, "/readyz")
        assert (status, json.loads(text)["kept"], json.loads(text)["lost"]) == (503, 2, 0)
        assert "behind" in json.loads(text)["cause"]
        assert "sanfen_degraded 1.0" in (await get(sanfen, "/metrics"))[1]
        assert sanfen.log.count("degraded: the chat flows") == 1
    await eventually(lambda: received(sanfen) == (3, 0), says=lambda: sanfen.log)
    await eventually(lambda: _ready(sanfen), says=lambda: sanfen.log)

    assert sanfen.rows("SELECT sum(kept), sum(deliveries) FROM gaps") == [(2, 0)]
    assert sanfen.rows("SELECT count(*) FROM rounds") == [(3,)]
    assert "sanfen_degraded 0.0" in (await get(sanfen, "/metrics"))[1]
    assert "incomplete" not in rates(sanfen).stderr
    assert "Traceback" not in sanfen.log
    assert await sanfen.stop() == 0
    assert aside(tmp_path) == []


async def test_killed_while_degraded_and_while_draining_loses_nothing(tmp_path: Path, upstream: Upstream) -> None:
    """What was acknowledged is in the spill files, and the next start journals it once, however often it is killed."""
    sanfen = Sanfen(tmp_path, upstream, ack="800ms")
    await sanfen.start()
    names = [f"k{number}" for number in range(300)]
    assert await send(sanfen, "first") == [200]
    await eventually(lambda: received(sanfen) == (1, 0), says=lambda: sanfen.log)
    with locked(tmp_path / "sanfen.db"):
        answers = await asyncio.gather(*(send(sanfen, name) for name in names))
        assert answers == [[200]] * 300
        assert "incomplete" in rates(sanfen).stdout
        sanfen.kill()
    for _ in range(3):
        sanfen.spawn()
        await eventually(lambda: received(sanfen)[0] > 0 or not aside(tmp_path), says=lambda: sanfen.log)
        sanfen.kill()
    await sanfen.start()
    await eventually(lambda: received(sanfen) == (301, 0) and _ready(sanfen), says=lambda: sanfen.log)

    assert {row[0] for row in sanfen.rows("SELECT id FROM messages")} == {"first", *names}
    assert sanfen.rows("SELECT count(*) FROM rounds") == [(301,)]
    await sanfen.stop()


async def test_what_can_be_kept_nowhere_makes_figures_incomplete(tmp_path: Path, upstream: Upstream) -> None:
    """The spill's folder is a file: the chat flows, the loss is counted, and every figure of the day says so."""
    (tmp_path / "no").write_bytes(b"")
    sanfen = Sanfen(tmp_path, upstream, ack="800ms", more=f"spill: {tmp_path}/no/spill\n")
    await sanfen.start()
    assert await send(sanfen, "a") == [200]
    with locked(tmp_path / "sanfen.db"):
        assert await send(sanfen, "b", "c") == [200, 200]
        await eventually(lambda: _lost(sanfen, 2), says=lambda: sanfen.log)
    assert len(upstream.bodies) == 3
    await eventually(lambda: received(sanfen) == (1, 2), says=lambda: sanfen.log)

    done = rates(sanfen, "--json")
    assert [row["incomplete"] for row in json.loads(done.stdout)] == [True]
    assert "incomplete" in rates(sanfen).stdout
    for name in ("rates", "report", "rounds"):
        rows: list[dict[str, Any]] = json.loads((await get(sanfen, f"/api/v1/{name}"))[1])[name]
        assert rows
        assert all(row["incomplete"] for row in rows), name
    assert json.loads((await get(sanfen, "/api/v1/now"))[1])["incomplete"] is True
    await sanfen.stop()


async def _lost(sanfen: Sanfen, count: int) -> bool:
    return bool(json.loads((await get(sanfen, "/readyz"))[1]).get("lost") == count)


async def _ready(sanfen: Sanfen) -> bool:
    return (await get(sanfen, "/readyz"))[0] == 200
