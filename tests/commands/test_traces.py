"""The spans of a run, as a collector receives them."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from pipelines.commands.run import RunResult
from pipelines.commands.traces import NOT_TAKEN, is_asked, send_traces
from pipelines.warehouse.journal import LoadResult
from transforms.runner.build import BuildResult

BEGAN = datetime(2026, 11, 17, 3, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=60)
SECRET = "canary-1"
GOOD = LoadResult("whippy", windows=3, planned=3, new=7, seconds=12.5)
BAD = LoadResult("zoom", planned=3, seconds=99, errors=(f"HTTP 401 {SECRET}",))
BUILD = BuildResult(None, {"whippy": 7}, {}, 0, 20.0)


class Collector(ThreadingHTTPServer):
    """A collector that keeps what it is sent, and answers with one status."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receives)
        self.bodies: list[bytes] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Receives(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.bodies.append(self.rfile.read(length))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
        yield server
        server.shutdown()


def test_a_run_is_a_span_with_one_for_each_vendor_and_the_build(
    collector: Collector,
) -> None:
    result = RunResult((GOOD, BAD), BUILD, None)
    assert send_traces("run", result, BEGAN, ENDED) == ""
    (body,) = collector.bodies
    assert SECRET.encode() not in body
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    spans = {one.name: one for one in scope.spans}
    whole = spans.pop("callhouse run")
    assert spans.keys() == {"load whippy", "load zoom", "build"}
    assert {one.parent_span_id for one in spans.values()} == {whole.span_id}
    seconds = {
        name: (one.end_time_unix_nano - one.start_time_unix_nano) / 10**9
        for name, one in spans.items()
    }
    # No part lasts longer than the whole, whatever its own clock measured.
    assert seconds == {"load whippy": 12.5, "load zoom": 60, "build": 20}
    found = {one.key: one.value for one in spans["load whippy"].attributes}
    assert found["callhouse.new"].int_value == 7
    failed = {name for name, one in spans.items() if one.status.code == 2}
    assert failed == {"load zoom"}
    assert whole.status.code == 2


def test_a_collector_that_refuses_is_told_of_and_harms_nothing(
    collector: Collector,
) -> None:
    collector.status = 400
    result = RunResult((GOOD,), None, None)
    assert send_traces("load", result, BEGAN, ENDED) == NOT_TAKEN


def test_without_an_endpoint_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert send_traces("run", RunResult((), None, None), BEGAN, ENDED) == ""
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert is_asked(named)
    assert not is_asked({**named, "OTEL_SDK_DISABLED": "true"})
