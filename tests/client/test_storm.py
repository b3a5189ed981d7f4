"""The cancel storm: cancelled calls of every kind must not cost the client anything.

Stock httpx 0.28 fails this for good: after such a storm its pool has no usable slot left.
"""

import asyncio
import random
import time

import anyio
import httpx
import httpx2
import pytest

from deepidv_async import RateLimit
from raw_server import http_answer, raw_server
from support import make_client

pytestmark = pytest.mark.asyncio

SECONDS = 3.0
WORKERS = 30
POOL = 10
BODY = http_answer(b'{"workflows": [{"id": "wf_1"}]}')


async def by_timeout(client, seconds):
    async with asyncio.timeout(seconds):
        await client.list_workflows()


async def by_wait_for(client, seconds):
    await asyncio.wait_for(client.list_workflows(), seconds)


async def by_cancel(client, seconds):
    task = asyncio.create_task(client.list_workflows())
    asyncio.get_running_loop().call_later(seconds, task.cancel)
    await task


async def by_move_on(client, seconds):
    with anyio.move_on_after(seconds):
        await client.list_workflows()


async def by_deadline(client, seconds):
    await client.with_options(deadline=seconds).list_workflows()


WAYS = [by_timeout, by_wait_for, by_cancel, by_move_on, by_deadline]


@pytest.mark.parametrize("whose", ["ours", "httpx", "httpx2"])
async def test_nothing_is_lost_in_a_cancel_storm(whose):
    """30 workers on 10 connections, cancelled at random for 3 s: afterwards 100 calls succeed.

    No pool slot, no permit and no task is lost, and no cancellation is swallowed or invented,
    with our own pool and with those of httpx and httpx2, which an injected client has.
    """
    chance = random.Random(7)

    async def answer(server, head):
        await asyncio.sleep(chance.uniform(0, 0.02))
        return BODY

    async def worker(client, ends, counts):
        while time.monotonic() < ends:
            way = chance.choice(WAYS)
            try:
                await way(client, chance.uniform(0.0005, 0.03))
                counts["ended"] += 1
            except (TimeoutError, asyncio.CancelledError):
                counts["cancelled"] += 1

    limit = RateLimit(per_second=100_000, burst=100_000, per_day=None, hold=0.1)
    counts = {"ended": 0, "cancelled": 0}
    library = httpx2 if whose == "httpx2" else httpx
    limits = library.Limits(max_connections=POOL, max_keepalive_connections=POOL)
    async with raw_server(answer) as server, library.AsyncClient(limits=limits) as injected:
        async with make_client(
            base_url=server.base_url,
            rate_limit=limit,
            max_connections=POOL,
            timeout=2,
            http_client=None if whose == "ours" else injected,
        ) as client:
            ends = time.monotonic() + SECONDS
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(worker(client, ends, counts))
            plain = client.with_options(deadline=None)
            pages = await asyncio.gather(*(plain.list_workflows() for _ in range(100)))
            await asyncio.sleep(0.15)  # longer than `hold`: whatever was written has settled
            stats = client.rate_limiter.stats()
            gate = client._pipeline.transport.session().gate
            left = [
                task
                for task in asyncio.all_tasks() - {asyncio.current_task()}
                if "RawServer.serve" not in repr(task)
            ]
    assert [page.response.attempts for page in pages] == [1] * 100
    assert counts["cancelled"] > 100
    assert counts["ended"] > 100
    assert (stats.open, stats.waiting) == (0, 0)
    assert gate.free == POOL
    assert left == []
