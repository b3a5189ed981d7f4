"""Processes of the operating system, a real Redis server, and one that is killed."""

import asyncio
import contextlib
import sys
import time

import pytest

from traffic_model import Server

MEMBER = """
import asyncio, sys
from redis.asyncio import Redis
from deepidv_async import RateLimit
from deepidv_async.limits.redis import RedisTokenBucket

async def main(url, port, count):
    async with Redis.from_url(url) as redis:
        bucket = RedisTokenBucket(redis, RateLimit(100, 10, per_day=None, hold=0.2), name="members")
        sys.stdin.readline()

        async def one():
            permit = await bucket.acquire()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            permit.written()
            writer.write(b"x")
            await reader.read(1)
            permit.seen()
            writer.close()

        await asyncio.gather(*(one() for _ in range(count)))
        await bucket.aclose()
        print(bucket._pump.calls)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""
EACH = 40


@pytest.mark.asyncio
async def test_four_processes_of_which_one_is_killed(real_server):
    """Nothing is refused, before and after one of them dies with permits in its hands.

    The others are done in the time that the limit takes, plus what the dead one has held.
    """
    model = Server(100, 10)
    model.at = time.monotonic()

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            await asyncio.sleep(0.005)
            model.arrive(time.monotonic())
            writer.write(b"x")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        members = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", MEMBER, real_server.url, str(port), str(EACH)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for _ in range(4)
        ]
        for member in members:
            member.stdin.write(b"go\n")
        while len(model.accepted) < 40:
            await asyncio.sleep(0.005)
        members[0].kill()
        began = time.monotonic()
        outs = [await member.communicate() for member in members]
        took = time.monotonic() - began
    calls = [int(out) for out, _ in outs[1:]]
    assert model.refused == []
    assert len(model.accepted) >= 3 * EACH
    assert took < 2 + 3 * EACH / 100  # what it held is given up after two seconds
    assert sum(calls) < 3 * EACH * 1.5
