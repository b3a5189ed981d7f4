"""Every limiter behind the same two functions: `acquire()` and `throttled(retry_after)`.

Each is set to 25/s with a burst of 35, or, where a burst cannot exceed the rate, to 25/s. What is
not asked for is not imported.
"""

import asyncio
import time

import attrs

from deepidv_async.limits import RateLimit, TokenBucket

__all__ = ["CONTESTANTS", "Contestant"]


@attrs.frozen
class Contestant:
    """A limiter in the race; the callables are what `traffic_model.Caller` wants."""

    acquire: object
    throttled: object = lambda _retry_after: None


def _ours(rate, burst):
    bucket = TokenBucket(RateLimit(per_second=rate, burst=burst, per_day=None))
    return Contestant(bucket.acquire, bucket.throttled)


def _without_permit(wait):
    async def acquire():
        await wait()

    return Contestant(acquire)


def _aiolimiter(rate, burst):
    from aiolimiter import AsyncLimiter

    return _without_permit(AsyncLimiter(burst, burst / rate).acquire)


def _aiolimiter_no_burst(rate, _burst):
    from aiolimiter import AsyncLimiter

    return _without_permit(AsyncLimiter(rate, 1).acquire)


def _asynciolimiter(rate, burst):
    from asynciolimiter import LeakyBucketLimiter

    return _without_permit(LeakyBucketLimiter(rate, capacity=int(burst)).wait)


def _pyrate(rate, burst):
    from pyrate_limiter import Duration
    from pyrate_limiter.limiter_factory import create_token_bucket_limiter

    limiter = create_token_bucket_limiter(int(rate), Duration.SECOND, burst=int(burst))
    return _without_permit(limiter.try_acquire_async)


def _throttled(rate, burst):
    from throttled.asyncio import Throttled, rate_limiter, store

    quota = rate_limiter.per_sec(int(rate), burst=int(burst))
    memory = store.MemoryStore()
    limiter = Throttled(key="k", using="gcra", quota=quota, store=memory, timeout=3600)
    return _without_permit(limiter.limit)


def _limits(rate, _burst):
    from limits import RateLimitItemPerSecond
    from limits.aio.storage import MemoryStorage
    from limits.aio.strategies import MovingWindowRateLimiter

    strategy, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerSecond(int(rate))

    async def wait():  # it can only say yes or no, and when to ask again
        while not await strategy.hit(item, "k"):
            window = await strategy.get_window_stats(item, "k")
            await asyncio.sleep(max(window.reset_time - time.time(), 0.001))

    return _without_permit(wait)


def _none(_rate, _burst):
    async def wait():
        return None

    return _without_permit(wait)


CONTESTANTS = {
    "deepidv_async": _ours,
    "aiolimiter": _aiolimiter,
    "aiolimiter, burst 25": _aiolimiter_no_burst,
    "asynciolimiter": _asynciolimiter,
    "pyrate-limiter": _pyrate,
    "throttled-py": _throttled,
    "limits": _limits,
    "none, retries": _none,
}
