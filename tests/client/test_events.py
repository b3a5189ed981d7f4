"""What observers are told: every step of a call, in order, and nothing that could hurt."""

import asyncio
import time

import httpx
import pytest
import respx

from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    DeepIDVError,
    LimiterWaited,
    PauseStarted,
    QuotaExceededError,
    QuotaSpent,
    RateLearned,
    RateLimit,
    RetryScheduled,
    SchemaDrift,
    Throttled,
    TimeSpent,
    TokenBucket,
)
from deepidv_async._clock import SystemClock
from support import BASE, make_client, workflows_body

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


@respx.mock
async def test_the_events_of_a_call_with_a_retry():
    """Start, failure, back-off, start, success, end: one record each, in this order."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(503, headers={"x-request-id": "r1"}),
            httpx.ConnectError("gone"),
            httpx.Response(200, json=workflows_body("wf_1"), headers={"x-request-id": "r3"}),
        ]
    )
    events = []
    async with make_client(observers=[events.append]) as client:
        await client.list_workflows()
    name = "list_workflows"
    assert events == [
        AttemptStarted(name, 1),
        AttemptFinished(name, 1, 503, "ServerError", 0.0, "r1"),
        RetryScheduled(name, 1, 0.5, "ServerError"),
        AttemptStarted(name, 2),
        AttemptFinished(name, 2, None, "APIConnectionError", 0.0),
        RetryScheduled(name, 2, 1.0, "APIConnectionError"),
        AttemptStarted(name, 3),
        AttemptFinished(name, 3, 200, None, 0.0, "r3"),
        CallFinished(name, "ok", 3, 1.5, TimeSpent(backing_off=1.5)),
    ]


@respx.mock
async def test_drift_is_one_event_with_counts():
    """What differs from the documentation is counted by kind and told once for a page."""
    body = {
        "workflows": [
            {"id": "a", "riskScore": 5, "name": 7},
            {"id": "b", "riskScore": 6},
            {"id": "c"},
        ]
    }
    respx.get(f"{BASE}/workflow").respond(json=body)
    events = []
    async with make_client(observers=[events.append]) as client:
        page = await client.list_workflows()
    drift = [event for event in events if isinstance(event, SchemaDrift)]
    assert drift == [
        SchemaDrift("list_workflows", {"unknown_field:riskScore": 2, "wrong_type:name": 1})
    ]
    assert (page[0].name, page[0].extra) == (None, {"riskScore": 5, "name": 7})


@respx.mock
async def test_waiting_for_the_limiter_is_told():
    """A call that had to wait for its permit says how long."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    events = []
    limit = RateLimit(per_second=2, burst=1)
    async with make_client(rate_limit=limit, observers=[events.append]) as client:
        await client.list_workflows()
        await client.list_workflows()
    waits = [event for event in events if isinstance(event, LimiterWaited)]
    assert [(wait.operation, wait.waited) for wait in waits] == [
        ("list_workflows", pytest.approx(0.5, abs=0.01))
    ]


@respx.mock
async def test_a_permit_at_once_is_no_wait():
    """The microseconds that asking takes on a real clock are not told as a wait."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    events = []

    class RealTime(SystemClock):
        def now(self):
            return time.monotonic()

    async with make_client(observers=[events.append], clock=RealTime()) as client:
        await client.list_workflows()
    assert not any(isinstance(event, LimiterWaited) for event in events)


@pytest.mark.parametrize("limited", [True, False])
@respx.mock
async def test_a_429_is_told(limited):
    """A refusal by the server is an event of its own, with what the server asked for."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": "3"}),
            httpx.Response(200, json=workflows_body()),
        ]
    )
    events = []
    limit = RateLimit() if limited else None
    async with make_client(rate_limit=limit, observers=[events.append]) as client:
        await client.list_workflows()
    paused = [event for event in events if isinstance(event, Throttled)]
    assert paused == [Throttled("list_workflows", 3.0)]


@respx.mock
async def test_the_limiters_own_news_reach_the_observers():
    """Pauses, learned rates and quota news are told to every client of a limiter, until closed."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": "2"}),
            httpx.Response(200, json=workflows_body()),
            httpx.Response(429, json={"message": "Limit Exceeded"}),
        ]
    )
    events, others = [], []
    limiter = TokenBucket(RateLimit())
    other = make_client(rate_limit=limiter, observers=[others.append])
    async with make_client(rate_limit=limiter, observers=[events.append]) as client:
        await client.list_workflows()
        await other.aclose()
        with pytest.raises(QuotaExceededError):
            await client.list_workflows()
    kinds = (PauseStarted, RateLearned, QuotaSpent)
    told = [type(event) for event in events if isinstance(event, kinds)]
    assert told == [PauseStarted, RateLearned, QuotaSpent]
    assert [type(event) for event in others] == [PauseStarted, RateLearned]


@respx.mock
async def test_every_call_has_a_last_event():
    """However a call ends, the last event tells its outcome; so do calls that sent nothing."""
    respx.get(f"{BASE}/workflow").respond(401, json={"error": "Invalid API key."})

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow/wf_1").mock(side_effect=never)
    events = []
    client = make_client(observers=[events.append])
    with pytest.raises(DeepIDVError):
        await client.list_workflows()
    task = asyncio.create_task(client.list_workflow_sessions("wf_1"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    with pytest.raises(DeepIDVError):
        await client.list_workflows()
    ends = [event for event in events if isinstance(event, CallFinished)]
    assert [(end.outcome, end.attempts) for end in ends] == [
        ("AuthenticationError", 1),
        ("CancelledError", 1),
        ("ClientClosedError", 0),
    ]
    assert ends[1].spent.on_wire == pytest.approx(1)
    tries = [event for event in events if isinstance(event, AttemptFinished)]
    assert [(each.status, each.error) for each in tries] == [
        (401, "AuthenticationError"),
        (None, "CancelledError"),
    ]


@respx.mock
async def test_a_failing_observer_breaks_nothing(caplog):
    """An observer that raises is named in the log; the others and the call go on."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body("wf_1"))
    events = []

    def broken(event):
        raise ZeroDivisionError("private")

    async with make_client(observers=[broken, events.append]) as client:
        assert len(await client.list_workflows()) == 1
    assert len(events) == 3
    assert "ZeroDivisionError on AttemptStarted" in caplog.text
    assert "private" not in caplog.text
