"""A port that outlives the service: whoever comes while it is started again waits, and is served."""

import asyncio
from pathlib import Path

from tests.e2e.service import Sanfen, Upstream, message, post, signed


async def test_who_comes_between_two_runs_is_served_by_the_next(tmp_path: Path, upstream: Upstream) -> None:
    sanfen = Sanfen(tmp_path, upstream)
    with sanfen.keep_listening():
        await sanfen.start()
        sanfen.kill()
        body = message("m1", "customer")
        waiting = asyncio.create_task(post(sanfen, "/in/desk", body, signed(body, "d1")))
        try:
            await sanfen.start()
            status, _ = await asyncio.wait_for(waiting, 30)
            rows = sanfen.rows("SELECT conversation FROM rounds")
        finally:
            await sanfen.stop()

    assert (status, upstream.bodies, rows) == (200, [body], [("客户A",)])
