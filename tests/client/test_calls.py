"""What goes out for each call of each generation, and what comes back from it."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async import AsyncDeepIDV, InvalidArgumentError, Page, UnsupportedByAPIVersionError
from deepidv_async._calls import sessions_call
from support import BASE, KEY, make_client, sessions_body, workflows_body

pytestmark = pytest.mark.asyncio


@respx.mock
async def test_legacy_workflows():
    """The default generation asks `GET /workflow`, with the key and nothing in the query."""
    route = respx.get(f"{BASE}/workflow").respond(json=workflows_body("wf_2", "wf_1"))
    async with make_client() as client:
        page = await client.list_workflows()
    request = route.calls.last.request
    assert str(request.url) == f"{BASE}/workflow"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip, deflate"
    assert [workflow.id for workflow in page] == ["wf_2", "wf_1"]
    assert (page.next_token, page.has_more) == (None, False)


@respx.mock
async def test_legacy_sessions():
    """The legacy sessions of a workflow are under its own path, the id percent-encoded."""
    route = respx.get(url__startswith=f"{BASE}/workflow/").respond(json=sessions_body("s1"))
    async with make_client() as client:
        page = await client.list_workflow_sessions("wf 1+é")
    assert route.calls.last.request.url.raw_path == b"/workflow/wf%201%2B%C3%A9"
    assert page[0].id == "s1"


@respx.mock
async def test_v1_workflows():
    """The current generation asks `GET /v1/workflows`."""
    respx.get(f"{BASE}/v1/workflows").respond(json=workflows_body("wf_1"))
    async with make_client(api_version="v1") as client:
        assert len(await client.list_workflows()) == 1


@respx.mock
async def test_v1_sessions_with_all_arguments():
    """Every argument goes into the query, in the forms that the API documents."""
    route = respx.get(url__startswith=f"{BASE}/v1/sessions").respond(
        json=sessions_body("s1", next_token="n+/=")
    )
    east = timezone(timedelta(hours=2))
    async with make_client(api_version="v1") as client:
        page = await client.list_workflow_sessions(
            "wf_1",
            page_size=500,
            next_token="a+/=&b",
            start_date=datetime(2026, 5, 1, 2, tzinfo=east),
            end_date=datetime(2026, 5, 2, 0, 0, 0, 1, tzinfo=UTC),
        )
    query = route.calls.last.request.url.query.decode()
    assert parse_qsl(query, strict_parsing=True) == [
        ("workflow_id", "wf_1"),
        ("limit", "500"),
        ("start_date", "2026-05-01T00:00:00.000Z"),
        ("end_date", "2026-05-02T00:00:00.001Z"),
        ("next_token", "a+/=&b"),
    ]
    assert "a%2B%2F%3D%26b" in query
    assert (page.next_token, page.has_more) == ("n+/=", True)


@pytest.mark.parametrize(
    ("base_url", "version", "url"),
    [
        ("https://api.deepidv.com/v1", None, "https://api.deepidv.com/v1/workflows"),
        ("https://api.deepidv.com/v1/", "v1", "https://api.deepidv.com/v1/workflows"),
        ("https://gw.example/dev", None, "https://gw.example/dev/workflow"),
        ("https://gw.example/dev/v1/", None, "https://gw.example/dev/v1/workflows"),
        ("http://127.0.0.1:81", "v1", "http://127.0.0.1:81/v1/workflows"),
    ],
)
@respx.mock
async def test_base_urls(base_url, version, url):
    """A base URL may end in a slash or `/v1` and may carry a stage prefix."""
    route = respx.get(url).respond(json=workflows_body())
    async with make_client(base_url=base_url, api_version=version) as client:
        await client.list_workflows()
    assert route.called


@respx.mock
async def test_environment(monkeypatch):
    """Key, host and generation come from the environment; arguments win."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "from-env")
    monkeypatch.setenv("DEEPIDV_BASE_URL", "https://env.example")
    monkeypatch.setenv("DEEPIDV_API_VERSION", "v1")
    route = respx.get("https://env.example/v1/workflows").respond(json=workflows_body())
    legacy = respx.get("https://env.example/workflow").respond(json=workflows_body())
    async with AsyncDeepIDV() as client, AsyncDeepIDV("mine", api_version="legacy") as other:
        await client.list_workflows()
        await other.list_workflows()
    assert route.calls.last.request.headers["x-api-key"] == "from-env"
    assert legacy.calls.last.request.headers["x-api-key"] == "mine"


async def test_calls_are_coroutines():
    """The `list_` calls are coroutine functions: task groups, gather and anyio take them."""
    assert inspect.iscoroutinefunction(AsyncDeepIDV.list_workflows)
    assert inspect.iscoroutinefunction(AsyncDeepIDV.list_workflow_sessions)
    with respx.mock:
        respx.get(f"{BASE}/workflow").respond(json=workflows_body("wf_1"))
        async with make_client() as client:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(client.list_workflows())
            gathered = await asyncio.gather(client.list_workflows(), client.list_workflows())
            async with anyio.create_task_group() as other:
                other.start_soon(client.list_workflows)
    assert {len(task.result()), *map(len, gathered)} == {1}


@respx.mock
async def test_response_info():
    """A page tells how it was had, without any object of the HTTP library."""
    respx.get(f"{BASE}/workflow").respond(
        json=workflows_body("wf_1"), headers={"x-amzn-RequestId": "req-1"}
    )
    async with make_client() as client:
        page = await client.list_workflows()
    assert isinstance(page, Page)
    assert (page.response.status, page.response.request_id, page.response.attempts) == (
        200,
        "req-1",
        1,
    )
    assert page.response.elapsed >= 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"page_size": 10},
        {"next_token": "t"},
        {"start_date": datetime(2026, 1, 1, tzinfo=UTC)},
        {"end_date": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
async def test_legacy_refuses_what_it_cannot_honour(arguments):
    """Paging and dates under legacy are an error that names the generation that has them."""
    async with make_client() as client:
        with pytest.raises(UnsupportedByAPIVersionError, match='api_version="v1"') as caught:
            await client.list_workflow_sessions("wf_1", **arguments)
    assert next(iter(arguments)) in str(caught.value)


@pytest.mark.parametrize("workflow_id", ["", ".", "..", "a/b", "a?b", "a#b", "a%2Fb", "a\nb", 5])
@pytest.mark.parametrize("version", ["legacy", "v1"])
async def test_bad_ids_never_leave(workflow_id, version):
    """A wrong id is refused before any request, by the iterator at once."""
    async with make_client(api_version=version) as client:
        with pytest.raises(InvalidArgumentError, match="workflow_id"):
            await client.list_workflow_sessions(workflow_id)
        with pytest.raises(InvalidArgumentError, match="workflow_id"):
            client.iter_workflow_sessions(workflow_id)


@given(st.text(min_size=1, max_size=200))
async def test_any_accepted_id_stays_one_segment(text):
    """Whatever id is accepted, the path keeps its one segment and decodes to that id."""
    try:
        call = sessions_call("legacy", text)
    except InvalidArgumentError:
        return
    path = httpx.URL(call.request(BASE).url).raw_path.decode()
    assert path.startswith("/workflow/")
    assert path.count("/") == 2
    assert httpx.URL(call.request(BASE).url).path == f"/workflow/{text}"


@given(st.text(min_size=1, max_size=200))
async def test_any_accepted_token_arrives_as_it_was(text):
    """Whatever cursor is accepted, the server reads exactly that from the query."""
    try:
        call = sessions_call("v1", "wf_1", next_token=text)
    except InvalidArgumentError:
        return
    query = httpx.URL(call.request(BASE).url).query.decode()
    assert parse_qsl(query, strict_parsing=True, keep_blank_values=True) == [
        ("workflow_id", "wf_1"),
        ("next_token", text),
    ]
