"""Traces say when and how it ended, and nothing that anybody wrote."""

from collections.abc import Iterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from sanfen import tracing
from sanfen.errors import ConfigError

CANARY = "canary7"
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    end = tracing.trace(exporter)
    yield exporter
    end()


async def handle(request: web.Request) -> web.Response:
    if "fail" in request.query:
        raise RuntimeError(CANARY)
    return web.Response(text=str(dict(request.headers)))


async def served() -> TestServer:
    app = web.Application()
    app.router.add_get("/in/{name}", handle)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_a_request_has_a_span_on_both_sides(spans: InMemorySpanExporter) -> None:
    server = await served()
    port = server.port
    async with ClientSession() as client:
        answer = await client.get(server.make_url(f"/in/{CANARY}?token={CANARY}"), headers={"User-Agent": CANARY})
        passed = await answer.text()
        failed = await client.get(server.make_url("/in/x?fail=1"))
    await server.close()
    by_kind: dict[SpanKind, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        by_kind.setdefault(span.kind, []).append(span)

    assert [span.name for span in by_kind[SpanKind.SERVER]] == ["GET /in/{name}"] * 2
    assert [dict(span.attributes or {}) for span in by_kind[SpanKind.CLIENT]] == [
        {"http.method": "GET", "http.status_code": status, "server.address": f"127.0.0.1:{port}"} for status in (200, 500)
    ]  # fmt: skip
    assert failed.status == 500
    assert CANARY not in "".join(span.to_json() for span in spans.get_finished_spans())
    assert "traceparent" not in passed.lower()  # what is passed on stays as it came


async def test_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(ConfigError, match="needs the extra otel"):
        tracing.trace()
