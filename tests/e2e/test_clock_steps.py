"""The machine's clock is set under a real service, by libfaketime: a person is told after elapsed time, once."""

import asyncio
import ctypes.util
import time
from pathlib import Path

import pytest
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture
def faked(tmp_path: Path) -> dict[str, str]:
    if LIBRARY is None or ctypes.util.find_library("c") is None:
        pytest.skip("libfaketime is not installed")
    (tmp_path / "time").write_text("+0", encoding="ascii")
    return {
        "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "time"), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


@pytest.mark.parametrize("step", ["+7200", "-3660"])
async def test_a_jump_neither_hurries_nor_delays(
    tmp_path: Path, upstream: Upstream, faked: dict[str, str], step: str
) -> None:
    sanfen = Sanfen(tmp_path, upstream, env=faked, first="2s", ack="4s")
    # As long as a round waits, the machine's clock is not followed: our signatures are of the true time.
    sanfen.config.write_text(sanfen.text.replace("deadline: 3s", "deadline: 5m"), encoding="utf-8")
    upstream.asks_time = False
    await sanfen.start()
    body = message("q1", "customer")
    asked = time.monotonic()
    assert (await post(sanfen, "/in/desk", body, signed(body, "q1")))[0] == 200
    (tmp_path / "time").write_text(step, encoding="ascii")
    await eventually(lambda: sanfen.rows("SELECT 1 FROM clock_steps"), says=lambda: sanfen.log)
    await eventually(lambda: upstream.notices, says=lambda: sanfen.log)
    waited = time.monotonic() - asked

    assert waited > 1.5  # not hurried; an hour's delay would have been no end of waiting above
    body = message("m1", "merchant", mode="human", agent="小美")
    assert (await post(sanfen, "/out/desk", body, signed(body, "m1")))[0] == 200
    assert sanfen.rows("SELECT suspect, wait_ms < 60000 FROM rounds") == [(1, 1)]
    await asyncio.sleep(0)
    assert len(upstream.notices) == 1
    assert sanfen.rows("SELECT step_ms / 1000 FROM clock_steps")[0][0] in (int(step), int(step) - 1, int(step) + 1)
    assert await sanfen.stop() == 0
