"""Closing at awkward moments: under way, in another loop, in a child process."""

import asyncio
import json
import subprocess
import sys
import threading
import time

import httpx
import pytest
import respx

from deepidv_async import APIConnectionError, ClientClosedError, ConfigurationError, RetryPolicy
from deepidv_async import _transport as transport_module
from raw_server import http_answer, raw_server
from support import BASE, make_client, sessions_body, workflows_body

BODY = http_answer(b'{"workflows": []}')


@pytest.mark.own_pool("an injected client is there already")
@pytest.mark.asyncio
async def test_closing_while_the_first_call_makes_its_pool(monkeypatch):
    """A client closed before its pool was made makes none, and sends nothing."""
    started = threading.Event()
    real = transport_module.shared_tls_context

    def slow():
        started.set()
        time.sleep(0.1)
        return real()

    async def answer(server, head):
        return BODY

    monkeypatch.setattr(transport_module, "_tls_context", None)
    monkeypatch.setattr(transport_module, "shared_tls_context", slow)
    async with raw_server(answer) as server:
        client = make_client(base_url=server.base_url)
        call = asyncio.create_task(client.list_workflows())
        while not started.is_set():
            await asyncio.sleep(0.005)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await call
        assert server.requests == []


@pytest.mark.asyncio
@respx.mock
async def test_closing_an_iterator_under_way():
    """What comes after `aclose` is dropped: a page that was fetched, and what was gathered."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request):
        if "next_token" not in request.url.params:
            return httpx.Response(200, json=sessions_body("s1", next_token="t1"))
        arrived.set()
        await go_on.wait()
        if request.url.params["workflow_id"] == "wf_bad":
            raise httpx.ConnectError("gone")
        return httpx.Response(200, json=sessions_body("s2"))

    respx.get(url__startswith=f"{BASE}/v1/sessions").mock(side_effect=answer)
    once = RetryPolicy(max_retries=0)
    async with make_client(api_version="v1", retry=once) as client:
        pages = client.iter_workflow_sessions("wf_1")
        failing = client.iter_workflow_sessions("wf_bad")
        view = pages.pages()
        await anext(view)
        late = asyncio.create_task(anext(view, "the end"))
        gathering = asyncio.create_task(failing.collect())
        await arrived.wait()
        await asyncio.sleep(0.01)
        await pages.aclose()
        await failing.aclose()
        go_on.set()
        assert await late == "the end"
        with pytest.raises(APIConnectionError):
            await gathering
        assert await failing.collect() == []


def test_closing_from_another_running_loop():
    """Only its own loop can close a client: another one is told so, and nothing is touched."""
    client = make_client()

    async def main():
        with respx.mock:
            respx.get(f"{BASE}/workflow").respond(json=workflows_body())
            await client.list_workflows()
            with pytest.raises(ConfigurationError, match="another event loop"):
                await asyncio.to_thread(lambda: asyncio.run(client.aclose()))
            await client.list_workflows()
            await client.aclose()

    asyncio.run(main())


CHILD = """
import asyncio, json, os, sys
from deepidv_async import AsyncDeepIDV

client = AsyncDeepIDV("key", base_url=sys.argv[1])

def child():
    async def close():
        await client.aclose()
    asyncio.run(close())
    os._exit(0)

async def main():
    slow = asyncio.create_task(client.list_workflows())
    await asyncio.sleep(0.2)
    if (pid := os.fork()) == 0:
        child()
    os.waitpid(pid, 0)
    first = len(await slow)
    second = len(await client.list_workflows())
    await client.aclose()
    print(json.dumps([first, second]))

asyncio.run(main())
"""


@pytest.mark.asyncio
async def test_a_child_that_closes_leaves_the_parent_alone():
    """A forked child's `aclose` does not touch the pool that the parent is using."""

    async def answer(server, head):
        if len(server.requests) == 1:
            await asyncio.sleep(0.6)
        return http_answer(b'{"workflows": [{"id": "wf_1"}]}')

    async with raw_server(answer) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c", CHILD, server.base_url),
            stdout=subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
        assert json.loads(out) == [1, 1]
        assert server.connections == 1
