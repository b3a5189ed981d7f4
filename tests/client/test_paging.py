"""Pages and iterators: every record once, in order, through whatever the server does."""

import asyncio
import copy
import gc
import pickle

import httpx
import pytest
import respx

from deepidv_async import (
    APIConnectionError,
    InvalidArgumentError,
    ItemIterator,
    Page,
    ResponseDecodeError,
    ResponseInfo,
    RetryPolicy,
)
from support import BASE, make_client, sessions_body, workflows_body

pytestmark = pytest.mark.asyncio

INFO = ResponseInfo(status=200, request_id=None, elapsed=0.1, attempts=1)


def serve_v1(*pages):
    """Mock `GET /v1/sessions`: page n has the token `t<n>` and names the one behind it."""

    def answer(request):
        token = request.url.params.get("next_token")
        index = int(token[1:]) if token else 0
        found = pages[index]
        if isinstance(found, httpx.Response | Exception):
            pages_left[index] = None
            return _raise(found)
        after = f"t{index + 1}" if index + 1 < len(pages) else None
        return httpx.Response(200, json=sessions_body(*found, next_token=after))

    pages_left = dict(enumerate(pages))
    return respx.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=answer)


def serve_places(places):
    """Mock `GET /v1/sessions` by its cursor: each place (`""` the first) has answers in turn.

    A request for a place that is unknown, or asked too often, fails.
    """
    left = {token: iter(answers) for token, answers in places.items()}

    def answer(request):
        found = next(left[request.url.params.get("next_token", "")], None)
        if found is None:
            raise LookupError("this place was not to be asked for again")
        if isinstance(found, dict):
            return httpx.Response(200, json=found)
        return _raise(found)

    return respx.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=answer)


def _raise(found):
    if isinstance(found, Exception):
        raise found
    return found


@respx.mock
async def test_paging_goes_on_until_the_token_is_null():
    """Short and empty pages are not the end; the order is the server's."""
    route = serve_v1(["s9", "s8"], [], ["s7"], [], [])
    async with make_client(api_version="v1") as client:
        found = [session.id async for session in client.iter_workflow_sessions("wf_1")]
    assert found == ["s9", "s8", "s7"]
    assert route.call_count == 5


@respx.mock
async def test_nothing_is_asked_for_before_it_is_needed():
    """Making and dropping an iterator sends nothing; one page is fetched at a time."""
    route = serve_v1(["s3", "s2"], ["s1"])
    async with make_client(api_version="v1") as client:
        client.iter_workflow_sessions("wf_1")
        items = client.iter_workflow_sessions("wf_1", page_size=2)
        assert route.call_count == 0
        assert (await anext(items)).id == "s3"
        assert (await anext(items)).id == "s2"
        assert route.call_count == 1
        assert (await anext(items)).id == "s1"
        with pytest.raises(StopAsyncIteration):
            await anext(items)
        with pytest.raises(StopAsyncIteration):
            await anext(items)
    assert route.call_count == 2
    assert all(call.request.url.params["limit"] == "2" for call in route.calls)


@respx.mock
async def test_the_legacy_lists_are_one_page():
    """Under legacy both iterators end after the one answer."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body("wf_2", "wf_1"))
    respx.get(f"{BASE}/workflow/wf_2").respond(json=workflows_body("s2", "s1"))
    async with make_client() as client:
        workflows = await client.iter_workflows().collect()
        sessions = await client.iter_workflow_sessions(workflows[0].id).collect()
    assert [each.id for each in workflows] == ["wf_2", "wf_1"]
    assert [each.id for each in sessions] == ["s2", "s1"]


@respx.mock
async def test_pages():
    """`pages()` gives the pages themselves, empty ones too."""
    serve_v1(["s3"], [], ["s1"])
    async with make_client(api_version="v1") as client:
        sizes = [len(page) async for page in client.iter_workflow_sessions("wf_1").pages()]
    assert sizes == [1, 0, 1]


@respx.mock
async def test_collect_stops_at_max_items_and_leaves_the_rest():
    """`collect(max_items=n)` takes n records, fetches no page it does not need, loses none."""
    route = serve_v1(["s5", "s4"], ["s3", "s2"], ["s1"])
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        assert await items.collect(max_items=0) == []
        assert route.call_count == 0
        assert [each.id for each in await items.collect(max_items=3)] == ["s5", "s4", "s3"]
        assert route.call_count == 2
        assert [each.id for each in await items.collect()] == ["s2", "s1"]
        for wrong in (-1, 1.5, True, "2"):
            with pytest.raises(InvalidArgumentError, match="max_items"):
                await items.collect(max_items=wrong)


@pytest.mark.virtual_time
@respx.mock
async def test_a_failed_page_is_fetched_again():
    """After an error the same iterator goes on where it was: nothing lost, nothing twice."""
    places = {
        "": [sessions_body("s3", next_token="t1")],
        "t1": [httpx.ConnectError("gone"), sessions_body("s2", next_token="t2")],
        "t2": [sessions_body("s1")],
    }
    serve_places(places)
    found = []
    async with make_client(api_version="v1", retry=RetryPolicy(max_retries=0)) as client:
        items = client.iter_workflow_sessions("wf_1")
        with pytest.raises(APIConnectionError):
            async for session in items:
                found.append(session.id)
        assert found == ["s3"]
        async for session in items:
            found.append(session.id)
    assert found == ["s3", "s2", "s1"]


@pytest.mark.virtual_time
@respx.mock
async def test_collect_gives_back_what_it_had_when_a_page_fails():
    """What was gathered before an error is gathered again, with the rest, by the next try."""
    places = {
        "": [sessions_body("s4", "s3", next_token="t1")],
        "t1": [httpx.ConnectError("gone"), sessions_body("s2", "s1")],
    }
    serve_places(places)
    async with make_client(api_version="v1", retry=RetryPolicy(max_retries=0)) as client:
        items = client.iter_workflow_sessions("wf_1")
        with pytest.raises(APIConnectionError):
            await items.collect()
        found = [session.id for session in await items.collect()]
    assert found == ["s4", "s3", "s2", "s1"]


@respx.mock
async def test_a_poison_record_does_not_stop_the_iteration_for_ever():
    """The error has the readable records of its page; going on means the page behind."""
    poisoned = sessions_body("s4", "s3", next_token="t1")
    poisoned["sessions"].insert(1, {"status": "PENDING"})
    route = serve_places({"": [poisoned], "t1": [sessions_body("s2")]})
    found = []
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        with pytest.raises(ResponseDecodeError) as caught:
            await items.collect()
        error = caught.value
        assert error.skippable
        found += [session.id for session in error.partial.items]
        found += [session.id for session in await items.collect()]
    assert found == ["s4", "s3", "s2"]
    assert [call.request.url.params.get("next_token") for call in route.calls] == [None, "t1"]
    assert error.path == "$.sessions[1].id"
    assert error.partial.next_token == "t1"
    assert error.partial.unreadable == ("$.sessions[1].id",)
    assert error.status == 200
    assert len(error.attempts) == 1


@respx.mock
async def test_an_unreadable_page_is_fetched_again():
    """A body that cannot be read at all leaves the place where it was."""
    places = {
        "": [sessions_body("s2", next_token="t1")],
        "t1": [httpx.Response(200, text="<html>"), sessions_body("s1")],
    }
    serve_places(places)
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        assert (await anext(items)).id == "s2"
        with pytest.raises(ResponseDecodeError):
            await anext(items)
        assert (await anext(items)).id == "s1"


@respx.mock
async def test_an_unreadable_cursor_does_not_end_the_iteration():
    """If the cursor cannot be read, the page is fetched again: it is not the last one."""
    broken = sessions_body("s2") | {"next_token": 5}
    places = {"": [broken, sessions_body("s2", next_token="t1")], "t1": [sessions_body("s1")]}
    serve_places(places)
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        with pytest.raises(ResponseDecodeError) as caught:
            await items.collect()
        assert caught.value.path == "$.next_token"
        assert not caught.value.skippable
        assert [session.id for session in await items.collect()] == ["s2", "s1"]


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
@respx.mock
async def test_a_cursor_that_came_before_is_refused(tokens):
    """Paging in a circle is an error, after every record that did come, and stays one."""
    given = iter(enumerate(tokens))

    def answer(request):
        number, token = next(given)
        return httpx.Response(200, json=sessions_body(f"s{number}", next_token=token))

    route = respx.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=answer)
    found = []
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        for _ in range(2):
            with pytest.raises(ResponseDecodeError, match="cursor") as caught:
                async for session in items:
                    found.append(session.id)
    assert found == [f"s{number}" for number in range(len(tokens))]
    assert caught.value.path == "$.next_token"
    assert route.call_count == len(tokens)


@respx.mock
async def test_several_tasks_share_one_iterator():
    """Each record goes to exactly one of the tasks that pull from an iterator."""
    pages = [[f"s{page}-{index}" for index in range(7)] for page in range(9)]
    route = serve_v1(*pages)
    found = []

    async def pull(items):
        async for session in items:
            found.append(session.id)
            await asyncio.sleep(0)

    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(pull(items))
    assert sorted(found) == sorted(each for page in pages for each in page)
    assert route.call_count == len(pages)


@respx.mock
async def test_tasks_that_ask_at_once_cause_one_request():
    """Who waited for another's fetch takes from its page: nothing is fetched ahead of need."""
    route = serve_v1(["s9", "s8", "s7"], ["s6", "s5", "s4"], ["s3"])
    async with make_client(api_version="v1") as client, asyncio.timeout(5):
        items = client.iter_workflow_sessions("wf_1")
        for pages, expected in ((1, {"s9", "s8", "s7"}), (2, {"s6", "s5", "s4"})):
            found = await asyncio.gather(*(anext(items) for _ in range(3)))
            assert {session.id for session in found} == expected
            assert route.call_count == pages
        found = await asyncio.gather(*(anext(items, None) for _ in range(3)))
        assert [session.id for session in found if session] == ["s3"]
        assert route.call_count == 3


@respx.mock
async def test_aclose_ends_the_iteration():
    """After `aclose` nothing is yielded or fetched, not even by a fetch that was under way."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request):
        arrived.set()
        await go_on.wait()
        return httpx.Response(200, json=sessions_body("s1", next_token="t1"))

    route = respx.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=answer)
    async with make_client(api_version="v1") as client, asyncio.timeout(5):
        items = client.iter_workflow_sessions("wf_1")
        pending = asyncio.create_task(items.collect())
        await arrived.wait()
        await items.aclose()
        go_on.set()
        assert await pending == []
        assert await items.collect() == []
        assert [page async for page in items.pages()] == []
    assert route.call_count == 1


@pytest.mark.parametrize("leave", ["break", "raise", "cancel", "drop"])
@respx.mock
async def test_leaving_early_leaves_nothing_behind(leave):
    """However a loop is left, no task and no warning stays, and the client goes on."""
    serve_v1(["s2", "s1"], ["s0"])

    async def loop(client):
        async for _ in client.iter_workflow_sessions("wf_1"):
            match leave:
                case "break":
                    break
                case "raise":
                    raise KeyError("mine")
                case "cancel":
                    await asyncio.sleep(3600)

    async with make_client(api_version="v1") as client:
        task = asyncio.create_task(loop(client))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.collect()
        assert len(asyncio.all_tasks()) == 1
        assert len(await client.iter_workflow_sessions("wf_1").collect()) == 3


async def test_a_page_is_an_immutable_sequence():
    """Index, slice, length, containment, equality, hash, pickle and copy; no data in repr."""
    page = Page(["a", "b"], "token-secret", INFO)
    assert (page[0], page[-1], page[0:1], len(page), "b" in page) == ("a", "b", ("a",), 2, True)
    assert page.items == ("a", "b")
    assert page.index("b") == 1
    assert list(reversed(page)) == ["b", "a"]
    for again in (pickle.loads(pickle.dumps(page)), copy.copy(page), copy.deepcopy(page)):
        assert again == page
        assert hash(again) == hash(page)
        assert again.response == INFO
    assert page != Page(["a"], "token-secret", INFO)
    assert page != ("a", "b")
    assert repr(page) == "Page(2 items, has_more=True)"
    with pytest.raises(AttributeError):
        page.items = ()


async def test_iterators_are_iterators():
    """An iterator is its own iterator, so that one object can be passed around and resumed."""

    async def fetch(next_token):
        return Page(["a"], None, INFO)

    items = ItemIterator(fetch)
    assert aiter(items) is items
    pages = items.pages()
    assert aiter(pages) is pages
