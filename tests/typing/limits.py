"""What type checkers must say of limits and limiters. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, assert_type

from deepidv_async import AsyncDeepIDV, Clock, Observer, RateLimit, RetryPolicy, Timeouts, Timer
from deepidv_async.limits import (
    LimiterStats,
    Permit,
    Priority,
    QuotaAware,
    RateHeadersAware,
    RateLimiter,
    RefusalAware,
    Talkative,
    TokenBucket,
)


def numbers(limit: RateLimit, timeouts: Timeouts, retry: RetryPolicy) -> None:
    """What was set can be read."""
    assert_type(limit.per_second, float)
    assert_type(limit.burst, float)
    assert_type(limit.per_day, int | None)
    assert_type(limit.hold, float)
    assert_type(limit.initial, float | None)
    assert_type(limit.quota_window, Literal["utc-day", "rolling"])
    assert_type((timeouts.connect, timeouts.read), tuple[float, float])
    assert_type((timeouts.write, timeouts.pool), tuple[float, float])
    assert_type(timeouts.as_dict(), dict[str, float])
    assert_type(Timeouts.of(5), Timeouts)
    assert_type((retry.max_retries, retry.initial), tuple[int, float])
    assert_type((retry.maximum, retry.retry_after_cap), tuple[float, float])
    assert_type(retry.backoff(1), float)
    RetryPolicy(random=lambda: 0.5)
    RateLimit(quota_window="monthly")  # type: ignore[arg-type]  # no window  # pyright: ignore[reportArgumentType] - no window
    RateLimit(per_minute=60)  # type: ignore[call-arg]  # no option  # pyright: ignore[reportCallIssue] - no option


def stats(now: LimiterStats) -> None:
    """Where a limiter stands."""
    assert_type((now.granted, now.sent, now.open), tuple[float, float, float])
    assert_type((now.waiting, now.waiting_bulk), tuple[int, int])
    assert_type((now.in_flight, now.throttled), tuple[int, int])
    assert_type((now.tokens, now.stalled), tuple[float, float])
    assert_type((now.per_second, now.published), tuple[float, float])
    assert_type(now.paused_for, float)
    assert_type(now.paused_until, datetime | None)
    assert_type(now.quota_used, float)
    assert_type(now.quota_left, float | None)
    assert_type(now.quota_resets_at, datetime | None)
    assert_type((now.wait_p50, now.wait_p99), tuple[float, float])


async def bucket(clock: Clock) -> None:
    """All that the bucket can do."""
    made = TokenBucket(RateLimit(per_second=10, burst=20), clock=clock, pause_cap=30.0)
    assert_type(made.limit, RateLimit)
    assert_type(made.snapshot(), dict[str, Any])
    assert_type(made.restore(made.snapshot()), None)
    assert_type(made.throttled(None), None)
    assert_type(made.server_says(remaining=3, reset_after=None), None)
    assert_type(made.quota_exceeded(), datetime)
    taken = await made.acquire(cost=2, priority="bulk", deadline=1.0)
    permit: Permit = taken
    permit.written()
    permit.unsent()
    taken.server_says(remaining=0)
    await made.acquire(priority="urgent")  # type: ignore[arg-type]  # no lane  # pyright: ignore[reportArgumentType] - no lane


def more(limiter: RateLimiter, observer: Observer) -> None:
    """What a limiter may offer beyond the three methods is found by its protocols."""
    if isinstance(limiter, QuotaAware):
        assert_type(limiter.quota_exceeded(), datetime)
    if isinstance(limiter, Talkative):
        assert_type(limiter.subscribe(observer), Callable[[], None])
    if isinstance(limiter, RateHeadersAware):
        assert_type(limiter.server_says(remaining=1), None)


def fits(made: TokenBucket, permit: RefusalAware) -> None:
    """The bucket has all of them, and its permits want to know of a 429."""
    everything: tuple[RateLimiter, QuotaAware, Talkative, RateHeadersAware]
    everything = (made, made, made, made)
    del everything
    assert_type(permit.refused(1.0), None)
    AsyncDeepIDV(rate_limit=made)
    AsyncDeepIDV(rate_limit=25)  # type: ignore[arg-type]  # no limit  # pyright: ignore[reportArgumentType] - no limit


class Halting:
    """A limiter that lacks `stats`."""

    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> Permit:
        """Never come back."""
        raise NotImplementedError((cost, priority, deadline))

    def throttled(self, retry_after: float | None) -> None: ...


def unfit(halting: Halting) -> None:
    """A limiter that lacks a method is refused where it is given."""
    AsyncDeepIDV(rate_limit=halting)  # type: ignore[arg-type]  # it lacks one  # pyright: ignore[reportArgumentType] - it lacks one


class Ticking:
    """A clock that users might write, for their tests."""

    def now(self) -> float:
        """Stand still."""
        return 0.0

    def wall(self) -> datetime:
        """Stand still."""
        return datetime.fromtimestamp(0, UTC)

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Forget it."""
        raise NotImplementedError((seconds, callback))


def clocks() -> None:
    """Four methods make a clock, of client and bucket."""
    AsyncDeepIDV(clock=Ticking())
    TokenBucket(RateLimit(), clock=Ticking())
