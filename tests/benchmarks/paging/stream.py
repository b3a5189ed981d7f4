"""A million sessions, page by page: the memory must stay as flat as with plain dictionaries.

The floor is the loop one would write over httpx and `orjson.loads`. Each variant runs in a fresh
process, which is this very file.
"""

import asyncio
import json
import re
import sys
import time
from pathlib import Path

__all__ = ["show"]

PAGE = 500
_STATUS = Path("/proc/self/status")


def _kilobytes(name):
    return int(re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)[1])


async def _dictionaries(url):
    import httpx
    import orjson

    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        token = None
        while True:
            query = {"workflow_id": "wf", "limit": str(PAGE)}
            if token is not None:
                query["next_token"] = token
            response = await http.get(f"{url}/v1/sessions", params=query)
            body = orjson.loads(response.content)
            del response
            for session in body["sessions"]:
                yield session
            token = body["next_token"]
            if token is None:
                return


async def _dictionaries_ours_loaded(url):
    """Hold what our package needs in memory, too: what is left are the pages."""
    from deepidv_async import AsyncDeepIDV

    async with AsyncDeepIDV("key", base_url=url, rate_limit=None):
        async for session in _dictionaries(url):
            yield session


async def _ours(url):
    from deepidv_async import AsyncDeepIDV

    async with AsyncDeepIDV("key", base_url=url, api_version="v1", rate_limit=None) as client:
        async for session in client.iter_workflow_sessions("wf", page_size=PAGE):
            yield session


async def _ours_ahead(url):
    from deepidv_async import AsyncDeepIDV

    async with AsyncDeepIDV("key", base_url=url, api_version="v1", rate_limit=None) as client:
        sessions = client.iter_workflow_sessions("wf", page_size=PAGE)
        async with sessions.prefetched(1):
            async for session in sessions:
                yield session


async def _ours_mapped(url):
    from deepidv_async import AsyncDeepIDV

    async with AsyncDeepIDV("key", base_url=url, api_version="v1", rate_limit=None) as client:
        async with client.map_workflow_sessions(["wf"], page_size=PAGE) as results:
            async for result in results:
                for session in result.page:
                    yield session


WAYS = {
    "httpx, orjson.loads": _dictionaries,
    "the same, deepidv_async imported": _dictionaries_ours_loaded,
    "iter_workflow_sessions": _ours,
    "prefetched(1)": _ours_ahead,
    "map_workflow_sessions, one workflow": _ours_mapped,
}


async def _run(way, url):
    """Stream everything; the memory is looked at a hundred times."""
    count, samples = 0, []
    began, cpu = time.perf_counter(), time.process_time()
    async for session in WAYS[way](url):
        assert session
        count += 1
        if count % (PAGE * 20) == 0:
            samples.append(_kilobytes("VmRSS"))
    settled = samples[len(samples) // 20 :] or [0]
    return {
        "sessions": count,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "peak": _kilobytes("VmHWM") / 1024,
        "growth": (max(settled) - settled[0]) / 1024,
    }


def show(rounds, sessions):
    """Print the table: each way in a fresh process, in turns."""
    import lab
    from prepared import serving

    if not _STATUS.exists():
        print("\nstream: this system does not tell a process's memory in /proc")
        return
    found = {name: [] for name in WAYS}
    with serving(pages=sessions // PAGE, size=PAGE) as url:

        def measured(name):
            def once():
                done = lab.in_fresh_process(__file__, name, url, timeout=600)
                assert done["sessions"] == sessions
                found[name].append(done)
                return done["peak"]

            return once

        peaks = lab.take_turns({name: measured(name) for name in WAYS}, rounds=rounds)
    floor, loaded = list(WAYS)[:2]

    def middle(name, figure):
        return lab.median([done[figure] for done in found[name]])

    lab.show(
        f"{sessions:,} sessions in pages of {PAGE} over loopback, a fresh process each",
        (
            *("way", "sessions/s", "sessions per CPU s", "peak MB", "of the floor"),
            *("of the same, imported", "growth MB"),
        ),
        [
            (
                name,
                f"{sessions / middle(name, 'seconds'):,.0f}",
                f"{sessions / middle(name, 'cpu'):,.0f}",
                lab.median(peaks[name]),
                lab.ratio(peaks, name, floor),
                lab.ratio(peaks, name, loaded),
                middle(name, "growth"),
            )
            for name in WAYS
        ],
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(*sys.argv[1:]))))
