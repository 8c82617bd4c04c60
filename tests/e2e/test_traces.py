"""The traces of a sweep, as a collector of OpenTelemetry gets them."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tests.e2e.attempts import installed
from tests.e2e.kit import GATEWAY, Place, fill, gateway, part_of, policy
from tests.e2e.serving import Handler, serving

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "metrics.md"
ONLY_THEN = {"tagsweep.refused", "tagsweep.due", "tagsweep.steps.failed"}
"""Attributes that a sweep has only where a guard refused, a date was due, or a step failed."""
VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def registry(place: Place) -> Iterator[FakeRegistry]:
    """Return a registry with a part of tensorzero/gateway, for which there is a policy."""
    with FakeRegistry(DISTRIBUTION_3) as running:
        fill(running, part_of(gateway()))
        place.write(policy(f"{running.host}/{GATEWAY}", more="schedule: quarterly\n"))
        installed(place)
        yield running


@contextmanager
def collector(status: int = 200) -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Serve OTLP over HTTP on loopback; give the endpoint and what it was sent."""
    got: list[ExportTraceServiceRequest] = []

    class Receiver(Handler):
        def respond(self) -> None:
            body = self.body()
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            got.append(ExportTraceServiceRequest.FromString(body))
            self.answer(status)

    with serving(Receiver) as url:
        yield url, got


def spans_of(got: list[ExportTraceServiceRequest]) -> list[Span]:
    """Return all spans that came, in the order of their beginning."""
    found = [
        span
        for request in got
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def tree(spans: list[Span]) -> list[str]:
    """Return the names with those of what they are in."""
    names = {span.span_id: span.name for span in spans}
    return [f"{names.get(span.parent_span_id, '')} > {span.name}" for span in spans]


def values(span: Span) -> dict[str, object]:
    """Return the attributes of a span."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def test_a_sweep_is_one_trace_with_its_parts(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning, applying, verifying and recording are below the run, the repository below each, with their numbers."""
    before = len(registry.tags(GATEWAY))
    with collector() as (endpoint, got):
        monkeypatch.setenv(VARIABLE, endpoint)
        place.run("run", "-c", str(place.policy))
    spans = spans_of(got)
    assert tree(spans) == [
        " > tagsweep run",
        "tagsweep run > plan",
        "plan > evidence",
        "plan > plan repository",
        "tagsweep run > apply",
        "apply > apply repository",
        "tagsweep run > verify",
        "verify > verify repository",
        "tagsweep run > record",
    ]
    assert len({span.trace_id for span in spans}) == 1
    by_name = {span.name: values(span) for span in spans}
    gone = before - len(registry.tags(GATEWAY))
    assert by_name["tagsweep run"]["tagsweep.result"] == "swept"
    assert by_name["apply"]["tagsweep.removed"] == by_name["plan repository"]["tagsweep.removals"] == gone
    assert by_name["apply repository"]["tagsweep.repository"] == f"{registry.host}/{GATEWAY}"
    named = {one.key: one.value.string_value for one in got[0].resource_spans[0].resource.attributes}
    assert named["service.name"] == "tagsweep"


@pytest.mark.usefixtures("registry")
def test_the_page_shows_the_spans_and_their_attributes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/how-to/metrics.md names every span of a sweep, and no attribute that a sweep does not have."""
    with collector() as (endpoint, got):
        monkeypatch.setenv(VARIABLE, endpoint)
        place.run("run", "-c", str(place.policy))
    sent = {span.name: {one.key for one in span.attributes} for span in spans_of(got)}
    page = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^[│├└─ ]*([a-z]+(?: [a-z]+)*) {2,}(tagsweep\..*)$", page, re.MULTILINE)
    assert {name for name, _ in lines} == sent.keys()
    for name, attributes in lines:
        assert set(re.findall(r"tagsweep\.[a-z.]+", attributes)) - ONLY_THEN <= sent[name], name


def test_an_error_is_the_status_of_its_spans(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is marked with the words that a person is told; what it is part of has the result."""
    registry.fail_next(1000, status=500)
    with collector() as (endpoint, got):
        monkeypatch.setenv(VARIABLE, endpoint)
        place.run("run", "-c", str(place.policy), expect=1)
    spans = {span.name: span for span in spans_of(got)}
    assert spans["plan repository"].status.code == spans["plan repository"].status.STATUS_CODE_ERROR
    assert "500" in spans["plan repository"].status.message
    assert values(spans["tagsweep run"])["tagsweep.result"] == "failed"


def test_a_collector_that_refuses_fails_nothing(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep is done and one line says that its traces are lost, without the address."""
    with collector(400) as (endpoint, got):
        monkeypatch.setenv(VARIABLE, endpoint)
        done = place.run("run", "-c", str(place.policy))
        assert got
    assert done.err.count("traces could not be sent") == 1
    assert endpoint not in done.text
    assert registry.tags(GATEWAY)


@pytest.mark.parametrize(("variable", "value"), [("OTEL_SDK_DISABLED", "true"), (VARIABLE, "")])
def test_nothing_is_loaded_where_nobody_asks(
    place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Without an endpoint, and where it is switched off, the SDK is not even imported."""
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.sdk")]:
        monkeypatch.delitem(sys.modules, name)
    place.run("run", "-c", str(place.policy))
    assert [name for name in sys.modules if name.startswith("opentelemetry.sdk")] == []
    assert registry.tags(GATEWAY)


def test_a_missing_extra_is_told(place: Place, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK is not installed the sweep goes on, and one line says what to install."""
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert "pip install 'tagsweep[otel]'" in place.run("run", "-c", str(place.policy)).err
    assert registry.tags(GATEWAY)
