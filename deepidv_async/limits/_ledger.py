"""What is known of every permit of one limiter: the books, without the waiting.

The ledger joins the pure parts (level, quota, learned rate) with the clock and keeps the
counts. The bucket in front of it makes callers wait.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from deepidv_async._clock import Clock, SystemClock, Timer
from deepidv_async._observers import Observer
from deepidv_async.limits._adapt import Congestion
from deepidv_async.limits._level import Level
from deepidv_async.limits._limit import RateLimit
from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._quota import Quota

if TYPE_CHECKING:
    from deepidv_async.limits._news import News

__all__ = ["Ledger"]

_WAITS: Final = 1_000
_WALL_CHECK: Final = 1.0  # seconds between two looks at the wall clock
_LONGEST: Final = 1e8  # seconds; a longer Retry-After could not be told as a date


class Ledger:
    """Level, quota, learned rate and counts of one limiter.

    Attributes:
        on_room: called when news of a permit may let somebody go sooner than it seemed.
        on_refusal: called when the server has refused, or left fewer tokens.
        read_clock: tells the time.
        call_at: books a callback for an instant of that clock.
        began: whether the level counts by a clock yet.
        news: what observers are told; `None` before there are any.
    """

    on_room: Callable[[], object]
    on_refusal: Callable[[], object]

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self.clock = clock
        self.read_clock = clock.now
        self.call_at: Callable[[float, Callable[[], object]], Timer] = self._call_at
        self.news: News | None = None
        self.quota = Quota(limit.per_day, limit.quota_window)
        rate, burst = float(limit.per_second), float(limit.burst)
        self.congestion = Congestion(rate)
        self.level = Level(rate=rate, burst=burst, hold=float(limit.hold))
        self.level.debt = 0.0 if limit.initial is None else burst - limit.initial
        self.waits: deque[float] = deque(maxlen=_WAITS)
        self.sent = 0.0
        self.throttled = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.began = False
        self._epoch: float | None = None  # the steady time at the clock's zero
        self._check_at = self._wall_at = self._slot_since = float("-inf")

    def begin(
        self,
        now: float,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        empty: bool = False,
    ) -> None:
        """Start on a loop, or go on on another one, where the last one stopped.

        Args:
            now: the new loop's time.
            loop: the loop at work.
            empty: leave no token and forget all permits: another process owns them.
        """
        if self.began:
            before = self.read_clock()
            if self._epoch is not None:
                # A clock of the user's may stand elsewhere on another loop: it was later once.
                before = max(before, self.quota.now - self._epoch)
                self._epoch += before - now
            self.level = self.level.carry_over(before, now, empty=empty)
        else:
            # Until now its clock stood at 0.
            self.level.at += now
            self.level.paused_until += now
            if empty:
                self.level.debt = self.limit.burst
        self.began = True
        self.congestion.rebase(self.level.at)
        self._loop = loop
        self._check_at = self._wall_at = self._slot_since = float("-inf")
        if loop is not None and type(self.clock) is SystemClock:
            # The same in a third of the time, and right outside the loop too.
            self.read_clock = self.clock.reader(loop)
            self.call_at = loop.call_at

    def _call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        return self.clock.call_later(max(0.0, when - self.clock.now()), callback)

    def now(self) -> float:
        """Read the clock, starting on it if this is the first time."""
        now = self.read_clock()
        if not self.began:
            self.begin(now)
        return now

    @property
    def granted(self) -> float:
        """Permits given out, in cost, without those that came back unsent."""
        # The day's count is counted anyway; a count of its own would cost each permit 20 ns.
        return self.quota.used + self.quota.other

    # -- permits ---------------------------------------------------------------------------

    def take(self, cost: float, now: float) -> BucketPermit | None:
        """Give a permit for `cost` requests if level and quota have them."""
        if now >= self._check_at:
            self._check(now)
        quota = self.quota
        used = quota.used + cost
        loud = used >= quota.quiet
        if (loud and not quota.fits(cost)) or not self.level.take(cost, now):
            return None
        quota.used = used
        if loud:
            quota.granted()
            self._warn()
        return BucketPermit(self, cost, now)

    def returned(self, permit: BucketPermit) -> None:
        """Take a permit off the counts: it was not used."""
        if permit.at >= self._slot_since:
            self.quota.used -= permit.cost
        else:
            self.quota.other -= permit.cost
        self.on_room()

    def dropped(self, permit: BucketPermit) -> None:
        """Let a permit that nobody holds any more count as written, soon and on the loop."""
        if self._loop is not None and permit.level is self.level:
            with contextlib.suppress(RuntimeError):  # the loop is closed: `begin` will do it
                self._loop.call_soon_threadsafe(permit.written)

    # -- what the server says --------------------------------------------------------------

    def refused(self, retry_after: float | None, granted_at: float | None = None) -> None:
        """Pause, empty the bucket and learn from a 429.

        Args:
            retry_after: seconds the server asked for, if it did.
            granted_at: when the refused request had got its permit, if that is known.
        """
        now = self.now()
        self.throttled += 1
        self.level.advance(now)
        pause, lowered = self.congestion.refused(now, granted_at)
        if retry_after is not None and 0 < retry_after < float("inf"):
            pause = min(retry_after, _LONGEST)
        else:
            retry_after = None
        self.level.set_rate(self.congestion.rate)
        self._check_at = now
        self.level.drain(now, now + pause)
        self.congestion.stay_silent(self.level.paused_until)
        if self.news is not None:
            self.news.paused(self.level.paused_until - now, retry_after)
            if lowered:
                self.news.learned(self.congestion.rate, self.limit.per_second)
        self.on_refusal()

    def server_says(self, remaining: float, reset_after: float | None, *, age: float = 0.0) -> None:
        """Hold no more tokens than the server says are left; with none, wait for its reset.

        Args:
            remaining: whole tokens that the server had.
            reset_after: seconds until it counts afresh, if it said so.
            age: seconds in which that may have changed: since the request was granted.
        """
        now, level = self.now(), self.level
        level.advance(now)
        # The server had less than one token more, and has got no more than this since. It never
        # has less than what we count unless somebody else uses the key, so headers of our own
        # traffic alone cap nothing.
        rate = self.limit.per_second
        level.cap(max(0.0, remaining) + 1.0 + age * rate)
        # A bucket is full again sooner than this. A longer reset is that of another kind of
        # window, in which nothing comes back before its end.
        window = self.limit.burst / rate + 1.0
        if remaining < 1 and reset_after is not None and window < reset_after < float("inf"):
            before = level.paused_until
            level.drain(now, now + min(reset_after, _LONGEST))
            if self.news is not None and level.paused_until > before:
                self.news.paused(level.paused_until - now, reset_after)
        self.on_refusal()

    def quota_refused(self) -> datetime:
        """Take the server's word that the quota is spent; give the estimated reset."""
        self.look_at_wall(self.now())
        known = self.quota.left <= 0
        self.quota.refused()
        if self.news is not None and not known:
            self.news.quota_spent(self.quota)
        return self.quota.resets_at

    def paused_for(self, now: float) -> float:
        """Tell how many seconds of a pause are left."""
        return max(0.0, self.level.paused_until - now)

    # -- now and then ----------------------------------------------------------------------

    def quota_fits(self, cost: float, now: float) -> bool:
        """Tell whether the quota has `cost` requests left."""
        if now >= self._check_at:
            self._check(now)
        return self.quota.fits(cost)

    def look_at_wall(self, now: float) -> datetime:
        """Bring the quota up to date; give the wall clock's time."""
        wall = self.clock.wall()
        new, lasts = self.quota.look(self._steady(now, wall.timestamp()), wall.timestamp())
        self._wall_at = now + min(_WALL_CHECK, lasts)
        if new:
            self._slot_since = now
        return wall

    def _steady(self, now: float, wall: float) -> float:
        """Give the time that started as the wall clock's and runs on by the monotonic one."""
        if not self.began:
            return wall
        if self._epoch is None:
            self._epoch = wall - now
        return now + self._epoch

    def _check(self, now: float) -> None:
        """Do what need not be done for each request: read the wall clock, mend the rate."""
        if now >= self._wall_at:
            self.look_at_wall(now)
        self._check_at = self._wall_at
        if self.congestion.lowered:
            self.level.advance(now)
            self.level.set_rate(self.congestion.grow(now))
            self._check_at = now

    def _warn(self) -> None:
        mark = self.quota.passed_mark()
        if mark is not None and self.news is not None:
            self.news.quota_warning(mark, self.quota)
            # Not now: an observer may call the limiter, which is in the middle of a grant.
            asyncio.get_running_loop().call_soon(self.news.tell)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Tell `observer` from now on; the answer ends it."""
        if self.news is None:
            from deepidv_async.limits._news import News  # noqa: PLC0415 - see there

            self.news = News()
        return self.news.observers.add(observer)
