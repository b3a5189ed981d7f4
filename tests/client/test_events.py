"""What observers are told: every step of a call, in order, and nothing that could hurt."""

import asyncio
import contextvars
import json

import attrs
import httpx
import pytest
import respx

from deepidv_async import (
    Attempt,
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    DeepIDVError,
    InsufficientFundsError,
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
    """Begin, failure, back-off, failure, success, end: one record each, in this order."""
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
        CallStarted(name, "legacy", "/workflow", "normal"),
        AttemptStarted(name, 1),
        AttemptFinished(name, 1, 503, "ServerError", 0.0, "r1"),
        RetryScheduled(name, 1, 0.5, "ServerError"),
        AttemptStarted(name, 2),
        AttemptFinished(name, 2, None, "APIConnectionError", 0.0),
        RetryScheduled(name, 2, 1.0, "APIConnectionError"),
        AttemptStarted(name, 3),
        AttemptFinished(name, 3, 200, None, 0.0, "r3"),
        CallFinished(name, "ok", 3, 1.5, TimeSpent(backing_off=1.5), "legacy", 200),
    ]


@respx.mock
async def test_calls_side_by_side_are_told_apart():
    """Every event of a call carries its name, which no other call has; paths stay templates."""
    respx.get(f"{BASE}/workflow/wf_1").mock(
        side_effect=[
            httpx.Response(429, headers={"retry-after": "1"}),
            *[httpx.Response(200, json={"sessions": [{"id": "s", "new": 1}]})] * 3,
        ]
    )
    events = []
    limit = RateLimit(per_second=1, burst=1)
    async with make_client(rate_limit=limit, observers=[events.append]) as client:
        bulk = client.with_options(priority="bulk")
        await asyncio.gather(
            *(each.list_workflow_sessions("wf_1") for each in (client, bulk, bulk))
        )
    starts = [event for event in events if isinstance(event, CallStarted)]
    assert [start.priority for start in starts] == ["normal", "bulk", "bulk"]
    assert {start.path for start in starts} == {"/workflow/{workflow_id}"}
    told = {start.call: [] for start in starts}
    assert len(told) == 3
    for event in events:
        if (call := getattr(event, "call", None)) is not None:
            told[call].append(type(event))
    for kinds in told.values():
        assert (kinds[0], kinds[-1]) == (CallStarted, CallFinished)
    kinds = {AttemptStarted, AttemptFinished, SchemaDrift, CallStarted, CallFinished}
    first, *others = told.values()
    assert {*first} == kinds | {Throttled, RetryScheduled, LimiterWaited}
    assert all({*other} == kinds | {LimiterWaited} for other in others)


@pytest.mark.parametrize("injected", [False, True], ids=["own pool", "injected client"])
@respx.mock
async def test_a_calls_events_share_its_context(injected):
    """What an observer sets in the context is there till the end, and where requests are sent."""
    inside = contextvars.ContextVar("inside", default="")
    seen = []

    def observe(event):
        if isinstance(event, CallStarted):
            inside.set(event.call)
        seen.append((event.call, inside.get()))
        if isinstance(event, CallFinished):
            inside.set("")

    async def answer(request):
        seen.append(("", inside.get()))
        await asyncio.sleep(1)
        return httpx.Response(200, json=workflows_body())

    respx.get(f"{BASE}/workflow").mock(side_effect=answer)
    async with httpx.AsyncClient() as theirs:
        options = {"http_client": theirs} if injected else {}
        async with make_client(observers=[observe], **options) as client:
            await asyncio.gather(client.list_workflows(), client.list_workflows())
            await client.list_workflows()
            assert inside.get() == ""
    names = {call for call, _ in seen} - {""}
    assert len(names) == 3
    assert all(call in ("", found) for call, found in seen)
    assert [found in names for _, found in seen] == [True] * 15


@respx.mock
async def test_a_failure_is_told_as_plain_data():
    """The end of a failed call has what a log needs; of one that was cancelled, nothing."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(503, headers={"x-request-id": "r1"}),
            httpx.Response(402, text="no funds", headers={"x-request-id": "r2"}),
            never,
        ]
    )

    class Broken(TokenBucket):
        async def acquire(self, **options):
            raise ZeroDivisionError("private")

    events = []
    async with make_client(observers=[events.append]) as client:
        with pytest.raises(InsufficientFundsError):
            await client.list_workflows()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.list_workflows(), 1)
    async with make_client(observers=[events.append], rate_limit=Broken(RateLimit())) as client:
        with pytest.raises(ZeroDivisionError):
            await client.list_workflows()
    paid, cancelled, broken = (event for event in events if isinstance(event, CallFinished))
    assert paid.status == 402
    assert paid.error == {
        "error": "InsufficientFundsError",
        "message": f"HTTP 402. {InsufficientFundsError.advice}",
        "status": 402,
        "code": None,
        "hints": [],
        "request_id": "r2",
        "body": "text/plain, 8 bytes",
        "retry_after": None,
        "retry_at": None,
        "attempts": [
            attrs.asdict(Attempt(1, 503, "ServerError", 0.0, 0.5, "r1")),
            attrs.asdict(Attempt(2, 402, "InsufficientFundsError", 0.0, None, "r2")),
        ],
    }
    assert (cancelled.status, cancelled.error) == (None, None)
    assert (broken.error["error"], broken.error["message"]) == ("ZeroDivisionError", "")
    json.dumps([paid.error, broken.error])


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
    """The microseconds that asking takes on a clock that never stands still are no wait."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    events = []

    class Running(SystemClock):
        reads = 0

        def now(self):
            self.reads += 1
            return self.reads * 50e-6

    async with make_client(observers=[events.append], clock=Running()) as client:
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
    assert len(events) == 4
    assert "ZeroDivisionError on CallStarted" in caplog.text
    assert "private" not in caplog.text
