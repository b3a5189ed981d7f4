"""Callers that wait for a permit: futures, one timer, and who is served next.

Each caller waits on a future of its own, and one timer stands for the head of the queue, so a
grant costs the same however long the queue is. A newcomer never overtakes its lane.

Whatever was taken for a caller is given back if the caller is cancelled before it runs again.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from deepidv_async._clock import Timer
from deepidv_async._errors import DeepIDVError
from deepidv_async.limits._lanes import Lanes, Waiter
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._protocol import Priority
from deepidv_async.limits._refusals import paused_too_long, quota_spent, too_late

__all__ = ["Queue", "Waiter"]

# The timer looks this much after the instant that was computed, so that rounding never makes
# it look too early; in seconds.
_LATE: Final = 1e-6


class Queue:
    """The queue of one limiter.

    Args:
        ledger: the books that say when a permit may be given.
        pause_cap: seconds; nobody waits for a pause that has more left.

    Attributes:
        lanes: who waits.
    """

    def __init__(self, ledger: Ledger, *, pause_cap: float) -> None:
        self.lanes = Lanes()
        self._ledger = ledger
        self._pause_cap = pause_cap
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._busy = False
        self._stalled = 0.0
        self._stood_still = 0.0  # the level's count when the queue became busy
        ledger.on_room = self._on_room
        ledger.on_refusal = self._after_refusal

    @property
    def stalled(self) -> float:
        """Seconds in which somebody waited and no token could come back."""
        since = self._ledger.level.stood_still - self._stood_still
        return self._stalled + since if self._busy else self._stalled

    def join(self, waiter: Waiter, priority: Priority) -> None:
        """Put a caller in its lane, and grant at once what is due.

        Raises:
            QuotaExceededError, RateLimitError, DeadlineExceededError: waiting would be in vain.
        """
        now = waiter.since
        self._refuse(waiter, priority, now)
        if not self._busy:
            self._busy = True
            self._stood_still = self._ledger.level.stood_still
        # The published rate is the fastest at which a lane can ever move.
        first = self.lanes.join(waiter, priority, self._ledger.limit.per_second)
        if first or waiter.deadline is not None:  # the timer may have to look sooner
            self._serve(now)

    def _refuse(self, waiter: Waiter, priority: Priority, now: float) -> None:
        ledger = self._ledger
        if not ledger.quota_fits(waiter.cost, now):
            raise self._quota_error(waiter, now)
        if ledger.paused_for(now) > self._pause_cap:
            raise self._pause_error(waiter, now)
        if waiter.deadline is not None:
            ledger.level.advance(now)
            ahead = self.lanes.ahead(priority, waiter.cost)
            # A rate that was learned creeps back meanwhile.
            due = ledger.level.earliest(ahead, ledger.limit.per_second)
            if max(now, due + _LATE if due > now else due) > waiter.deadline:
                raise self._late_error(waiter, now)

    def withdraw(self, waiter: Waiter, future: "asyncio.Future[BucketPermit]") -> None:
        """Take out a caller that has gone, with the permit that it may have got."""
        if waiter.lane is not None:
            self.lanes.leave(waiter)
            self._serve(self._ledger.read_clock())
        elif not future.cancelled() and future.exception() is None:
            future.result().unsent()

    def _after_refusal(self) -> None:
        """Look at everybody again: the server has refused, or left fewer tokens."""
        now = self._ledger.read_clock()
        if self._ledger.paused_for(now) > self._pause_cap:
            self._fail_all(self._pause_error, now)
        self._serve(now)

    def quota_spent(self) -> None:
        """Fail everybody: there is nothing to wait for."""
        now = self._ledger.read_clock()
        self._fail_all(self._quota_error, now)
        self._serve(now)

    def forget(self) -> None:
        """Start afresh: those who waited belong to a loop that is gone."""
        self.lanes.clear()
        self._timer = None
        self._busy = False

    # -- serving ---------------------------------------------------------------------------

    def _on_room(self) -> None:
        if self.lanes.count:
            self._serve(self._ledger.read_clock())

    def _fire(self) -> None:
        self._timer = None
        self._serve(self._ledger.read_clock())

    def _serve(self, now: float) -> None:
        """Fail who is too late, grant what is due, and set the timer for the next head."""
        ledger = self._ledger
        ledger.level.advance(now)
        if self.lanes.dated:
            self._evict(now)
        look = self._grant(now)
        if self.lanes.dated:
            look = self._before_next_loss(look)
        if self._busy and not self.lanes.count:
            self._stalled, self._busy = self.stalled, False
        self._set_timer(look)
        if ledger.news is not None:
            ledger.news.tell()

    def _grant(self, now: float) -> float | None:
        """Serve until somebody has to wait; give when that one may be due, if time can tell."""
        ledger, lanes = self._ledger, self.lanes
        level, quota = ledger.level, ledger.quota
        while (waiter := lanes.first()) is not None:
            due = level.next_look(waiter.cost)
            if waiter.future.done():  # cancelled, and has not run yet
                self.lanes.leave(waiter)
            elif waiter.deadline is not None and waiter.deadline < now:
                self._fail(waiter, self._late_error(waiter, now))
            elif due is not None and due <= now and (permit := ledger.take(waiter.cost, now)):
                lanes.granted(waiter)
                ledger.waits.append(now - waiter.since)
                waiter.future.set_result(permit)
            elif quota.used + waiter.cost >= quota.quiet and not ledger.quota_fits(
                waiter.cost, now
            ):
                self._fail(waiter, self._quota_error(waiter, now))
            else:
                return due
        level.starved = False  # nobody waits for news
        return None

    def _evict(self, now: float) -> None:
        """Fail whoever cannot be served in time any more."""
        rate = self._ledger.limit.per_second
        line = self._ledger.level.line(rate)
        for lane in self.lanes.both:
            for waiter in lane.deadlines.lost(line - lane.left):
                self._fail(waiter, self._late_error(waiter, now))

    def _before_next_loss(self, look: float | None) -> float | None:
        """Give `look`, or the instant at which the next deadline is lost if that is sooner."""
        level, rate = self._ledger.level, self._ledger.limit.per_second
        line = level.line(rate)
        for lane in self.lanes.both:
            nearest = lane.deadlines.nearest()
            if nearest is not None:
                # A grant to the other lane may have pushed this one below its line already.
                lost_at = level.line_risen(max(0.0, nearest + lane.left - line), rate)
                look = lost_at if look is None else min(look, lost_at)
        return look

    def _set_timer(self, look: float | None) -> None:
        if self._timer is not None:
            if look is not None and self._timer_at <= look:
                return  # it will look again then
            self._timer.cancel()
            self._timer = None
        if look is not None:
            self._timer_at = look
            self._timer = self._ledger.call_at(look + _LATE, self._fire)

    # -- refusing --------------------------------------------------------------------------

    def _fail(self, waiter: Waiter, error: DeepIDVError) -> None:
        self.lanes.leave(waiter)
        if not waiter.future.done():
            waiter.future.set_exception(error)

    def fail(self, error: Callable[[], DeepIDVError]) -> None:
        """Fail everybody, each with an error of its own."""
        self._fail_all(lambda _waiter, _now: error(), 0.0)
        self._serve(self._ledger.read_clock())

    def _fail_all(self, error: Callable[[Waiter, float], DeepIDVError], now: float) -> None:
        for waiter in self.lanes.everybody():
            self._fail(waiter, error(waiter, now))

    def _late_error(self, waiter: Waiter, now: float) -> DeepIDVError:
        allowed = (now if waiter.deadline is None else waiter.deadline) - waiter.since
        return too_late(waited=now - waiter.since, allowed=allowed)

    def _pause_error(self, _waiter: Waiter, now: float) -> DeepIDVError:
        ledger = self._ledger
        return paused_too_long(wait=ledger.paused_for(now), wall=ledger.clock.wall())

    def _quota_error(self, _waiter: Waiter, now: float) -> DeepIDVError:
        quota, wall = self._ledger.quota, self._ledger.look_at_wall(now)
        return quota_spent(
            used=quota.used, wall=wall, retry_at=quota.retry_at, resets_at=quota.resets_at
        )
