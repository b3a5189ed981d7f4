"""What the client asks of a rate limiter; write your own by these three methods.

`acquire` waits until a request may be sent and gives a permit for it. The permit is then told
what became of the request, because a limiter that knows when the server has seen a request can
promise that no request is refused.

A limiter of your own needs no base class. This one starts requests a while apart:

    class Spaced:
        def __init__(self, seconds):
            self._seconds, self._next = seconds, 0.0

        async def acquire(self, *, cost=1, priority="normal", deadline=None):
            now = asyncio.get_running_loop().time()
            start = max(now, self._next)
            if deadline is not None and start > deadline:
                raise DeadlineExceededError("There is no room before the deadline.")
            self._next = start + self._seconds * cost
            await asyncio.sleep(start - now)
            return Ignored()

        def throttled(self, retry_after):
            pause = 1.0 if retry_after is None else retry_after
            self._next = max(self._next, asyncio.get_running_loop().time() + pause)

        def stats(self):
            return LimiterStats()

    class Ignored:
        def written(self): ...
        def seen(self): ...
        unsent = written

Callers that sleep already go on during a pause here; `TokenBucket` holds them back too.

Do not wait for `seen`: a request that is cancelled or times out is told as `written`, and then
nothing more comes.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from deepidv_async._observers import Observer

__all__ = [
    "LimiterStats",
    "Permit",
    "Priority",
    "QuotaAware",
    "RateHeadersAware",
    "RateLimiter",
    "RefusalAware",
    "Talkative",
]

Priority: TypeAlias = Literal["normal", "bulk"]


@attrs.frozen
class LimiterStats:
    """What a limiter has done and where it stands.

    Attributes:
        granted: permits given out, in cost; those returned unsent are taken off again.
        sent: cost of the requests that went out.
        waiting: callers in the queue, of both lanes.
        waiting_bulk: those of them in the bulk lane.
        in_flight: requests that the server has not been known to see yet.
        open: cost of these requests.
        tokens: what could be granted at once now.
        throttled: how often a 429 was reported: requests that the server refused.
        paused_for: seconds until the limiter grants again after a 429, 0 when it does.
        paused_until: the same as an instant (aware, UTC), `None` when it grants.
        per_second: the rate kept now, requests/s; below `published` after 429s.
        published: the rate of the `RateLimit`.
        stalled: seconds in which callers waited and no token could come back, since all were
            with requests that the server had not answered. One round trip per busy period is
            normal; more means that rate x round trip exceeds burst - 1.
        quota_used: requests counted in the current quota window.
        quota_left: requests that are left in it, `None` without a quota.
        quota_resets_at: when the quota is expected to be full again (aware, UTC; an estimate).
        wait_p50: median of the last 1,000 waits, in seconds.
        wait_p99: the 99th percentile of the same.
    """

    granted: float = 0.0
    sent: float = 0.0
    waiting: int = 0
    waiting_bulk: int = 0
    in_flight: int = 0
    open: float = 0.0
    tokens: float = 0.0
    throttled: int = 0
    paused_for: float = 0.0
    paused_until: datetime | None = None
    per_second: float = 0.0
    published: float = 0.0
    stalled: float = 0.0
    quota_used: float = 0.0
    quota_left: float | None = None
    quota_resets_at: datetime | None = None
    wait_p50: float = 0.0
    wait_p99: float = 0.0


class Permit(Protocol):
    """The right to send one request; told what becomes of it.

    Each method may be called in any state and more than once; only the first news counts.
    A permit that is never told anything counts as still open.
    """

    def written(self) -> None:
        """The request's bytes went out."""
        ...

    def seen(self) -> None:
        """The server answered, or has surely got the request."""
        ...

    def unsent(self) -> None:
        """Nothing went out: the permit goes back."""
        ...


class RateLimiter(Protocol):
    """Decides when a request may be sent."""

    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> Permit:
        """Wait until a request may be sent.

        Args:
            cost: how many requests it counts as.
            priority: the lane to wait in.
            deadline: instant of the running loop's clock (`loop.time()`), in seconds, after
                which the permit is useless.

        Raises:
            DeadlineExceededError: the permit cannot be had before `deadline`.
            RateLimitError: a pause after a 429 is longer than worth waiting for.
        """
        ...

    def throttled(self, retry_after: float | None) -> None:
        """Take note of a 429; `retry_after` in seconds, if the server said so."""
        ...

    def stats(self) -> LimiterStats:
        """Tell where the limiter stands."""
        ...


@runtime_checkable
class RefusalAware(Protocol):
    """A permit that wants to know of a 429 itself, in place of the limiter's `throttled`."""

    def refused(self, retry_after: float | None) -> None:
        """This permit's request met a 429; `retry_after` in seconds, if the server said so."""
        ...


@runtime_checkable
class QuotaAware(Protocol):
    """A limiter that wants to know that the server's daily quota is spent."""

    def quota_exceeded(self) -> datetime:
        """Take note of a quota 429 (`Limit Exceeded`); give the estimated reset (aware, UTC)."""
        ...


@runtime_checkable
class Talkative(Protocol):
    """A limiter that tells of its pauses, learned rates and quota."""

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Hand a `LimiterEvent` to `observer` from now on; the answer ends it."""
        ...


@runtime_checkable
class RateHeadersAware(Protocol):
    """A limiter, or its permit, that obeys what a server tells in rate-limit headers."""

    def server_says(self, *, remaining: float, reset_after: float | None = None) -> None:
        """Take note of `RateLimit-Remaining` and the seconds until its reset.

        Args:
            remaining: requests that may still be sent, as the server counts.
            reset_after: seconds until the server counts afresh, if it said so.
        """
        ...
