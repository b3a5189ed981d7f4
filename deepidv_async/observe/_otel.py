"""Traces and metrics for OpenTelemetry: a span for each call, and what the calls cost.

Only the API is used; an application without an SDK pays for spans that do nothing. A span is
current while its call runs, since the events of a call come in its own task and context: what
an instrumentation of the HTTP library records in the meantime becomes its child.
"""

from collections.abc import Mapping
from typing import Final

import attrs
from opentelemetry import context, metrics, trace
from opentelemetry.util.types import AttributeValue

from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    Event,
    LimiterWaited,
    RetryScheduled,
    SchemaDrift,
    Throttled,
    __version__,
)

__all__ = ["OpenTelemetry"]

_NAME: Final = "deepidv_async"
_METHOD: Final = "GET"  # every call of this library reads
# Those of OpenTelemetry's conventions for HTTP, up to a minute: calls wait for the limiter.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30, 60)
_CANCELLED: Final = "CancelledError"


@attrs.define
class _Running:
    """A call under way.

    Attributes:
        span: its span.
        outside: the context in which it was made.
        request: attributes of its requests.
        attempt: the span of the attempt under way, if attempts have spans.
    """

    span: trace.Span
    outside: context.Context
    request: Mapping[str, str]
    attempt: trace.Span | None = None


class OpenTelemetry:
    """An observer that makes a span of each call, and metrics of all of them.

    Spans are `INTERNAL` and named after the operation: `deepidv.list_workflows`. Attempts are
    left to an instrumentation of the HTTP library, whose spans become children. It sees the
    requests of an `http_client` that was passed in; a client's own pool is no part of httpx, and
    for that one `attempts=True` makes the spans here.

    Metrics, in seconds but for the count: `deepidv.client.operation.duration`,
    `deepidv.client.limiter.wait` and `deepidv.client.retries`.

    Args:
        tracer_provider: by default the global one.
        meter_provider: by default the global one.
        attempts: make a `CLIENT` span of each attempt. Leave it off beside an instrumentation
            that sees the requests, or each is told twice.

    Raises:
        ImportError: the extra `otel` is not installed.

    Example:
        ```python
        client = AsyncDeepIDV(observers=[OpenTelemetry(attempts=True)])
        ```
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        attempts: bool = False,
    ) -> None:
        self._attempts = attempts
        self._running: dict[str, _Running] = {}
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        meter = metrics.get_meter(_NAME, __version__, meter_provider)
        self._duration = meter.create_histogram(
            "deepidv.client.operation.duration",
            unit="s",
            description="Duration of calls, with waits and retries.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._wait = meter.create_histogram(
            "deepidv.client.limiter.wait",
            unit="s",
            description="How long calls waited for the rate limiter.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._retries = meter.create_counter(
            "deepidv.client.retries", unit="{retry}", description="Attempts that were repeated."
        )

    def __call__(self, event: Event, /) -> None:
        """Record one event."""
        if isinstance(event, CallStarted):
            self._start(event)
        elif running := self._running.get(getattr(event, "call", "")):
            match event:
                case CallFinished():
                    self._finish(event, running)
                case AttemptStarted():
                    self._start_attempt(event, running)
                case AttemptFinished():
                    self._finish_attempt(event, running)
                case RetryScheduled():
                    self._retry(event, running)
                case _:
                    _note(event, running.span)

    def _start(self, event: CallStarted) -> None:
        outside = context.get_current()
        request = {"http.request.method": _METHOD, "url.template": event.path}
        span = self._tracer.start_span(
            f"deepidv.{event.operation}",
            outside,
            attributes=request
            | {
                "deepidv.operation": event.operation,
                "deepidv.api_version": event.api_version,
                "deepidv.priority": event.priority,
                "deepidv.call": event.call,
            },
        )
        self._running[event.call] = _Running(span, outside, request)
        context.attach(trace.set_span_in_context(span, outside))

    def _finish(self, event: CallFinished, running: _Running) -> None:
        del self._running[event.call]
        told = _present(
            {
                "http.response.status_code": event.status,
                "error.type": None if event.outcome == "ok" else event.outcome,
            }
        )
        operation = {"deepidv.operation": event.operation}
        self._duration.record(event.elapsed, operation | told)
        self._wait.record(event.spent.limited, operation)
        span = running.span
        span.set_attributes(told)
        if event.attempts > 1:
            span.set_attribute("http.request.resend_count", event.attempts - 1)
        if event.error is not None:  # a cancelled call is no failure
            span.set_status(trace.StatusCode.ERROR)
        span.end()
        # The garbage collector may close a call in another context than its own, where a token
        # cannot be used: so what was current before is attached again, not the token detached.
        if trace.get_current_span() is span:
            context.attach(running.outside)

    def _start_attempt(self, event: AttemptStarted, running: _Running) -> None:
        if self._attempts:
            running.attempt = self._tracer.start_span(
                f"{_METHOD} {running.request['url.template']}",
                trace.set_span_in_context(running.span, running.outside),
                trace.SpanKind.CLIENT,
                running.request,
            )
            if event.attempt > 1:
                running.attempt.set_attribute("http.request.resend_count", event.attempt - 1)

    def _finish_attempt(self, event: AttemptFinished, running: _Running) -> None:
        told = _present(
            {
                "http.response.status_code": event.status,
                "error.type": event.error,
                "deepidv.request_id": event.request_id,
            }
        )
        if running.attempt is None:
            about = {"deepidv.attempt": event.attempt, "deepidv.elapsed": event.elapsed}
            running.span.add_event("deepidv.attempt", about | told)
            return
        running.attempt.set_attributes(told)
        if event.error not in {None, _CANCELLED}:
            running.attempt.set_status(trace.StatusCode.ERROR)
        running.attempt.end()

    def _retry(self, event: RetryScheduled, running: _Running) -> None:
        cause: dict[str, AttributeValue] = {"error.type": event.error}
        self._retries.add(1, cause | {"deepidv.operation": event.operation})
        about = {"deepidv.attempt": event.attempt, "deepidv.delay": event.delay}
        running.span.add_event("deepidv.retry", cause | about)


def _note(event: Event, span: trace.Span) -> None:
    match event:
        case LimiterWaited():
            span.add_event("deepidv.limiter.wait", {"deepidv.waited": event.waited})
        case Throttled():
            span.add_event("deepidv.throttled", _present({"deepidv.asked": event.retry_after}))
        case SchemaDrift():
            counts = [f"{what}={times}" for what, times in event.counts.items()]
            span.add_event("deepidv.schema_drift", {"deepidv.drift": counts})
        case _:  # a kind that says nothing about a span
            pass


def _present(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}
