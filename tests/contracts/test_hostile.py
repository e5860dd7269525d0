"""Hostile and broken deliveries of every channel, through a real gateway: authentic ones go on, others do not, all are counted.

Malformed, truncated, oversized, wrongly signed and replayed bodies; never an answer of 500 and above.
"""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.contracts.test_fixtures import FIXTURES, READERS, READINGS, load, request_of
from tests.served import served

from sanfen.abc import Event, Request
from sanfen.config.settings import ChannelSettings, Secret, Settings, Shop
from sanfen.engine.ingest import Receipt
from sanfen.gateway.app import COUNTERS, build_traffic_app
from sanfen.gateway.limits import Limits
from sanfen.plugins import Plugins
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock

PLUGINS = Plugins()
NOW_MS = 1_795_309_140_000
MOST_BYTES = 1 << 16


class Engine:
    """Keeps everything."""

    cause: str | None = None

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.events: list[Event] = []

    def submit(self, delivery: Delivery, events: Any) -> asyncio.Future[Receipt]:
        self.deliveries.append(delivery)
        self.events += events
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        future.set_result(Receipt(len(events), 0))
        return future


class Behind:
    """The workflow: remembers bodies, answers 200."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        return web.json_response({"ok": True})


class Gateway:
    """A real one for one channel, and what stands behind and before it."""

    def __init__(self, url: str, app: web.Application, engine: Engine, behind: Behind) -> None:
        self.url = url
        self.counters = app[COUNTERS]
        self.engine = engine
        self.behind = behind
        self.client = aiohttp.ClientSession(auto_decompress=False)

    async def send(self, direction: str, request: Request, **changed: Any) -> int:
        request = request._replace(**changed)
        headers = dict(request.headers) | {"content-type": request.headers.get("content-type", "application/json")}
        url = f"{self.url}/{direction}/desk" + (f"/{request.path}" if request.path else "")
        url += f"?{request.query}" if request.query else ""
        body = request.body if request.method not in ("GET", "HEAD") else None
        async with self.client.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            await answer.read()
            return answer.status


@asynccontextmanager
async def gateway(adapter: str, **facts: Any) -> AsyncIterator[Gateway]:
    behind, engine = Behind(), Engine()
    async with served(behind.handle) as where:
        reading = READINGS[adapter]
        settings = ChannelSettings(
            "desk", adapter, forward_in=f"http://{where}", forward_out=f"http://{where}", options=reading.get("options", {}),
            **facts,
        )  # fmt: skip
        made = {"desk": PLUGINS.channel(settings, "shop")}
        whole = Settings(shop=Shop("shop"), channels={"desk": settings})
        app = build_traffic_app(whole, made, engine, FakeClock(NOW_MS), limits=Limits(body_bytes=MOST_BYTES))
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        got = Gateway(f"http://127.0.0.1:{runner.addresses[0][1]}", app, engine, behind)
        try:
            yield got
        finally:
            await got.client.close()
            await runner.cleanup()


def fixtures(adapter: str) -> list[tuple[str, Request]]:
    return [
        (found["direction"], request_of(found))
        for path in FIXTURES
        if READERS[path.parent.name] == adapter
        for found in [load(path)]
    ]


def broken(request: Request) -> list[Request]:
    """A request cut off, filled with rubbish, too deep, of another type, compressed, and as long as is still taken."""
    body = request.body
    bodies = [
        body[: len(body) // 2], body[:-1], body[1:], b"\x00" * 64, b"\xff\xfe" + body, b"[" * 30_000, b"{}", b"[]", b"null", b"",
        b'{"a": NaN}', b'"' + b"x" * 5000 + b'"', body * 2, b"<xml><a>", b"a=1&a=2&%zz", json.dumps([json.loads(b"{}")] * 50).encode(),
        body + b" " * (MOST_BYTES - len(body)),
    ]  # fmt: skip
    out = [request._replace(body=one) for one in bodies]
    out.append(request._replace(headers={**request.headers, "content-type": "image/png"}))
    out.append(request._replace(headers={**request.headers, "content-encoding": "gzip"}, body=gzip.compress(body)))
    out.append(request._replace(method="PUT"))
    out.append(request._replace(query="x=" + "%ff" * 100))
    return out


@pytest.mark.parametrize("adapter", sorted(PLUGINS.channels))
async def test_whatever_comes_goes_on_and_is_counted(adapter: str) -> None:
    """Authentic (the operator wants no signature here), whatever it holds: to the byte, once, never a 5xx of ours."""
    async with gateway(adapter, signing="none") as one:
        sent = 0
        for direction, request in fixtures(adapter):
            for bad in [request, *broken(request)]:
                before = len(one.behind.bodies)
                status = await one.send(direction, bad)
                assert status in (200, 401), (direction, bad.body[:40])  # 401: a call of an API without its token
                if len(one.behind.bodies) > before and "url" not in str(bad.body).lower():  # addresses may be rewritten
                    plain = gzip.decompress(bad.body) if "content-encoding" in bad.headers else bad.body
                    assert one.behind.bodies[-1] == (b"" if bad.method == "GET" else plain)
                sent += 1
        assert sent
        assert one.counters.received == one.counters.journaled == len(one.engine.deliveries)
        assert all(event.id and event.key.channel == "desk" for event in one.engine.events)


@pytest.mark.parametrize("adapter", sorted(PLUGINS.channels))
async def test_what_is_too_long_is_refused(adapter: str) -> None:
    async with gateway(adapter, signing="none") as one:
        for direction, request in fixtures(adapter):
            if request.method == "POST":
                status = await one.send(direction, request, body=b" " * (MOST_BYTES + 1))
                assert status in (401, 413)
        assert not one.behind.bodies


@pytest.mark.parametrize("adapter", sorted(PLUGINS.channels))
async def test_nobody_without_the_secret_writes(adapter: str) -> None:
    """Unsigned, signed with another secret in every known way, or with rubbish: 401, and it goes nowhere."""
    async with gateway(adapter, secrets=(Secret("the-secret-nobody-here-knows"),)) as one:
        for direction, request in fixtures(adapter):
            if direction != "in":
                continue
            for headers, query in forged(request):
                given = {name: value for name, value in request.headers.items() if name == "content-type"}
                assert await one.send("in", request, headers=given | headers, query=query) == 401, headers
        assert not one.behind.bodies
        assert not one.engine.deliveries
        assert one.counters.refused.total() > 0 or all(way == "out" for way, _ in fixtures(adapter))


def forged(request: Request) -> list[tuple[dict[str, str], str]]:
    """What a stranger may try who knows every scheme and no secret."""
    key, body, now = b"another secret", request.body, str(NOW_MS // 1000)
    plain = hmac.digest(key, body, "sha256")
    timed = hmac.digest(key, f"{now}.".encode() + body, "sha256").hex()
    sha1 = hashlib.new("sha1", b"".join(sorted([key, now.encode(), b"n"])), usedforsecurity=False).hexdigest()
    names = (
        "webhook-signature", "x-hub-signature-256", "x-hub-signature", "x-line-signature", "x-slack-signature", "x-api-key",
        "x-twilio-signature", "x-chatwoot-signature", "x-lark-signature", "authorization", "sign", "x-douyin-signature",
        "x-telegram-bot-api-secret-token", "x-zendesk-webhook-signature",
    )  # fmt: skip
    times = {
        "webhook-id": "m", "webhook-timestamp": now, "x-slack-request-timestamp": now, "x-chatwoot-timestamp": now,
        "x-lark-request-timestamp": now, "x-lark-request-nonce": "n", "timestamp": str(NOW_MS),
        "x-zendesk-webhook-signature-timestamp": "2026-11-22T01:00:00Z",
    }  # fmt: skip
    values = [
        "", "another secret", "Bearer another secret", f"sha256={plain.hex()}", base64.b64encode(plain).decode(), f"sha256={timed}",
        f"v1,{base64.b64encode(plain).decode()}", f"v0={plain.hex()}", f"sha1={hmac.digest(key, body, 'sha1').hex()}", "*", "v1,*",
    ]  # fmt: skip
    tries = [
        (times | dict.fromkeys(names, value), f"signature={sha1}&msg_signature={sha1}&timestamp={now}&nonce=n")
        for value in values
    ]
    return [({}, ""), *tries, (times, "sign=ABC&signature=&msg_signature=")]


@pytest.mark.parametrize("adapter", sorted(PLUGINS.channels))
async def test_a_delivery_that_comes_again_is_the_same_events(adapter: str) -> None:
    """So that the journal knows them: the same ids at whatever time, where the channel gives ids."""
    async with gateway(adapter, signing="none") as one:
        for path in [path for path in FIXTURES if READERS[path.parent.name] == adapter]:
            found = load(path)
            if not found["expect"] or any(want.get("msg_id") is None for want in found["expect"]):
                continue
            one.engine.events.clear()
            await one.send(found["direction"], request_of(found))
            first = [event.id for event in one.engine.events]
            await one.send(found["direction"], request_of(found))
            assert [event.id for event in one.engine.events] == first * 2, path
