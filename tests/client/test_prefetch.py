"""Fetching ahead: the same records in the same order, sooner, and nothing left behind."""

import asyncio
import contextlib
import json
import queue
import sys
import threading
import time

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import (
    APIConnectionError,
    ClientClosedError,
    InvalidArgumentError,
    ItemIterator,
    Page,
    PartialPage,
    RateLimit,
    ResponseDecodeError,
    ResponseInfo,
)
from leaving import CUT_OFF, around, body, others, tasks_of_ours
from raw_server import http_answer, raw_server
from support import make_client, sessions_body, workflows_body
from virtual_loop import VirtualLoop

INFO = ResponseInfo(status=200, request_id=None, elapsed=0.1, attempts=1)
virtual = pytest.mark.virtual_time
on_asyncio = pytest.mark.asyncio


class Book:
    """Pages to fetch one by one, each after `latency` seconds, and what was asked of them.

    Attributes:
        plans: what a page answers with before it is given: errors, in turn.
        asked: the number of each page that was asked for.
    """

    def __init__(self, pages=3, latency=0.05, size=2):
        self.pages, self.latency, self.size = pages, latency, size
        self.plans = {}
        self.asked = []
        self.under_way = 0

    def records(self, number):
        return [f"{number}.{index}" for index in range(self.size)]

    @property
    def everything(self):
        return [each for number in range(self.pages) for each in self.records(number)]

    async def fetch(self, token):
        assert self.under_way == 0, "one fetch at a time"
        number = int(token or 0)
        self.asked.append(number)
        self.under_way += 1
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.under_way -= 1
        if planned := self.plans.get(number):
            raise planned.pop(0)
        following = str(number + 1) if number + 1 < self.pages else None
        return Page(self.records(number), following, INFO)

    def iterate(self):
        return ItemIterator(self.fetch)


@virtual
@on_asyncio
async def test_work_and_waiting_overlap():
    """20 pages of 50 ms for a consumer of 50 ms take 21 times 50 ms instead of 40 times."""
    book = Book(pages=20)
    loop = asyncio.get_running_loop()
    async with book.iterate().prefetched(1) as items:
        async for _ in items.pages():
            await asyncio.sleep(0.05)
    assert loop.time() == pytest.approx(21 * 0.05)
    assert book.asked == list(range(20))


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
@virtual
@on_asyncio
async def test_at_most_so_many_pages_are_fetched_ahead(depth):
    """While page k is worked on, the `depth` pages behind it are fetched, and no other."""
    book = Book(pages=12)
    async with book.iterate().prefetched(depth) as items:
        assert book.asked == []
        pages = items.pages()
        for number in range(12):
            await anext(pages)
            await asyncio.sleep(10)
            assert len(book.asked) == min(12, number + 1 + depth)
        assert await anext(pages, "the end") == "the end"
    assert book.asked == list(range(12))


@virtual
@on_asyncio
async def test_uneven_answers_are_evened_out_by_depth():
    """With two pages ahead, an answer that takes three times as long delays nobody."""
    book = Book(pages=4)
    loop = asyncio.get_running_loop()
    async with book.iterate().prefetched(2) as items:
        async for page in items.pages():
            book.latency = 0.15 if page[0] == "1.0" else 0.05
            await asyncio.sleep(0.1)
    assert loop.time() == pytest.approx(0.05 + 4 * 0.1)


@virtual
@on_asyncio
async def test_items_pages_and_collect():
    """All three ways to read work in the block, and together give each record once."""
    book = Book(pages=5)
    async with book.iterate().prefetched() as items:
        first = await anext(items)
        some = await items.collect(max_items=2)
        page = await anext(items.pages())
        rest = await items.collect()
    assert [first, *some, *rest[:1], *page, *rest[1:]] == book.everything
    assert book.asked == list(range(5))


@virtual
@on_asyncio
async def test_the_block_gives_the_iterator_itself():
    """What was read before the block is not read again, and what was fetched in it is not lost.

    After the block the iterator goes on, without fetching ahead.
    """
    book = Book(pages=6)
    items = book.iterate()
    found = [await anext(items)]
    async with items.prefetched(2) as ahead:
        assert ahead is items
        found += await items.collect(max_items=2)
        await asyncio.sleep(1)
    assert book.asked == [0, 1, 2, 3]
    found += await items.collect(max_items=4)
    assert book.asked == [0, 1, 2, 3]
    found += await items.collect()
    assert found == book.everything
    assert book.asked == list(range(6))


def test_pages_that_are_kept_outlive_their_loop():
    """What was fetched ahead under one `asyncio.run` is read under the next."""
    book = Book(pages=4, latency=0.001)
    items = book.iterate()

    async def start():
        async with items.prefetched(2):
            found = [await anext(items)]
            while len(book.asked) < 3 or book.under_way:
                await asyncio.sleep(0.001)
            return found

    found = asyncio.run(start())
    found += asyncio.run(items.collect())
    assert found == book.everything
    assert book.asked == [0, 1, 2, 3]


@virtual
@on_asyncio
async def test_blocks_within_blocks_add_up():
    """Two blocks on one iterator fetch ahead together; the outer goes on after the inner."""
    book = Book(pages=9)
    items = book.iterate()
    async with items.prefetched(1):
        async with items.prefetched(2):
            found = [await anext(items)]
            await asyncio.sleep(1)
            assert book.asked == [0, 1, 2, 3]
        found += await items.collect(max_items=book.size * 3)
        await asyncio.sleep(1)
        assert book.asked == [0, 1, 2, 3, 4]
    found += await items.collect()
    assert found == book.everything


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "1", None])
def test_the_number_of_pages_is_checked_at_once(wrong):
    """Less than one page, or no whole number, is refused before the block is entered."""
    with pytest.raises(InvalidArgumentError, match="pages must be a whole number of 1 or more"):
        Book().iterate().prefetched(wrong)


@pytest.mark.parametrize("depth", [1, 3])
@virtual
@on_asyncio
async def test_an_error_comes_where_its_page_would_have_come(depth, silent):
    """All records before a failed page come first; going on fetches that page again."""
    silent()
    book = Book(pages=4)
    book.plans = {2: [APIConnectionError("gone"), APIConnectionError("still gone")]}
    found = []
    async with book.iterate().prefetched(depth) as items:
        for said in ("gone", "still gone"):
            with pytest.raises(APIConnectionError, match=f"^{said}"):
                async for record in items:
                    found.append(record)
                    await asyncio.sleep(1)
            assert found == book.everything[:4]
            await asyncio.sleep(1)
        # A failed page is not asked for again before somebody asks for it.
        assert book.asked == [0, 1, 2, 2]
        found += await items.collect()
    assert found == book.everything
    assert book.asked == [0, 1, 2, 2, 2, 3]


@virtual
@on_asyncio
async def test_an_error_that_nobody_asks_for_is_kept(silent):
    """A page that failed ahead in the block is told by whoever reads on after it."""
    silent()
    book = Book()
    book.plans = {1: [APIConnectionError("gone")]}
    items = book.iterate()
    async with items.prefetched(1):
        found = [await anext(items)]
        await asyncio.sleep(1)
    with pytest.raises(APIConnectionError):
        await items.collect()
    found += await items.collect()
    assert found == book.everything


@virtual
@on_asyncio
async def test_a_page_with_a_poison_record_is_passed():
    """As without the block: the error has what is readable, going on means the page behind."""
    book = Book()
    partial = PartialPage(("1.0",), "2", ("$.sessions[1]",))
    book.plans = {1: [ResponseDecodeError("poison", path="$.sessions[1]", partial=partial)]}
    async with book.iterate().prefetched(2) as items:
        found = []
        with pytest.raises(ResponseDecodeError) as caught:
            async for record in items:
                found.append(record)
        assert found == book.records(0)
        assert caught.value.skippable
        found += await items.collect()
    assert found == book.records(0) + book.records(2)
    assert book.asked == [0, 1, 2]


@virtual
@on_asyncio
async def test_a_cursor_that_came_before_is_refused():
    """Paging in a circle is an error, after every record that did come, and stays one."""
    asked = []

    async def fetch(token):
        asked.append(token)
        return Page([token], {None: "a", "a": "b", "b": "a"}[token], INFO)

    found = []
    async with ItemIterator(fetch).prefetched(3) as items:
        for _ in range(2):
            with pytest.raises(ResponseDecodeError, match="cursor"):
                async for record in items:
                    found.append(record)
    assert found == [None, "a", "b"]
    assert asked == [None, "a", "b"]


@virtual
@on_asyncio
async def test_several_tasks_share_the_block():
    """Each record goes to one of the tasks; a page is fetched once, one at a time."""
    book = Book(pages=9, size=7)
    found = []

    async def pull(items):
        async for record in items:
            found.append(record)
            await asyncio.sleep(0.01)

    async with book.iterate().prefetched(2) as items:
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(pull(items))
    assert sorted(found) == sorted(book.everything)
    assert book.asked == list(range(9))


@virtual
@on_asyncio
async def test_a_task_outside_goes_on_when_the_block_is_left():
    """Who waits for the fetch that leaving the block ends gets that page all the same."""
    book = Book()
    items = book.iterate()
    async with items.prefetched(1):
        found = await items.collect(max_items=book.size)
        rest = asyncio.create_task(items.collect())
        await asyncio.sleep(0.01)
    assert found + await rest == book.everything
    assert book.asked == [0, 1, 1, 2]


@virtual
@on_asyncio
async def test_aclose_in_the_block_ends_the_iteration():
    """After `aclose` nothing is yielded, at once, and nothing new fetched."""
    book = Book(pages=9)
    loop = asyncio.get_running_loop()
    async with book.iterate().prefetched(2) as items:
        await anext(items)
        await items.aclose()
        assert await items.collect() == []
        assert await anext(items.pages(), "the end") == "the end"
        assert loop.time() == pytest.approx(0.05)
        await asyncio.sleep(1)
    assert book.asked == [0, 1]


WAYS = ["end", "break", "raise", "fail", *CUT_OFF]


@pytest.mark.parametrize(
    ("way", "first"),
    [*((way, False) for way in WAYS), *((way, True) for way in ("fail", *CUT_OFF))],
)
@virtual
@on_asyncio
async def test_leaving_leaves_nothing_behind(way, first, silent):
    """However a block is left, its task has ended, and reading on loses nothing.

    Once while the first page is fetched (`first`), once while one is fetched ahead.
    """
    silent()
    book = Book(pages=4, latency=0.05)
    if way == "fail":
        book.plans = {0 if first else 2: [APIConnectionError("gone")]}
    slow = way in CUT_OFF
    if slow and first:
        book.latency = 3600
    items = book.iterate()
    failing = pytest.raises(APIConnectionError) if way == "fail" else contextlib.nullcontext()
    async with around(way) as cut:
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, cut)
        if slow and not first:
            loop.call_later(0.06, setattr, book, "latency", 3600)
        with failing:
            async with items.prefetched(1):
                await body(way, items.pages())
    assert others() == set()
    assert book.under_way == 0
    book.latency = 0.05
    got = {"end": 8, "fail": 0 if first else 4}.get(way, 0 if first else 2)
    assert await items.collect() == book.everything[got:]


class Slow(Book):
    """A book whose fetches take a second to end when they are cancelled."""

    async def fetch(self, token):
        try:
            return await super().fetch(token)
        except asyncio.CancelledError:
            self.under_way += 1
            await asyncio.sleep(1)
            self.under_way -= 1
            raise


async def read_one_and_wait(items):
    async with items.prefetched(1):
        await anext(items)
        await asyncio.sleep(3600)


@virtual
@on_asyncio
async def test_a_second_cancellation_does_not_cut_the_leaving_short(silent):
    """Who is cancelled again while the block is being left still waits for the task to end."""
    silent()
    book = Slow(latency=1)
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(read_one_and_wait(book.iterate()))
    for at in (1.5, 1.7, 2.2):
        loop.call_at(at, reader.cancel)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert loop.time() == pytest.approx(2.5)
    assert reader.cancelling() == 3
    assert (book.under_way, others()) == (0, set())


@virtual
@on_asyncio
async def test_a_cancellation_while_leaving_is_not_swallowed(silent):
    """The body has ended well, and the caller is cancelled while the task ends: it is told."""
    silent()
    book = Slow(latency=1)
    loop = asyncio.get_running_loop()
    reached = []

    async def read():
        async with book.iterate().prefetched(1) as items:
            await anext(items)
            await asyncio.sleep(0.5)
        reached.append("behind the block")

    reader = asyncio.create_task(read())
    loop.call_at(2, reader.cancel)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert reached == []
    assert loop.time() == pytest.approx(2.5)
    assert (book.under_way, others()) == (0, set())


@pytest.mark.parametrize("within", ["timeout", "move_on"])
@virtual
@on_asyncio
async def test_a_scope_that_ends_the_block_waits_for_it(within):
    """A time limit around the block is told as such, after the task has ended."""
    book = Slow(latency=1)
    loop = asyncio.get_running_loop()
    if within == "timeout":
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await read_one_and_wait(book.iterate())
    else:
        with anyio.move_on_after(1.5) as scope:
            await read_one_and_wait(book.iterate())
        assert scope.cancelled_caught
    assert loop.time() == pytest.approx(2.5)
    assert (book.under_way, others()) == (0, set())


@virtual
@on_asyncio
async def test_a_page_that_comes_while_the_block_is_left_is_kept():
    """A fetch that ends well although it was cancelled has moved on: its page is not lost."""
    book = Book()

    async def stubborn(token):
        task = asyncio.create_task(book.fetch(token))
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        return task.result()

    items = ItemIterator(stubborn)
    async with items.prefetched(1):
        found = await items.collect(max_items=1)
    found += await items.collect()
    assert found == book.everything
    assert book.asked == [0, 1, 2]


@virtual
@on_asyncio
async def test_a_caller_cancelled_at_the_hand_over_has_not_taken_the_page():
    """Whatever turn of the loop a cancellation comes in, no page is lost and none comes twice."""
    for turns in range(40):
        book = Book(pages=4, latency=0)
        async with book.iterate().prefetched(1) as items:
            reader = asyncio.create_task(anext(items.pages()))
            for _ in range(turns):
                await asyncio.sleep(0)
            reader.cancel()
            (page,) = await asyncio.gather(reader, return_exceptions=True)
            found = [] if isinstance(page, asyncio.CancelledError) else list(page)
            found += await items.collect()
        assert found == book.everything
    assert not isinstance(page, asyncio.CancelledError)


@virtual
@on_asyncio
async def test_a_task_that_others_cancel_is_made_up_for():
    """If somebody cancels every task in sight but the reader, the page is fetched again."""
    book = Book()
    async with book.iterate().prefetched(1) as items:
        reader = asyncio.create_task(items.collect())
        await asyncio.sleep(0.02)
        (fetching,) = others() - {reader}
        fetching.cancel()
        assert await reader == book.everything
    assert book.asked == [0, 0, 1, 2]


@virtual
@on_asyncio
async def test_a_reader_that_comes_as_the_task_ends():
    """Whatever turn of the loop the reader comes in, it neither hangs nor misses the page."""
    for turns in range(6):
        book = Book()
        async with book.iterate().prefetched(1) as items:
            found = await items.collect(max_items=2)
            (fetching,) = others()
            fetching.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            found += await items.collect()
        assert found == book.everything


@virtual
@on_asyncio
async def test_a_fetch_that_cancels_itself_tells_the_reader():
    """A fetch that raises CancelledError on its own does so to the reader, and spins nowhere."""

    async def fetch(token):
        raise asyncio.CancelledError

    async with ItemIterator(fetch).prefetched(1) as items:
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await anext(items)


ACTIONS = st.tuples(
    st.integers(0, 3),  # pages ahead; 0 for no block
    st.sampled_from([0, 0.01, 0.05, 0.3]),  # seconds of work per record
    st.sampled_from([0.02, 0.06, 0.17, 1.0, 60]),  # seconds until a time limit cuts in
)


@given(
    pages=st.integers(1, 7),
    size=st.integers(0, 3),
    latency=st.sampled_from([0, 0.01, 0.05]),
    failing=st.lists(st.integers(0, 6), max_size=4),
    actions=st.lists(ACTIONS, max_size=6),
)
@settings(max_examples=150)
def test_whatever_happens_each_record_comes_once(pages, size, latency, failing, actions):
    """Blocks entered and left at random, time limits, failing pages: all records, in order."""
    book = Book(pages=pages, size=size, latency=latency)
    for number in failing:
        book.plans.setdefault(number, []).append(APIConnectionError("gone"))
    found = []

    async def read(items, ahead, work):
        async with items.prefetched(ahead) if ahead else contextlib.nullcontext():
            async for record in items:
                found.append(record)
                await asyncio.sleep(work)

    async def main():
        items = book.iterate()
        for ahead, work, limit in [*actions, *[(1, 0, 60)] * (1 + len(failing))]:
            with contextlib.suppress(TimeoutError, APIConnectionError):
                async with asyncio.timeout(limit):
                    await read(items, ahead, work)
            assert others() == set()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    assert found == book.everything


# Over real sockets.


def page_asked_for(head):
    """Read the number of the page from the head of a request."""
    _, found, rest = head.partition("next_token=t")
    return int(rest.split("&")[0].split(" ")[0]) if found else 0


def page_answer(number, pages):
    following = f"t{number + 1}" if number + 1 < pages else None
    return http_answer(json.dumps(sessions_body(f"s{number}", next_token=following)).encode())


def serve_in_thread(pages, arrivals, ready, done):
    """Serve on a loop of its own, which no consumer blocks, and note when requests arrive."""

    async def answer(server, head):
        arrivals.append(time.monotonic())
        await asyncio.sleep(0.02)
        return page_answer(page_asked_for(head), pages)

    async def main():
        async with raw_server(answer) as server:
            ready.put(server.base_url)
            await asyncio.to_thread(done.wait)

    asyncio.run(main())


def new_uvloop():
    import uvloop  # noqa: PLC0415 - absent on Windows

    return uvloop.new_event_loop()


@pytest.mark.parametrize("injected", [False, True], ids=["own pool", "injected"])
@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(
            new_uvloop,
            id="uvloop",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not for Windows"),
        ),
    ],
)
def test_the_request_is_out_before_a_page_is_handed_over(loop, injected):
    """A consumer that blocks the loop is served as well as one that awaits.

    The server, in a thread of its own, gets the request for each page while the consumer still
    works on the page before it.
    """
    pages, arrivals, given, done_with = 5, [], [], []
    ready, done = queue.SimpleQueue(), threading.Event()
    thread = threading.Thread(target=serve_in_thread, args=(pages, arrivals, ready, done))
    thread.start()

    async def main():
        base_url = ready.get(timeout=10)
        async with (
            httpx.AsyncClient() if injected else contextlib.nullcontext() as http,
            make_client(base_url=base_url, api_version="v1", http_client=http) as client,
        ):
            async with client.iter_workflow_sessions("wf_1").prefetched(1) as sessions:
                async for _ in sessions:
                    given.append(time.monotonic())
                    time.sleep(0.15)  # noqa: ASYNC251 - the consumer that is in question
                    done_with.append(time.monotonic())

    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())
    finally:
        done.set()
        thread.join()
    assert len(arrivals) == len(given) == pages
    late = [arrivals[page + 1] - given[page] for page in range(pages - 1)]
    assert all(arrivals[page + 1] < done_with[page] for page in range(pages - 1)), late


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("end", "fail")])
@on_asyncio
async def test_leaving_costs_the_client_nothing(way, silent):
    """With a request on the wire: its connection is closed, its place free, its permit settled."""
    silent()
    hold, cuts = asyncio.Event(), []

    async def answer(server, head):
        number = page_asked_for(head)
        if number:
            while cuts:
                asyncio.get_running_loop().call_later(0.01, cuts.pop())
            await hold.wait()
        return page_answer(number, 2)

    limit = RateLimit(per_second=1_000, burst=100, hold=0.05)
    async with raw_server(answer) as server, asyncio.timeout(10):
        async with make_client(
            base_url=server.base_url, api_version="v1", rate_limit=limit, max_connections=1
        ) as client:
            async with around(way) as cut:
                cuts.append(cut)
                async with client.iter_workflow_sessions("wf_1").prefetched(1) as sessions:
                    await body(way, sessions)
            assert tasks_of_ours() == []
            hold.set()
            while server.open:
                await asyncio.sleep(0.005)
            # The client's one place is free.
            found = await client.iter_workflow_sessions("wf_1").collect()
            await asyncio.sleep(0.06)
            stats = client.rate_limiter.stats()
    assert [session.id for session in found] == ["s0", "s1"]
    assert (stats.open, stats.waiting) == (0, 0)


@on_asyncio
async def test_leaving_at_the_limiter_gives_the_place_in_the_queue_back():
    """A page ahead that waits for its permit is no longer waited for when the block is left."""

    async def answer(server, head):
        return page_answer(page_asked_for(head), 3)

    limit = RateLimit(per_second=0.01, burst=1)
    async with raw_server(answer) as server, asyncio.timeout(10):
        async with make_client(
            base_url=server.base_url, api_version="v1", rate_limit=limit
        ) as client:
            async with client.iter_workflow_sessions("wf_1").prefetched(2) as sessions:
                await anext(sessions)
                assert client.rate_limiter.stats().waiting == 1
            assert client.rate_limiter.stats().waiting == 0
        assert len(server.requests) == 1


@on_asyncio
async def test_a_client_that_is_closed_meanwhile(silent):
    """Pages that have come are read; then it is told; nothing hangs and nothing is left."""
    silent()
    arrived = asyncio.Event()

    async def answer(server, head):
        if number := page_asked_for(head):
            arrived.set()
            await asyncio.sleep(5)
        return page_answer(number, 3)

    async with raw_server(answer) as server, asyncio.timeout(10):
        client = make_client(base_url=server.base_url, api_version="v1")
        async with client.iter_workflow_sessions("wf_1").prefetched(1) as sessions:
            assert (await anext(sessions)).id == "s0"
            await arrived.wait()
            await client.aclose()
            with pytest.raises((ClientClosedError, APIConnectionError)):
                await anext(sessions)
            with pytest.raises(ClientClosedError):
                await anext(sessions)
        # The client is closed, and the block is left, with a request under way.
        client = make_client(base_url=server.base_url, api_version="v1")
        arrived.clear()
        async with client.iter_workflow_sessions("wf_1").prefetched(1) as sessions:
            await anext(sessions)
            await arrived.wait()
            await client.aclose()


@pytest.mark.parametrize("version", ["legacy", "v1"])
@on_asyncio
async def test_both_lists_of_both_generations(version):
    """Where there is one page, one request is made, and everything comes as without a block."""

    async def answer(server, head):
        path = head.split(" ")[1]
        known = {
            "/workflow": workflows_body("wf_2", "wf_1"),
            "/v1/workflows": workflows_body("wf_2", "wf_1"),
            "/workflow/wf_2": sessions_body("s2", "s1"),
        }
        body = known.get(path, sessions_body("s2", "s1"))
        if path == "/workflow/wf_2":
            del body["next_token"]
        return http_answer(json.dumps(body).encode())

    async with raw_server(answer) as server, asyncio.timeout(10):
        async with make_client(base_url=server.base_url, api_version=version) as client:
            async with client.iter_workflows().prefetched(1) as workflows:
                assert [each.id async for each in workflows] == ["wf_2", "wf_1"]
            async with client.iter_workflow_sessions("wf_2").prefetched(1) as sessions:
                assert [each.id async for each in sessions] == ["s2", "s1"]
        assert len(server.requests) == 2
