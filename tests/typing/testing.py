"""What type checkers must say of the helpers for users' tests. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, assert_type

import httpx
import respx

from deepidv_async import (
    AsyncDeepIDV,
    Clock,
    Page,
    RateLimit,
    RetryPolicy,
    Timer,
    Workflow,
    WorkflowSession,
)
from deepidv_async.simulator import Fault, Journal
from deepidv_async.testing import (
    Failure,
    FakeDeepIDV,
    SentRequest,
    VirtualClock,
    assert_no_key,
    assert_within_rate_limit,
    make_session,
    make_workflow,
    route_to_fake,
    sessions_body,
    workflows_body,
)


async def fakes() -> None:
    """A fake as a context manager of both kinds, its clients, and what it remembers."""
    async with FakeDeepIDV(seed=1, workflows=2, sessions=[3, 0], latency=0.1) as fake:
        assert_type(fake, FakeDeepIDV)
        client = fake.client(api_version="v1", deadline=60, retry=RetryPolicy(), timeout=5)
        assert_type(client, AsyncDeepIDV)
        assert_type(await fake.client("key", rate_limit=None).list_workflows(), Page[Workflow])
        fake.client(http_client=httpx.AsyncClient())  # type: ignore[call-arg]  # it is the fake's  # pyright: ignore[reportCallIssue] - it is the fake's
    with FakeDeepIDV(clock=VirtualClock(), assert_all_used=False) as fake, fake.patched() as same:
        assert_type(same, FakeDeepIDV)
    assert_type(fake.http_client, httpx.AsyncClient)
    assert_type(fake.clock, Clock)
    assert_type(fake.journal, Journal)
    assert_type(fake.requests, list[SentRequest])
    assert_type(fake.add_workflow(name="Tenants"), str)
    sent = fake.requests[0]
    assert_type(sent.at, float)
    assert_type(sent.generation, Literal["legacy", "v1"] | None)
    assert_type(sent.params, Mapping[str, str])
    assert_type(sent.status, int | None)
    assert_type(sent.failure, str | None)


def plans(fake: FakeDeepIDV) -> None:
    """All that can be planned, and what cannot."""
    fake.plan(503, "read-timeout", {"workflows": []}, [], b"", Fault(429, times=2))
    fake.plan(httpx.ReadError("gone"), OSError, Failure("refused"), Failure(OSError, delay=1))
    fake.plan(workflows_body([]), sessions_body([]))
    fake.plan(None)  # type: ignore[arg-type]  # no answer  # pyright: ignore[reportArgumentType] - no answer
    failure = Failure("cut-off", delay=1, times=None, path="/v1/*")
    assert_type(failure.phase, str | None)
    assert_type(failure.lost, bool)
    assert_type(failure.times, int | None)
    by_name: object = failure.kind
    del by_name
    Failure("nonsense")  # type: ignore[arg-type]  # no kind  # pyright: ignore[reportArgumentType] - no kind


async def clocks(clock: VirtualClock, start: datetime) -> None:
    """The virtual clock is one of the clocks that a client takes."""
    taken: Clock = clock
    AsyncDeepIDV("key", clock=VirtualClock(start))
    assert_type(taken.now(), float)
    assert_type(clock.wall(), datetime)
    assert_type(await clock.sleep(1), None)
    timer: Timer = clock.call_later(1, lambda: None)
    timer.cancel()


def records() -> None:
    """Made-up records have the types of real ones."""
    assert_type(make_workflow(name="Tenants"), Workflow)
    assert_type(make_session(seed=3, status="PENDING"), WorkflowSession)
    assert_type(workflows_body([make_workflow()], api_version="v1"), dict[str, Any])
    assert_type(
        sessions_body([make_session()], next_token="t", legacy_body="sessions"), dict[str, Any]
    )


def assertions(fake: FakeDeepIDV, router: respx.MockRouter) -> None:
    """The helpers take what their users have at hand."""
    assert_within_rate_limit(fake.journal)
    assert_within_rate_limit(list(fake.journal), RateLimit(burst=5))
    assert_no_key("text", "key")
    assert_no_key(b"bytes", key="key")
    assert_type(route_to_fake(router, fake, base_url="https://idv.example"), respx.Route)
