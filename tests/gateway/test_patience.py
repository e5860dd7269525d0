"""A workflow that takes longer than the channel waits: the channel is told that its message is kept, the workflow is waited for."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from tests.gateway.conftest import OK, Got

from sanfen.abc import ChannelAdapter, Direction, Fact, Request, json_object

SAID = b'{"text": "in stock?"}'


class Slow(ChannelAdapter):
    """A channel that waits a fifth of a second, and wants no more than that somebody took it."""

    name = "slow"
    deadline_ms = 200

    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Everybody."""

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        return [self.place(received_ms).ask("c1", "q1", None, text=json_object(request.body).get("text"))]


class Answers(Slow):
    """The same, but the workflow's answer is a message."""

    name = "answers"
    ack = "passthrough"


@pytest.fixture
def held(upstream: Any) -> asyncio.Event:
    """The workflow answers only when this is set."""
    go = asyncio.Event()

    async def script(writer: asyncio.StreamWriter, _: Got) -> None:
        await asyncio.wait_for(go.wait(), 20)
        writer.write(OK)

    upstream.script = script
    return go


async def post(gateway: Any, direction: str = "in") -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as client, client.post(f"{gateway.url}/{direction}/desk", data=SAID) as answer:
        return answer.status, await answer.read()


async def test_the_channel_is_told_in_time_and_the_workflow_goes_on(
    start: Any, upstream: Any, held: asyncio.Event
) -> None:
    gateway = await start(adapters={"desk": Slow("shop", "desk", (), {})})
    status, body = await post(gateway)
    assert (status, json.loads(body)) == (200, {"accepted": 1, "duplicates": 0})
    assert not held.is_set()

    held.set()
    async with asyncio.timeout(10):
        while not gateway.counters.forwarded:  # noqa: ASYNC110  # nothing tells us; bounded
            await asyncio.sleep(0.005)
    assert [one.body for one in upstream.requests] == [SAID], "once, and to the byte"


async def test_who_answers_in_time_is_heard(start: Any, upstream: Any) -> None:
    gateway = await start(adapters={"desk": Slow("shop", "desk", (), {})})

    assert await post(gateway) == (200, b'{"ok":true}')


async def test_what_nobody_kept_is_not_taken(start: Any, upstream: Any, held: asyncio.Event) -> None:
    """The channel may send it again."""
    gateway = await start(adapters={"desk": Slow("shop", "desk", (), {})}, ack_budget_ms=20)
    gateway.engine.mode = "hang"
    status, _ = await post(gateway)
    held.set()

    assert status == 503


@pytest.mark.parametrize(
    ("kind", "direction", "more"),
    [(Answers, "in", {}), (Slow, "out", {}), (Slow, "in", {"deadline_ms": 60_000})],
)
async def test_who_is_waited_for(
    start: Any, upstream: Any, held: asyncio.Event, kind: type[Slow], direction: str, more: dict[str, int]
) -> None:
    """An answer that is a message, a call of the API, a channel that waits longer than we do: the answer is the workflow's."""
    gateway = await start(adapters={"desk": kind("shop", "desk", (), {})}, **more)
    asked = asyncio.create_task(post(gateway, direction))
    done, _ = await asyncio.wait({asked}, timeout=0.4)
    held.set()

    assert not done
    assert await asked == (200, b'{"ok":true}')
