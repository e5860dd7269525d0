"""Many customers have waited too long when the service hears of it: people are told in one notice, not in sixty."""

import json
import time

import aiohttp
from tests.e2e.service import Sanfen, Upstream, eventually

TALKS = 60


async def test_a_backlog_is_one_notice(sanfen: Sanfen, upstream: Upstream) -> None:
    now_ms = time.time_ns() // 1_000_000
    events = [
        {"id": f"q{n}", "at": now_ms - 45_000 + n, "from": "customer", "conversation": f"c{n}", "channel": "desk"}
        for n in range(TALKS)
    ]
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{sanfen.url}/events", data=json.dumps(events)) as answer,
    ):
        assert answer.status == 200
    await eventually(lambda: upstream.notices, says=lambda: sanfen.log)
    await eventually(lambda: not sanfen.rows("SELECT 1 FROM escalations WHERE state IN ('waiting', 'sending')"))

    assert sanfen.rows("SELECT state, count(*) FROM escalations GROUP BY state") == [("told", TALKS)]
    assert len(upstream.notices) <= 2  # what came while the first was being sent may be a second
    assert str(TALKS) in upstream.notices[0]["title"]
