"""What type checkers must say of clients: what they are made of, views, misuse. Never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, assert_type

import httpx
import httpx2

from deepidv_async import (
    APIVersion,
    AsyncDeepIDV,
    ItemIterator,
    Page,
    PageIterator,
    RetryPolicy,
    SessionStatus,
    Timeouts,
    Workflow,
    WorkflowSession,
    WorkflowSessionsPage,
)


def injected() -> None:
    """Clients of both libraries are taken, and nothing else."""
    AsyncDeepIDV(http_client=httpx.AsyncClient())
    AsyncDeepIDV(http_client=httpx2.AsyncClient())
    AsyncDeepIDV(http_client=None)
    AsyncDeepIDV(http_client=httpx.Client())  # type: ignore[arg-type]  # blocks  # pyright: ignore[reportArgumentType] - blocks
    AsyncDeepIDV(http_client=httpx2.Client())  # type: ignore[arg-type]  # blocks  # pyright: ignore[reportArgumentType] - blocks


def told(client: AsyncDeepIDV) -> None:
    """A client tells where it sends to."""
    assert_type(client.base_url, str)
    assert_type(client.api_version, APIVersion)


class Mine(AsyncDeepIDV):
    """A client of a user's own."""


async def views(client: Mine) -> None:
    """A view is of the client's own class, and has the options that a call has."""
    assert_type(client.with_options(), Mine)
    assert_type(client.with_options(timeout=Timeouts(read=5)).with_options(deadline=None), Mine)
    client.with_options(retry=RetryPolicy(max_retries=0), priority="normal")
    client.with_options(priority="high")  # type: ignore[arg-type]  # no lane  # pyright: ignore[reportArgumentType] - no lane
    client.with_options(rate_limit=None)  # type: ignore[call-arg]  # the client's  # pyright: ignore[reportCallIssue] - the client's
    async with client as same:
        assert_type(same, Mine)


def made_of(client: AsyncDeepIDV) -> None:
    """A call is a coroutine, an iteration an iterator at once."""
    call: Coroutine[Any, Any, Page[Workflow]] = client.list_workflows()
    call.close()
    assert_type(client.iter_workflows().pages(), PageIterator[Workflow])
    assert_type(
        client.iter_workflows().prefetched(2), AbstractAsyncContextManager[ItemIterator[Workflow]]
    )
    assert_type(
        client.map_workflow_sessions(["wf_1"], concurrency=4, page_size=100),
        AbstractAsyncContextManager[AsyncIterator[WorkflowSessionsPage]],
    )


async def misused(client: AsyncDeepIDV) -> None:
    """What would fail when it runs is refused before."""
    AsyncDeepIDV("key", "https://api.example")  # type: ignore[call-arg]  # by name  # pyright: ignore[reportCallIssue] - by name
    AsyncDeepIDV(api_version="v2")  # type: ignore[arg-type]  # no such one  # pyright: ignore[reportArgumentType] - no such one
    for _ in client.iter_workflows():  # type: ignore[attr-defined]  # no `async`  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType] - no `async`
        pass
    client.list_workflows()[0]  # type: ignore[index]  # no `await`  # pyright: ignore[reportIndexIssue] - no `await`
    await client.list_workflow_sessions()  # type: ignore[call-arg]  # no id  # pyright: ignore[reportCallIssue] - no id
    await client.list_workflow_sessions("wf_1", start_date="2026")  # type: ignore[arg-type]  # a text  # pyright: ignore[reportArgumentType] - a text


async def read_only(page: Page[WorkflowSession], session: WorkflowSession) -> None:
    """Pages and records do not change."""
    page[0] = session  # type: ignore[index]  # immutable  # pyright: ignore[reportIndexIssue] - immutable
    page.next_token = None  # type: ignore[misc]  # immutable  # pyright: ignore[reportAttributeAccessIssue] - immutable
    session.status = SessionStatus.VERIFIED  # type: ignore[misc]  # immutable  # pyright: ignore[reportAttributeAccessIssue] - immutable


def whole(session: WorkflowSession) -> None:
    """Every field of a session that the tests of the calls do not read."""
    assert_type(session.name, str | None)
    assert_type((session.created_at, session.updated_at), tuple[datetime | None, datetime | None])
    assert_type(session.expires_at, datetime | None)
    assert_type(session.workflow_id, str | None)
    assert_type(session.external_id, str | None)
    assert_type(session.organization_id, str | None)
    assert_type((session.user_id, session.sender_user_id), tuple[str | None, str | None])
    if session.analysis_data is not None:
        assert_type(session.analysis_data["faceMatch"], Any)
    assert_type(session.extra.get("riskScore"), Any | None)
