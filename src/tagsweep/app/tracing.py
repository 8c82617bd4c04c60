"""Traces of what a command does, for OpenTelemetry: only where the environment names a collector, as its SDKs have it.

OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) names it, and its other variables are read by the
SDK itself (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). The SDK is the extra
``tagsweep[otel]``, and is not loaded elsewhere. Traces that cannot be sent are told, and fail nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from tagsweep import __version__
from tagsweep.model.errors import TagsweepError

if TYPE_CHECKING:
    from tagsweep.ports import Progress

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_DISABLED: Final = "OTEL_SDK_DISABLED"
_LOGGER: Final = "opentelemetry"

Value: TypeAlias = str | int | float | bool
Tell: TypeAlias = Callable[[str, Value], None]
"""Adds an attribute to the span that it was given for; ``tagsweep.`` is put before its name."""


class Trace(Protocol):
    """What a use case says about its own work."""

    def span(self, name: str, **attributes: Value) -> AbstractContextManager[Tell]:
        """Give a span that lasts as long as the context, below the one that is open."""

    def close(self) -> None:
        """Send what is left."""


class NoTrace:
    """The trace where nobody asked for one."""

    def span(self, name: str, **attributes: Value) -> AbstractContextManager[Tell]:  # noqa: ARG002 (said to nobody)
        """Do nothing."""
        return contextlib.nullcontext(_to_nobody)

    def close(self) -> None:
        """Do nothing."""


def _to_nobody(name: str, value: Value) -> None:
    pass


def tracing(environ: Mapping[str, str], progress: Progress) -> Trace:
    """Return the trace that the environment asks for; a note says why there is none although it was asked for."""
    named = next((name for name in _ENDPOINTS if environ.get(name, "").strip()), None)
    if named is None or environ.get(_DISABLED, "").strip().lower() == "true":
        return NoTrace()
    try:
        return _OpenTelemetry(environ, progress)
    except ImportError:
        progress.note(f"{named} is set, and OpenTelemetry is not installed: pip install 'tagsweep[otel]'")
    except Exception as error:  # noqa: BLE001 (what its variables say is checked by the SDK, in its own ways)
        progress.note(f"no traces are sent, OpenTelemetry could not be started: {type(error).__name__}")
    return NoTrace()


class _OpenTelemetry:
    def __init__(self, environ: Mapping[str, str], progress: Progress) -> None:
        exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        resources = import_module("opentelemetry.sdk.resources")
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        api = import_module("opentelemetry.trace")

        logger = logging.getLogger(_LOGGER)
        logger.handlers = [_Notes(progress)]
        logger.propagate = False
        named = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "tagsweep"}
        self._provider = sdk.TracerProvider(
            resource=resources.Resource.create({**named, "service.version": __version__})
        )
        self._provider.add_span_processor(export.BatchSpanProcessor(exporter.OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tagsweep", __version__)
        self._failed: Callable[[str], Any] = lambda why: api.Status(api.StatusCode.ERROR, why)

    @contextlib.contextmanager
    def span(self, name: str, **attributes: Value) -> Iterator[Tell]:
        """Give a span; an error of ours is its status, in the words that a person is told."""
        told = {f"tagsweep.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(
            name, attributes=told, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield lambda key, value: span.set_attribute(f"tagsweep.{key}", value)
            except TagsweepError as error:
                span.set_status(self._failed(str(error)))
                raise
            except BaseException as error:
                span.set_status(self._failed(type(error).__name__))  # its words may be anything
                raise

    def close(self) -> None:
        """Send what is left; takes as long as OTEL_EXPORTER_OTLP_TIMEOUT says, at most."""
        self._provider.shutdown()


class _Notes(logging.Handler):
    """Makes one note of what the SDK logs, without tracebacks and addresses."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress
        self._said = False

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 (its words may have the address)
        if not self._said:
            self._said = True
            self._progress.note("traces could not be sent: does the collector answer?")
