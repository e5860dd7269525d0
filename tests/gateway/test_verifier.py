"""Secrets in rotation: both hold, each is counted, and the old one ends by itself."""

from typing import Any

import aiohttp
import pytest
from tests.adapters.test_signatures import OTHER, SECRET, signed
from tests.gateway.conftest import NOW_MS

from sanfen.abc import ChannelAdapter, Proof
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.testing import FakeClock

BODY = '{"id": "q1", "at": 1795309132000, "conversation": "c1", "from": "customer"}'
NEW, OLD = Secret(SECRET, "new"), Secret(OTHER, "old", NOW_MS + 60_000)


def desk(port: int, **facts: Any) -> dict[str, ChannelSettings]:
    return {"desk": ChannelSettings("desk", "generic", forward_in=f"http://127.0.0.1:{port}/in", **facts)}


async def post(client: aiohttp.ClientSession, gateway: Any, headers: dict[str, str]) -> tuple[int, Any]:
    async with client.post(f"{gateway.url}/in/desk", data=BODY.encode(), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_both_secrets_hold_and_each_is_counted(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start(channels=desk(upstream.port, secrets=(NEW, OLD)))

    for secret, times in ((SECRET, 3), (OTHER, 2)):
        for number in range(times):
            assert (await post(client, gateway, signed(BODY, secret, name=f"{secret}{number}")))[0] == 200

    assert gateway.counters.secrets == {("desk", "new"): 3, ("desk", "old"): 2}


async def test_the_old_secret_ends_by_itself(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """No restart, no reload: from its last moment on it is refused, and counted no more."""
    clock = FakeClock(NOW_MS)
    gateway = await start(channels=desk(upstream.port, secrets=(NEW, OLD)), clock=clock)
    assert (await post(client, gateway, signed(BODY, OTHER)))[0] == 200
    await clock.advance(60_001)

    status, problem = await post(client, gateway, signed(BODY, OTHER))

    assert (status, problem["reason"]) == (401, "retired")
    assert (await post(client, gateway, signed(BODY, SECRET)))[0] == 200
    assert gateway.counters.secrets == {("desk", "new"): 1, ("desk", "old"): 1}
    assert gateway.counters.refused == {"retired": 1}
    assert OTHER not in str(problem)


async def test_signed_by_both_counts_for_the_newer(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """A sender that rotates signs with both; the old one's end is nothing to it."""
    clock = FakeClock(NOW_MS)
    gateway = await start(channels=desk(upstream.port, secrets=(NEW, OLD)), clock=clock)
    headers, older = signed(BODY), signed(BODY, OTHER)
    headers["webhook-signature"] = f"{older['webhook-signature']} {headers['webhook-signature']}"
    await clock.advance(60_001)

    assert (await post(client, gateway, headers))[0] == 200
    assert gateway.counters.secrets == {("desk", "new"): 1}


@pytest.mark.parametrize("off_s", [-301, 301])
async def test_a_replay_outside_the_window_is_stale(
    start: Any, upstream: Any, client: aiohttp.ClientSession, off_s: int
) -> None:
    gateway = await start(channels=desk(upstream.port, secrets=(NEW,)))

    status, problem = await post(client, gateway, signed(BODY, at_ms=NOW_MS + off_s * 1000))

    assert (status, problem["reason"]) == (401, "stale")
    assert gateway.counters.refused == {"stale": 1}
    assert not upstream.requests


class Loose(ChannelAdapter):
    """Signs a time, and nothing of what is said: there are channels like that."""

    name = "loose"

    def verify(self, *_: object) -> Proof:
        return Proof(0, b"k" * 32)

    def parse(self, *_: object) -> list[Any]:
        return []


async def test_an_adapters_replay_key_reaches_the_journal(
    start: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    gateway = await start(
        channels=desk(upstream.port, secrets=(NEW,)), adapters={"desk": Loose("shop", "desk", (SECRET,), {})}
    )

    assert (await post(client, gateway, {}))[0] == 200
    assert [one.replay_key for one in gateway.engine.deliveries] == [b"k" * 32]
