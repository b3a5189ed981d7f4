"""What a shared limit is called and how it is looked at; what is refused."""

import asyncio
import math

import pytest
from redis.asyncio import Redis

from deepidv_async import (
    AsyncDeepIDV,
    ConfigurationError,
    InvalidArgumentError,
    QuotaExceededError,
    RateLimit,
)
from deepidv_async.limits.redis import RedisTokenBucket, limit_name, read_shared_limit
from deepidv_async.simulator import running_simulator
from shared_limit import buckets, with_buckets

KEY = "canary-0123456789-key"


def test_a_key_names_a_limit_without_being_told():
    """The same key gives the same name, another key another one, and none can be read off."""
    name = limit_name(KEY)
    assert name == limit_name(KEY)
    assert name != limit_name(KEY + "x")
    assert len(name) == 32
    assert "canary" not in name


@pytest.mark.asyncio
async def test_the_key_is_nowhere_on_the_server(server):
    """After calls through the whole client neither keys nor values hold the API key."""
    with running_simulator(api_key=KEY, workflows=2) as api:
        async with server.connect() as redis:
            bucket = RedisTokenBucket(redis, RateLimit(), name=limit_name(KEY))
            async with AsyncDeepIDV(KEY, base_url=api.base_url, rate_limit=bucket) as client:
                assert len(await client.list_workflows()) == 2
            await bucket.aclose()
            dump = ""
            async for key in redis.scan_iter():
                dump += f"{key} {await redis.hgetall(key)}"
    assert limit_name(KEY) in dump
    assert "canary" not in dump


@with_buckets
async def test_every_key_expires(make):
    """A limit that nobody uses leaves the server; with a quota after the day."""
    short, long = make(), make(name="with quota", per_day=100)
    for bucket, seconds in ((short, 610), (long, 2 * 86_400)):
        (await bucket.acquire()).seen()
        assert 0 < await bucket._redis.ttl(bucket._key) <= seconds


@with_buckets
async def test_numbers_keep_their_digits(make):
    """No field is written as a rounded power of ten, and the clock is exact to the microsecond."""
    bucket = make(rate=1e6, burst=1e6, per_day=10_000_000)
    for _ in range(20):
        (await bucket.acquire(cost=50_000)).seen()
        await asyncio.sleep(0.001)
    state = await bucket._redis.hgetall(bucket._key)
    assert all(set(value) <= set(b"0123456789 ") for value in state.values())
    assert len(state[b"at"]) == 16


@with_buckets
async def test_a_look_from_outside(make, server):
    """The state tells what is used, paused, counted, and who takes part."""
    one, other = make(rate=10, burst=5, per_day=50), make(rate=10, burst=5, per_day=50)
    (await one.acquire()).seen()
    kept = await other.acquire()
    other_waits = [asyncio.create_task(other.acquire()) for _ in range(9)]
    await asyncio.sleep(0.05)
    for decoded in (False, True):
        async with server.connect(decode_responses=decoded) as redis:
            seen = await read_shared_limit(redis, make.name)
            assert (seen.published, seen.per_second, seen.burst) == (10, 10, 5)
            assert (seen.quota, seen.paused_for, seen.refused) == (50, 0, 0)
            assert seen.tokens < 1
            assert seen.quota_used >= 5
            assert len(seen.processes) == 2
            assert sum(process.open for process in seen.processes) == seen.open >= 1
            waiting = [each.waiting_for for each in seen.processes if each.waiting_for is not None]
            assert len(waiting) <= 1
            assert all(0 < each.expires_in <= 2 for each in seen.processes)
            assert seen.since.tzinfo is not None
            assert await read_shared_limit(redis, "nobody's") is None
    for task in other_waits:
        task.cancel()
    kept.refused(30)
    await asyncio.sleep(0.05)
    async with server.connect() as redis:
        seen = await read_shared_limit(redis, make.name)
    assert 25 < seen.paused_for <= 30
    assert (seen.tokens, seen.refused) == (0, 1)
    assert seen.per_second == pytest.approx(8.5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, "name="),
        ({"name": "a{b"}, "braces"),
        ({"name": "a\nb"}, "name="),
        ({"name": 7}, "name="),
        ({"name": "x", "fallback_share": 0}, "fallback_share"),
        ({"name": "x", "fallback_share": 1.5}, "fallback_share"),
        ({"name": "x", "fallback_share": math.nan}, "fallback_share"),
        ({"name": "x", "fallback_share": "half"}, "fallback_share"),
        ({"name": "x", "patience": 0}, "patience"),
        ({"name": "x", "patience": math.inf}, "patience"),
        ({"name": "x", "pause_cap": -1}, "RedisTokenBucket.pause_cap"),
        ({"name": "x", "limit": RateLimit(quota_window="rolling")}, "calendar day"),
        ({"name": "x", "limit": 25}, "RateLimit"),
        ({"name": "x", "redis": "redis://localhost"}, "from_url"),
    ],
)
def test_bad_arguments(options, text):
    """What makes no sense is refused before anything is asked of the server."""
    given = {"redis": Redis(), "limit": RateLimit()} | options
    with pytest.raises(ConfigurationError, match=text):
        RedisTokenBucket(given.pop("redis"), given.pop("limit"), **given)


@with_buckets
async def test_bad_calls(make):
    """Costs, lanes and deadlines are checked as by any bucket."""
    bucket = make()
    for bad in ({"deadline": "soon"}, {"cost": 0}, {"cost": 21}, {"priority": "high"}):
        with pytest.raises(InvalidArgumentError):
            await bucket.acquire(**bad)
    async with asyncio.timeout(1):
        (await bucket.acquire(deadline=math.inf)).seen()


@pytest.mark.asyncio
async def test_closing_twice_and_before_use(server):
    """Closing a bucket that was never used, or was closed already, does nothing."""
    async with buckets(server) as make:
        bucket = make()
        await bucket.aclose()
        (await bucket.acquire()).seen()
        await bucket.aclose()
        await bucket.aclose()
        (await bucket.acquire()).seen()


def test_the_servers_word_before_the_first_request():
    """A quota that is known to be spent is spent from the first caller on."""

    async def ask():
        with pytest.raises(QuotaExceededError):
            await bucket.acquire()

    bucket = RedisTokenBucket(Redis(), RateLimit(), name="x")
    bucket.quota_exceeded()
    asyncio.run(ask())


def test_the_next_loop_is_another_member(server):
    """A bucket moves on to another loop with a client made for that one, as another member."""
    held = []

    async def use(bucket):
        async with server.connect() as redis:
            bucket._redis = redis
            permit = await bucket.acquire()
            held.append(permit)
            await bucket.aclose()
            seen = await read_shared_limit(redis, "loops")
            return len(seen.processes)

    bucket = RedisTokenBucket(Redis(), RateLimit(per_day=None), name="loops")
    assert asyncio.run(use(bucket)) == 1
    assert asyncio.run(use(bucket)) == 2
    for permit in held:
        permit.seen()
