"""Traces for OpenTelemetry: an extra, off by default. What leaves is when, how long and how it ended, of which route and host.

Paths, queries, addresses and what exceptions say stay here: platforms put tokens and customers' names there. Nobody's trace is
gone on with, and none is handed on: what is passed on stays as it came.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from sanfen.errors import ConfigError

if TYPE_CHECKING:  # an extra
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from yarl import URL

__all__ = ["trace"]

_KEPT = frozenset({"http.method", "http.request.method", "http.status_code", "http.response.status_code", "http.route"})
_HOST = "server.address"


def trace(exporter: "SpanExporter | None" = None) -> Callable[[], None]:
    """Trace the requests of applications made, and of clients opened, from now on; returns what ends it.

    ``exporter``: where spans go; None: to OTEL_EXPORTER_OTLP_ENDPOINT, by OTLP over HTTP. Raises ConfigError without the extra.
    """
    try:
        from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor  # noqa: PLC0415  # an extra
        from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor  # noqa: PLC0415
        from opentelemetry.propagate import set_global_textmap  # noqa: PLC0415
        from opentelemetry.propagators.composite import CompositePropagator  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigError("tracing: needs the extra otel", hint="pip install 'sanfen[otel]'") from None

    provider = TracerProvider(resource=Resource.create({"service.name": "sanfen"}))
    if exporter is None:
        provider.add_span_processor(BatchSpanProcessor(cast("SpanExporter", _Narrowed(_otlp()))))
    else:
        provider.add_span_processor(SimpleSpanProcessor(cast("SpanExporter", _Narrowed(exporter))))
    set_global_textmap(CompositePropagator([]))
    AioHttpServerInstrumentor().instrument(tracer_provider=provider)
    AioHttpClientInstrumentor().instrument(tracer_provider=provider, url_filter=_host)

    def end() -> None:
        AioHttpServerInstrumentor().uninstrument()
        AioHttpClientInstrumentor().uninstrument()
        provider.shutdown()

    return end


def _otlp() -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # an extra

    return OTLPSpanExporter()


def _host(url: "URL") -> str:
    return str(url.origin())


class _Narrowed:
    """Hands on what may leave."""

    def __init__(self, exporter: "SpanExporter") -> None:
        self._exporter = exporter

    def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
        """The spans without what they must not say."""
        return self._exporter.export([_narrow(span) for span in spans])

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._exporter.force_flush(timeout_millis)


def _narrow(span: "ReadableSpan") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415  # an extra
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    attributes = {name: value for name, value in (span.attributes or {}).items() if name in _KEPT}
    if span.kind == SpanKind.CLIENT:
        attributes[_HOST] = str((span.attributes or {}).get("http.url", "")).rpartition("/")[2]
    return ReadableSpan(
        name=span.name, context=span.context, parent=span.parent, resource=span.resource, attributes=attributes, kind=span.kind,
        instrumentation_scope=span.instrumentation_scope, status=span.status, start_time=span.start_time, end_time=span.end_time,
    )  # fmt: skip
