"""What real sockets do to a call: timeouts, broken connections, bodies that cannot be read."""

import asyncio
import gzip
import json
import time
import zlib

import httpx
import pytest

from deepidv_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from deepidv_async import _sender as sender_module
from fault_proxy import Fault, FaultProxy
from raw_server import http_answer, raw_server
from support import make_client

pytestmark = pytest.mark.asyncio

PLAIN = json.dumps({"workflows": [{"id": f"wf_{n}"} for n in range(50)]}).encode()
ONCE = RetryPolicy(max_retries=0)
QUICK = RetryPolicy(max_retries=3, initial=0.001)


async def answer(server, head):
    return http_answer(PLAIN)


def port_of(server):
    return int(server.base_url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (Fault("hang-up"), APIConnectionError, "RemoteProtocolError|ReadError"),
        (Fault("hang-up", reset=True), APIConnectionError, "ReadError|RemoteProtocolError|Write"),
        (Fault("drop"), APIConnectionError, "RemoteProtocolError|ReadError"),
        (Fault("cut-head", 9), APIConnectionError, "RemoteProtocolError"),
        (Fault("cut-body", 9), APIConnectionError, "RemoteProtocolError"),
        (Fault("cut-body", 9, reset=True), APIConnectionError, "ReadError"),
        (Fault("garbage"), APIConnectionError, "RemoteProtocolError"),
        (Fault("black-hole"), APITimeoutError, "ReadTimeout"),
        (Fault(delay=2), APITimeoutError, "ReadTimeout"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Fault) else None,
)
async def test_a_broken_connection(fault, kind, cause):
    """Each way to break has its class and cause; the next try on a sound one succeeds."""
    async with raw_server(answer) as server, FaultProxy(port_of(server), fault) as proxy:
        async with make_client(base_url=proxy.base_url, timeout=0.2, retry=ONCE) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.list_workflows()
            page = await client.list_workflows()
    assert type(caught.value) is kind
    assert any(name in caught.value.cause for name in cause.split("|"))
    assert len(page) == 50


async def test_breaking_connections_are_tried_again():
    """Three breaks in a row are survived by the default number of retries."""
    faults = [Fault("hang-up"), Fault("cut-body", 100), Fault("garbage")]
    async with raw_server(answer) as server, FaultProxy(port_of(server), *faults) as proxy:
        async with make_client(base_url=proxy.base_url, retry=QUICK) as client:
            page = await client.list_workflows()
    assert (len(page), page.response.attempts) == (50, 4)


async def test_a_kept_connection_that_the_server_closed():
    """A stale connection of the pool costs no call: it is noticed or tried again."""

    async def once(server, head):
        return http_answer(PLAIN) if len(server.requests) % 2 else None

    async with raw_server(once) as server:
        async with make_client(base_url=server.base_url, retry=QUICK) as client:
            for _ in range(3):
                assert len(await client.list_workflows()) == 50


async def test_a_trickling_answer_is_bounded_by_the_deadline():
    """A server that sends a byte now and then satisfies every read timeout, but no deadline."""
    fault = Fault(piece=1, pause=0.05)
    async with raw_server(answer) as server, FaultProxy(port_of(server), usual=fault) as proxy:
        async with make_client(base_url=proxy.base_url, timeout=0.5, deadline=0.3) as client:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                await client.list_workflows()
    assert 0.25 < time.monotonic() - began < 0.45


async def test_nobody_listens():
    """A refused connection says where, and what to check."""
    async with raw_server(answer) as server:
        base_url = server.base_url
    async with make_client(base_url=base_url, retry=ONCE) as client:
        with pytest.raises(APIConnectionError, match=f"Cannot connect to {base_url}"):
            await client.list_workflows()


async def test_a_server_that_speaks_no_tls():
    """An https URL on a plain-text port is a connection error, not a decoding one."""
    plain = Fault("garbage", data=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    async with raw_server(answer) as server, FaultProxy(port_of(server), plain) as proxy:
        secure = proxy.base_url.replace("http:", "https:")
        async with make_client(base_url=secure, retry=ONCE) as client:
            with pytest.raises(APIConnectionError, match="TLS"):
                await client.list_workflows()


def squeezed(data):
    """Give `data` as raw deflate, without the zlib wrapper."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", squeezed(PLAIN)),
        ("identity", PLAIN),
    ],
)
async def test_compressed_answers(encoding, body):
    """What was asked for, gzip and deflate in both its forms, is read."""

    async def compressed(server, head):
        return http_answer(body, headers=f"content-encoding: {encoding}\r\n")

    async with raw_server(compressed) as server, make_client(base_url=server.base_url) as client:
        assert len(await client.list_workflows()) == 50


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        ("gzip", gzip.compress(b"\0" * 30_000_000), "inflates to more than 1000000 bytes"),
        ("identity", b" " * 300_000, "larger than 200000 bytes"),
        ("gzip", PLAIN, "compression is broken"),
        ("gzip", gzip.compress(PLAIN)[:-9], "ends too early"),
        ("br", PLAIN, "content encoding was not asked for"),
        ("gzip, gzip", gzip.compress(PLAIN), "content encoding was not asked for"),
    ],
)
async def test_bodies_are_capped(encoding, body, said, monkeypatch):
    """Too large a body, raw or inflated, and one that cannot be inflated are an error."""
    monkeypatch.setattr(sender_module, "MAX_RAW", 200_000)
    monkeypatch.setattr(sender_module, "MAX_INFLATED", 1_000_000)

    async def squeeze(server, head):
        return http_answer(body, headers=f"content-encoding: {encoding}\r\n")

    async with raw_server(squeeze) as server, make_client(base_url=server.base_url) as client:
        with pytest.raises(ResponseDecodeError, match=said) as caught:
            await client.list_workflows()
    assert caught.value.partial is None


@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        (Fault("cut-body", 10), "fault"),
        (Fault("cut-body", 10, reset=True), "fault"),
        (Fault(), "client"),
    ],
    ids=["cut off", "reset", "too large"],
)
async def test_an_error_keeps_its_status_without_its_body(fault, ended):
    """A 401 whose body breaks off, or is too large, is still a 401, at the first try."""
    huge = http_answer(b"x" * 1_000_000, "401 Unauthorized")

    async def refuse(server, head):
        return huge

    async with raw_server(refuse) as server, FaultProxy(port_of(server), fault) as proxy:
        async with make_client(base_url=proxy.base_url, retry=ONCE) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.list_workflows()
        assert [seen.fault for seen in proxy.seen] == [fault]
        async with asyncio.timeout(5):
            while proxy.seen[0].ended is None:
                await asyncio.sleep(0.001)
        assert proxy.seen[0].ended == ended
        assert proxy.seen[0].sent < len(huge)
    assert caught.value.status == 401
    assert len(caught.value.attempts) == 1


async def test_a_refused_body_gives_its_connection_back(monkeypatch):
    """A body that is not read to its end holds no slot of the pool: the next call has it."""
    monkeypatch.setattr(sender_module, "MAX_RAW", 200_000)

    async def huge_first(server, head):
        return http_answer(b" " * 3_000_000 if len(server.requests) == 1 else PLAIN)

    async with raw_server(huge_first) as server:
        options = {"max_connections": 1, "timeout": Timeouts(pool=0.3), "retry": ONCE}
        async with make_client(base_url=server.base_url, **options) as client:
            with pytest.raises(ResponseDecodeError, match="larger than 200000 bytes"):
                await client.list_workflows()
            assert len(await client.list_workflows()) == 50
        assert server.connections == 2


class Endless(httpx.AsyncByteStream):
    """A body without an end, which notices that it is closed."""

    closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        return b" " * 10_000

    async def aclose(self):
        self.closed = True


async def test_a_body_is_closed_before_the_call_ends(monkeypatch):
    """The answer is closed by the call itself, not some time later by the garbage collector."""
    monkeypatch.setattr(sender_module, "MAX_RAW", 200_000)
    body = Endless()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=body))
    async with httpx.AsyncClient(transport=transport) as injected, asyncio.timeout(5):
        async with make_client(http_client=injected) as client:
            with pytest.raises(ResponseDecodeError, match="larger than 200000 bytes"):
                await client.list_workflows()
            assert body.closed


@pytest.mark.own_pool("an injected client has proxies of its own")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_loopback_needs_no_proxy(monkeypatch, name):
    """A proxy of the environment is not asked for this machine's own addresses."""
    async with raw_server(answer) as gone:
        nobody = gone.base_url
    monkeypatch.setenv(name, nobody)
    async with raw_server(answer) as server:
        async with make_client(base_url=server.base_url, retry=ONCE) as client:
            assert len(await client.list_workflows()) == 50


async def test_the_pool_opens_no_more_connections_than_allowed():
    """100 calls at once over 5 connections open 5, and keep them."""

    async def slow(server, head):
        await asyncio.sleep(0.005)
        return http_answer(PLAIN)

    async with raw_server(slow) as server, asyncio.timeout(5):
        async with make_client(
            base_url=server.base_url, max_connections=5, rate_limit=None
        ) as client:
            await asyncio.gather(*(client.list_workflows() for _ in range(100)))
        assert server.connections == 5


async def test_each_phase_has_its_own_timeout():
    """A short read timeout does not shorten the wait for a place, which the deadline bounds."""
    go_on = asyncio.Event()

    async def wait(server, head):
        await go_on.wait()
        return http_answer(PLAIN)

    async with raw_server(wait) as server, asyncio.timeout(5):
        async with make_client(
            base_url=server.base_url, max_connections=1, timeout=Timeouts(pool=0.05), retry=ONCE
        ) as client:
            first = asyncio.create_task(client.list_workflows())
            second = asyncio.create_task(client.list_workflows())
            await asyncio.sleep(0.2)
            assert not second.done()
            with pytest.raises(TimeoutError, match=r"queue 0\.[01]"):
                await client.with_options(deadline=0.1).list_workflows()
            go_on.set()
            await asyncio.gather(first, second)


async def test_a_gateway_timeout_is_repeated():
    """504 with the gateway's body is a server error and is tried again."""

    async def gateway(server, head):
        if len(server.requests) == 1:
            return http_answer(b'{"message": "Endpoint request timed out"}', "504 Gateway Timeout")
        return http_answer(PLAIN)

    async with raw_server(gateway) as server:
        async with make_client(base_url=server.base_url, retry=QUICK) as client:
            page = await client.list_workflows()
            with pytest.raises(ServerError, match="timed out"):
                server.requests.clear()
                await client.with_options(retry=ONCE).list_workflows()
    assert page.response.attempts == 2
