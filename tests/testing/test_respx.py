"""A route of respx that a fake answers: for code that uses httpx without this library."""

import httpx
import pytest
import respx

from deepidv_async import AsyncDeepIDV, RetryPolicy
from deepidv_async.testing import Failure, FakeDeepIDV, route_to_fake

pytestmark = pytest.mark.asyncio

BASE = "https://api.deepidv.com"


@pytest.mark.parametrize("path", ["/workflow", "/workflow/KNOWN", "/v1/workflows", "/v1/sessions"])
async def test_both_generations_are_answered(path):
    """Every documented call of plain httpx code gets the fake's answer, and is in its journal."""
    fake = FakeDeepIDV(workflows=2, sessions=3)
    with respx.mock() as router:
        route = route_to_fake(router, fake)
        async with httpx.AsyncClient() as http:
            url = f"{BASE}{path}?limit=2".replace("KNOWN", fake.workflow_ids[0])
            answer = await http.get(url, headers={"x-api-key": fake.api_key})
    assert answer.status_code == 200
    assert answer.json().keys() & {"workflows", "sessions"}
    assert (route.call_count, len(fake.journal), len(fake.requests)) == (1, 1, 1)


@pytest.mark.parametrize("base_url", [BASE, f"{BASE}/v1", "https://idv.example/dev/"])
async def test_the_client_over_respx(base_url):
    """A client of this library works over it too, wherever it believes the API to be."""
    stage = "/dev" if base_url.endswith("/dev/") else ""
    fake = FakeDeepIDV(workflows=1, sessions=60, stage=stage)
    with respx.mock() as router:
        route_to_fake(router, fake, base_url=base_url)
        async with AsyncDeepIDV(
            fake.api_key, base_url=base_url, api_version="v1", clock=fake.clock
        ) as client:
            (workflow,) = await client.list_workflows()
            assert len(await client.iter_workflow_sessions(workflow.id).collect()) == 60


async def test_plans_and_failures():
    """Planned answers and failures reach code over respx; waits stay virtual."""
    fake = FakeDeepIDV()
    fake.plan(503, Failure("disconnected"), "refused", Failure("cut-off", delay=5))
    with respx.mock() as router:
        route_to_fake(router, fake)
        async with AsyncDeepIDV(
            fake.api_key, clock=fake.clock, retry=RetryPolicy(max_retries=4, initial=60)
        ) as client:
            page = await client.list_workflows()
    assert page.response.attempts == 5
    assert fake.clock.now() > 5


async def test_other_routes_are_not_touched():
    """What is no documented call is left to the router's other routes, or to its refusal."""
    fake = FakeDeepIDV()
    with respx.mock(assert_all_called=False) as router:
        route_to_fake(router, fake)
        router.get("https://other.example/workflow").respond(204)
        async with httpx.AsyncClient() as http:
            assert (await http.get("https://other.example/workflow")).status_code == 204
            for path in ("/", "/workflow/", "/workflow/a/b", "/v1/workflowsx", "/v2/workflows"):
                with pytest.raises(respx.models.AllMockedAssertionError):
                    await http.get(f"{BASE}{path}")
            with pytest.raises(respx.models.AllMockedAssertionError):
                await http.get("https://api-deepidv.com/workflow")
    assert fake.requests == []
