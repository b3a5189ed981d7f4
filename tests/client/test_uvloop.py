"""The promise is asyncio, on any loop: the same calls on uvloop."""

import asyncio
import sys

import pytest

from deepidv_async import RateLimit
from raw_server import http_answer, raw_server
from support import make_client

BODY = http_answer(b'{"workflows": [{"id": "wf_1"}]}')


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for Windows")
def test_calls_and_cancellations_on_uvloop():
    """Under uvloop calls succeed, cancelled ones cost nothing, and the limiter keeps time."""
    import uvloop  # noqa: PLC0415 - absent on Windows

    takes = 0.5  # long beside the time-out, however slow the machine is

    async def answer(server, head):
        await asyncio.sleep(takes)
        return BODY

    async def cut_short(client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.002):
                await client.list_workflows()

    async def main():
        nonlocal takes
        limit = RateLimit(per_second=1_000, burst=60, hold=0.05)
        async with raw_server(answer) as server:
            async with make_client(
                base_url=server.base_url, rate_limit=limit, max_connections=5
            ) as client:
                for _ in range(30):
                    await cut_short(client)
                takes = 0.004
                began = asyncio.get_running_loop().time()
                pages = await asyncio.gather(*(client.list_workflows() for _ in range(150)))
                elapsed = asyncio.get_running_loop().time() - began
                await asyncio.sleep(0.06)
                return pages, elapsed, client.rate_limiter.stats()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pages, elapsed, stats = runner.run(main())
    assert [page.response.attempts for page in pages] == [1] * 150
    assert elapsed >= (150 - 60) / 1_000
    assert (stats.open, stats.waiting, stats.throttled) == (0, 0, 0)
