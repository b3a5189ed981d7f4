"""One limit for many processes and machines, kept on a Redis or Valkey server.

The limit belongs to the API key, not to a process. Every process of a service, and every script
that uses the key, makes a `RedisTokenBucket` of the same name on the same server.

It takes the extra `redis`, or another client with the two methods that are used.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
from datetime import datetime
from typing import Any, Final, cast

from deepidv_async._clock import Clock
from deepidv_async._config import seconds
from deepidv_async._errors import (
    ConfigurationError,
    DeadlineExceededError,
    SharedLimitUnavailableError,
)
from deepidv_async._limiter_events import SharedLimitFound, SharedLimitLost
from deepidv_async._redaction import Secret, shown
from deepidv_async.limits._bucket import TokenBucket
from deepidv_async.limits._lease import LeasedLevel
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._limit import RateLimit
from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._protocol import Priority
from deepidv_async.limits._pump import Pump
from deepidv_async.limits._refusals import too_late
from deepidv_async.limits._shared import SharedLimit, SharedProcess, key_of, read_shared_limit
from deepidv_async.limits._store import ScriptRunner, SharedBooks

__all__ = ["RedisTokenBucket", "SharedLimit", "SharedProcess", "limit_name", "read_shared_limit"]

_DIGITS: Final = 32


def limit_name(api_key: str) -> str:
    """Name a limit after a key, so that all who use the key share it; the key cannot be read off.

    Args:
        api_key: the key, which must be a long random text as the vendor's are.
    """
    key = Secret(api_key).reveal().encode(errors="surrogateescape")
    return hmac.new(b"deepidv_async shared limit", key, hashlib.sha256).hexdigest()[:_DIGITS]


def _check_share(given: Any) -> None:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if given is not None and not (number and 0 < given <= 1):
        raise ConfigurationError(
            "RedisTokenBucket(fallback_share=...) must lie above 0 and not above 1, or be None; "
            f"got {shown(given)}."
        )


def _check_name(given: Any) -> None:
    if not (isinstance(given, str) and given.isprintable() and given) or {*"{}"} & {*given}:
        raise ConfigurationError(
            "RedisTokenBucket(name=...) must be a text without braces and control characters; "
            f"got {shown(given)}."
        )


class _SharedLedger(Ledger):
    """The books of one process, with a level that is leased."""

    level: LeasedLevel

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        super().__init__(limit, clock)
        rate, burst = float(limit.per_second), float(limit.burst)
        self.level = LeasedLevel(rate=rate, burst=burst, hold=float(limit.hold))

    def refused(self, retry_after: float | None, granted_at: float | None = None) -> None:
        """React to a 429 as one process does, and let all others know."""
        self.level.note_refusal(self.now() if granted_at is None else granted_at)
        super().refused(retry_after, granted_at)


class RedisTokenBucket(TokenBucket):
    """A token bucket that any number of processes fill and empty together.

    It keeps what `TokenBucket` promises, for all processes of a name as if they were one: no
    request is refused by a server that keeps `limit`, a 429 pauses all, the day's count is one.
    Callers of one process are served in order; processes get equal shares.

    Args:
        redis: a `redis.asyncio.Redis`, or anything with its `evalsha` and `eval`. It is used by
            one task at a time, on one connection, and never closed.
        limit: rate, burst, quota and `hold`; the same in all processes.
        name: of the limit; the same in all processes. `limit_name(api_key)` gives one.
        pause_cap: seconds; while a pause after a 429 has more than this left, callers fail at
            once with `RateLimitError` instead of waiting.
        patience: seconds that the server may take to answer; after these it counts as away.
        fallback_share: part of the rate that this process keeps to while the server is away:
            with n processes 1/n. Nothing is saved up meanwhile. `None` fails callers with
            `SharedLimitUnavailableError` instead.

    Raises:
        ConfigurationError: an argument makes no sense.

    Example:
        ```python
        from redis.asyncio import Redis

        redis = Redis.from_url("redis://localhost")
        bucket = RedisTokenBucket(redis, RateLimit(), name=limit_name(api_key))
        async with AsyncDeepIDV(api_key, rate_limit=bucket) as client:
            ...
        await redis.aclose()
        ```
    """

    def __init__(
        self,
        redis: ScriptRunner,
        limit: RateLimit,
        *,
        name: str,
        pause_cap: float = 60.0,
        patience: float = 0.25,
        fallback_share: float | None = 0.25,
    ) -> None:
        super().__init__(limit, pause_cap=pause_cap)
        if limit.quota_window != "utc-day":
            raise ConfigurationError(
                "A shared limit counts the calendar day in UTC: RateLimit(quota_window='utc-day')."
            )
        _check_name(name)
        _check_share(fallback_share)
        if not (hasattr(redis, "evalsha") and hasattr(redis, "eval")):
            raise ConfigurationError(
                "RedisTokenBucket takes a client, such as redis.asyncio.Redis.from_url(...); got a "
                f"{type(redis).__name__}."
            )
        self._redis = redis
        self._key = key_of(name)
        self._patience = seconds("RedisTokenBucket(patience=...)", patience)
        self._share = fallback_share or 0.0
        self._pump: Pump | None = None

    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> BucketPermit:
        """Wait until a request may be sent; as `TokenBucket.acquire`.

        Raises:
            SharedLimitUnavailableError: the server is away, and there is no `fallback_share`.
        """
        try:
            return await self._acquire(cost, priority, deadline)
        except BaseException:
            if self._pump is not None:
                self._pump.left()
            raise

    async def _acquire(
        self, cost: float, priority: Priority, deadline: float | None
    ) -> BucketPermit:
        ends = None if deadline is None else self._checked(deadline)
        if ends is None:
            return await super().acquire(cost=cost, priority=priority)
        # The queue knows when a caller cannot be served in time by the limit; how long the server
        # takes to say so it does not know.
        since = self._clock.now()
        try:
            async with asyncio.timeout_at(ends):
                return await super().acquire(cost=cost, priority=priority, deadline=ends)
        except DeadlineExceededError:
            raise
        except TimeoutError:
            waited = self._clock.now() - since
        raise too_late(waited=waited, allowed=ends - since)

    async def aclose(self) -> None:
        """Give back what is leased and not used, and tell the others what is known.

        Without it others wait for these tokens some two seconds. The bucket can be used on.
        """
        if self._pump is not None:
            await self._pump.aclose()

    def _make_ledger(self, limit: RateLimit) -> Ledger:
        return _SharedLedger(limit, self._clock)

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._bind(loop)
        # Another loop and a forked child are others: what the last one holds is given up when it
        # is not heard of any more.
        identity = f"{os.getpid()}-{secrets.token_hex(8)}"
        pump = Pump(
            self._ledger,
            self._queue,
            SharedBooks(
                self._redis, self._key, self._ledger.limit, identity, self._ledger.read_clock
            ),
            patience=self._patience,
            share=self._share,
            on_lost=self._lost,
            on_failure=self._fail,
            on_found=self._found,
            on_pause=self._paused,
        )
        level = cast("_SharedLedger", self._ledger).level
        level.on_lack, level.on_news = pump.lack, pump.news
        self._pump = pump

    def quota_exceeded(self) -> datetime:
        """Take note of a quota 429: everybody fails, in all processes."""
        resets_at = super().quota_exceeded()
        if self._pump is not None:
            self._pump.tell_now()
        return resets_at

    def _lost(self, error: Exception) -> None:
        if self._ledger.news is not None:
            self._ledger.news.add(SharedLimitLost(type(error).__name__, self._share))

    def _fail(self, error: Exception) -> None:
        cause = type(error).__name__
        self._queue.fail(
            lambda: SharedLimitUnavailableError(
                f"The server of the shared limit cannot be reached ({cause}), and this limit is "
                "set to fail then. Check the server, or pass fallback_share=."
            )
        )

    def _found(self, away: float) -> None:
        if self._ledger.news is not None:
            self._ledger.news.add(SharedLimitFound(away))

    def _paused(self, pause: float) -> None:
        if self._ledger.news is not None:
            self._ledger.news.paused(pause, None)
