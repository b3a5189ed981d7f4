"""OpenTelemetry: a span per call, current while it runs, closed however it ends."""

import asyncio
import contextlib
import contextvars
import gc
import logging

import attrs
import httpx
import pytest
import respx
from opentelemetry import context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.trace import SpanKind, StatusCode

from deepidv_async import (
    AttemptFinished,
    AuthenticationError,
    DeadlineExceededError,
    DeepIDVError,
    PauseStarted,
    RateLimit,
    RetryPolicy,
    ServerError,
    SharedLimitLost,
)
from deepidv_async.observe import OpenTelemetry
from raw_server import http_answer, raw_server
from support import BASE, KEY, make_client, workflows_body

pytestmark = pytest.mark.asyncio
virtual = pytest.mark.virtual_time


def attributes_of(span):
    """Give a span's attributes but for the call's name, which is drawn at random."""
    told = dict(span.attributes)
    told.pop("deepidv.call", None)
    return told


def events_of(span):
    return [(event.name, dict(event.attributes)) for event in span.events]


@virtual
@respx.mock
async def test_a_span_for_a_call(telemetry):
    """One internal span, named after the operation, with what the conventions ask for."""
    respx.get(f"{BASE}/workflow/wf_1").mock(
        side_effect=[
            httpx.Response(503, headers={"x-request-id": "r1"}),
            httpx.ConnectError("gone"),
            httpx.Response(200, json={"sessions": [{"id": "s", "new": 1}]}),
        ]
    )
    async with make_client(observers=[OpenTelemetry(**telemetry.providers)]) as client:
        await client.list_workflow_sessions("wf_1")
    (span,) = telemetry.spans
    assert (span.name, span.kind) == ("deepidv.list_workflow_sessions", SpanKind.INTERNAL)
    assert span.status.status_code is StatusCode.UNSET
    assert (span.instrumentation_scope.name, span.parent) == ("deepidv_async", None)
    assert len(span.attributes["deepidv.call"]) == 16
    assert attributes_of(span) == {
        "deepidv.operation": "list_workflow_sessions",
        "deepidv.api_version": "legacy",
        "deepidv.priority": "normal",
        "http.request.method": "GET",
        "url.template": "/workflow/{workflow_id}",
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
    }
    failed, lost = {"error.type": "ServerError"}, {"error.type": "APIConnectionError"}
    answered = {"http.response.status_code": 503, "deepidv.request_id": "r1"}
    assert events_of(span) == [
        ("deepidv.attempt", {"deepidv.attempt": 1, "deepidv.elapsed": 0.0} | failed | answered),
        ("deepidv.retry", {"deepidv.attempt": 1, "deepidv.delay": 0.5} | failed),
        ("deepidv.attempt", {"deepidv.attempt": 2, "deepidv.elapsed": 0.0} | lost),
        ("deepidv.retry", {"deepidv.attempt": 2, "deepidv.delay": 1.0} | lost),
        (
            "deepidv.attempt",
            {"deepidv.attempt": 3, "deepidv.elapsed": 0.0, "http.response.status_code": 200},
        ),
        ("deepidv.schema_drift", {"deepidv.drift": ("unknown_field:new=1",)}),
    ]


@virtual
@respx.mock
async def test_metrics(telemetry):
    """Duration and limiter wait of each call, and each retry, by operation and error."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(503),
            httpx.Response(200, json=workflows_body()),
            httpx.Response(401),
        ]
    )
    limit = RateLimit(per_second=1, burst=1)
    observers = [OpenTelemetry(**telemetry.providers)]
    async with make_client(rate_limit=limit, observers=observers) as client:
        await client.list_workflows()
        with pytest.raises(AuthenticationError):
            await client.list_workflows()
    points = telemetry.points()
    assert sorted(points) == [
        "deepidv.client.limiter.wait",
        "deepidv.client.operation.duration",
        "deepidv.client.retries",
    ]
    operation = {"deepidv.operation": "list_workflows"}
    durations = {
        point.attributes.get("error.type", "ok"): point
        for point in points["deepidv.client.operation.duration"]
    }
    assert dict(durations["ok"].attributes) == operation | {"http.response.status_code": 200}
    assert durations["ok"].sum == pytest.approx(1.0, abs=0.001)
    assert durations["ok"].explicit_bounds[0] == 0.005
    assert dict(durations["AuthenticationError"].attributes) == operation | {
        "http.response.status_code": 401,
        "error.type": "AuthenticationError",
    }
    (wait,) = points["deepidv.client.limiter.wait"]
    assert (dict(wait.attributes), wait.count) == (operation, 2)
    assert wait.sum == pytest.approx(1.5, abs=0.001)
    (retries,) = points["deepidv.client.retries"]
    assert retries.value == 1
    assert dict(retries.attributes) == operation | {"error.type": "ServerError"}
    waits = [event for span in telemetry.spans for event in events_of(span)]
    assert [dict(told) for name, told in waits if name == "deepidv.limiter.wait"] == [
        {"deepidv.waited": pytest.approx(0.5, abs=0.001)},
        {"deepidv.waited": pytest.approx(1.0, abs=0.001)},
    ]


@virtual
@respx.mock
async def test_a_429_is_an_event_of_the_span(telemetry):
    """The 429 stands in the span of the call that met it; the limiter's news in none."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": "2"}),
            httpx.Response(429),
            httpx.Response(200, json=workflows_body()),
        ]
    )
    observer = OpenTelemetry(**telemetry.providers)
    async with make_client(observers=[observer]) as client:
        await client.list_workflows()
    observer(PauseStarted(1.0, None))
    observer(SharedLimitLost("ConnectionError", 0.25))
    observer(AttemptFinished("list_workflows", 1, 200, None, 0.1, call="of nobody"))
    (span,) = telemetry.spans
    asked = [told for name, told in events_of(span) if name == "deepidv.throttled"]
    assert asked == [{"deepidv.asked": 2.0}, {}]


@virtual
@respx.mock
async def test_an_event_of_another_kind_is_passed_over(telemetry):
    """What says nothing about a span leaves it alone."""

    @attrs.frozen
    class News:
        call: str

    respx.get(f"{BASE}/workflow").respond(200, json=workflows_body())
    observer = OpenTelemetry(**telemetry.providers)

    def news(event):
        if isinstance(event, AttemptFinished):
            observer(News(event.call))

    async with make_client(observers=[observer, news]) as client:
        await client.list_workflows()
    (span,) = telemetry.spans
    assert [name for name, _ in events_of(span)] == ["deepidv.attempt"]


@virtual
@respx.mock
async def test_how_a_call_ends_is_how_its_span_ends(telemetry):
    """Failures are errors and named; cancellations are named and no errors; none stays open."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(side_effect=[httpx.Response(401), never, never])
    outside = context.get_current()
    observer = OpenTelemetry(**telemetry.providers)
    async with make_client(observers=[observer]) as client:
        with pytest.raises(AuthenticationError):
            await client.list_workflows()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.list_workflows(), 1)
        with pytest.raises(DeadlineExceededError):
            await client.with_options(deadline=1).list_workflows()
    with pytest.raises(DeepIDVError):
        await client.list_workflows()
    assert [
        (span.attributes["error.type"], span.status.status_code) for span in telemetry.spans
    ] == [
        ("AuthenticationError", StatusCode.ERROR),
        ("CancelledError", StatusCode.UNSET),
        ("DeadlineExceededError", StatusCode.ERROR),
        ("ClientClosedError", StatusCode.ERROR),
    ]
    assert {span.status.description for span in telemetry.spans} == {None}
    assert context.get_current() == outside
    assert observer._running == {}


@pytest.mark.parametrize("own_spans", [False, True], ids=["instrumented", "own spans"])
async def test_attempts_are_children(telemetry, own_spans):
    """The spans of an instrumented HTTP client, or ours for our own pool, belong to the call."""

    async def answer(server, head):
        if len(server.requests) % 2:
            return http_answer(b"{}", "503 Busy")
        return http_answer(b'{"workflows": []}')

    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(**telemetry.providers)
    observer = OpenTelemetry(**telemetry.providers, attempts=own_spans)
    tracer = telemetry.tracers.get_tracer("a service")
    retry = RetryPolicy(initial=0)
    try:
        async with raw_server(answer) as server, httpx.AsyncClient() as theirs:
            async with make_client(
                base_url=server.base_url,
                http_client=None if own_spans else theirs,
                retry=retry,
                observers=[observer],
            ) as client:
                with tracer.start_as_current_span("request"):
                    await client.list_workflows()
                    await client.list_workflows()
    finally:
        instrumentor.uninstrument()
    *rest, request = telemetry.spans
    calls = [span for span in rest if span.kind is SpanKind.INTERNAL]
    attempts = [span for span in rest if span.kind is SpanKind.CLIENT]
    assert [span.parent.span_id for span in calls] == [request.context.span_id] * 2
    first, second = (span.context.span_id for span in calls)
    assert [span.parent.span_id for span in attempts] == [first, first, second, second]
    assert {span.context.trace_id for span in rest} == {request.context.trace_id}
    names = {"GET /workflow"} if own_spans else {"GET"}
    assert {span.name for span in attempts} == names


@virtual
@respx.mock
async def test_pages_fetched_by_other_tasks_belong_to_whoever_asked(telemetry):
    """Fetched ahead or for many workflows at once: spans are children, no context stays behind."""
    body = {"sessions": [{"id": "s"}], "next_token": "more"}
    respx.get(f"{BASE}/v1/sessions").mock(
        side_effect=[httpx.Response(200, json=body | {"next_token": each}) for each in ("a", None)]
        + [httpx.Response(200, json=body | {"next_token": None})] * 3
    )
    tracer = telemetry.tracers.get_tracer("a service")
    observers = [OpenTelemetry(**telemetry.providers)]
    async with make_client(api_version="v1", observers=observers) as client:
        with tracer.start_as_current_span("request") as request:
            async with client.iter_workflow_sessions("wf_1").prefetched(1) as items:
                assert len([item async for item in items]) == 2
            async with client.map_workflow_sessions(["a", "b", "c"]) as results:
                assert len([result async for result in results]) == 3
            assert trace.get_current_span() is request
    *calls, _ = telemetry.spans
    assert [span.parent.span_id for span in calls] == [request.context.span_id] * 5


@virtual
@respx.mock
async def test_spans_of_our_own_for_attempts(telemetry):
    """With `attempts=True` each attempt is a client span, also one that is cut off."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(503, headers={"x-request-id": "r1"}), never]
    )
    observer = OpenTelemetry(**telemetry.providers, attempts=True)
    async with make_client(observers=[observer]) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.list_workflows(), 2)
    first, second, call = telemetry.spans
    request = {"http.request.method": "GET", "url.template": "/workflow"}
    assert dict(first.attributes) == request | {
        "http.response.status_code": 503,
        "error.type": "ServerError",
        "deepidv.request_id": "r1",
    }
    assert dict(second.attributes) == request | {
        "http.request.resend_count": 1,
        "error.type": "CancelledError",
    }
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET
    assert [name for name, _ in events_of(call)] == ["deepidv.retry"]


async def test_a_storm_of_cancellations_leaves_nothing_attached(telemetry, caplog):
    """500 calls, cut off at any point: each span ends, no context stays, nobody else's is hurt."""

    async def answer(server, head):
        await asyncio.sleep(0.002)
        return http_answer(b'{"workflows": []}')

    observer = OpenTelemetry(**telemetry.providers, attempts=True)
    tracer = telemetry.tracers.get_tracer("a service")

    async def request(client, number):
        with tracer.start_as_current_span("request") as span:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.list_workflows(), number % 50 / 5_000)
            assert trace.get_current_span() is span

    async with raw_server(answer) as server:
        async with make_client(
            base_url=server.base_url, rate_limit=None, observers=[observer]
        ) as client:
            for start in range(0, 500, 50):
                await asyncio.gather(*(request(client, start + each) for each in range(50)))
            assert trace.get_current_span() is trace.INVALID_SPAN
    assert observer._running == {}
    parents = {
        span.context.span_id: span for span in telemetry.spans if span.kind is SpanKind.INTERNAL
    }
    calls = [span for span in parents.values() if span.name == "deepidv.list_workflows"]
    assert len(calls) <= 500  # a task that is cancelled at once never begins
    assert {parents[span.parent.span_id].name for span in calls} == {"request"}
    assert [record.getMessage() for record in caplog.records] == []


@respx.mock
async def test_a_call_that_is_dropped_in_the_middle(telemetry, caplog):
    """A call that is closed in another context ends its span, and touches no context but its own.

    The garbage collector closes a coroutine wherever it happens to run.
    """

    class Paused:
        def __await__(self):
            yield

    async def wait(request):
        await Paused()

    respx.get(f"{BASE}/workflow").mock(side_effect=wait)
    observer = OpenTelemetry(**telemetry.providers)
    tracer = telemetry.tracers.get_tracer("a service")
    async with make_client(observers=[observer], rate_limit=None) as client:
        call = client.list_workflows()
        elsewhere = contextvars.copy_context()
        elsewhere.run(call.send, None)
        with tracer.start_as_current_span("request") as span:
            del call
            gc.collect()
            assert trace.get_current_span() is span
    dropped, _ = telemetry.spans
    assert dropped.attributes["error.type"] == "GeneratorExit"
    assert dropped.status.status_code is StatusCode.UNSET
    assert observer._running == {}
    assert "Failed to detach context" not in caplog.text


@virtual
@respx.mock
async def test_a_failing_sdk_breaks_no_call(telemetry, caplog):
    """A tracer or a meter that raises is an observer that raises."""
    respx.get(f"{BASE}/workflow").respond(200, json=workflows_body("wf_1"))

    class Broken(trace.TracerProvider):
        def get_tracer(self, *args, **options):
            return self

        def start_span(self, *args, **options):
            raise LookupError(KEY)

    outside = context.get_current()
    observer = OpenTelemetry(tracer_provider=Broken(), meter_provider=telemetry.meters)
    async with make_client(observers=[observer]) as client:
        assert len(await client.list_workflows()) == 1
    assert "observer OpenTelemetry raised LookupError on CallStarted" in caplog.text
    assert KEY not in caplog.text
    assert context.get_current() == outside


@virtual
@respx.mock
async def test_without_an_sdk_it_does_nothing(caplog):
    """The API alone gives spans that are no spans: calls go on, and nothing is logged."""
    caplog.set_level(logging.WARNING)
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(503), httpx.Response(503), httpx.Response(503)] * 2
    )
    for attempts in (False, True):
        client = make_client(
            observers=[OpenTelemetry(attempts=attempts)], retry=RetryPolicy(max_retries=2)
        )
        async with client:
            with pytest.raises(ServerError):
                await client.list_workflows()
    assert caplog.records == []
