"""What type checkers must say where the base install is all there is. Never run.

`nox -s typing` checks this file once more without httpx2 and without any extra.
"""

# pyright: strict

from typing import assert_type

import httpx

from deepidv_async import AsyncDeepIDV, ItemIterator, Page, RateLimiter, Workflow, WorkflowSession
from deepidv_async.observe import ErrorLog, EventLog
from deepidv_async.testing import FakeDeepIDV


async def used() -> None:
    """The client, its calls and its views have all their types."""
    async with httpx.AsyncClient() as http, AsyncDeepIDV("key", http_client=http) as client:
        assert_type(client, AsyncDeepIDV)
        assert_type(await client.list_workflows(), Page[Workflow])
        sessions = client.with_options(deadline=5).iter_workflow_sessions("wf_1")
        assert_type(sessions, ItemIterator[WorkflowSession])
        assert_type(client.rate_limiter, RateLimiter | None)
    async with AsyncDeepIDV(observers=[EventLog(), ErrorLog("errors.jsonl")]) as client:
        assert_type([each.id async for each in client.iter_workflows()], list[str])
    async with FakeDeepIDV(workflows=2) as fake:
        assert_type(fake.client(deadline=5), AsyncDeepIDV)
