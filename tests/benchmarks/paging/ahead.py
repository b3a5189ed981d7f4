"""Fetching ahead: how much of the waiting it hides, from a consumer asleep and from a busy one."""

import asyncio
import time

import lab
from prepared import serving

from deepidv_async import AsyncDeepIDV

PAGES = 20
SECONDS = 0.05  # the answer's, and the consumer's, per page


def _client(url):
    return AsyncDeepIDV("key", base_url=url, api_version="v1")


async def _work(busy):
    if not busy:
        await asyncio.sleep(SECONDS)
        return
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        pass


async def _plain(client, busy):
    async for _ in client.iter_workflow_sessions("wf").pages():
        await _work(busy)


async def _by_hand(client, busy):
    """What one writes without help: a task for the next page."""
    page = await client.list_workflow_sessions("wf")
    while page.has_more:
        following = asyncio.create_task(
            client.list_workflow_sessions("wf", next_token=page.next_token)
        )
        await _work(busy)
        page = await following
    await _work(busy)


def _prefetched(depth):
    async def consume(client, busy):
        async with client.iter_workflow_sessions("wf").prefetched(depth) as sessions:
            async for _ in sessions.pages():
                await _work(busy)

    return consume


WAYS = {
    "one after the other": _plain,
    "a task by hand": _by_hand,
    "prefetched(1)": _prefetched(1),
    "prefetched(2)": _prefetched(2),
}


def _timed(url, way, busy):
    async def main():
        async with _client(url) as client:
            await client.list_workflow_sessions("wf")  # the connection is there
            began = time.perf_counter()
            await way(client, busy)
            return time.perf_counter() - began

    return lambda: asyncio.run(main())


def show(rounds):
    """Print both tables."""
    whole = 2 * PAGES * SECONDS
    ideal = whole / ((PAGES + 1) * SECONDS)
    with serving(pages=PAGES, size=50, delay=SECONDS) as url:
        for busy in (False, True):
            figures = lab.take_turns(
                {name: _timed(url, way, busy) for name, way in WAYS.items()}, rounds=rounds
            )
            first = "one after the other"
            lab.show(
                f"{PAGES} pages of {SECONDS * 1e3:.0f} ms, consumer "
                f"{'busy' if busy else 'asleep'} for as long; ideal {ideal:.2f}x",
                ("way", "seconds", "± %", "faster, times"),
                [
                    (
                        name,
                        lab.median(found),
                        lab.spread(found),
                        1 / lab.ratio(figures, name, first),
                    )
                    for name, found in figures.items()
                ],
            )
