"""Whatever becomes of the server of a shared limit, or of a process: callers go on, in bounds."""

import asyncio
import json

import attrs
import pytest

from deepidv_async import (
    DeadlineExceededError,
    RateLimit,
    SharedLimitFound,
    SharedLimitLost,
    SharedLimitUnavailableError,
)
from deepidv_async.limits import _pump, _store
from deepidv_async.limits.redis import RedisTokenBucket, read_shared_limit
from redis_server import running_redis
from shared_limit import with_buckets


@pytest.fixture
def fresh():
    """A server that may be stopped."""
    with running_redis() as running:
        yield running


@pytest.fixture
def hasty(monkeypatch):
    """Give a process up after 0.3 s instead of two."""
    for module in (_store, _pump):
        monkeypatch.setattr(module, "TTL", 0.3)


def listen(bucket):
    heard = []
    bucket.subscribe(heard.append)
    return heard


async def spend(bucket, count):
    for _ in range(count):
        permit = await bucket.acquire()
        permit.written()
        permit.seen()


async def how_many(bucket, seconds):
    """Give how many permits can be had in that time."""
    count = 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                await spend(bucket, 1)
                count += 1
    return count


@with_buckets
async def test_a_forgotten_script_is_sent_again(make):
    """SCRIPT FLUSH costs one more round trip, and nobody notices."""
    bucket = make(rate=1000, burst=5)
    await spend(bucket, 5)
    await bucket._redis.script_flush()
    heard = listen(bucket)
    await spend(bucket, 20)
    assert heard == []


@with_buckets
async def test_a_flush_gives_nobody_a_second_burst(make):
    """FLUSHALL loses the level: whoever knew it takes the bucket for empty, and keeps the count."""
    bucket = make(rate=20, burst=10, per_day=1000)
    await spend(bucket, 10)
    await asyncio.sleep(0.15)  # until it is reported
    await bucket._redis.flushall()
    assert await how_many(bucket, 0.35) <= 8
    assert bucket.stats().quota_used >= 10


@with_buckets
async def test_a_killed_process_holds_nothing_for_long(make, hasty):
    """What it had under way has arrived by the time that it counts as gone."""
    dead, other = (make(rate=100, burst=5, hold=0.1) for _ in range(2))
    kept = [await dead.acquire() for _ in range(5)]
    dead._pump._wake = lambda: None
    dead._pump._task.cancel()
    assert await how_many(other, 0.1) == 0
    async with asyncio.timeout(0.8):
        await spend(other, 5)
    assert len(kept) == 5


@with_buckets
async def test_a_process_that_stood_still_does_not_use_its_old_lease(make, hasty):
    """Its lease was given to others: it asks for a new one, and holds what it has under way."""
    bucket = make(rate=10, burst=8)
    await bucket.acquire()
    level = bucket._ledger.level
    level.unused, level.valid_until = 3.0, asyncio.get_running_loop().time() - 1
    assert level.take(1.0, asyncio.get_running_loop().time()) is False
    calls = bucket._pump.calls
    await spend(bucket, 1)
    assert bucket._pump.calls > calls


@pytest.mark.asyncio
async def test_a_server_that_stands_still(fresh):
    """Callers go on with a share of the rate, and both news are told, once each."""
    async with fresh.connect() as redis:
        limit = RateLimit(100, 10, per_day=None)
        bucket = RedisTokenBucket(redis, limit, name="x", patience=0.2, fallback_share=0.5)
        heard = listen(bucket)
        await spend(bucket, 12)
        fresh.freeze()
        served = await how_many(bucket, 0.8)
        fresh.thaw()
        assert 10 <= served <= 0.8 * 50 + 12
        async with asyncio.timeout(5):
            while not isinstance(heard[-1], SharedLimitFound):
                await spend(bucket, 1)
        assert heard[0] == SharedLimitLost("TimeoutError", 0.5)
        assert heard[1].away > 0.5
        await spend(bucket, 10)
        assert bucket.stats().per_second == 100
        await bucket.aclose()


@pytest.mark.asyncio
async def test_the_day_counts_what_was_sent_alone(fresh):
    """Requests of an outage are added to the count afterwards.

    A call that was cut off may have been carried out: what it was to bring counts too.
    """
    async with fresh.connect() as redis:
        bucket = RedisTokenBucket(redis, RateLimit(200, 10), name="x", fallback_share=1)
        await spend(bucket, 3)
        fresh.freeze()
        await spend(bucket, 15)
        fresh.thaw()
        async with asyncio.timeout(5):
            while bucket._pump._away_since is not None or bucket._ledger.level.unreported:
                await asyncio.sleep(0.01)
        await spend(bucket, 2)
        await bucket.aclose()
        state = await read_shared_limit(redis, "x")
        assert 20 <= state.quota_used <= 30
        assert bucket.stats().quota_used == state.quota_used


@with_buckets
async def test_who_goes_slower_holds_nobody_back(make):
    """A member that was given less asks for less; the others keep the whole rate."""
    slow, other = make(rate=10, burst=5), make(rate=200, burst=20)
    await spend(slow, 5)
    assert await how_many(slow, 0.25) <= 3
    assert await how_many(other, 0.3) >= 40
    assert other.stats().per_second == 200


@pytest.mark.asyncio
async def test_a_server_that_is_away_from_the_start(fresh):
    """The first caller does not wait for it to come; when it comes it is found."""
    fresh.stop()
    async with fresh.connect() as redis:
        limit = RateLimit(200, 10, per_day=None)
        bucket = RedisTokenBucket(redis, limit, name="x", fallback_share=1)
        heard = listen(bucket)
        async with asyncio.timeout(2):
            await spend(bucket, 5)
            fresh.start()
            while len(heard) < 2:
                await spend(bucket, 1)
        assert [type(each) for each in heard] == [SharedLimitLost, SharedLimitFound]
        await bucket.aclose()


@pytest.mark.asyncio
async def test_an_outage_while_nobody_waits(fresh):
    """A report that cannot be given is no reason to stay awake for ever, nor to grant anything."""
    async with fresh.connect() as redis:
        bucket = RedisTokenBucket(redis, RateLimit(per_day=None), name="x")
        permit = await bucket.acquire()
        permit.written()
        fresh.stop()
        permit.seen()
        async with asyncio.timeout(2):
            while bucket._pump._away_since is None:
                await asyncio.sleep(0.01)
        assert bucket._ledger.level.unused == 0
        await bucket.aclose()
        fresh.start()


@pytest.mark.asyncio
async def test_fail_closed(fresh):
    """Without a share callers fail, each with an error of its own, until it is back."""
    fresh.stop()
    async with fresh.connect() as redis:
        bucket = RedisTokenBucket(redis, RateLimit(), name="x", fallback_share=None)
        heard = listen(bucket)
        calls = [asyncio.create_task(bucket.acquire()) for _ in range(3)]
        await asyncio.wait(calls)
        errors = [call.exception() for call in calls]
        assert all(isinstance(error, SharedLimitUnavailableError) for error in errors)
        assert len(set(map(id, errors))) == 3
        assert "fallback_share" in str(errors[0])
        with pytest.raises(SharedLimitUnavailableError):
            await bucket.acquire()
        assert [each.share for each in heard] == [0.0]
        fresh.start()
        async with asyncio.timeout(2):
            while True:
                try:
                    (await bucket.acquire()).seen()
                    break
                except SharedLimitUnavailableError:
                    pass
        await bucket.aclose()


class Runner:
    """A client that answers as a test wants it to."""

    def __init__(self, answer):
        self._answer = answer
        self.asked = []

    async def evalsha(self, sha, numkeys, *keys_and_args):
        self.asked.append(json.loads(keys_and_args[1]))
        return await self._answer(self.asked[-1])

    async def eval(self, script, numkeys, *keys_and_args):
        raise AssertionError("the script is known")


@pytest.mark.asyncio
async def test_a_deadline_holds_whatever_the_server_does():
    """A server that never answers cannot keep a caller beyond the instant that it gave."""

    async def never(asked):
        await asyncio.sleep(60)

    bucket = RedisTokenBucket(Runner(never), RateLimit(), name="x", patience=30)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(DeadlineExceededError) as caught:
        await bucket.acquire(deadline=loop.time() + 0.1)
    assert loop.time() - began < 0.3
    assert caught.value.deadline == pytest.approx(0.1, abs=0.01)
    assert caught.value.spent.limited >= 0.1
    await bucket.aclose()


@pytest.mark.asyncio
async def test_a_deadline_that_cannot_be_kept_is_refused_at_once():
    """Where the limit alone already takes longer, nobody waits for the server to say so."""

    async def never(asked):
        await asyncio.sleep(60)

    bucket = RedisTokenBucket(Runner(never), RateLimit(1, 1), name="x", patience=30)
    loop = asyncio.get_running_loop()
    waiting = [asyncio.create_task(bucket.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    began = loop.time()
    with pytest.raises(DeadlineExceededError):
        await bucket.acquire(deadline=loop.time() + 1)
    assert loop.time() - began < 0.1
    for task in waiting:
        task.cancel()
    await bucket.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize("share", [None, 1])
async def test_an_outage_that_nobody_hears_of(fresh, share):
    """Without observers everything goes its way all the same."""
    fresh.stop()
    async with fresh.connect() as redis:
        bucket = RedisTokenBucket(redis, RateLimit(), name="x", fallback_share=share)
        tried = await asyncio.gather(bucket.acquire(), return_exceptions=True)
        assert isinstance(tried[0], Exception) == (share is None)
        fresh.start()
        async with asyncio.timeout(2):
            while bucket._pump.last is None:
                await asyncio.gather(bucket.acquire(), return_exceptions=True)
        await bucket.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "reply",
    [None, b"OK", [b"7", *[b"0"] * 13], [b"0"], ["x"]],
    ids=["none", "ok", "other", "few", "no"],
)
async def test_somebody_elses_reply_is_not_taken(reply):
    """What is no reply to this very call grants nothing: the server counts as away."""

    async def other(asked):
        return reply

    bucket = RedisTokenBucket(Runner(other), RateLimit(100, 5), name="x", fallback_share=1)
    heard = listen(bucket)
    (await bucket.acquire()).seen()
    assert type(heard[0]) is SharedLimitLost
    await bucket.aclose()


@pytest.mark.asyncio
async def test_what_cannot_be_told_is_told_later():
    """A report whose call has failed is part of the next one."""
    fail = True

    async def sometimes(asked):
        if fail:
            raise ConnectionError
        numbers = [asked["call"], 1, 0, 0, 0, 0, 25_000_000, 0, 0, 0, 0, 0, 1, 0]
        return [str(number) for number in numbers]

    runner = Runner(sometimes)
    bucket = RedisTokenBucket(runner, RateLimit(), name="x", fallback_share=1)
    await spend(bucket, 2)
    fail = False
    await asyncio.sleep(0.6)
    told = [asked["settled"] for asked in runner.asked]
    assert max(told) == 2_000_000
    assert told[-1] in (0, 2_000_000)
    await bucket.aclose()


@pytest.mark.asyncio
async def test_alone_a_429_makes_it_slower_not_faster():
    """A share is one of the rate that was learned: a refusal does not give it the whole."""

    async def away(asked):
        raise ConnectionError

    bucket = RedisTokenBucket(Runner(away), RateLimit(100, 10), name="x", fallback_share=0.2)
    permit = await bucket.acquire()
    permit.written()
    permit.refused(0.01)
    assert await how_many(bucket, 0.4) <= 0.4 * 100 * 0.2 + 4
    await bucket.aclose()


@pytest.mark.asyncio
async def test_the_servers_word_is_passed_on_once():
    """Who heard that the quota is spent says so in one report, and does not keep it alive."""

    async def answer(asked):
        granted = min(asked["wanted"], 1_000_000)
        numbers = [asked["call"], 1, granted, 0, 0, 0, 25_000_000, 0, 0, 0, 0, 0, 1, 0]
        return [str(number) for number in numbers]

    runner = Runner(answer)
    bucket = RedisTokenBucket(runner, RateLimit(), name="x")
    permit = await bucket.acquire()
    permit.written()
    bucket.quota_exceeded()
    await asyncio.sleep(0.02)
    permit.seen()
    await bucket.aclose()
    assert len(runner.asked) >= 3
    assert sum(asked["stop"] > 0 for asked in runner.asked) == 1


@with_buckets
async def test_a_clock_that_is_stepped_back(make):
    """The level is not frozen until the clock has come back to where it was."""
    bucket = make(rate=100, burst=5)
    await spend(bucket, 5)
    await bucket.aclose()
    state = {
        field: int(value)
        for field, value in (await bucket._redis.hgetall(bucket._key)).items()
        if not field.startswith(b"p:")
    }
    hour = 3_600_000_000
    for field in (b"at", b"grown", b"reset"):
        await bucket._redis.hset(bucket._key, field, state[field] + hour)
    other = make(rate=100, burst=5)
    async with asyncio.timeout(1):
        await spend(other, 10)


@with_buckets
async def test_a_clock_that_is_stepped_ahead(make):
    """Nobody gets a burst of tokens that have come back in an hour that never was."""
    bucket = make(rate=20, burst=10)
    await spend(bucket, 10)
    await asyncio.sleep(0.5)
    books = bucket._pump._books
    books._last = attrs.evolve(books._last, clock=books._last.clock - 3_600_000_000)
    await bucket._redis.hincrby(bucket._key, "at", -3_600_000_000)
    await bucket._redis.hset(bucket._key, "reset", 0)
    assert await how_many(bucket, 0.3) <= 7


@with_buckets
async def test_who_cancels_everything_does_not_stop_the_limiter(make):
    """A caller that survives such a sweep gets its permit all the same."""
    bucket = make(rate=50, burst=1)
    await spend(bucket, 1)
    caller = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task(), caller}:
        task.cancel()
    async with asyncio.timeout(1):
        (await caller).seen()


@with_buckets
async def test_idle_costs_nothing(make):
    """When all is told there is no task and no call."""
    bucket = make()
    await spend(bucket, 3)
    await asyncio.sleep(0.2)
    assert bucket._pump._task is None
    calls = bucket._pump.calls
    await asyncio.sleep(0.1)
    assert bucket._pump.calls == calls
