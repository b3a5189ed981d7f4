"""Making, sharing, closing: loops, forks, views, injected clients, the TLS context."""

import asyncio
import gc
import json
import os
import ssl
import subprocess
import sys
import threading

import httpx
import pytest
import respx

from deepidv_async import (
    AsyncDeepIDV,
    ClientClosedError,
    ConfigurationError,
    ProcessForked,
    RateLimit,
    RetryPolicy,
    Timeouts,
    TokenBucket,
)
from deepidv_async import _transport as transport_module
from raw_server import http_answer, raw_server
from support import BASE, make_client, workflows_body

BODY = http_answer(b'{"workflows": [{"id": "wf_1"}]}')


async def answer(server, head):
    return BODY


@pytest.mark.asyncio
@respx.mock
async def test_a_closed_client_says_so():
    """Calls after `aclose` raise `ClientClosedError`; closing twice is fine."""
    route = respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    client = make_client()
    async with client:
        await client.list_workflows()
        view = client.with_options(timeout=1)
        items = client.iter_workflows()
    await client.aclose()
    for call in (client.list_workflows(), view.list_workflows(), anext(items)):
        with pytest.raises(ClientClosedError, match="closed"):
            await call
    assert isinstance(ClientClosedError("x"), RuntimeError)
    assert route.call_count == 1


@pytest.mark.asyncio
async def test_calls_under_way_when_the_client_is_closed():
    """A call that waits for the limiter while the client is closed ends with the same error."""
    async with raw_server(answer) as server, asyncio.timeout(5):
        limit = RateLimit(per_second=20, burst=1)
        client = make_client(base_url=server.base_url, rate_limit=limit)
        await client.list_workflows()
        waiting = asyncio.create_task(client.list_workflows())
        await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await waiting
        unopened = make_client(base_url=server.base_url, rate_limit=limit)
        await unopened.rate_limiter.acquire()
        waiting = asyncio.create_task(unopened.list_workflows())
        await asyncio.sleep(0.01)
        await unopened.aclose()
        with pytest.raises(ClientClosedError):
            await waiting


@pytest.mark.asyncio
@respx.mock
async def test_a_view_shares_and_closes_nothing():
    """A view has options of its own on the same pool, limiter and observers."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    seen = []
    async with make_client(observers=[seen.append]) as client:
        async with client.with_options(
            timeout=Timeouts(read=1), deadline=9, retry=RetryPolicy(max_retries=0)
        ) as view:
            assert isinstance(view, AsyncDeepIDV)
            assert view.rate_limiter is client.rate_limiter
            await view.list_workflows()
        assert seen
        await client.list_workflows()
        assert view._options.timeouts == Timeouts(read=1)
        assert view._options.deadline == 9
        assert client._options.deadline is None
        assert view.with_options(deadline=None)._options.deadline is None
        assert view.with_options()._options == view._options
        assert view.with_options(priority="bulk")._options.priority == "bulk"
        with pytest.raises(ConfigurationError, match="priority must be"):
            view.with_options(priority="urgent")


@pytest.mark.asyncio
@respx.mock
async def test_an_injected_client_is_used_and_never_closed():
    """`http_client` belongs to the caller, its settings for redirects notwithstanding."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body("wf_1"))
    async with httpx.AsyncClient(follow_redirects=True) as injected:
        async with make_client(http_client=injected) as client:
            assert len(await client.list_workflows()) == 1
        assert not injected.is_closed
        other = make_client(http_client=injected)
    with pytest.raises(ClientClosedError, match="http_client"):
        await other.list_workflows()
    with pytest.raises(ConfigurationError, match=r"httpx\.AsyncClient, not Client"):
        make_client(http_client=httpx.Client.__new__(httpx.Client))


@pytest.mark.asyncio
@respx.mock
async def test_two_clients_can_share_a_limiter():
    """`rate_limit=first.rate_limiter` makes one limit of two clients."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    async with make_client() as first, make_client(rate_limit=first.rate_limiter) as second:
        assert second.rate_limiter is first.rate_limiter
        await second.list_workflows()
        assert isinstance(first.rate_limiter, TokenBucket)
        assert first.rate_limiter.stats().granted == 1
        assert make_client(rate_limit=None).rate_limiter is None


def test_construction_does_no_io_and_builds_no_tls_context(monkeypatch):
    """A client can be made outside a loop, at import time, for the price of an object."""
    monkeypatch.setattr(ssl, "create_default_context", None)
    monkeypatch.setattr(httpx, "create_ssl_context", None)
    monkeypatch.setattr(httpx, "AsyncClient", type("Never", (), {"__init__": None}))
    client = AsyncDeepIDV("key")
    client.iter_workflows()
    assert repr(client) == "AsyncDeepIDV('https://api.deepidv.com', api_version='legacy')"


@pytest.mark.own_pool("an injected client has a context of its own")
@pytest.mark.asyncio
@respx.mock
async def test_the_tls_context_is_made_once_and_off_the_loop(monkeypatch):
    """All clients of a process share one context, made in a thread."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    made = []
    real = httpx.create_ssl_context

    def recording():
        made.append(threading.current_thread())
        return real()

    monkeypatch.setattr(transport_module, "_tls_context", None)
    monkeypatch.setattr(httpx, "create_ssl_context", recording)
    async with make_client() as first, make_client() as second:
        await asyncio.gather(*(first.list_workflows() for _ in range(3)))
        await second.list_workflows()
    assert len(made) == 1
    assert made[0] is not threading.main_thread()


@pytest.mark.parametrize(
    "options",
    [
        {"max_connections": 0},
        {"max_connections": True},
        {"deadline": 0},
        {"deadline": float("nan")},
        {"timeout": -1},
        {"timeout": "5"},
        {"retry": 3},
        {"rate_limit": 25},
        {"api_version": "v2"},
    ],
)
def test_malformed_options(options):
    """A wrong option is refused where it is given, by its name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make_client(**options)


def test_it_rebinds_when_its_loop_is_closed():
    """Two `asyncio.run` with one client work, and the limiter keeps its level in between."""
    client = make_client(rate_limit=RateLimit(per_second=0.001, burst=3))

    async def run():
        with respx.mock:
            respx.get(f"{BASE}/workflow").respond(json=workflows_body())
            await client.list_workflows()
            return client.rate_limiter.stats().tokens

    first, second = asyncio.run(run()), asyncio.run(run())
    assert (round(first), round(second)) == (2, 1)
    asyncio.run(client.aclose())


@pytest.mark.own_pool("an injected client is one for all loops")
def test_connections_of_a_closed_loop_are_not_used_again():
    """The second loop gets a pool and a gate of its own."""

    async def run():
        with respx.mock:
            respx.get(f"{BASE}/workflow").respond(json=workflows_body())
            await client.list_workflows()
            return client._pipeline.transport.session()

    client = make_client()
    first, second = asyncio.run(run()), asyncio.run(run())
    assert first.gate is not second.gate
    assert first.client is not second.client
    asyncio.run(client.aclose())


def test_a_second_running_loop_is_refused():
    """One client on two running loops is a clear error, not a hang or a broken socket."""
    client = make_client()

    async def run_here():
        with respx.mock:
            respx.get(f"{BASE}/workflow").respond(json=workflows_body())
            await client.list_workflows()
            with pytest.raises(ConfigurationError, match="another event loop"):
                await asyncio.to_thread(lambda: asyncio.run(client.list_workflows()))
            await client.list_workflows()
            await client.aclose()

    asyncio.run(run_here())


def test_without_a_loop_of_asyncio():
    """Driven by something else than asyncio, the error names what is missing."""
    with pytest.raises(ConfigurationError, match="asyncio event loop"):
        make_client().list_workflows().send(None)


FORK = """
import asyncio, json, os, sys
from deepidv_async import AsyncDeepIDV, ProcessForked, RateLimit

events = []
client = AsyncDeepIDV("key", base_url=sys.argv[1], observers=[events.append],
                      rate_limit=RateLimit(per_second=0.5, burst=5))

async def call():
    await client.list_workflows()
    return client.rate_limiter.stats().tokens

async def late():
    try:
        await client.with_options(deadline=0.5).list_workflows()
    except TimeoutError:
        return True

async def main():
    return await call()

parent_tokens = asyncio.run(main())
read, write = os.pipe()
if (pid := os.fork()) == 0:
    events.clear()
    refused = asyncio.run(late())
    forks = [event for event in events if isinstance(event, ProcessForked)]
    told = [[fork.parent == os.getppid(), fork.child == os.getpid()] for fork in forks]
    os.write(write, json.dumps([refused, told]).encode())
    os._exit(0)
os.waitpid(pid, 0)
print(json.dumps([parent_tokens, json.loads(os.read(read, 1000))]))
"""


@pytest.mark.asyncio
async def test_a_forked_child_starts_clean():
    """A child has a pool of its own and an empty bucket, and one event says so."""
    async with raw_server(answer) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FORK, server.base_url, stdout=subprocess.PIPE
        )
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
    parent_tokens, (refused, told) = json.loads(out)
    assert parent_tokens == pytest.approx(4, abs=0.3)
    assert refused is True
    assert told == [[True, True]]


@pytest.mark.own_pool("an injected client is one for all processes")
@pytest.mark.asyncio
async def test_the_parents_connections_are_left_alone(monkeypatch):
    """In a child the parent's session is kept aside: neither used nor collected."""
    events = []
    with respx.mock:
        respx.get(f"{BASE}/workflow").respond(json=workflows_body())
        client = make_client(observers=[events.append], rate_limit=None)
        quiet = make_client(rate_limit=None)
        for each in (client, quiet):
            await each.list_workflows()
        sessions = [each._pipeline.transport._sessions._current for each in (client, quiet)]
        parent = os.getpid()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: parent + 1)
            for each in (client, quiet):
                await each.list_workflows()
            assert [event for event in events if isinstance(event, ProcessForked)] == [
                ProcessForked(parent=parent, child=parent + 1)
            ]
            for each, session in zip((client, quiet), sessions, strict=True):
                held = each._pipeline.transport._sessions
                assert held.parents == [session]
                assert held._current is not session
                assert held._current.gate is not session.gate
                assert held._current.client is not session.client
                assert not session.client.is_closed
                await each.aclose()
                await session.client.aclose()


@pytest.mark.asyncio
@respx.mock
async def test_a_client_made_before_the_fork(monkeypatch):
    """A client that a preloading server made and never used says so in the child, once."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    events = []
    async with make_client(observers=[events.append], rate_limit=None) as client:
        parent = os.getpid()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: parent + 1)
            await client.list_workflows()
            await client.list_workflows()
            await client.aclose()
    forks = [event for event in events if isinstance(event, ProcessForked)]
    assert forks == [ProcessForked(parent=parent, child=parent + 1)]


@pytest.mark.own_pool("an injected client is not ours to close")
@pytest.mark.asyncio
@respx.mock
async def test_a_dropped_client_warns():
    """A client of ours that is dropped with its pool open gives a ResourceWarning."""
    respx.get(f"{BASE}/workflow").respond(json=workflows_body())
    client = make_client()
    await client.list_workflows()
    session = client._pipeline.transport._sessions._current
    with pytest.warns(ResourceWarning, match="without aclose"):
        del client
        gc.collect()
    await session.client.aclose()


@pytest.mark.own_pool("an injected client has a context of its own")
@pytest.mark.asyncio
async def test_certificates_that_cannot_be_loaded(monkeypatch, tmp_path):
    """A wrong SSL_CERT_FILE is named as the cause, and a right one later works."""
    monkeypatch.setattr(transport_module, "_tls_context", None)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url, max_connections=1) as client:
            with pytest.raises(ConfigurationError, match="unset SSL_CERT_FILE"):
                await client.list_workflows()
            (tmp_path / "broken.pem").write_text("no certificate")
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "broken.pem"))
            with pytest.raises(ConfigurationError, match="SSLError"):
                await client.list_workflows()
            monkeypatch.delenv("SSL_CERT_FILE")
            await client.list_workflows()
