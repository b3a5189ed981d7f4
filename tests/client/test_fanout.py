"""Many workflows at once: all their pages, a few under way, each error where it belongs."""

import asyncio
import contextlib
import copy
import json
import pickle
import re

import attrs
import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import (
    ClientClosedError,
    ConfigurationError,
    InvalidArgumentError,
    NotFoundError,
    Page,
    PartialPage,
    RateLimit,
    ResponseDecodeError,
    ResponseInfo,
    RetryPolicy,
    ServerError,
    UnsupportedByAPIVersionError,
    WorkflowSessionsPage,
)
from leaving import CUT_OFF, around, body, others, tasks_of_ours
from raw_server import http_answer, raw_server
from support import BASE, make_client, sessions_body, workflows_body
from virtual_loop import VirtualLoop

virtual = pytest.mark.virtual_time
on_asyncio = pytest.mark.asyncio


class Api:
    """The v1 list of sessions, mocked: workflows with so many pages, answered after a while.

    Attributes:
        pages: how many pages each workflow has.
        answers: what a page is answered with instead, by workflow and page, in turn.
        latency: seconds that an answer takes, or a function of workflow and page.
        asked: workflow and page of each request.
        sizes: the page sizes that were asked for.
        most: the most requests that were under way at a time.
    """

    def __init__(self, pages, latency=0.05):
        self.pages = pages
        self.latency = latency
        self.answers = {}
        self.asked = []
        self.sizes = set()
        self.under_way = self.most = 0

    async def __call__(self, request):
        workflow_id = request.url.params["workflow_id"]
        number = int(request.url.params.get("next_token", "0"))
        self.asked.append((workflow_id, number))
        self.sizes.add(request.url.params.get("limit"))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        latency = self.latency
        try:
            await asyncio.sleep(latency(workflow_id, number) if callable(latency) else latency)
        finally:
            self.under_way -= 1
        if planned := self.answers.get((workflow_id, number)):
            return planned.pop(0)
        if workflow_id not in self.pages:
            return httpx.Response(404, json={"error": "Workflow not found"})
        following = str(number + 1) if number + 1 < self.pages[workflow_id] else None
        name = f"{workflow_id}.{number}"
        return httpx.Response(200, json=sessions_body(f"{name}a", f"{name}b", next_token=following))

    def expected(self, workflow_id):
        return [f"{workflow_id}.{n}{x}" for n in range(self.pages[workflow_id]) for x in "ab"]


@contextlib.asynccontextmanager
async def serving(pages, latency=0.05, **options):
    """Give the mocked list and a client of it, without retries and limit."""
    api = Api(pages, latency)
    options = {"api_version": "v1", "rate_limit": None} | options
    options.setdefault("retry", RetryPolicy(max_retries=0))
    with respx.mock(assert_all_called=False) as mock:
        mock.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=api)
        mock.get(f"{BASE}/v1/workflows").respond(json=workflows_body(*reversed(pages)))
        async with make_client(**options) as client:
            yield api, client


def sorted_out(results):
    """Give the ids of each workflow's sessions, in the order they came, and the errors."""
    found, errors = {}, {}
    for result in results:
        assert (result.page is None) != (result.error is None)
        found.setdefault(result.workflow_id, []).extend(each.id for each in result.page or ())
        if result.error is not None:
            errors.setdefault(result.workflow_id, []).append(type(result.error))
    return found, errors


@virtual
@on_asyncio
async def test_every_page_of_every_workflow():
    """Each workflow's pages come in order, all of them, and its last result says so."""
    pages = {"wf_1": 3, "wf_2": 1, "wf_3": 2, "wf_4": 5}
    async with serving(pages) as (api, client):
        async with client.map_workflow_sessions(pages, concurrency=2, page_size=2) as results:
            came = [result async for result in results]
            assert await anext(results, "the end") == "the end"
    found, errors = sorted_out(came)
    assert found == {each: api.expected(each) for each in pages}
    assert errors == {}
    for each, count in pages.items():
        lasts = [result.last for result in came if result.workflow_id == each]
        assert lasts == [False] * (count - 1) + [True]
    assert len(api.asked) == sum(pages.values())
    assert api.sizes == {"2"}


@pytest.mark.parametrize("concurrency", [1, 8, 50])
@virtual
@on_asyncio
async def test_so_many_workflows_are_under_way(concurrency):
    """200 pages of 50 ms take 10 s divided by the concurrency, and no more go on at a time."""
    pages = {f"wf_{number}": 1 for number in range(200)}
    async with serving(pages, max_connections=100) as (api, client):
        await client.list_workflow_sessions("wf_0")
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with client.map_workflow_sessions(pages, concurrency=concurrency) as results:
            assert len([result async for result in results]) == 200
        assert loop.time() - began == pytest.approx(200 * 0.05 / concurrency)
    assert api.most == concurrency


@virtual
@on_asyncio
async def test_work_and_waiting_overlap():
    """The next page is fetched while the consumer works: 20 pages of 50 ms for 50 ms of work."""
    async with serving({"wf_1": 20, "wf_2": 1}) as (_, client):
        await client.list_workflow_sessions("wf_2")
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with client.map_workflow_sessions(["wf_1"], concurrency=1) as results:
            async for _ in results:
                await asyncio.sleep(0.05)
        assert loop.time() - began == pytest.approx(21 * 0.05)


@virtual
@on_asyncio
async def test_results_come_as_they_are_completed():
    """A slow workflow holds back nobody."""
    slow = {"wf_1": 1.0, "wf_2": 0.1, "wf_3": 0.3}
    async with serving(dict.fromkeys(slow, 2), lambda each, _: slow[each]) as (_, client):
        async with client.map_workflow_sessions(slow) as results:
            came = [result.workflow_id async for result in results]
    assert came == ["wf_2", "wf_2", "wf_3", "wf_3", "wf_1", "wf_1"]


@virtual
@on_asyncio
async def test_a_slow_consumer_slows_down_the_requests():
    """At most `concurrency` results wait for the consumer; ids are taken as they are needed."""
    taken = []

    def ids():
        for number in range(1000):
            taken.append(number)
            yield f"wf_{number}"

    pages = {f"wf_{number}": 3 for number in range(1000)}
    async with serving(pages) as (api, client):
        async with client.map_workflow_sessions(ids(), concurrency=4) as results:
            assert taken == []
            for count in range(1, 40):
                await anext(results)
                await asyncio.sleep(5)
                assert len(api.asked) <= count + 4
                ended = count // 3
                assert len(taken) <= ended + 4


@virtual
@on_asyncio
async def test_ids_may_come_asynchronously_and_slowly():
    """The ids come from an async iterable, one at a time; results do not wait for the next id."""
    loop = asyncio.get_running_loop()

    async def ids():
        for number in range(3):
            yield f"wf_{number}"
            await asyncio.sleep(10)

    pages = {f"wf_{number}": 2 for number in range(3)}
    async with serving(pages, 0.5) as (_, client):
        async with client.map_workflow_sessions(ids(), concurrency=8) as results:
            times = [round(loop.time(), 1) async for _ in results]
    assert times == [0.5, 1.0, 10.5, 11.0, 20.5, 21.0]


@virtual
@on_asyncio
async def test_ids_out_of_another_list():
    """The natural use: the ids of all workflows, fetched page by page themselves."""
    async with serving({"wf_1": 1, "wf_2": 2}) as (api, client):
        ids = (workflow.id async for workflow in client.iter_workflows())
        async with client.map_workflow_sessions(ids) as results:
            found, _ = sorted_out([result async for result in results])
    assert found == {each: api.expected(each) for each in ("wf_1", "wf_2")}


@pytest.mark.parametrize("ids", [[], (), iter([]), {}])
@virtual
@on_asyncio
async def test_no_workflow_is_no_result(ids):
    """Nothing given, nothing requested, nothing yielded."""
    async with serving({}) as (api, client):
        async with client.map_workflow_sessions(ids) as results:
            assert [result async for result in results] == []
    assert api.asked == []


@virtual
@on_asyncio
async def test_an_error_stops_its_workflow_only():
    """What fails comes as its workflow's result, after the pages before; the others go on."""
    pages = {"wf_1": 3, "wf_2": 3, "wf_3": 1}
    async with serving(pages) as (api, client):
        api.answers = {("wf_2", 1): [httpx.Response(500), httpx.Response(500)]}
        ids = ["wf_1", "wf_none", "wf_2", "wf_3"]
        async with client.map_workflow_sessions(ids, concurrency=2) as results:
            came = [result async for result in results]
    found, errors = sorted_out(came)
    assert found == {
        "wf_1": api.expected("wf_1"),
        "wf_2": ["wf_2.0a", "wf_2.0b"],
        "wf_3": api.expected("wf_3"),
        "wf_none": [],
    }
    assert errors == {"wf_2": [ServerError], "wf_none": [NotFoundError]}
    assert [result.last for result in came if result.workflow_id == "wf_2"] == [False, True]
    assert api.asked.count(("wf_2", 1)) == 1


@virtual
@on_asyncio
async def test_what_cannot_be_an_id_is_an_error_of_its_own():
    """A wrong id, or something else in its place, comes as its error; nothing is sent for it."""
    wrong = ["", "..", "a/b", "x" * 600, "\n", None, 7, b"wf", {"email": "canary@example.org"}]
    async with serving({"wf_1": 1, "wf_2": 1}) as (api, client):
        async with client.map_workflow_sessions(["wf_1", *wrong, "wf_2"]) as results:
            came = [result async for result in results]
    refused = [result for result in came if result.error is not None]
    assert [result.workflow_id for result in refused] == wrong
    assert all(type(result.error) is InvalidArgumentError for result in refused)
    assert all(result.last for result in refused)
    assert "canary" not in repr(refused)
    assert "an object of type dict" in repr(refused[-1])
    assert sorted(api.asked) == [("wf_1", 0), ("wf_2", 0)]


@virtual
@on_asyncio
async def test_an_id_given_twice_is_listed_twice():
    """What is asked for twice is done twice, as with two calls."""
    async with serving({"wf_1": 2}) as (api, client):
        async with client.map_workflow_sessions(["wf_1", "wf_1"]) as results:
            found, _ = sorted_out([result async for result in results])
    assert sorted(found["wf_1"]) == sorted(api.expected("wf_1") * 2)


@pytest.mark.parametrize("at", [0, 1, 2])
@virtual
@on_asyncio
async def test_a_poison_record_does_not_stop_its_workflow(at):
    """The error has the page's readable records, and the page behind comes, if there is one."""
    async with serving({"wf_1": 3}) as (api, client):
        following = str(at + 1) if at < 2 else None
        poisoned = sessions_body("s1", next_token=following)
        poisoned["sessions"].append({"status": "PENDING"})
        api.answers = {("wf_1", at): [httpx.Response(200, json=poisoned)]}
        async with client.map_workflow_sessions(["wf_1"]) as results:
            came = [result async for result in results]
    assert len(came) == 3
    error = came[at].error
    assert isinstance(error, ResponseDecodeError)
    assert [each.id for each in error.partial.items] == ["s1"]
    assert [result.last for result in came] == [False, False, True]
    assert [result.page is None for result in came] == [number == at for number in range(3)]


@virtual
@on_asyncio
async def test_a_page_that_cannot_be_read_and_a_cursor_in_a_circle_are_ends():
    """An error that is not about single records is the last of its workflow."""
    ids = ["wf_1", "wf_2", "wf_3"]
    async with serving(dict.fromkeys(ids, 9)) as (api, client):
        failed = sessions_body("s", next_token="2") | {"error": "half of it failed"}
        api.answers = {
            ("wf_1", 1): [httpx.Response(200, text="<html>")],
            ("wf_2", 1): [httpx.Response(200, json=sessions_body("s", next_token="0"))],
            ("wf_3", 1): [httpx.Response(200, json=failed)],
        }
        api.answers["wf_2", 0] = [httpx.Response(200, json=sessions_body("s", next_token="1"))] * 2
        async with client.map_workflow_sessions(ids) as results:
            _, errors = sorted_out(came := [result async for result in results])
    assert errors == {each: [ResponseDecodeError] for each in ids}
    assert sorted(result.workflow_id for result in came if result.last) == ids
    assert max(api.asked.count((each, 1)) for each in ids) == 1


@virtual
@on_asyncio
async def test_what_the_ids_raise_is_raised():
    """An error of the iterable is the caller's; who goes on gets what was under way."""

    async def ids():
        yield "wf_1"
        yield "wf_2"
        raise KeyError("mine")

    async with serving({"wf_1": 2, "wf_2": 1}) as (api, client):
        came = []
        async with client.map_workflow_sessions(ids()) as results:
            with pytest.raises(KeyError, match="mine"):
                async for result in results:
                    came.append(result)
            assert came == []
            found, _ = sorted_out([result async for result in results])
    assert found == {each: api.expected(each) for each in ("wf_1", "wf_2")}


class Ids:
    """An iterable of ids that fails once in between, as a cursor over a network may."""

    def __init__(self):
        self.left = ["wf_1", KeyError("mine"), "wf_2"]

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        if not self.left:
            raise StopAsyncIteration
        found = self.left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize("concurrency", [1, 2])
@virtual
@on_asyncio
async def test_ids_that_can_go_on_after_an_error_do(concurrency):
    """The place of a workflow is not lost with the error: going on takes the ids behind."""
    async with serving({"wf_1": 1, "wf_2": 1}) as (_, client):
        came = []
        async with client.map_workflow_sessions(Ids(), concurrency=concurrency) as results:
            with pytest.raises(KeyError, match="mine"):
                async for result in results:
                    came.append(result)
            async for result in results:
                came.append(result)
    assert sorted(result.workflow_id for result in came) == ["wf_1", "wf_2"]


@virtual
@on_asyncio
async def test_a_closed_client_is_told_once_for_all():
    """Where no workflow can go on the error is raised, not given as a result."""
    async with serving({"wf_1": 9, "wf_2": 9}) as (_, client):
        async with client.map_workflow_sessions(["wf_1", "wf_2"]) as results:
            await anext(results)
            await client.aclose()
            with pytest.raises(ClientClosedError):
                async for result in results:
                    assert result.error is None
            with pytest.raises(ClientClosedError):
                await anext(results)


def test_a_client_in_use_on_another_loop_is_told_once_for_all():
    """So it is with a client that cannot be used here at all."""

    async def elsewhere(client):
        async with client.map_workflow_sessions(["wf_1"]) as results:
            with pytest.raises(ConfigurationError, match="another event loop"):
                await anext(results)

    async def main():
        async with serving({"wf_1": 1}) as (_, client):
            await client.list_workflow_sessions("wf_1")
            await asyncio.to_thread(lambda: asyncio.run(elsewhere(client)))

    asyncio.run(main())


@respx.mock
@on_asyncio
async def test_legacy_lists_are_one_page_each():
    """Under legacy each workflow is one page; a page size is refused at once."""
    for each in ("wf_1", "wf_2"):
        respx.get(f"{BASE}/workflow/{each}").respond(json=workflows_body(f"{each}a", f"{each}b"))
    async with make_client() as client:
        with pytest.raises(UnsupportedByAPIVersionError, match="page_size"):
            client.map_workflow_sessions(["wf_1"], page_size=10)
        async with client.map_workflow_sessions(["wf_1", "wf_2"]) as results:
            found, _ = sorted_out([result async for result in results])
    assert found == {each: [f"{each}a", f"{each}b"] for each in ("wf_1", "wf_2")}


@on_asyncio
async def test_arguments_are_checked_at_once():
    """What can be seen to be wrong is refused by the call, before the block."""
    async with make_client(api_version="v1") as client:
        for wrong in ("wf_1", b"wf_1", 7, None, object()):
            with pytest.raises(InvalidArgumentError, match="workflow_ids must be a list of ids"):
                client.map_workflow_sessions(wrong)
        for wrong in (0, -1, 1.5, True, "8", None):
            with pytest.raises(InvalidArgumentError, match="concurrency"):
                client.map_workflow_sessions(["wf_1"], concurrency=wrong)
        for wrong in (0, 501, "50"):
            with pytest.raises(InvalidArgumentError, match="page_size"):
                client.map_workflow_sessions(["wf_1"], page_size=wrong)
        with pytest.raises(TypeError, match="__aiter__"):  # it takes a block
            async for _ in client.map_workflow_sessions(["wf_1"]):
                pass


@virtual
@on_asyncio
async def test_several_consumers_share_the_results():
    """Each result goes to one of the tasks, and all of them see the end."""
    pages = {f"wf_{number}": 3 for number in range(10)}
    came = []

    async def consume(results):
        async for result in results:
            came.append(result)
            await asyncio.sleep(0.03)

    async with serving(pages) as (api, client):
        async with client.map_workflow_sessions(pages, concurrency=3) as results:
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(consume(results))
    found, _ = sorted_out(came)
    assert {each: sorted(ids) for each, ids in found.items()} == {
        each: api.expected(each) for each in pages
    }


@virtual
@on_asyncio
async def test_after_the_block_there_is_nothing():
    """Who still reads when the block is left sees the end; so does who comes later."""
    async with serving({"wf_1": 9, "wf_2": 9}) as (api, client):
        async with client.map_workflow_sessions(["wf_1", "wf_2"]) as results:
            await anext(results)
            await anext(results)
            readers = [asyncio.create_task(anext(results, "the end")) for _ in range(3)]
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*readers) == ["the end"] * 3
        async with client.map_workflow_sessions(["wf_1", "wf_2"]) as ready:
            await anext(ready)
            await asyncio.sleep(1)
        for left in (results, ready):
            assert await anext(left, "the end") == "the end"
        asked = len(api.asked)
        await asyncio.sleep(5)
        assert len(api.asked) == asked


@virtual
@on_asyncio
async def test_a_block_in_which_nothing_was_asked_for():
    """Nothing is requested before the first result is asked for, and no id is taken."""
    ids = iter(["wf_1"])
    async with serving({"wf_1": 1}) as (api, client):
        async with client.map_workflow_sessions(ids) as results:
            await asyncio.sleep(1)
        assert await anext(results, "the end") == "the end"
    assert api.asked == []
    assert list(ids) == ["wf_1"]


SIX = [f"wf_{number}" for number in range(6)]
WAYS = ["break", "raise", *CUT_OFF]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("latency", [0.05, 3600], ids=["ready", "under way"])
@virtual
@on_asyncio
async def test_leaving_leaves_nothing_behind(way, latency, silent):
    """However a block is left, its tasks have ended, with results ready or requests under way."""
    silent()
    slow = {"wf_0": 0.01}
    async with serving(dict.fromkeys(SIX, 3), lambda each, page: slow.get(each, latency)) as (
        api,
        client,
    ):
        async with around(way) as cut:
            asyncio.get_running_loop().call_later(0.1, cut)
            async with client.map_workflow_sessions(SIX, concurrency=3) as results:
                await body(way, results)
        assert others() == set()
        assert api.under_way == 0
        assert len(await client.list_workflow_sessions("wf_0")) == 2


@virtual
@on_asyncio
async def test_errors_that_nobody_asks_for_are_dropped_quietly(silent):
    """A block that is left while errors wait for the consumer, or come of it, says nothing."""
    silent()

    async def ids():
        yield "wf_1"
        try:
            await asyncio.sleep(3600)
        finally:
            raise KeyError("mine")

    async with serving({"wf_1": 1}) as (_, client):
        async with client.map_workflow_sessions(ids(), concurrency=3) as results:
            await anext(results)
        await client.aclose()
        async with client.map_workflow_sessions(["wf_1", "wf_2", "wf_3"]) as results:
            with pytest.raises(ClientClosedError):
                await anext(results)
            await asyncio.sleep(1)


@virtual
@on_asyncio
async def test_a_second_cancellation_does_not_cut_the_leaving_short(silent):
    """Who is cancelled again while the block is being left still waits for the tasks to end."""
    silent()
    loop = asyncio.get_running_loop()

    async def ids():
        yield "wf_1"
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)  # it takes its time to end

    async def read(client):
        async with client.map_workflow_sessions(ids()) as results:
            async for _ in results:
                pass

    async with serving({"wf_1": 1}) as (_, client):
        reader = asyncio.create_task(read(client))
        for at in (0.5, 0.7, 1.2):
            loop.call_at(at, reader.cancel)
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert loop.time() == pytest.approx(1.5)
        assert others() == set()


@virtual
@on_asyncio
async def test_a_caller_cancelled_at_any_turn_loses_no_result():
    """Whatever turn of the loop a cancellation of `anext` comes in, each result comes once."""
    async with serving({"wf_1": 3, "wf_2": 2}, 0) as (api, client):
        for turns in range(60):
            came = []
            async with client.map_workflow_sessions(["wf_1", "wf_2"]) as results:
                reader = asyncio.create_task(anext(results))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reader.cancel()
                (first,) = await asyncio.gather(reader, return_exceptions=True)
                came += [first] if isinstance(first, WorkflowSessionsPage) else []
                came += [result async for result in results]
            found, errors = sorted_out(came)
            assert found == {each: api.expected(each) for each in ("wf_1", "wf_2")}
            assert errors == {}
    assert isinstance(first, WorkflowSessionsPage)


@virtual
@on_asyncio
async def test_a_task_that_others_cancel_is_made_up_for():
    """If somebody cancels every task in sight but the reader, the pages are fetched again."""
    pages = {"wf_1": 2, "wf_2": 2}
    async with serving(pages) as (api, client):
        async with client.map_workflow_sessions(pages) as results:
            came = [await anext(results)]
            reader = asyncio.create_task(anext(results))
            await asyncio.sleep(0.01)
            for task in others() - {reader}:
                task.cancel()
            came.append(await reader)
            came += [result async for result in results]
    found, errors = sorted_out(came)
    assert found == {each: api.expected(each) for each in pages}
    assert errors == {}


@virtual
@on_asyncio
async def test_ids_that_cancel_themselves_tell_the_reader():
    """An iterable that raises CancelledError on its own does so to the reader."""

    class Cancelled(Ids):
        async def __anext__(self):
            raise asyncio.CancelledError

    async with serving({}) as (_, client):
        async with client.map_workflow_sessions(Cancelled(), concurrency=1) as results:
            for _ in range(2):
                with pytest.raises(asyncio.CancelledError):
                    await anext(results)


INFO = ResponseInfo(status=200, request_id=None, elapsed=0.1, attempts=1)


def test_a_result_is_frozen_and_shows_no_data():
    """A result is an immutable record; `repr` shows the id, counts, and the error's own words."""
    page = Page(["canary"], "canary-token", INFO)
    result = WorkflowSessionsPage("wf_1", page, None)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.page = None
    shown = (
        "WorkflowSessionsPage(workflow_id='wf_1', page=Page(1 items, has_more=True), error=None)"
    )
    assert repr(result) == shown
    for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert again == result
    partial = PartialPage(("canary",), "canary", ("$.sessions[1]",))
    error = ResponseDecodeError("unreadable.", path="$.sessions[1]", partial=partial)
    assert "canary" not in repr(WorkflowSessionsPage("wf_1", None, error))


PLAN = st.dictionaries(
    st.sampled_from([f"wf_{number}" for number in range(9)]),
    st.tuples(st.integers(1, 4), st.sampled_from([0, 0.01, 0.2]), st.integers(0, 3) | st.none()),
)


@given(
    plan=PLAN,
    concurrency=st.integers(1, 5),
    work=st.sampled_from([0, 0.01, 0.3]),
    consumers=st.integers(1, 3),
)
@settings(max_examples=60)
def test_whatever_is_asked_for_is_answered(plan, concurrency, work, consumers):
    """Any workflows, latencies, failing pages, consumers: each page or its error, once."""
    came = []
    lasts = []

    async def consume(results):
        async for result in results:
            came.append(result)
            lasts.append((result.workflow_id, result.last))
            await asyncio.sleep(work)

    async def main():
        pages = {each: pages for each, (pages, _, _) in plan.items()}
        async with serving(pages, lambda each, _: plan[each][1]) as (api, client):
            for each, (_, _, failing) in plan.items():
                api.answers[each, failing] = [httpx.Response(500)]
            async with client.map_workflow_sessions(plan, concurrency=concurrency) as results:
                async with asyncio.timeout(600), asyncio.TaskGroup() as group:
                    for _ in range(consumers):
                        group.create_task(consume(results))
            assert others() == set()
            return api

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        api = runner.run(main())
    assert api.most <= concurrency
    found, errors = sorted_out(came)
    for each, (pages, _, failing) in plan.items():
        fails = failing is not None and failing < pages
        whole = api.expected(each)
        assert found[each] == (whole[: failing * 2] if fails else whole)
        assert errors.get(each, []) == ([ServerError] if fails else [])
    assert sorted(each for each, last in lasts if last) == sorted(plan)


# Over real sockets.


def answer_of(head, pages=2):
    """Build the answer to a request for a page of a workflow with so many pages."""
    workflow_id = re.search(r"workflow_id=(\w+)", head)[1]
    asked = re.search(r"next_token=(\d+)", head)
    number = int(asked[1]) if asked else 0
    following = str(number + 1) if number + 1 < pages else None
    body = sessions_body(f"{workflow_id}.{number}", next_token=following)
    return http_answer(json.dumps(body).encode())


@pytest.mark.parametrize("way", WAYS)
@on_asyncio
async def test_leaving_costs_the_client_nothing(way, silent):
    """With requests on the wire: no task is left, places are free, permits settled."""
    silent()
    hold, cuts = asyncio.Event(), []

    async def answer(server, head):
        if "wf_0" not in head:
            while cuts:
                asyncio.get_running_loop().call_later(0.01, cuts.pop())
            await hold.wait()
        return answer_of(head)

    limit = RateLimit(per_second=1_000, burst=100, hold=0.05)
    async with raw_server(answer) as server, asyncio.timeout(10):
        async with make_client(
            base_url=server.base_url, api_version="v1", rate_limit=limit, max_connections=3
        ) as client:
            async with around(way) as cut:
                cuts.append(cut)
                async with client.map_workflow_sessions(SIX, concurrency=3) as results:
                    await body(way, results)
            assert tasks_of_ours() == []
            hold.set()
            async with client.map_workflow_sessions(SIX, concurrency=3) as results:
                _, errors = sorted_out(came := [result async for result in results])
            await asyncio.sleep(0.06)
            stats = client.rate_limiter.stats()
    assert (len(came), errors) == (12, {})
    assert (stats.open, stats.waiting) == (0, 0)


class Ledger:
    """A limiter that counts what is written and what is answered."""

    def __init__(self):
        self.out = self.back = 0

    async def acquire(self, *, cost=1, priority="normal", deadline=None):
        return self

    def written(self):
        self.out += 1

    def seen(self):
        self.back += 1

    def unsent(self): ...
    def throttled(self, retry_after): ...
    def stats(self): ...


@on_asyncio
async def test_a_consumer_that_blocks_the_loop_is_served():
    """What a result sets in motion is on the wire before the next but one is handed over.

    A consumer that never lets the loop run, as long as results are ready, gets the requests out
    all the same.
    """

    async def answer(server, head):
        return answer_of(head, pages=9)

    ledger = Ledger()
    async with raw_server(answer) as server, asyncio.timeout(10):
        async with make_client(
            base_url=server.base_url, api_version="v1", rate_limit=ledger
        ) as client:
            async with client.map_workflow_sessions(["wf_1", "wf_2"]) as results:
                await anext(results)
                while ledger.back < 3:  # its second page, and the other workflow's first
                    await asyncio.sleep(0.001)
                for _ in range(30):
                    await asyncio.sleep(0)
                assert ledger.out == 3
                await anext(results)
                await anext(results)
                assert ledger.out == 4
