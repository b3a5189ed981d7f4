"""A replica takes over: what it knows holds on, and what it has not heard of is little."""

import asyncio
import contextlib

import pytest
from redis.asyncio import Redis

from deepidv_async import RateLimit, SharedLimitFound, SharedLimitLost
from deepidv_async.limits._shared import key_of
from deepidv_async.limits.redis import RedisTokenBucket, read_shared_limit
from redis_server import running_redis


class Finder:
    """A client that follows the primary, as those of sentinels and clusters do."""

    def __init__(self, redis):
        self.redis = redis

    def evalsha(self, sha, numkeys, *keys_and_args):
        return self.redis.evalsha(sha, numkeys, *keys_and_args)

    def eval(self, script, numkeys, *keys_and_args):
        return self.redis.eval(script, numkeys, *keys_and_args)


async def send(bucket):
    permit = await bucket.acquire()
    permit.written()
    permit.seen()


@contextlib.asynccontextmanager
async def pair():
    """A primary and its replica, with a client of each."""
    with running_redis() as first, running_redis() as second:
        primary, replica = Redis.from_url(first.url), Redis.from_url(second.url)
        port = first.url.rpartition(":")[2].partition("/")[0]
        await primary.config_set("repl-diskless-sync-delay", 0)
        await replica.replicaof("127.0.0.1", port)
        while (await replica.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.02)
        try:
            yield first, primary, replica
        finally:
            await primary.aclose()
            await replica.aclose()


@pytest.mark.asyncio
async def test_a_replica_takes_over():
    """Nobody gets a second burst of it, the day's count goes on, and both news are told."""
    rate, burst = 20, 10
    async with pair() as (server, primary, replica):
        finder, heard = Finder(primary), []
        limit = RateLimit(rate, burst, per_day=1000)
        bucket = RedisTokenBucket(finder, limit, name="n", fallback_share=0.9)
        bucket.subscribe(heard.append)
        began, sent = asyncio.get_running_loop().time(), 0
        while sent < burst:
            await send(bucket)
            sent += 1
        await bucket.aclose()  # so that all is told
        known = await primary.hgetall(key_of("n"))
        while await replica.hgetall(key_of("n")) != known:
            await asyncio.sleep(0.01)

        server.stop()
        await replica.replicaof("NO", "ONE")
        while len(heard) < 2:
            await send(bucket)
            sent += 1
            finder.redis = replica
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                while True:
                    await send(bucket)
                    sent += 1
        took = asyncio.get_running_loop().time() - began
        await bucket.aclose()
        assert sent <= burst + rate * took
        assert [type(event) for event in heard] == [SharedLimitLost, SharedLimitFound]
        state = await read_shared_limit(replica, "n")
        assert state.quota_used > burst
