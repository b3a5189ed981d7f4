"""The proxy that breaks connections: each fault, as a plain client meets it."""

import asyncio
import contextlib
import time

import pytest

from fault_proxy import Fault, FaultProxy
from raw_server import http_answer, raw_server

pytestmark = pytest.mark.asyncio

BODY = b'{"workflows":[]}'
ANSWER = http_answer(BODY)
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def answer(server, head):
    return ANSWER


@contextlib.asynccontextmanager
async def broken(*plan, **options):
    """A proxy in front of a server that answers each request alike."""
    async with raw_server(answer) as server:
        target = int(server.base_url.rpartition(":")[2])
        async with FaultProxy(target, *plan, **options) as proxy:
            yield proxy, server


async def ask(reader, writer):
    writer.write(REQUEST)
    return await reader.readexactly(len(ANSWER))


@contextlib.asynccontextmanager
async def connected(proxy):
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def read_once(proxy, request=REQUEST):
    """Send one request, and read until the other side ends the connection."""
    async with connected(proxy) as (reader, writer):
        writer.write(request)
        return await reader.read()


async def settled(seen):
    """Wait until the proxy has noticed a connection's end."""
    async with asyncio.timeout(1):
        while seen.ended is None:
            await asyncio.sleep(0)
    return seen.ended


async def test_without_a_fault_it_only_passes_on():
    """Bytes come through unchanged over a kept connection, and are counted."""
    async with broken() as (proxy, server):
        async with connected(proxy) as stream:
            got = [await ask(*stream), await ask(*stream)]
        seen = proxy.seen[0]
        ended = await settled(seen)
    assert got == [ANSWER, ANSWER]
    assert (seen.requests, seen.sent, ended) == (2, 2 * len(ANSWER), "client")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault("cut-head"), b""),
        (Fault("cut-head", 12), ANSWER[:12]),
        (Fault("cut-head", 12, piece=5), ANSWER[:12]),
        (Fault("cut-body"), ANSWER[: -len(BODY)]),
        (Fault("cut-body", 3), ANSWER[: 3 - len(BODY)]),
        (Fault("drop"), b""),
        (Fault("garbage", data=b"SSH-2.0\r\n"), b"SSH-2.0\r\n"),
    ],
    ids=str,
)
async def test_it_ends_the_connection_where_it_was_told(fault, left):
    """A cut lets exactly so many bytes of the answer's head or body through, then ends."""
    async with broken(fault) as (proxy, _):
        assert await read_once(proxy) == left
        assert proxy.seen[0].ended == "fault"
        assert proxy.seen[0].sent == len(left)


async def test_a_body_is_cut_though_head_and_body_come_apart():
    """Where a body begins is found across the pieces in which an answer arrives."""
    async with broken(Fault(piece=20, pause=0.002)) as (slow, _):
        async with FaultProxy(slow.port, Fault("cut-body", 4)) as proxy:
            assert await read_once(proxy) == ANSWER[: 4 - len(BODY)]


async def test_what_is_dropped_never_reaches_the_server():
    """A dropped request, a black hole and garbage are the proxy's own doing."""
    async with broken(Fault("drop"), Fault("garbage")) as (proxy, server):
        await read_once(proxy)
        await read_once(proxy)
        assert server.requests == []


async def test_it_hangs_up_before_a_request():
    """The connection is opened and ended; what the client writes into it meets a reset."""
    async with broken(usual=Fault("hang-up")) as (proxy, server):
        assert await read_once(proxy, b"") == b""
        async with connected(proxy) as (_, writer):
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(1):
                    while True:
                        writer.write(REQUEST)
                        await writer.drain()
                        await asyncio.sleep(0)
        assert [seen.ended for seen in proxy.seen] == ["fault", "fault"]
        assert server.connections == 0


async def test_a_reset_is_a_reset():
    """`reset` ends by RST: the client's read fails, it does not see an orderly end."""
    async with broken(Fault("cut-body", 3, reset=True)) as (proxy, _):
        with pytest.raises(ConnectionResetError):
            await read_once(proxy)


async def test_it_strikes_after_so_many_requests():
    """`skip` serves the first requests of a connection well, as a stale kept one would."""
    async with broken(Fault("drop", skip=2)) as (proxy, server):
        async with connected(proxy) as (reader, writer):
            assert [await ask(reader, writer) for _ in range(2)] == [ANSWER, ANSWER]
            writer.write(REQUEST)
            assert await reader.read() == b""
        assert (proxy.seen[0].requests, len(server.requests)) == (3, 2)


async def test_a_black_hole_says_nothing():
    """The connection stands, the request goes nowhere, no answer comes."""
    async with broken(Fault("black-hole")) as (proxy, server):
        async with connected(proxy) as (reader, writer):
            writer.write(REQUEST)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        assert (proxy.seen[0].requests, server.requests) == (1, [])


async def test_an_idle_connection_is_closed():
    """After so many seconds without a byte from the client the connection ends."""
    async with broken(Fault(idle=0.2)) as (proxy, _), connected(proxy) as (reader, writer):
        assert await ask(reader, writer) == ANSWER
        assert await reader.read() == b""
        assert proxy.seen[0].ended == "idle"


async def test_delay_and_trickle_take_their_time():
    """An answer comes after `delay`, piece by piece with a pause after each, and whole."""
    slow = Fault(delay=0.05, piece=10, pause=0.01)
    async with broken(slow) as (proxy, _), connected(proxy) as (reader, writer):
        started = time.monotonic()
        writer.write(REQUEST)
        first = await reader.read(len(ANSWER))
        after = time.monotonic() - started
        rest = await reader.readexactly(len(ANSWER) - len(first))
        took = time.monotonic() - started
    assert first + rest == ANSWER
    assert len(first) < len(ANSWER)
    assert after >= 0.05
    assert took >= 0.05 + 0.01 * (len(ANSWER) // 10 - 1)


async def test_the_door_can_be_closed_and_opened():
    """While it refuses the system answers for it; afterwards it is there on the same port."""
    async with broken() as (proxy, _):
        port = proxy.port
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(proxy.host, port)
        await proxy.listen()
        async with connected(proxy) as stream:
            assert await ask(*stream) == ANSWER
        assert proxy.port == port


async def test_each_connection_takes_the_next_fault():
    """Faults go to connections in the order planned; afterwards the usual one holds."""
    plan = Fault("cut-head", 5), Fault("cut-head", 6)
    async with broken(*plan, usual=Fault("cut-head", 7)) as (proxy, _):
        proxy.plan.append(Fault("cut-head", 8))
        lengths = [len(await read_once(proxy)) for _ in range(5)]
    assert lengths == [5, 6, 8, 7, 7]


async def test_the_server_ends_and_the_client_resets():
    """An end that is not the proxy's is told apart: the server's, the client's."""
    async with broken() as (proxy, server):
        async with connected(proxy) as stream:
            await ask(*stream)
            stream[1].transport.abort()
        assert await settled(proxy.seen[0]) == "client"
        async with connected(proxy) as (reader, writer):
            await ask(reader, writer)
            await server.stop()
            assert await reader.read() == b""
        assert await settled(proxy.seen[1]) == "server"


async def test_its_end_does_not_wait_for_clients():
    """Leaving the block cuts what is still open, at once and without a task left."""
    async with broken(Fault("black-hole")) as (proxy, _):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.write(REQUEST)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
