"""The daily quota, counted.

The vendor publishes a number per day and not when the day starts. The window is the calendar
day in UTC (as a forum answer says of the gateway), or the last 24 hours, which is safe whatever
the truth is. Every reset that is told is an estimate.

Pure: the wall clock's time is handed in. A wall clock that is set back never opens a window
again that was closed.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from deepidv_async._errors import InvalidArgumentError

__all__ = ["Quota", "QuotaWindow"]

QuotaWindow: TypeAlias = Literal["utc-day", "rolling"]

_DAY: Final = 86_400
_MINUTE: Final = 60
_MARKS: Final = (0.8, 0.95)
# The estimate of the reset may be wrong by hours: look again from time to time.
_LOOK_AGAIN: Final = timedelta(minutes=15)


class Quota:
    """How much of the daily quota is used.

    The count is kept in slots: one for the UTC day, or one for each minute of the last 24
    hours. A minute is forgotten when its end is 24 hours old, so a rolling count is never too
    low.

    Attributes:
        limit: requests per day; infinite for none.
        used: requests counted in the window.
        quiet: while `used` stays below this, a request may be counted without another look.
    """

    __slots__ = (
        "_before",
        "_past",
        "_refused_until",
        "_slot",
        "_told",
        "_window",
        "limit",
        "quiet",
        "used",
    )

    def __init__(self, limit: float | None, window: QuotaWindow) -> None:
        self.limit = float("inf") if limit is None else float(limit)
        self.used = 0.0
        self._window: QuotaWindow = window
        self._slot = 0  # days or minutes since 1970
        self._before: deque[tuple[int, float]] = deque()  # slots that are over, with their count
        self._past = 0.0  # the sum of these
        self._told = 0  # how many of the marks have been told
        self._refused_until: datetime | None = None
        self.quiet = 0.0
        self._settle()

    @property
    def left(self) -> float:
        """Requests that are left; 0 while the server says that none are."""
        return 0.0 if self._refused_until is not None else max(0.0, self.limit - self.used)

    def fits(self, cost: float) -> bool:
        """Tell whether `cost` requests are left."""
        return self.used + cost <= self.limit and self._refused_until is None

    def passed_mark(self) -> float | None:
        """Give the highest warning mark (0.8, 0.95) passed since the last time, if any."""
        passed = sum(self.used >= mark * self.limit for mark in _MARKS)
        news = passed > self._told
        self._told = passed
        self._settle()
        return _MARKS[passed - 1] if news else None

    def _settle(self) -> None:
        """Work out how far the count may go without another look."""
        if self._refused_until is not None:
            self.quiet = 0.0
        elif self._told < len(_MARKS):
            self.quiet = _MARKS[self._told] * self.limit
        else:
            self.quiet = self.limit

    def roll(self, wall: datetime) -> tuple[bool, float]:
        """Forget what has left the window.

        Returns:
            Whether a new slot has begun, and the seconds until the next one will.
        """
        stamp = wall.timestamp()
        size = _DAY if self._window == "utc-day" else _MINUTE
        slot = int(stamp // size)
        begins = slot > self._slot
        if begins:
            if self._window == "utc-day":
                self._refused_until = None
                self.used = 0.0
            else:
                self._shift(slot)
            self._slot = slot
        if self._refused_until is not None and wall >= self._refused_until:
            self._refused_until = None
        self._told = min(self._told, sum(self.used >= mark * self.limit for mark in _MARKS))
        self._settle()
        return begins, (slot + 1) * size - stamp

    def _shift(self, slot: int) -> None:
        count = self.used - self._past
        if count > 0:
            self._before.append((self._slot, count))
        while self._before and self._before[0][0] < slot - _DAY // _MINUTE:
            self._before.popleft()
        self._past = self.used = sum(count for _, count in self._before)

    def refused(self, wall: datetime) -> datetime:
        """Take the server's word that the quota is spent; give the estimated reset."""
        resets_at = self.resets_at(wall)
        self._refused_until = min(resets_at, wall + _LOOK_AGAIN)
        self._settle()
        return resets_at

    def retry_at(self, wall: datetime) -> datetime:
        """Tell when it is worth another try."""
        return self._refused_until or self.resets_at(wall)

    def resets_at(self, wall: datetime) -> datetime:
        """Estimate when requests are left again: midnight UTC, or when the oldest leave."""
        now = int(wall.timestamp())
        if self._window == "utc-day":
            return datetime.fromtimestamp((max(self._slot, now // _DAY) + 1) * _DAY, UTC)
        oldest = self._before[0][0] if self._before else max(self._slot, now // _MINUTE)
        return datetime.fromtimestamp((oldest + 1) * _MINUTE + _DAY, UTC)

    def snapshot(self) -> dict[str, Any]:
        """Give the count as plain data."""
        slots = [*self._before, (self._slot, self.used - self._past)]
        return {"window": self._window, "slots": [list(slot) for slot in slots]}

    def restore(self, plain: Mapping[str, Any], wall: datetime) -> None:
        """Take over a count; where both know a slot, the higher count stays.

        Raises:
            InvalidArgumentError: the snapshot is of another kind of window.
            ValueError, TypeError, KeyError: it is no snapshot.
        """
        if plain["window"] != self._window:
            raise InvalidArgumentError(
                f"The snapshot counts a {plain['window']!r} window and this limiter a "
                f"{self._window!r} one: use the same RateLimit(quota_window=...)."
            )
        theirs = [(int(slot), float(count)) for slot, count in plain["slots"]]
        if any(not 0 <= count < float("inf") for _, count in theirs):
            raise ValueError("a count below zero")
        self.roll(wall)
        counts = dict([*self._before, (self._slot, self.used - self._past)])
        for theirs_slot, count in theirs:
            slot = min(theirs_slot, self._slot)
            counts[slot] = max(counts.get(slot, 0.0), count)
        current = counts.pop(self._slot)
        if self._window == "rolling":
            self._before = deque(sorted(counts.items()))
            self._past = self.used = 0.0
            self._shift(self._slot)
        self.used = self._past + current
        self.passed_mark()
