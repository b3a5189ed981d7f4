"""What type checkers must say of the public surface. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_type

import httpx
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncDeepIDV,
    Attempt,
    AttemptFinished,
    CallFinished,
    CallStarted,
    DeadlineExceededError,
    DeepIDVError,
    Event,
    ItemIterator,
    LimiterStats,
    NotFoundError,
    Observer,
    Page,
    PartialPage,
    Permit,
    Priority,
    QuotaExceededError,
    RateLimit,
    RateLimiter,
    RateLimitError,
    ResponseDecodeError,
    ResponseInfo,
    RetryPolicy,
    SessionProgress,
    SessionStatus,
    SessionType,
    Timeouts,
    TimeSpent,
    TokenBucket,
    Workflow,
    WorkflowSession,
    WorkflowSessionsPage,
)
from deepidv_async.observe import ErrorLog, EventLog, OpenTelemetry


async def make() -> None:
    """Every argument of the constructor, and the environment for all of them."""
    AsyncDeepIDV()
    AsyncDeepIDV("key", base_url="https://api.example", api_version="v1", timeout=5.0)
    AsyncDeepIDV("key", timeout=Timeouts(connect=5, read=30, write=30, pool=10), deadline=60)
    AsyncDeepIDV("key", retry=RetryPolicy(max_retries=3, initial=0.5, maximum=30))
    AsyncDeepIDV("key", retry=RetryPolicy(retry_after_cap=60), rate_limit=None)
    AsyncDeepIDV("key", rate_limit=RateLimit(per_second=25, burst=35, per_day=10_000, hold=0.5))
    AsyncDeepIDV("key", rate_limit=RateLimit(initial=None, quota_window="utc-day"))
    AsyncDeepIDV("key", max_connections=8, http_client=httpx.AsyncClient(), observers=[watch])
    first = AsyncDeepIDV(None, base_url=None, api_version=None)
    AsyncDeepIDV(rate_limit=first.rate_limiter)
    assert_type(first.rate_limiter, RateLimiter | None)
    async with AsyncDeepIDV() as client:
        assert_type(client, AsyncDeepIDV)
    assert_type(
        client.with_options(timeout=1, deadline=None, retry=RetryPolicy(), priority="bulk"),
        AsyncDeepIDV,
    )
    assert_type(await client.aclose(), None)


async def calls(client: AsyncDeepIDV, when: datetime) -> None:
    """Calls are real coroutines: tasks can be made of them."""
    assert_type(await client.list_workflows(), Page[Workflow])
    sessions = await client.list_workflow_sessions(
        "wf_1", page_size=500, next_token=None, start_date=when, end_date=when
    )
    assert_type(sessions, Page[WorkflowSession])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.list_workflow_sessions("wf_1"))
    assert_type(task.result(), Page[WorkflowSession])
    both = await asyncio.gather(client.list_workflows(), client.list_workflow_sessions("wf_1"))
    assert_type(both, tuple[Page[Workflow], Page[WorkflowSession]])


async def iterators(client: AsyncDeepIDV, when: datetime) -> None:
    """Items, pages, and all of them at once."""
    workflows = client.iter_workflows()
    assert_type(workflows, ItemIterator[Workflow])
    async for workflow in workflows:
        assert_type(workflow, Workflow)
    sessions = client.iter_workflow_sessions("wf_1", page_size=None, start_date=when, end_date=None)
    assert_type(sessions, ItemIterator[WorkflowSession])
    async for session in sessions:
        assert_type(session, WorkflowSession)
    async for page in sessions.pages():
        assert_type(page, Page[WorkflowSession])
    assert_type(await sessions.collect(), list[WorkflowSession])
    assert_type(await sessions.collect(max_items=10), list[WorkflowSession])
    assert_type(await sessions.aclose(), None)
    iterator: AsyncIterator[WorkflowSession] = sessions
    async with contextlib.aclosing(sessions) as closing:
        assert_type(closing, ItemIterator[WorkflowSession])
    assert_type(await anext(iterator), WorkflowSession)


async def ahead(client: AsyncDeepIDV) -> None:
    """Fetching ahead gives the same iterator, in a block."""
    async with client.iter_workflows().prefetched(1) as workflows:
        assert_type(workflows, ItemIterator[Workflow])
        async for workflow in workflows:
            assert_type(workflow, Workflow)
    async with client.iter_workflow_sessions("wf_1").prefetched() as sessions:
        assert_type(sessions, ItemIterator[WorkflowSession])
        assert_type([page async for page in sessions.pages()], list[Page[WorkflowSession]])


async def many(client: AsyncDeepIDV, more: AsyncIterator[str]) -> None:
    """Many workflows at once: ids of any kind of iterable, results with a page or an error."""
    async with client.map_workflow_sessions(["wf_1"], concurrency=8, page_size=None) as results:
        assert_type(results, AsyncIterator[WorkflowSessionsPage])
        async for result in results:
            assert_type(result.workflow_id, str)
            assert_type(result.page, Page[WorkflowSession] | None)
            assert_type(result.error, DeepIDVError | None)
            assert_type(result.last, bool)
    async with client.map_workflow_sessions(more) as results:
        assert_type(await anext(results), WorkflowSessionsPage)
    async with client.map_workflow_sessions(each.id async for each in client.iter_workflows()):
        pass


def pages(page: Page[Workflow], more: Page[WorkflowSession]) -> None:
    """A page is an immutable sequence."""
    sequence: Sequence[Workflow] = page
    assert_type(sequence[0], Workflow)
    assert_type(page[0], Workflow)
    assert_type(page[1:], tuple[Workflow, ...])
    assert_type(len(page), int)
    assert_type(page.items, tuple[Workflow, ...])
    assert_type(page.next_token, str | None)
    assert_type(page.has_more, bool)
    assert_type(page.response, ResponseInfo)
    assert_type([session.id for session in more], list[str])
    info = page.response
    assert_type(info.status, int)
    assert_type(info.request_id, str | None)
    assert_type(info.elapsed, float)
    assert_type(info.attempts, int)


def records(workflow: Workflow, session: WorkflowSession) -> None:
    """Only `id` is certain; statuses are open."""
    assert_type(workflow.id, str)
    assert_type(workflow.name, str | None)
    assert_type(workflow.created_at, datetime | None)
    assert_type(workflow.status, str | None)
    assert_type(workflow.steps, tuple[str, ...] | None)
    assert_type(workflow.extra, Mapping[str, Any])
    assert_type(workflow.to_dict(), dict[str, Any])
    assert_type(session.id, str)
    assert_type(session.submitted_at, datetime | None)
    assert_type(session.status, SessionStatus | str | None)
    assert_type(session.type, SessionType | str | None)
    assert_type(session.session_progress, SessionProgress | str | None)
    assert_type(session.workflow_steps, tuple[str, ...] | None)
    assert_type(session.location, str | Mapping[str, Any] | None)
    assert_type(session.meta_data, Mapping[str, Any] | None)
    assert_type(session.uploads, Mapping[str, bool] | None)
    assert_type(session.to_dict(), dict[str, Any])
    if session.status == SessionStatus.VERIFIED:
        assert_type(session.status.lower(), str)


async def errors(client: AsyncDeepIDV) -> None:
    """What an `except` clause can read."""
    try:
        await client.list_workflows()
    except QuotaExceededError as error:
        assert_type(error.resets_at, datetime | None)
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.retry_at, datetime | None)
    except NotFoundError as error:
        assert_type(error.user_message, str)
    except APIStatusError as error:
        assert_type(error.status, int | None)
        assert_type(error.message, str)
        assert_type(error.code, str | None)
        assert_type(error.hints, tuple[Any, ...])
        assert_type(error.request_id, str | None)
        assert_type(error.attempts, tuple[Attempt, ...])
    except ResponseDecodeError as error:
        assert_type(error.path, str)
        assert_type(error.partial, PartialPage | None)
    except APITimeoutError as error:
        assert_type(error.phase, Literal["connect", "read", "write", "pool"])
    except APIConnectionError as error:
        assert_type(error.attempts, tuple[Attempt, ...])
    except DeadlineExceededError as error:
        assert_type(error.spent, TimeSpent)
    except DeepIDVError as error:
        assert_type(error.to_dict(), dict[str, Any])


class OwnPermit:
    """A permit that users might write."""

    def written(self) -> None: ...
    def seen(self) -> None: ...
    def unsent(self) -> None: ...


class OwnLimiter:
    """A limiter that users might write: three methods, nothing to inherit from."""

    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> OwnPermit:
        """Let everything pass."""
        del cost, priority, deadline
        return OwnPermit()

    def throttled(self, retry_after: float | None) -> None: ...

    def stats(self) -> LimiterStats:
        """Count nothing."""
        return LimiterStats()


async def limiters(client: AsyncDeepIDV) -> None:
    """The bucket and a limiter of one's own both fit the protocol."""
    made = TokenBucket(RateLimit(), clock=None)
    async with made.permit(cost=1, priority="normal", deadline=None) as lent:
        held: Permit = lent
        held.seen()
        lent.refused(1.5)
    async with made.permit(written=False) as unwritten:
        unwritten.written()
    bucket: RateLimiter = made
    own: RateLimiter = OwnLimiter()
    AsyncDeepIDV(rate_limit=bucket)
    AsyncDeepIDV(rate_limit=own)
    permit: Permit = await bucket.acquire(cost=1, priority="bulk", deadline=None)
    permit.written()
    assert_type(bucket.stats(), LimiterStats)
    limiter = client.rate_limiter
    if limiter is not None:
        assert_type(limiter.stats().granted, float)


def watch(event: Event) -> None:
    """A function that takes an event is an observer."""
    if isinstance(event, AttemptFinished):
        assert_type(event.status, int | None)


watcher: Observer = watch


async def observers(tracers: TracerProvider, meters: MeterProvider) -> None:
    """Each of the ready-made ones is an observer."""
    errors = ErrorLog("errors.jsonl", max_bytes=1_000_000, backups=3)
    assert_type(errors.lost, int)
    ready: list[Observer] = [
        errors,
        ErrorLog(Path("errors.jsonl")),
        EventLog(),
        EventLog(logging.getLogger("my.service")),
        OpenTelemetry(),
        OpenTelemetry(tracer_provider=tracers, meter_provider=meters, attempts=True),
    ]
    AsyncDeepIDV(observers=ready)


def ends(event: Event) -> None:
    """What a failed call tells, and what tells calls apart."""
    if isinstance(event, CallStarted):
        assert_type(event.call, str)
    if isinstance(event, CallFinished):
        assert_type(event.status, int | None)
        assert_type(event.error, Mapping[str, Any] | None)
