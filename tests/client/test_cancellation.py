"""Cancelling a call at each of its awaits: it stops, and gives back what it held."""

import asyncio

import anyio
import httpx
import pytest

from deepidv_async import APIConnectionError, LimiterStats, RetryPolicy
from raw_server import http_answer, raw_server
from support import make_client

pytestmark = pytest.mark.asyncio

BODY = http_answer(b'{"workflows": []}')


class Ledger:
    """A limiter that grants at once and writes down what its permits are told."""

    def __init__(self) -> None:
        self.told = []

    async def acquire(self, *, cost=1, priority="normal", deadline=None):
        return _Told(self.told)

    def throttled(self, retry_after):
        self.told.append("throttled")

    def stats(self):
        return LimiterStats()


class _Told:
    def __init__(self, told) -> None:
        self._told = told

    def written(self):
        self._told.append("written")

    def seen(self):
        self._told.append("seen")

    def unsent(self):
        self._told.append("unsent")


async def test_a_permit_is_told_of_writing_and_answer():
    """An answered request was written first, then seen."""
    ledger = Ledger()

    async def answer(server, head):
        return BODY

    async with raw_server(answer) as server, asyncio.timeout(5):
        async with make_client(base_url=server.base_url, rate_limit=ledger) as client:
            await client.list_workflows()
            await client.list_workflows()
    assert ledger.told == ["written", "seen", "written", "seen"]


async def test_a_refused_connection_gives_the_permit_back():
    """Where no connection came about, nothing was sent."""
    ledger = Ledger()

    async def answer(server, head):
        return BODY

    async with raw_server(answer) as server:
        base_url = server.base_url
    async with make_client(base_url=base_url, rate_limit=ledger) as client:
        with pytest.raises(APIConnectionError, match="Cannot connect"):
            await client.with_options(retry=_no_retry()).list_workflows()
    assert ledger.told == ["unsent"]


async def test_a_cancelled_wait_for_a_connection_gives_the_permit_back():
    """A call that is cancelled at the gate has sent nothing; the one in front is untouched."""
    ledger, go_on = Ledger(), asyncio.Event()

    async def answer(server, head):
        await go_on.wait()
        return BODY

    async with raw_server(answer) as server, asyncio.timeout(5):
        async with make_client(
            base_url=server.base_url, rate_limit=ledger, max_connections=1
        ) as client:
            first = asyncio.create_task(client.list_workflows())
            while not server.requests:
                await asyncio.sleep(0.001)
            second = asyncio.create_task(client.list_workflows())
            await asyncio.sleep(0.01)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert ledger.told == ["written", "unsent"]
            go_on.set()
            await first
    assert ledger.told == ["written", "unsent", "seen"]


async def test_a_call_cancelled_on_the_wire_counts_as_written():
    """What has left may have arrived: its permit is not given back."""
    ledger = Ledger()

    async def answer(server, head):
        await asyncio.sleep(60)

    async with raw_server(answer) as server, asyncio.timeout(5):
        async with make_client(base_url=server.base_url, rate_limit=ledger) as client:
            with anyio.move_on_after(0.1) as scope:
                await client.list_workflows()
    assert scope.cancelled_caught
    assert set(ledger.told) == {"written"}


@pytest.mark.own_pool("counts the turns of the loop before it writes")
async def test_a_call_cancelled_before_it_began_gives_the_permit_back():
    """A task that is cancelled before its first step into the HTTP client has sent nothing."""
    ledger = Ledger()

    async def answer(server, head):
        return BODY

    async with raw_server(answer) as server, asyncio.timeout(5):
        async with make_client(base_url=server.base_url, rate_limit=ledger) as client:
            await client.list_workflows()
            ledger.told.clear()
            task = asyncio.create_task(client.list_workflows())
            for _ in range(2):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert ledger.told in ([], ["unsent"])


async def test_code_that_cancels_all_other_tasks():
    """A call has no task of its own: who cancels every task but his own leaves the call alone."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def answer(server, head):
        reached.set()
        await go_on.wait()
        return BODY

    async with raw_server(answer) as server, asyncio.timeout(5), httpx.AsyncClient() as injected:
        for http_client in (None, injected):
            reached.clear()
            go_on.clear()
            async with make_client(base_url=server.base_url, http_client=http_client) as client:
                before = asyncio.all_tasks()
                call = asyncio.create_task(client.list_workflows())
                await reached.wait()
                mine = {task for task in asyncio.all_tasks() - before if "serve" not in repr(task)}
                assert mine == {call}
                go_on.set()
                await call


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (httpx.ReadTimeout, "written"),
        (httpx.WriteTimeout, "written"),
        (httpx.ReadError, "written"),
        (httpx.ConnectError, "unsent"),
        (httpx.ConnectTimeout, "unsent"),
        (httpx.PoolTimeout, "unsent"),
    ],
)
async def test_a_transport_that_reports_nothing(kind, told):
    """Under a transport without reports a request that was handed over counts as written.

    The exception are errors that say that there never was a connection to write to.
    """
    ledger = Ledger()

    def fail(request):
        raise kind("mine", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as injected:
        async with make_client(rate_limit=ledger, http_client=injected) as client:
            with pytest.raises(APIConnectionError):
                await client.with_options(retry=_no_retry()).list_workflows()
    assert ledger.told == [told]


def _no_retry():
    return RetryPolicy(max_retries=0)
