"""Spans of a run for OpenTelemetry: the run, each vendor's load in it, and the build.

The standard variables OTEL_EXPORTER_OTLP_* say where they are sent; without an endpoint
there are none. The packages are those of the extra ``callhouse[otel]``.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.commands.run import RunResult

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
COUNTS = (
    *("windows", "planned", "records", "new", "changed", "quarantined"),
    *("deleted", "requests", "retries"),
)
"""The counts of a load that its span has; names of fields of a `LoadResult`."""
NOT_INSTALLED = (
    "traces: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; "
    "install callhouse[otel]"
)
NOT_TAKEN = "traces: the collector did not take the spans of this run"


def is_asked(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if a collector is named and OpenTelemetry is not turned off."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and any(environment.get(name) for name in ENDPOINTS)


def send_traces(
    command: str, result: RunResult, began: datetime, ended: datetime
) -> str:
    """Send the spans of a run to the collector; return what went wrong, "" if nothing.

    No span has a value of a record or the text of an error.
    """
    if not is_asked():
        return ""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415
    except ImportError:
        return NOT_INSTALLED
    # It would print addresses, which may have a secret in them.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    exporter = OTLPSpanExporter()
    try:
        sent = exporter.export([*_spans(command, result, began, ended)])
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    return "" if sent is SpanExportResult.SUCCESS else NOT_TAKEN


def _spans(
    command: str, result: RunResult, began: datetime, ended: datetime
) -> "Iterator[ReadableSpan]":
    """Yield the spans of a run: those of its parts, then its own."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.trace import Span, Status, StatusCode  # noqa: PLC0415
    from opentelemetry.trace import set_span_in_context as within  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME") or "callhouse"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    tracer = provider.get_tracer("callhouse")

    def closed(span: Span, at: datetime, *, is_good: bool) -> "Iterator[ReadableSpan]":
        if not is_good:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(at))
        yield span  # type: ignore[misc]  # the SDK's own span, which can be read

    whole = tracer.start_span(f"callhouse {command}", start_time=_nanoseconds(began))
    for one in result.outcomes:
        counts = {f"callhouse.{name}": getattr(one, name) for name in COUNTS}
        part = tracer.start_span(
            f"load {one.vendor}",
            context=within(whole),
            attributes={"callhouse.vendor": one.vendor, **counts},
            start_time=_nanoseconds(began),
        )
        end = began + timedelta(seconds=one.seconds)
        yield from closed(part, min(end, ended), is_good=one.is_complete)
    if result.build is not None:
        rebuilt = sum(result.build.rebuilt.values())
        part = tracer.start_span(
            "build",
            context=within(whole),
            attributes={
                "callhouse.rebuilt": rebuilt,
                "callhouse.full": result.build.is_full,
            },
            start_time=_nanoseconds(ended - timedelta(seconds=result.build.seconds)),
        )
        yield from closed(part, ended, is_good=not result.kept)
    yield from closed(whole, ended, is_good=result.is_complete)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
