"""A delivery's order of things: proved, read, queued, forwarded, committed, answered. And what happens when one fails."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook

from sanfen.abc import ChannelAdapter, ParseError, VerifyError
from sanfen.config.settings import ChannelSettings
from sanfen.core.events import Message
from sanfen.engine.ingest import Receipt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime.fromtimestamp(1_795_309_132, UTC)


def signed(body: bytes, secret: str = SECRET, name: str = "msg_1") -> dict[str, str]:
    """Headers as the reference library makes them."""
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, NOW, body.decode()),
    }


async def test_an_authentic_question_is_queued_and_forwarded(
    start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    """The signature reaches the workflow untouched, so it can verify again."""
    gateway = await start(secrets=[SECRET])
    headers = signed(question)

    async with client.post(f"{gateway.url}/in/desk/hook?token=t", data=question, headers=headers) as answer:
        assert answer.status == 200

    (event,) = gateway.engine.events
    assert (event.sender, event.text, event.key) == ("customer", "在吗", ("shop", "desk", "c1"))
    (delivery,) = gateway.engine.deliveries
    assert delivery == (1_795_309_132_000, "desk", "in", "POST", "/in/desk/hook", question, None, None, None, None, ())
    got = upstream.requests[0]
    seen = {name.decode(): value.decode() for name, value in got.headers}
    assert headers.items() <= seen.items()


async def test_a_forged_delivery_goes_nowhere(
    start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    """Not forwarded, not parsed, not journaled; the reason is for this machine only."""
    gateway = await start(secrets=[SECRET])
    forged = signed(question, "whsec_" + "A" * 32)

    async with client.post(f"{gateway.url}/in/desk", data=question, headers=forged) as answer:
        assert answer.status == 401
        assert json.loads(await answer.read())["reason"] == "mismatch"
    far = forged | {"X-Forwarded-For": "203.0.113.9"}
    async with client.post(f"{gateway.url}/in/desk", data=question, headers=far) as answer:
        assert answer.status == 401
        assert json.loads(await answer.read()) == {"title": "not authentic", "status": 401}

    assert not upstream.requests
    assert not gateway.engine.deliveries
    assert gateway.counters.refused == {"mismatch": 2}


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b'{"from": "nobody"}', b"NaN", b'"\\ud800"', b'{"a":1,"a":2}']
)
async def test_an_unreadable_body_is_kept_and_forwarded(
    start: Any, upstream: Any, client: aiohttp.ClientSession, body: bytes
) -> None:
    """Whether the chat goes on is not ours to say; the journal has the bytes and the reason."""
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=body) as answer:
        assert answer.status == 200

    assert upstream.requests[0].body == body
    (delivery,) = gateway.engine.deliveries
    assert delivery.body == body
    assert delivery.error
    assert (gateway.engine.events, gateway.counters.poison) == ([], 1)


async def test_a_compressed_body_is_forwarded_unread(start: Any, upstream: Any, client: aiohttp.ClientSession) -> None:
    """Never expanded: neither a bomb nor a change of the signed bytes."""
    gateway = await start()
    body = b"\x1f\x8b bomb"

    async with client.post(f"{gateway.url}/in/desk", data=body, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 200

    assert upstream.requests[0].body == body
    assert gateway.engine.deliveries[0].error == "content-encoding gzip: forwarded, not read"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"from": "nobody"}', {}, 400),
        (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_without_a_workflow_an_unreadable_body_is_refused(
    start: Any, client: aiohttp.ClientSession, body: bytes, headers: dict[str, str], status: int
) -> None:
    """It is kept all the same."""
    gateway = await start(forward_in=None)

    async with client.post(f"{gateway.url}/in/desk", data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")

    assert gateway.engine.deliveries[0].body == body


async def test_without_a_workflow_the_answer_is_the_receipt(
    start: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    gateway = await start(forward_in=None)

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert (answer.status, await answer.json()) == (200, {"accepted": 1, "duplicates": 0})
    async with client.get(f"{gateway.url}/in/desk") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("mode", ["fail", "raise", "hang"])
async def test_without_a_workflow_nothing_is_promised_before_the_commit(
    start: Any, client: aiohttp.ClientSession, question: bytes, mode: str
) -> None:
    gateway = await start(forward_in=None, ack_budget_ms=50)
    gateway.engine.mode = mode

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_the_question_is_queued_before_the_workflow_can_answer(
    start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    """A callback that comes back before the webhook is answered finds the question ahead of it."""
    gateway = await start()
    reply = question.replace(b'"customer"', b'"merchant", "mode": "human"').replace(b"q1", b"r1")

    async def script(writer: asyncio.StreamWriter, got: Any) -> None:
        if got.line.startswith(b"POST /in"):
            async with client.post(f"{gateway.url}/out/desk", data=reply) as early:
                assert early.status == 200
        writer.write(upstream.answer)

    upstream.script = script

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert answer.status == 200

    assert [event.id for event in gateway.engine.events] == ["q1", "r1"]


async def test_the_answer_waits_for_the_commit(
    start: Any, upstream: Any, client: aiohttp.ClientSession, question: bytes
) -> None:
    """The forward does not; the sender's 2xx does."""
    gateway = await start(ack_budget_ms=10_000)
    gateway.engine.mode = "hang"

    post = asyncio.create_task(client.post(f"{gateway.url}/in/desk", data=question))
    await upstream.arrived.wait()
    done, _ = await asyncio.wait([post], timeout=0.1)
    assert not done
    gateway.engine.held[0].set_result(Receipt(1, 0))
    async with await post as answer:
        assert answer.status == 200

    assert (gateway.counters.journaled, gateway.counters.late, gateway.counters.gap) == (1, 0, 0)


@pytest.mark.parametrize(("mode", "counted"), [("fail", (1, 0, 1, 0)), ("raise", (1, 0, 1, 0)), ("hang", (1, 0, 0, 1))])
async def test_a_broken_journal_does_not_stop_the_chat(
    start: Any,
    upstream: Any,
    client: aiohttp.ClientSession,
    question: bytes,
    mode: str,
    counted: tuple[int, int, int, int],
) -> None:
    """The upstream's own answer, within the budget, and the loss is counted."""
    gateway = await start(ack_budget_ms=80)
    gateway.engine.mode = mode
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with client.post(f"{gateway.url}/in/desk", data=question) as answer:
        assert (answer.status, await answer.read()) == (200, b'{"ok":true}')

    assert loop.time() - started < 1
    counters = gateway.counters
    assert (counters.received, counters.journaled, counters.gap, counters.late) == counted
    assert len(upstream.requests) == 1


async def test_a_late_commit_is_no_gap(start: Any, client: aiohttp.ClientSession, question: bytes) -> None:
    """received = journaled + gap, once nothing is under way."""
    gateway = await start(ack_budget_ms=10)
    gateway.engine.mode = "hang"
    for _ in range(2):
        async with client.post(f"{gateway.url}/in/desk", data=question):
            pass
    first, second = gateway.engine.held

    first.set_result(Receipt(1, 0))
    second.set_exception(OSError("disk"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    counters = gateway.counters
    assert (counters.received, counters.journaled, counters.gap, counters.late) == (2, 1, 1, 2)


async def test_polling_leaves_no_trace(start: Any, client: aiohttp.ClientSession) -> None:
    """A GET without a body and without events is passed on and not journaled."""
    gateway = await start()

    async with client.get(f"{gateway.url}/out/desk/getUpdates") as answer:
        assert answer.status == 200

    assert not gateway.engine.deliveries


async def test_what_the_workflow_sends_is_the_merchants(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()

    async with client.post(f"{gateway.url}/out/desk", data=b'{"conversation": "c1", "text": "hi"}'):
        pass

    (event,) = gateway.engine.events
    assert isinstance(event, Message)
    assert (event.sender, event.mode) == ("merchant", "unknown")


async def test_unknown_channels_are_named_to_this_machine_only(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()

    async with client.post(f"{gateway.url}/in/other", data=b"x") as answer:
        near = await answer.json(content_type=None)
    async with client.post(f"{gateway.url}/in/other", data=b"x", headers={"X-Real-IP": "203.0.113.9"}) as answer:
        far = await answer.json(content_type=None)

    assert (near["status"], near["channels"]) == (404, ["desk"])
    assert "channels" not in far


async def test_a_larger_body_passes_where_the_operator_allows(
    start: Any, upstream: Any, client: aiohttp.ClientSession
) -> None:
    """Forwarded whole, not read, and not copied into the journal."""
    gateway = await start(options={"forward_bytes": "1000000"})
    body = b"x" * 900_000

    async with client.post(f"{gateway.url}/out/desk", data=body) as answer:
        assert answer.status == 200

    assert upstream.requests[0].body == body
    assert gateway.engine.deliveries[0].body == b""
    assert gateway.engine.deliveries[0].error == "larger than 262144 bytes: forwarded, not read"


class Broken:
    """An adapter with a bug."""

    channel = "desk"
    content_types = ChannelAdapter.content_types

    def __init__(self, fails: str) -> None:
        self.fails = fails

    def verify(self, *_: object) -> None:
        if self.fails == "verify":
            raise KeyError("x")
        if self.fails == "refuse":
            raise VerifyError("no", reason="no")

    def parse(self, *_: object) -> list[Any]:
        if self.fails == "parse":
            raise KeyError("x")
        raise ParseError("unreadable")


@pytest.mark.parametrize(("fails", "status"), [("verify", 401), ("refuse", 401), ("parse", 200), ("neither", 200)])
async def test_an_adapter_with_a_bug_stops_no_chat(
    start: Any, upstream: Any, client: aiohttp.ClientSession, fails: str, status: int
) -> None:
    """A parser's bug is a poison delivery; a verifier's bug proves nothing, so nothing passes."""
    adapter = Broken(fails)
    channel = ChannelSettings("desk", "broken", forward_in=f"http://127.0.0.1:{upstream.port}")
    gateway = await start(channels={"desk": channel}, adapters={"desk": adapter})

    async with client.post(f"{gateway.url}/in/desk", data=b"x") as answer:
        assert answer.status == status


PICTURE = b"\x89PNG" + b"CANARY" * 100


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
async def test_what_no_adapter_reads_is_passed_on_and_not_kept(
    start: Any, upstream: Any, client: aiohttp.ClientSession, kind: str
) -> None:
    """A picture on its way is no message: the workflow gets every byte, the journal a line without it."""
    gateway = await start()

    async with client.post(f"{gateway.url}/in/desk", data=PICTURE, headers={"Content-Type": kind}) as answer:
        assert answer.status == 200

    assert upstream.requests[0].body == PICTURE
    (delivery,) = gateway.engine.deliveries
    assert delivery.body == b""
    assert delivery.error == f"content-type {kind!r}: forwarded, not read"
    assert gateway.counters.poison == 0


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/cloudevents+json",
        "",
        None,
    ],
)
async def test_json_is_read_however_it_is_declared(
    start: Any, client: aiohttp.ClientSession, question: bytes, kind: str | None
) -> None:
    gateway = await start()
    skipped = ["Content-Type"] if kind is None else []
    headers = {} if kind is None else {"Content-Type": kind}

    async with client.post(
        f"{gateway.url}/in/desk", data=question, headers=headers, skip_auto_headers=skipped
    ) as answer:
        assert answer.status == 200
    assert [event.id for event in gateway.engine.events] == ["q1"]


@pytest.mark.parametrize("way", ["/in/desk", "/events"])
async def test_what_ends_here_must_be_readable(start: Any, client: aiohttp.ClientSession, way: str) -> None:
    """A form of another site's page, sent by a browser, is no event."""
    gateway = await start(forward_in=None)

    async with client.post(gateway.url + way, data={"a": "b"}) as answer:
        assert answer.status == 415
    assert not gateway.engine.events
