"""The token bucket: `await bucket.acquire()` in front of every request.

`_level` decides when a request may go, `_queue` makes callers wait for it, `_ledger` keeps the
books; this is the face of the three, and what ties them to an event loop and a process.

Not thread-safe: a bucket belongs to one event loop, and moves on when that one is closed.
"""

import asyncio
import contextlib
import os
import weakref
from asyncio import get_running_loop
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final

from deepidv_async._clock import Clock, SystemClock
from deepidv_async._config import seconds
from deepidv_async._errors import ConfigurationError, InvalidArgumentError
from deepidv_async._observers import Observer
from deepidv_async._redaction import shown
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._limit import RateLimit
from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._protocol import LimiterStats, Priority
from deepidv_async.limits._queue import Queue, Waiter
from deepidv_async.limits._report import restore_into, snapshot_of, stats_of
from deepidv_async.limits._scope import PermitScope

__all__ = ["TokenBucket"]

_LARGEST: Final = 1e15  # seconds; Python's integers may be too large for a float


def _check_limit(given: object) -> None:
    if not isinstance(given, RateLimit):
        raise ConfigurationError(
            "TokenBucket takes a RateLimit, such as RateLimit(per_second=25, burst=35); got "
            f"{shown(given)}."
        )


class TokenBucket:
    """A rate limiter that a server with the same limit never has to correct.

    Args:
        limit: rate, burst, quota and `hold`.
        clock: what time it is; the running event loop's by default.
        pause_cap: seconds; while a pause after a 429 has more than this left, callers fail at
            once with `RateLimitError` instead of waiting.

    Raises:
        ConfigurationError: `limit` is no `RateLimit`, or `pause_cap` no number of seconds.

    Example:
        Around any coroutine, with any HTTP library:

            bucket = TokenBucket(RateLimit(per_second=10, burst=20))

            async def fetch(url):
                async with bucket.permit():
                    return await http.get(url)
    """

    def __init__(
        self, limit: RateLimit, *, clock: Clock | None = None, pause_cap: float = 60.0
    ) -> None:
        _check_limit(limit)
        self._clock: Clock = SystemClock() if clock is None else clock
        self._ledger = self._make_ledger(limit)
        cap = seconds(f"{type(self).__name__}(pause_cap=...)", pause_cap, zero=True)
        self._queue = Queue(self._ledger, pause_cap=cap)
        self._lanes = self._queue.lanes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        _after_fork(weakref.WeakMethod(self._forget_loop))

    def _make_ledger(self, limit: RateLimit) -> Ledger:
        return Ledger(limit, self._clock)

    @property
    def limit(self) -> RateLimit:
        """The limit that is kept."""
        return self._ledger.limit

    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> BucketPermit:
        """Wait until a request may be sent.

        Args:
            cost: how many requests it counts as; at most the burst.
            priority: `bulk` lets `normal` callers go first, but keeps one token in eleven.
            deadline: instant of the clock (`loop.time()`), in seconds, after which the permit
                is useless.

        Raises:
            DeadlineExceededError: the permit cannot be had before `deadline`.
            RateLimitError: a pause after a 429 is longer than `pause_cap`.
            QuotaExceededError: the daily quota is spent.
            InvalidArgumentError: `cost`, `priority` or `deadline` is not one of those above.
            ConfigurationError: the bucket is at work on another event loop.
        """
        loop = get_running_loop()
        if loop is not self._loop:
            self._bind(loop)
        # Adding integers to floats would take a tenth of a grant's time.
        cost = 1.0 if cost == 1 and priority == "normal" else self._check(cost, priority)
        if deadline is not None and (type(deadline) is not float or not isfinite(deadline)):
            deadline = self._checked(deadline)
        ledger = self._ledger
        now = ledger.read_clock()
        if not self._lanes.count and (deadline is None or now <= deadline):
            permit = ledger.take(cost, now)
            if permit is not None:
                ledger.waits.append(0.0)
                return permit
        future: asyncio.Future[BucketPermit] = loop.create_future()
        waiter = Waiter(future, cost=cost, since=now, deadline=deadline)
        self._queue.join(waiter, priority)
        try:
            return await future
        except asyncio.CancelledError:
            self._queue.withdraw(waiter, future)
            raise
        except GeneratorExit:
            # The coroutine was closed, maybe by the garbage collector, which may run in the
            # middle of the queue's own work, or after the loop has ended.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._queue.withdraw, waiter, future)
            raise
        finally:
            if waiter.lane is None:
                # The heap of deadlines forgets served waiters late: it must not keep their
                # permits alive, since one that is dropped counts as written.
                del waiter.future

    def permit(
        self,
        *,
        cost: float = 1,
        priority: Priority = "normal",
        deadline: float | None = None,
        written: bool = True,
    ) -> PermitScope:
        """Give an async context manager that sends what is inside it when it may be sent.

        The body counts as sent when it starts and as answered when it ends well. If it raises,
        nobody knows whether the server got the request: it counts as arrived after `hold`.
        Other arguments and errors are those of `acquire`.

        Args:
            cost: how many requests it counts as.
            priority: the lane to wait in.
            deadline: instant of the clock after which the permit is useless.
            written: false for a body that may wait (for a connection, say) before it writes, so
                that `hold` does not run meanwhile. It must call `written()` of the permit right
                before it writes; one that raises earlier gives the permit back.
        """
        return PermitScope(self, cost, priority, deadline, written=written)

    def throttled(self, retry_after: float | None) -> None:
        """Take note of a 429: pause everybody, empty the bucket, go slower from now on.

        The `refused` of the request's permit does the same and knows more: use it where the
        permit is at hand. Here a 429 that comes within a second of another one, or during its
        pause, counts as part of the same trouble, and does not lower the rate again.

        Args:
            retry_after: seconds the server asked for. Without them the pause is 0.25 s, and
                twice as long each time that another 429 comes with no success between.
        """
        self._ledger.refused(retry_after)

    def server_says(self, *, remaining: float, reset_after: float | None = None) -> None:
        """Obey rate-limit headers: hold no more tokens than the server says are left.

        The `server_says` of the request's permit does the same, and knows how old the news is.

        Args:
            remaining: requests that may still be sent.
            reset_after: seconds until the server counts afresh. With nothing remaining, and if
                that is longer than a bucket takes to fill, everybody waits for it.
        """
        self._ledger.server_says(remaining, reset_after)

    def quota_exceeded(self) -> datetime:
        """Take note of a quota 429: everybody fails until the quota is expected to be back.

        Returns:
            The estimated reset (aware, UTC).
        """
        resets_at = self._ledger.quota_refused()
        self._queue.quota_spent()
        return resets_at

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Hand pauses, learned rates and quota news to `observer`, on the event loop.

        Returns:
            A function that ends it.
        """
        return self._ledger.subscribe(observer)

    def stats(self) -> LimiterStats:
        """Tell where the limiter stands."""
        return stats_of(self._ledger, self._queue)

    def snapshot(self) -> dict[str, Any]:
        """Give level, learned rate and daily count as plain data, ready for JSON, for later."""
        return snapshot_of(self._ledger)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on from a snapshot; call it before the first request.

        Raises:
            InvalidArgumentError: this is not a snapshot of a bucket with this quota window.
        """
        restore_into(self._ledger, snapshot)

    def _check(self, cost: Any, priority: str) -> float:
        burst = self._ledger.limit.burst
        number = isinstance(cost, int | float) and not isinstance(cost, bool)
        if not (number and 0 < cost <= burst):
            raise InvalidArgumentError(
                f"cost must lie above 0 and not above the burst ({burst:g}); got {cost!r}."
            )
        if priority not in ("normal", "bulk"):
            raise InvalidArgumentError(f"priority must be 'normal' or 'bulk'; got {priority!r}.")
        return float(cost)

    @staticmethod
    def _checked(deadline: Any) -> float | None:
        """Give a deadline that is not a plain finite float as one, or as none at all."""
        number = isinstance(deadline, int | float) and not isinstance(deadline, bool)
        if not number or deadline != deadline:  # noqa: PLR0124 - NaN
            raise InvalidArgumentError(
                "deadline must be an instant of the loop's clock, in seconds; got "
                f"{shown(deadline)}."
            )
        return None if deadline == float("inf") else float(max(-_LARGEST, min(deadline, _LARGEST)))

    def _forget_loop(self) -> None:
        """Let the next caller come to `_bind`, on the parent's loop object too."""
        self._loop = None

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start on a loop, move to another one, or start afresh in a forked child.

        A child that goes on with its parent's loop object comes here as well as one with its own.
        """
        forked = os.getpid() != self._pid
        if not forked and self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                "This rate limiter is at work on another event loop, which is not closed. Use "
                "one loop for all clients of a key, or close the other one first."
            )
        self._loop, self._pid = loop, os.getpid()
        self._ledger.begin(self._clock.now(), loop=loop, empty=forked)
        self._queue.forget()


def _after_fork(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    """Call `method` in each forked child; asking for the process with each permit took 0.3 µs."""

    def call() -> None:
        if (living := method()) is not None:
            living()

    getattr(os, "register_at_fork", _nothing)(after_in_child=call)


def _nothing(*, after_in_child: Callable[[], None]) -> None:
    """Stand in on Windows, which does not fork."""
