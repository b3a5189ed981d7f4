"""What the simulator's tests share: a plain client in front of one, in process."""

import asyncio
import contextlib

import httpx
import pytest

from deepidv_async.simulator import Simulator


@pytest.fixture
def ask():
    """Give a way to open a plain client on a simulator; it sends the first key."""

    @contextlib.asynccontextmanager
    async def _ask(simulator=None, *, key=None, **options):
        app = simulator or Simulator(**options)
        headers = {"x-api-key": app.api_key if key is None else key} if key != "" else {}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://simulator", headers=headers
        ) as http:
            http.simulator = app
            yield http

    return _ask


@pytest.fixture
def loop_time():
    """Give a way to tell how long a coroutine takes on the running loop, in seconds."""

    async def _loop_time(coroutine):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await coroutine
        return round(loop.time() - started, 6)

    return _loop_time
