"""What one call costs above a bare HTTP call, beside other API clients.

    python tests/benchmarks/calls [--rounds 9] [--calls 300]

Every client lists ten small records through the HTTP library that it is made for, which answers
from memory: what is left is the client's own work and that of its HTTP library. The floor is
`AsyncClient.get` of the same library and `.json()`. Ours runs with all that is on by default
(limiter with a rate that never makes it wait, gate, retries, cancellation safety) plus a deadline,
and gives typed records.
"""

import argparse
import asyncio
import gc
import importlib.metadata
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

import lab

RECORDS = [
    {"id": f"wf_{number}", "name": f"Flow {number}", "created_at": "2026-11-25T10:00:00.000Z"}
    for number in range(10)
]
BODIES = {
    "/v1/workflows": {"workflows": RECORDS},
    "/licenses": RECORDS,
    "/models": {
        "object": "list",
        "data": [
            {"id": one["id"], "object": "model", "created": 1, "owned_by": "us"} for one in RECORDS
        ],
    },
}
BASE = "https://api.example.test"


def memory(library):
    """Make a transport of `library` that answers from memory, in the way of a network."""

    class Body(library.AsyncByteStream):
        def __init__(self, content):
            self.content = content

        async def __aiter__(self):
            yield self.content

        async def aclose(self):
            pass

    answers = {}
    for path, plain in BODIES.items():
        content = json.dumps(plain).encode()
        head = [
            (b"Date", b"Wed, 25 Nov 2026 12:00:00 GMT"),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(content)).encode()),
            (b"x-amzn-RequestId", b"4f3a1c2e-0000-4000-8000-000000000001"),
        ]
        answers[path] = head, content

    class Memory(library.AsyncBaseTransport):
        async def handle_async_request(self, request):
            head, content = answers[request.url.path]
            return library.Response(200, headers=head, stream=Body(content))

    return Memory()


def floor_of(name):
    """Give a bare call of an HTTP library."""
    library = __import__(name)
    client = library.AsyncClient(transport=memory(library), headers={"x-api-key": "k" * 32})

    async def call():
        return (await client.get(f"{BASE}/v1/workflows")).json()["workflows"]

    return call


def ours():
    """Give a typed call of this library, with everything on."""
    import httpx

    from deepidv_async import AsyncDeepIDV, RateLimit

    client = AsyncDeepIDV(
        "k" * 32,
        base_url=BASE,
        api_version="v1",
        deadline=30,
        rate_limit=RateLimit(per_second=1e6, burst=1e6, per_day=10_000_000),
        http_client=httpx.AsyncClient(transport=memory(httpx)),
    )

    async def call():
        return (await client.list_workflows()).items

    return call


def gidgethub():
    """Give a call of gidgethub: plain dictionaries, no retries."""
    import gidgethub.httpx
    import httpx

    http = httpx.AsyncClient(transport=memory(httpx))
    client = gidgethub.httpx.GitHubAPI(http, "me", oauth_token="t", base_url=BASE)

    async def call():
        return await client.getitem("/licenses")

    return call


def githubkit():
    """Give a call of githubkit: plain dictionaries out of `.json()`."""
    import githubkit
    import httpx

    client = githubkit.GitHub(
        "t", base_url=BASE, http_cache=False, async_transport=memory(httpx), throttler=None
    )
    opened = False

    async def call():
        nonlocal opened
        if not opened:
            await client.__aenter__()
            opened = True
        return (await client.rest.licenses.async_get_all_commonly_used()).json()

    return call


def openai():
    """Give a typed call of openai's client, with its retries."""
    import httpx2
    import openai

    http = httpx2.AsyncClient(transport=memory(httpx2))
    client = openai.AsyncOpenAI(api_key="k", base_url=BASE, http_client=http)

    async def call():
        return (await client.models.list()).data

    return call


CLIENTS = {
    "httpx get + json": ("httpx", lambda: floor_of("httpx")),
    "httpx2 get + json": ("httpx2", lambda: floor_of("httpx2")),
    "deepidv_async": ("httpx", ours),
    "gidgethub": ("httpx", gidgethub),
    "githubkit": ("httpx", githubkit),
    "openai": ("httpx2", openai),
}


def measured(loop, call, calls):
    """Make a variant: CPU µs per call, one after the other."""

    async def many():
        began = time.process_time()
        for _ in range(calls):
            await call()
        return (time.process_time() - began) / calls * 1e6

    def measure():
        gc.collect()
        return loop.run_until_complete(many())

    assert len(loop.run_until_complete(call())) == len(RECORDS)
    measure()
    return measure


def main() -> None:
    """Measure those that are installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=300)
    given = parser.parse_args()
    loop = asyncio.new_event_loop()
    variants = {}
    for name, (_, make) in CLIENTS.items():
        try:
            variants[name] = measured(loop, make(), given.calls)
        except ImportError as missing:
            print(f"left out: {name} ({missing})")
    figures = lab.take_turns(variants, rounds=given.rounds)
    rows = []
    for name in figures:
        floor = f"{CLIENTS[name][0]} get + json"
        added = lab.median(
            [one - bare for one, bare in zip(figures[name], figures[floor], strict=True)]
        )
        rows.append(
            (
                name,
                floor,
                lab.median(figures[name]),
                f"{added:+.0f}",
                lab.ratio(figures, name, floor),
                f"{lab.spread(figures[name]):.1f}",
            )
        )
    version = importlib.metadata.version("httpx")
    lab.show(
        f"CPU per call, answers from memory; httpx {version}, Python {sys.version.split()[0]}",
        ("client", "floor", "µs", "added µs", "x floor", "spread %"),
        rows,
    )


if __name__ == "__main__":
    main()
