"""One client under load, in a process of its own: CPU per call, wall time, connections opened.

    python client.py NAME PORT CALLERS CALLS

CALLERS tasks share CALLS calls; the last line of output is JSON.
"""

import asyncio
import gc
import json
import resource
import sys
import time
import urllib.request

KEY = "k" * 32


def ours(base_url, callers):
    """Give the default client, without a limit on its rate, and how to close it."""
    from deepidv_async import AsyncDeepIDV

    client = AsyncDeepIDV(KEY, base_url=base_url, rate_limit=None)
    return client.list_workflows, client.aclose


def ours_wide(base_url, callers):
    """Give a client with a connection for every caller."""
    from deepidv_async import AsyncDeepIDV

    client = AsyncDeepIDV(KEY, base_url=base_url, rate_limit=None, max_connections=callers)
    return client.list_workflows, client.aclose


def _bare(library, **options):
    def make(base_url, callers):
        module = __import__(library)
        limits = module.Limits(**dict.fromkeys(options.get("as_callers", ()), callers))
        chosen = {} if options.get("default") else {"limits": limits}
        client = module.AsyncClient(headers={"x-api-key": KEY}, timeout=120, **chosen)

        async def call():
            return (await client.get(f"{base_url}/workflow")).json()["workflows"]

        return call, client.aclose

    return make


def aiohttp(base_url, callers):
    """Give a call of aiohttp, with a connection for every caller."""
    import aiohttp

    session = aiohttp.ClientSession(
        headers={"x-api-key": KEY}, connector=aiohttp.TCPConnector(limit=callers)
    )

    async def call():
        async with session.get(f"{base_url}/workflow") as response:
            return (await response.json())["workflows"]

    return call, session.close


SAME = ("max_connections", "max_keepalive_connections")
CLIENTS = {
    "deepidv_async": ours,
    "deepidv_async, wide": ours_wide,
    "httpx default": _bare("httpx", default=True),
    "httpx": _bare("httpx", as_callers=SAME),
    "httpx2": _bare("httpx2", as_callers=SAME),
    "aiohttp": aiohttp,
}


async def load(name, port, callers, calls):
    """Make the calls and count."""
    base_url = f"http://127.0.0.1:{port}"

    def opened():
        with urllib.request.urlopen(f"{base_url}/opened") as answer:  # noqa: S310 - loopback
            return int(answer.read())

    call, close = CLIENTS[name](base_url, callers)
    for _ in range(20):
        assert len(await call()) == 10
    left = iter(range(calls))

    async def caller():
        for _ in left:
            await call()

    before = opened()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    figures = {
        "cpu_us": cpu / calls * 1e6,
        "wall_us": wall / calls * 1e6,
        "opened": opened() - before,
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    await close()
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(sys.argv[1], *map(int, sys.argv[2:5])))))
