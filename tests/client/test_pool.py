"""Our own connection pool, over real sockets."""

import asyncio
import gc
import socket
import ssl
import threading
import warnings

import httpx
import pytest

from deepidv_async import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    ConfigurationError,
    RetryPolicy,
)
from deepidv_async._pool import Pool
from raw_server import http_answer, raw_server
from support import make_client

pytestmark = [pytest.mark.asyncio, pytest.mark.own_pool("is about nothing else")]

BODY = http_answer(b'{"workflows": [{"id": "wf_1"}]}')
ONCE = RetryPolicy(max_retries=0)


async def answer(server, head):
    await asyncio.sleep(0.002)
    return BODY


def pool_of(client):
    return client._pipeline.transport.session().client._client._transport


async def test_a_connection_is_used_again():
    """Calls one after the other share one connection, the one that was used last."""
    async with raw_server(answer) as server, make_client(base_url=server.base_url) as client:
        for _ in range(5):
            await client.list_workflows()
        assert server.connections == 1
        await asyncio.gather(*(client.list_workflows() for _ in range(3)))
        assert server.connections == 3
        for _ in range(5):
            await client.list_workflows()
        used = [head for _, head in pool_of(client)._idle][-1]
        assert server.connections == 3
        await client.list_workflows()
        assert pool_of(client)._idle[-1][1] is used


async def test_no_more_connections_than_the_gate_lets_in():
    """1,000 calls, 100 at a time, open as many connections as the gate has places."""
    async with raw_server(answer) as server:
        async with make_client(
            base_url=server.base_url, rate_limit=None, max_connections=7
        ) as client:
            left = iter(range(1000))

            async def caller():
                for _ in left:
                    await client.list_workflows()

            await asyncio.gather(*(caller() for _ in range(100)))
            assert server.connections == 7


async def test_a_connection_that_the_server_closed_is_not_used():
    """What the server has closed meanwhile is noticed before a request goes into it."""
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url, retry=ONCE) as client:
            await asyncio.gather(*(client.list_workflows() for _ in range(3)))
            await server.stop()
            await asyncio.sleep(0.01)
            assert (await client.list_workflows()).response.attempts == 1
            assert server.connections == 4
            assert len(pool_of(client)._open) == 1


async def test_a_server_that_keeps_no_connection():
    """After `connection: close` the next call has a new one."""

    async def close(server, head):
        return http_answer(b'{"workflows": []}', headers="connection: close\r\n")

    async with raw_server(close) as server:
        async with make_client(base_url=server.base_url, retry=ONCE) as client:
            for _ in range(3):
                await client.list_workflows()
            assert (server.connections, len(pool_of(client)._open)) == (3, 0)


async def test_connections_that_were_idle_too_long(monkeypatch):
    """What was idle for too long is not used any more, and is closed when others come back."""
    monkeypatch.setitem(Pool.__init__.__kwdefaults__, "keep_idle", 0.05)
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url) as client:
            await asyncio.gather(*(client.list_workflows() for _ in range(4)))
            pool = pool_of(client)
            assert (server.connections, len(pool._idle)) == (4, 4)
            await asyncio.sleep(0.1)
            await client.list_workflows()
            assert server.connections == 5
            assert len(pool._idle) == len(pool._open) == 1


async def test_connections_that_nobody_needs_any_more(monkeypatch):
    """While one is used again and again, those behind it are closed when they are too old."""
    monkeypatch.setitem(Pool.__init__.__kwdefaults__, "keep_idle", 0.2)
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url, rate_limit=None) as client:
            await asyncio.gather(*(client.list_workflows() for _ in range(4)))
            pool = pool_of(client)
            async with asyncio.timeout(5):
                while len(pool._open) > 1:
                    await client.list_workflows()
            assert server.connections <= 5  # the last one itself may have been too old once


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.02])
async def test_a_cancelled_request_closes_its_connection(seconds):
    """Nothing of a request that nobody waits for stays in the pool, wherever it was."""

    async def slow(server, head):
        await asyncio.sleep(0.3)
        return BODY

    async with raw_server(slow) as server:
        async with make_client(base_url=server.base_url, max_connections=1) as client:
            await client.list_workflows()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await client.list_workflows()
            pool = pool_of(client)
            assert len(pool._open) == len(pool._idle)
            assert (await client.list_workflows()).response.attempts == 1


async def test_cancelled_twice():
    """A second cancellation while the first is cleaned up leaves no connection either."""

    async def slow(server, head):
        await asyncio.sleep(0.3)
        return BODY

    async with raw_server(slow) as server:
        async with make_client(base_url=server.base_url, max_connections=1) as client:
            await client.list_workflows()
            for turns in range(12):
                call = asyncio.create_task(client.list_workflows())
                await asyncio.sleep(0.005)
                call.cancel()
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait([call])
                pool = pool_of(client)
                assert len(pool._open) == len(pool._idle)
            assert (await client.list_workflows()).response.attempts == 1


async def test_closing_ends_requests_under_way():
    """Closing the client ends what it is doing, with an error that says so, at the first try."""

    async def never(server, head):
        await asyncio.sleep(60)

    async with raw_server(never) as server, asyncio.timeout(5):
        client = make_client(base_url=server.base_url, rate_limit=None)
        calls = [asyncio.create_task(client.list_workflows()) for _ in range(3)]
        while len(server.requests) < 3:
            await asyncio.sleep(0.001)
        await client.aclose()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in ended] == [ClientClosedError] * 3


@pytest.mark.parametrize("turns", range(12))
async def test_closing_while_it_connects(turns):
    """However far a new connection has come, closing leaves no socket open and no later request."""
    async with raw_server(answer) as server, asyncio.timeout(5):
        client = make_client(base_url=server.base_url, rate_limit=None)
        call = asyncio.create_task(client.list_workflows())
        while client._pipeline.transport.session().client is None:
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        sent = len(server.requests)
        await client.aclose()
        ended = await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(0.01)
        gc.collect()  # an open socket would warn, and a warning is an error here
        assert isinstance(ended[0], ClientClosedError) or call.result().items
        assert len(server.requests) <= max(sent, turns > 9)


async def test_a_response_that_comes_back_after_closing():
    """A connection that is given back to a closed pool is closed."""
    async with raw_server(answer) as server:
        pool = Pool(server.base_url, ssl.create_default_context())
        async with httpx.AsyncClient(transport=pool) as client:
            async with client.stream("GET", server.base_url) as response:
                pool._closed = True
                await response.aread()
            assert (len(pool._idle), len(pool._open)) == (0, 0)


async def test_it_connects_to_one_host():
    """Whatever a request asks for, its bytes go to the pool's host and nowhere else."""
    async with raw_server(answer) as server:
        pool = Pool(server.base_url, ssl.create_default_context())
        async with httpx.AsyncClient(transport=pool) as client:
            await client.get("http://elsewhere.example/path?query=1")
        assert server.requests[0].startswith("GET /path?query=1 HTTP/1.1\r\n")


async def test_a_handshake_that_is_cancelled_leaves_no_socket():
    """A TLS handshake that never ends is cut off with its socket, by timeout or cancellation."""

    async def mute(reader, writer):
        await reader.read()
        writer.close()

    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(mute, sock=listener)
    base_url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with server, make_client(base_url=base_url, retry=ONCE) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.list_workflows()
            impatient = client.with_options(timeout=0.1)
            with pytest.raises(APITimeoutError):
                await impatient.list_workflows()
        gc.collect()
    assert [str(each.message) for each in told] == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_asked(monkeypatch, name):
    """Where the environment names a proxy, the request goes through it, by httpx's own pool."""
    asked = []

    async def refuse(server, head):
        asked.append(head.splitlines()[0])
        return http_answer(b"", "403 Forbidden")

    async with raw_server(refuse) as server:
        monkeypatch.setenv(name, server.base_url)
        async with make_client(base_url="https://api.example", retry=ONCE) as client:
            with pytest.raises(APIConnectionError, match="Check base_url, DNS, proxy"):
                await client.list_workflows()
            assert client._pipeline.transport.session().client.guarded
    assert asked == ["CONNECT api.example:443 HTTP/1.1"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "ftp://127.0.0.1:9", "http://[::bad"])
async def test_a_proxy_that_cannot_be_used(monkeypatch, proxy):
    """A proxy setting that makes no client is named by its variable, without its value."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with make_client(base_url="https://api.example", retry=ONCE) as client:
        with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
            await client.list_workflows()
    assert "127.0.0.1" not in str(caught.value)


async def test_a_host_that_needs_no_proxy(monkeypatch):
    """A host in NO_PROXY has our own pool, although there is a proxy for others."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost.localdomain,other.example")
    async with make_client(base_url="https://localhost.localdomain:9/dev") as client:
        assert not client._pipeline.transport._proxied()
    async with make_client(base_url="https://api.example") as client:
        assert client._pipeline.transport._proxied()


async def test_cookies_are_not_kept():
    """What a load balancer would like to find again is not sent: calls have no state."""

    async def sticky(server, head):
        return http_answer(b'{"workflows": []}', headers="set-cookie: AWSALB=abc; Path=/\r\n")

    async with raw_server(sticky) as server, make_client(base_url=server.base_url) as client:
        await client.list_workflows()
        await client.list_workflows()
        assert len(server.requests) == 2
        assert "cookie" not in server.requests[1].lower()


async def test_the_first_calls_make_one_client():
    """However many calls come at once, the TLS context is made by one thread, for one pool."""
    before = threading.active_count()
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url, rate_limit=None) as client:
            calls = [asyncio.create_task(client.list_workflows()) for _ in range(30)]
            await asyncio.sleep(0)
            await asyncio.gather(*calls)
            assert threading.active_count() <= before + 1


async def test_a_proxy_for_others_is_not_asked(monkeypatch):
    """A proxy for plain HTTP is of no use to an https host: it has our own pool."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with make_client(base_url="https://localhost.localdomain:9", retry=ONCE) as client:
        assert not client._pipeline.transport._proxied()
