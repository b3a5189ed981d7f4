"""What the doctor finds out about the server of a shared limit."""

import asyncio
import secrets
import time
from typing import Final

from deepidv_async import RateLimit, SharedLimitUnavailableError
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._finding import Finding, fail, good, warn
from deepidv_async.cli._redis import RedisClient, RedisServer
from deepidv_async.limits._shared import key_of
from deepidv_async.limits.redis import RedisTokenBucket, SharedLimit, read_shared_limit

__all__ = ["finding_of_redis", "judge"]

# A limiter takes a server for one that is away after 0.25 s, and its leases reach 0.12 s.
_SLOW: Final = 0.1
_PINGS: Final = 3


async def finding_of_redis(server: RedisServer, name: str | None, bound: float) -> Finding:
    """Look at the server of a shared limit.

    Args:
        server: which one.
        name: of the limit; `None` if it is not known.
        bound: seconds that all of it may take.
    """
    try:
        async with asyncio.timeout(bound), server.connected() as redis:
            version = await _version(redis)
            trip = min([await _ping(redis) for _ in range(_PINGS)])
            state = None if name is None else await read_shared_limit(redis, name)
            await _try_script(redis, bound)
    except SharedLimitUnavailableError:
        return fail(
            "redis",
            f"The server, {server.where}, answers, but does not run the limit's script.",
            "Let the user run EVAL, EVALSHA, TIME, HGETALL, HSET, HDEL, PEXPIRE and DEL.",
            ExitCode.FAILED,
        )
    except Exception as error:
        if (failure := server.failure(error)) is None:
            raise
        return fail("redis", failure[0], "Check --redis, or DEEPIDV_REDIS_URL.", failure[1])
    where = f"{server.where}, {version}, runs the limit's script"
    return judge(where, trip, "" if name is None else _told(state))


def judge(where: str, trip: float, state: str) -> Finding:
    """Judge a server that works by how long it takes.

    Args:
        where: what is told of it.
        trip: seconds of a round trip.
        state: what is told of the limit.
    """
    detail = f"{where}; {trip * 1000:.1f} ms there and back.{state}"
    if trip <= _SLOW:
        return good("redis", detail)
    return warn(
        "redis",
        detail,
        "That is long: a server that takes 250 ms counts as away. Use one that is nearer.",
    )


def _told(state: SharedLimit | None) -> str:
    if state is None:
        return " Nobody has used the limit for a while."
    figures = (
        f"{state.per_second:.4g} of {state.published:.4g} requests/s",
        f"{state.quota_used:,.0f} requests today",
        f"{len(state.processes):,} process(es)",
        *([f"paused for {state.paused_for:.1f} s"] if state.paused_for else ()),
    )
    return f" The limit: {', '.join(figures)}."


async def _ping(redis: RedisClient) -> float:
    started = time.perf_counter()
    await redis.time()
    return time.perf_counter() - started


async def _version(redis: RedisClient) -> str:
    from redis.exceptions import ResponseError  # noqa: PLC0415 - the extra, on use

    try:
        told = await redis.info("server")
    except ResponseError:  # not every user may ask
        return "of an unknown version"
    valkey = told.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {told.get('redis_version')}"


async def _try_script(redis: RedisClient, bound: float) -> None:
    """Take a token of a limit that nobody else knows.

    Raises:
        SharedLimitUnavailableError: the script cannot be run.
    """
    name = f"doctor-{secrets.token_hex(8)}"
    limit = RateLimit(per_day=None)
    bucket = RedisTokenBucket(redis, limit, name=name, patience=bound, fallback_share=None)
    try:
        (await bucket.acquire()).unsent()
    finally:
        await bucket.aclose()
    await redis.delete(key_of(name))
