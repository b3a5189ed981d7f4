"""Many workflows at once: how far fan-out shortens the waiting, and what it costs."""

import asyncio
import time

import lab
from prepared import serving

from deepidv_async import AsyncDeepIDV

WORKFLOWS = 200
SECONDS = 0.05
IDS = [f"wf_{number}" for number in range(WORKFLOWS)]


async def _one_by_one(client, _):
    for each in IDS:
        await client.list_workflow_sessions(each)


async def _gathered(client, concurrency):
    """What one writes without help; all pages are in memory at the end."""
    gate = asyncio.Semaphore(concurrency)

    async def page(each):
        async with gate:
            return await client.list_workflow_sessions(each)

    await asyncio.gather(*map(page, IDS))


async def _mapped(client, concurrency):
    async with client.map_workflow_sessions(IDS, concurrency=concurrency) as results:
        async for result in results:
            assert result.last
            assert result.error is None


def _timed(url, way, concurrency, cpu):
    """Time one way; its CPU seconds go to `cpu`."""

    async def main():
        async with AsyncDeepIDV("key", base_url=url, api_version="v1", rate_limit=None) as client:
            await asyncio.gather(*(client.list_workflow_sessions("wf") for _ in range(concurrency)))
            began, spent = time.perf_counter(), time.process_time()
            await way(client, concurrency)
            cpu.append(time.process_time() - spent)
            return time.perf_counter() - began

    return lambda: asyncio.run(main())


def show(rounds):
    """Print the table."""
    variants = {"one by one": (_one_by_one, 1)}
    for concurrency in (4, 8, 16, 32):
        variants[f"gather and a semaphore, {concurrency}"] = _gathered, concurrency
        variants[f"map_workflow_sessions, {concurrency}"] = _mapped, concurrency
    cpu = {name: [] for name in variants}
    with serving(pages=1, size=50, delay=SECONDS) as url:
        figures = lab.take_turns(
            {name: _timed(url, *what, cpu[name]) for name, what in variants.items()},
            rounds=rounds,
        )
    rows = []
    for name, (_, concurrency) in variants.items():
        faster = 1 / lab.ratio(figures, name, "one by one")
        per_page = 1e3 * lab.median(cpu[name]) / WORKFLOWS
        seconds, noise = lab.median(figures[name]), lab.spread(figures[name])
        rows.append((name, seconds, noise, faster, faster / concurrency, per_page))
    lab.show(
        f"{WORKFLOWS} workflows of one page, {SECONDS * 1e3:.0f} ms each, limit off",
        ("way", "seconds", "± %", "faster, times", "of the concurrency", "CPU ms per page"),
        rows,
    )
