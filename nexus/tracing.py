"""Export to an OpenTelemetry collector: a span for each request, with the fields of its log line."""

from collections.abc import Callable
from typing import Any

from nexus.config import Settings

#: The fields of a span by their OpenTelemetry names; the user is not among them.
ATTRIBUTES = {
    "http.request.method": "method",
    "http.route": "route",
    "http.response.status_code": "status",
    "http.response.body.size": "bytes",
    "nexus.queries": "queries",
    "nexus.db_ms": "db_ms",
    "nexus.request": "request",
}


def recorder(settings: Settings) -> Callable[[dict[str, Any], float], None]:
    """A function that records a request and when it ended (seconds since 1970).

    It exports a span in the background, as a child of the one in the request's `traceparent`. Without
    OTEL_EXPORTER_OTLP_ENDPOINT it does nothing.
    """
    if settings.otel_exporter_otlp_endpoint is None:
        return lambda *_: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # The service name, unless the environment sets another, and nothing about the machine.
    provider = TracerProvider(
        resource=Resource({"service.name": "nexus"}).merge(OTELResourceDetector().detect())
    )
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    tracer = provider.get_tracer("nexus")
    parent = TraceContextTextMapPropagator()

    def record(facts: dict[str, Any], at: float) -> None:
        ended = int(at * 1e9)
        span = tracer.start_span(
            f"{facts['method']} {facts['route']}",
            context=parent.extract({"traceparent": facts.get("traceparent", "")}),
            kind=SpanKind.SERVER,
            start_time=ended - int(facts["ms"] * 1e6),
            attributes={name: facts[fact] for name, fact in ATTRIBUTES.items()},
        )
        if facts["status"] >= 500:
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    return record
