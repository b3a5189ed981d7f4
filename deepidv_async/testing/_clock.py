"""A clock for tests: whatever waits on it waits in no time, and in the right order.

It runs on any asyncio loop, since it asks nothing of the loop but turns: while somebody waits on
the clock and nobody has used it for some turns, its time jumps to the next instant that somebody
waits for. Time passes in no other way.
"""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from deepidv_async._clock import Timer
from deepidv_async._errors import ConfigurationError

__all__ = ["VirtualClock"]

# The fake's own data ends a month before, so that records a test adds are not of the future.
_START: Final = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
# Turns of the loop. A call of the client uses the clock every third turn at least, also through
# respx or an ASGI application (measured).
_QUIET: Final = 12


class _Booking:
    """A callback that waits for its instant."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A `Clock` whose time jumps to the next instant that somebody waits for.

    With `AsyncDeepIDV(clock=...)` the waits of the rate limiter, back-off, `Retry-After`,
    deadlines and the day of the quota follow it: an hour of them takes milliseconds.
    `FakeDeepIDV` has one, and its latency and timeouts follow it too. `await clock.sleep(3600)`
    lets an hour pass in a test.

    Only what asks this clock waits on it: `asyncio.sleep` and `asyncio.timeout` of your own keep
    real time. And it knows nothing of threads and sockets: time may jump while one is at work, so
    use it with `FakeDeepIDV` or with a mocked HTTP client, not over a network.

    Args:
        start: what the wall clock says at first, aware.

    Raises:
        ConfigurationError: `start` is naive; or the clock is asked to wait on one event loop
            while somebody waits on it on another.
    """

    def __init__(self, start: datetime = _START) -> None:
        if start.tzinfo is None:
            raise ConfigurationError("VirtualClock(start=...) must be an aware datetime.")
        self._start = start.astimezone(UTC)
        self._now = 0.0
        self._bookings: list[tuple[float, int, _Booking]] = []
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = False
        self._quiet = 0

    def __repr__(self) -> str:
        return f"VirtualClock({self._now:g} s, {self._start + timedelta(seconds=self._now)})"

    def now(self) -> float:
        """Tell the seconds that have passed since the clock was made."""
        self._quiet = 0
        return self._now

    def wall(self) -> datetime:
        """Tell the wall-clock time in UTC."""
        return self._start + timedelta(seconds=self.now())

    async def sleep(self, seconds: float) -> None:
        """Wait until that many seconds of this clock have passed.

        Raises:
            ConfigurationError: somebody waits on this clock on another event loop.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        booking = self.call_later(seconds, partial(_wake, woken))
        try:
            await woken
        finally:
            booking.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Book `callback` on the running event loop.

        Raises:
            ConfigurationError: somebody waits on this clock on another event loop.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        booking = _Booking(callback)
        due = self.now() + max(0.0, seconds)
        if due < math.inf:
            heapq.heappush(self._bookings, (due, next(self._numbers), booking))
            self._watch(loop)
        return booking

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and not self._loop.is_closed() and self._next() is not None:
            raise ConfigurationError(
                "Somebody waits on this VirtualClock on another event loop. Make one for each loop."
            )
        # What was booked on a loop that is closed went with it.
        self._bookings.clear()
        self._loop, self._watched = loop, False

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._watched:
            self._watched = True
            loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._watched = False
        due = self._next()
        if due is None:
            return
        self._quiet += 1
        if due <= self._now or self._quiet >= _QUIET:
            self._jump(due, loop)
        self._watch(loop)

    def _next(self) -> float | None:
        """Give the next instant that somebody waits for."""
        while self._bookings and self._bookings[0][2].callback is None:
            heapq.heappop(self._bookings)
        return self._bookings[0][0] if self._bookings else None

    def _jump(self, due: float, loop: asyncio.AbstractEventLoop) -> None:
        self._now, self._quiet = due, 0
        while self._bookings and self._bookings[0][0] <= due:
            loop.call_soon(_run, heapq.heappop(self._bookings)[2])


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():  # else it was cancelled, and has not run yet
        sleeper.set_result(None)


def _run(booking: _Booking) -> None:
    callback, booking.callback = booking.callback, None
    if callback is not None:  # else it was cancelled, maybe by one due at the same instant
        callback()
