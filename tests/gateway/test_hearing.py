"""What adapters make of answers: whole ones, compressed ones, and those still being written; and of challenges."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from tests.gateway.conftest import Got

from sanfen.abc import (
    Alias,
    Answer,
    ChannelAdapter,
    Direction,
    Fact,
    Here,
    Pull,
    Reply,
    Request,
    Tap,
    each,
    json_object,
)
from sanfen.core.events import Message

QUESTION = b'{"conversation": "c1", "text": "hello"}'


class Lines:
    """Scores at the first line."""

    def __init__(self, channel: "Talking") -> None:
        self.channel = channel
        self.seen = b""

    def feed(self, chunk: bytes, received_ms: int) -> Sequence[Fact]:
        first = b"\n" in chunk and b"\n" not in self.seen
        self.seen += chunk
        return (
            [self.channel.place(received_ms).reply("c1", "s1", None, "bot", text=self.seen.decode().split("\n")[0])]
            if first
            else ()
        )

    def end(self, received_ms: int) -> Sequence[Fact]:
        return [self.channel.place(received_ms).close("c1", "s2", None)]


class Talking(ChannelAdapter):
    """A channel whose answers are messages, and whose requests name addresses."""

    name = "talking"
    ack = "passthrough"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Everybody."""

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        body = json_object(request.body)
        place = self.place(received_ms)
        if body.get("poke"):
            return [Pull("account", body["poke"])]
        if "batch" in body:
            return each(body["batch"], lambda one: [place.ask("c1", one, None)])
        if "conversation" not in body:
            return ()
        return [Alias("token-1", "c1"), place.ask("c1", "q1", None, text=body["text"])]

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        return (
            Reply(request.query.removeprefix("challenge=").encode()) if request.query.startswith("challenge=") else None
        )

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        said = json_object(answer.body).get("answer")
        return [self.place(received_ms).reply("c1", "a1", None, "bot", text=said)] if said else ()

    def tap(self, request: Request, answer: Answer, direction: Direction) -> Tap | None:
        return Lines(self) if answer.headers.get("content-type") == "text/event-stream" else None

    def rewrite(self, request: Request, direction: Direction, here: Here) -> Request | None:
        body = json_object(request.body)
        return request._replace(body=json.dumps(body | {"url": here.inward}).encode()) if "url" in body else None


@pytest.fixture
def gateway(start: Any, upstream: Any) -> Any:
    async def started(**options: Any) -> Any:
        adapter = Talking("shop", "desk", (), options)
        return await start(adapters={"desk": adapter})

    return started


def answer_of(body: bytes, head: str = "Content-Type: application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(client: aiohttp.ClientSession, url: str, body: bytes = QUESTION, **options: Any) -> tuple[int, bytes]:
    async with client.post(url, data=body, headers={"Content-Type": "application/json"}, **options) as answer:
        return answer.status, await answer.read()


async def test_the_answer_is_the_message(gateway: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Journaled beside the request, and passed on to the byte."""
    upstream.answer = answer_of(b'{"answer":  "hi"}')
    made = await gateway()

    assert await ask(client, f"{made.url}/in/desk") == (200, b'{"answer":  "hi"}')
    question, reply = made.engine.events
    assert (question.id, reply.id, reply.mode, reply.text) == ("q1", "a1", "bot", "hi")
    first, second = made.engine.deliveries
    assert first.notes == (Alias("token-1", "c1"),)
    assert (second.method, second.body, second.direction) == ("ANSWER", b'{"answer":  "hi"}', "in")


@pytest.mark.parametrize(("batch", "status", "ids"), [(["a", {}, "b"], 200, ["a", "b"]), ([{}], 400, [])])
async def test_an_unreadable_item_costs_no_other(
    start: Any, client: aiohttp.ClientSession, batch: list[Any], status: int, ids: list[str]
) -> None:
    """The delivery stays the journal's, with the reason; where all is unreadable and nobody is behind us, the sender hears of it."""
    made = await start(adapters={"desk": Talking("shop", "desk", (), {})}, forward_in=None)

    assert (await ask(client, f"{made.url}/in/desk", json.dumps({"batch": batch}).encode()))[0] == status
    assert [one.id for one in made.engine.events] == ids
    assert [one.error is None for one in made.engine.deliveries] == [False]
    assert made.counters.poison == 1


async def test_a_compressed_answer_is_read_and_passed_on_as_it_is(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    packed = gzip.compress(b'{"answer": "hi"}')
    upstream.answer = answer_of(packed, "Content-Type: application/json\r\nContent-Encoding: gzip")
    made = await gateway()

    await ask(client, f"{made.url}/in/desk")
    assert made.engine.events[-1].text == "hi"
    assert upstream.requests[0].header(b"accept-encoding") in ([b"gzip, deflate"], [])


@pytest.mark.parametrize(
    ("body", "head"),
    [(b"\x1f\x8bxx", "Content-Encoding: gzip"), (b"xx", "Content-Encoding: br"), (b"not json", "X: y")],
)
async def test_an_answer_that_cannot_be_read_is_passed_on_and_kept(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession, body: bytes, head: str
) -> None:
    upstream.answer = answer_of(body, head)
    made = await gateway()

    async with client.post(
        f"{made.url}/in/desk", data=QUESTION, headers={"Accept-Encoding": "br"}, auto_decompress=False
    ) as answer:
        assert (answer.status, await answer.read()) == (200, body)
    assert [one.error is None for one in made.engine.deliveries] == [True, False]
    assert made.counters.poison == 1


async def test_an_answer_is_unpacked_no_further_than_is_read(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    """A few kilobytes that would be a hundred megabytes: passed on as they are, and not read."""
    packed = gzip.compress(b'{"answer": "' + b"x" * 100_000_000 + b'"}', 9)
    upstream.answer = answer_of(packed, "Content-Type: application/json\r\nContent-Encoding: gzip")
    made = await gateway()

    tracemalloc.start()
    status, body = await ask(client, f"{made.url}/in/desk")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (status, body == packed) == (200, True)
    assert len(made.engine.events) == 1
    assert peak < 20_000_000


async def test_a_stream_is_scored_at_its_first_line(gateway: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """While it is still being written."""
    made = await gateway()
    seen: list[int] = []

    async def script(writer: Any, got: Got) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nfirst\n")
        await writer.drain()
        while len(made.engine.events) < 2:  # noqa: ASYNC110  # nothing to await; the time limit ends it
            await asyncio.sleep(0)
        seen.append(len(made.engine.events))
        writer.write(b"second\n")
        writer.close()

    upstream.script = script

    assert await ask(client, f"{made.url}/in/desk") == (200, b"first\nsecond\n")
    assert seen == [2]
    texts = [one.text for one in made.engine.events if isinstance(one, Message)]
    assert texts == ["hello", "first"]
    assert made.engine.events[-1].id == "s2"


async def test_a_stream_that_comes_whole_is_read_the_same(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    upstream.answer = answer_of(b"first\nsecond\n", "Content-Type: text/event-stream")
    made = await gateway()

    assert await ask(client, f"{made.url}/in/desk") == (200, b"first\nsecond\n")
    assert [one.id for one in made.engine.events] == ["q1", "s1", "s2"]


async def test_an_answer_of_unknown_length_is_read_at_its_end(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    async def script(writer: Any, got: Got) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + b'{"answer": "hi"}'
        )
        writer.close()

    upstream.script = script
    made = await gateway()

    assert await ask(client, f"{made.url}/in/desk") == (200, b'{"answer": "hi"}')
    assert made.engine.events[-1].text == "hi"


async def test_a_challenge_is_answered_by_us_or_by_the_workflow(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    ours, theirs = await gateway(), await gateway(handshake="forward")

    async with client.get(f"{ours.url}/in/desk?challenge=1158") as answer:
        assert (answer.status, await answer.read()) == (200, b"1158")
    assert not upstream.requests
    async with client.get(f"{theirs.url}/in/desk?challenge=1158") as answer:
        assert answer.status == 200
    assert len(upstream.requests) == 1


async def test_addresses_are_rewritten_and_the_rest_is_not(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    made = await gateway()

    await ask(client, f"{made.url}/out/desk", b'{"url": "https://bot.example/hook"}')
    await ask(client, f"{made.url}/out/desk", b'{"x":  1}')
    first, second = upstream.requests
    assert json.loads(first.body)["url"].endswith("/in/desk")
    assert second.body == b'{"x":  1}'
    assert not made.engine.deliveries, "what such a call tells, its answer tells"


async def test_a_poke_is_noted(gateway: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    made = await gateway()

    await ask(client, f"{made.url}/in/desk", b'{"poke": "t1"}')
    assert made.engine.deliveries[0].notes == (Pull("account", "t1"),)


@pytest.mark.parametrize("what", ["answered", "tap", "handshake", "rewrite"])
async def test_an_adapter_that_fails_stops_no_chat(
    gateway: Any, upstream: Any, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Talking, what, broken)
    upstream.answer = answer_of(b'{"answer": "hi"}')
    made = await gateway()

    assert await ask(client, f"{made.url}/in/desk") == (200, b'{"answer": "hi"}')
