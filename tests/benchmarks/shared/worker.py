"""One process of a run: calls a server over real HTTP, behind a limit that it shares."""

import asyncio
import time

__all__ = ["work"]


def ours(rate, burst, url):
    """Give the shared limiter of this library, and how many scripts it has run."""
    from redis.asyncio import Redis

    from deepidv_async import RateLimit
    from deepidv_async.limits.redis import RedisTokenBucket

    redis = Redis.from_url(url)
    bucket = RedisTokenBucket(redis, RateLimit(rate, burst, per_day=None), name="bench")

    async def close():
        await bucket.aclose()
        await redis.aclose()

    return bucket, lambda: bucket._pump.calls if bucket._pump else 0, close


def pyrate(rate, burst, url):
    """Give pyrate-limiter's token bucket on Redis."""
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket
    from redis.asyncio import Redis

    redis = Redis.from_url(url)
    made = {}

    class Bucket:
        async def acquire(self, **_):
            if not made:
                bucket = RedisBucket.init([Rate(int(rate), Duration.SECOND)], redis, "pyrate")
                made["limiter"] = Limiter(await bucket)
            await made["limiter"].try_acquire_async("bench")

    return Bucket(), lambda: 0, redis.aclose


def limits(rate, burst, url):
    """Give the moving window of `limits`, asked until it says yes."""
    from limits import parse
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter

    limiter = MovingWindowRateLimiter(RedisStorage(f"async+{url}", implementation="redispy"))
    item, calls = parse(f"{int(rate)}/second"), [0]

    class Bucket:
        async def acquire(self, **_):
            while True:
                calls[0] += 1
                if await limiter.hit(item, "bench"):
                    return
                await asyncio.sleep(0.02)

    async def close():
        pass

    return Bucket(), lambda: calls[0], close


def throttled(rate, burst, url):
    """Give throttled-py's GCRA on Redis, which waits by itself."""
    from throttled.asyncio import RateLimiterType, Throttled, rate_limiter, store

    limiter = Throttled(
        key="bench",
        using=RateLimiterType.GCRA.value,
        quota=rate_limiter.per_sec(int(rate), burst=int(burst)),
        store=store.RedisStore(server=url),
        timeout=60,
    )

    class Bucket:
        async def acquire(self, **_):
            await limiter.limit()

    async def close():
        pass

    return Bucket(), lambda: 0, close


def alone(rate, burst, url):
    """Give each process a whole limit of its own."""
    from deepidv_async import RateLimit, TokenBucket

    async def close():
        pass

    return TokenBucket(RateLimit(rate, burst, per_day=None)), lambda: 0, close


LIMITERS = {
    "deepidv_async": ours,
    "pyrate-limiter": pyrate,
    "limits, moving window": limits,
    "throttled-py, GCRA": throttled,
    "not shared": alone,
}


async def _work(job, go, say):
    import httpx2

    bucket, scripts, close = LIMITERS[job["limiter"]](job["rate"], job["burst"], job["redis"])
    events = []
    if hasattr(bucket, "subscribe"):
        bucket.subscribe(lambda event: events.append(type(event).__name__))
    waits, ends, failed = [], [], []
    pool = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(limits=pool, timeout=60, trust_env=False) as client:
        await asyncio.to_thread(go.wait)

        async def call():
            came = time.perf_counter()
            try:
                permit = await bucket.acquire()
            except Exception as error:  # noqa: BLE001 - rivals raise what they like
                failed.append(repr(error))
                return
            waits.append(time.perf_counter() - came)
            if permit is not None:
                permit.written()
            await client.get(job["url"])
            ends.append(time.monotonic())  # the same in all processes, whatever their wall clocks
            if permit is not None:
                permit.seen()

        async def flood(numbers):
            for _ in numbers:
                await call()

        if job["every"]:  # a light process: one call now and then
            for _ in range(job["requests"]):
                await call()
                await asyncio.sleep(job["every"])
        else:
            numbers = iter(range(job["requests"]))
            await asyncio.gather(*(flood(numbers) for _ in range(job["tasks"])))
        await close()
    say.send(
        {
            "waits": waits,
            "ends": ends,
            "scripts": scripts(),
            "events": events,
            "failed": failed,
        }
    )


def work(job, go, say):
    """Run in a process of its own."""
    if job["skew"]:
        real = time.time
        time.time = lambda: real() + job["skew"]
    asyncio.run(_work(job, go, say))
