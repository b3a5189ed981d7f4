"""What type checkers must say of a limit for many processes. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, assert_type

from redis.asyncio import Redis, RedisCluster

from deepidv_async import AsyncDeepIDV, RateLimit, RateLimiter, TokenBucket
from deepidv_async.limits import QuotaAware, RateHeadersAware, Talkative
from deepidv_async.limits.redis import (
    RedisTokenBucket,
    SharedLimit,
    SharedProcess,
    limit_name,
    read_shared_limit,
)


def clients(redis: Redis, cluster: RedisCluster) -> None:
    """The clients of redis-py are taken as they are, that of a cluster as well."""
    RedisTokenBucket(redis, RateLimit(), name="n")
    RedisTokenBucket(cluster, RateLimit(), name="n")
    RedisTokenBucket("redis://localhost", RateLimit(), name="n")  # type: ignore[arg-type]  # no client  # pyright: ignore[reportArgumentType] - no client


async def bucket(redis: Redis) -> None:
    """It is a token bucket, so it goes wherever one does."""
    made = RedisTokenBucket(
        redis,
        RateLimit(),
        name=limit_name("key"),
        pause_cap=30.0,
        patience=0.1,
        fallback_share=None,
    )
    everything: tuple[TokenBucket, RateLimiter, QuotaAware, Talkative, RateHeadersAware]
    everything = (made, made, made, made, made)
    del everything
    assert_type(made.limit, RateLimit)
    assert_type(limit_name("key"), str)
    assert_type(await made.aclose(), None)
    AsyncDeepIDV(rate_limit=made)
    RedisTokenBucket(redis, RateLimit())  # type: ignore[call-arg]  # no name  # pyright: ignore[reportCallIssue] - no name


class Runner:
    """A client of the user's own, with the two methods that a bucket uses."""

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: str) -> Awaitable[Any]:
        """Run nothing."""
        raise NotImplementedError((sha, numkeys, keys_and_args))

    def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Awaitable[Any]:
        """Run nothing."""
        raise NotImplementedError((script, numkeys, keys_and_args))


class Reader:
    """One with the two methods that it takes to look at a limit, as coroutines."""

    async def hgetall(self, name: str) -> dict[bytes, bytes]:
        """Read nothing."""
        raise NotImplementedError(name)

    async def time(self) -> tuple[int, int]:
        """Read nothing."""
        raise NotImplementedError


def own(runner: Runner, reader: Reader) -> None:
    """Two methods make a client; one for the other purpose does not do."""
    RedisTokenBucket(runner, RateLimit(), name="n")
    RedisTokenBucket(reader, RateLimit(), name="n")  # type: ignore[arg-type]  # it runs no scripts  # pyright: ignore[reportArgumentType] - it runs no scripts


async def look(redis: Redis, reader: Reader) -> None:
    """Where a shared limit stands."""
    assert_type(await read_shared_limit(reader, "n"), SharedLimit | None)
    found = await read_shared_limit(redis, name="n")
    if found is not None:
        assert_type((found.published, found.per_second), tuple[float, float])
        assert_type((found.burst, found.tokens, found.open), tuple[float, float, float])
        assert_type((found.paused_for, found.refused), tuple[float, int])
        assert_type((found.quota, found.quota_used), tuple[float | None, float])
        assert_type(found.quota_refused_for, float)
        assert_type(found.processes, tuple[SharedProcess, ...])
        assert_type(found.since, datetime)


def taking_part(process: SharedProcess) -> None:
    """Who takes part."""
    assert_type(process.id, str)
    assert_type((process.open, process.expires_in), tuple[float, float])
    assert_type(process.waiting_for, float | None)
