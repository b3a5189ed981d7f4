"""The daily quota, counted.

The vendor publishes a number per day and not when the day starts. The window is the calendar
day in UTC (as a forum answer says of the gateway), or the last 24 hours, which is safe whatever
the truth is. Every reset that is told is an estimate.

Pure: two times are handed in. The steady one, in seconds since 1970, runs on with the monotonic
clock; the wall clock's only says when midnight is, and may be stepped.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from deepidv_async._errors import InvalidArgumentError
from deepidv_async.limits._days import Day, RollingDay, UTCDay

__all__ = ["Quota", "QuotaWindow"]

QuotaWindow: TypeAlias = Literal["utc-day", "rolling"]

_MARKS: Final = (0.8, 0.95)
# Seconds. The estimate of the reset may be wrong by hours: look again from time to time.
_LOOK_AGAIN: Final = 900.0
# Seconds in which the answer of that look has come.
_PROBE: Final = 5.0
_SAME_WORD: Final = 1.0  # seconds; what lasts that much longer is news


class Quota:
    """How much of the daily quota is used.

    Attributes:
        limit: requests per day; infinite for none.
        used: requests counted in the window.
        quiet: while `used` stays below this, a request may be counted without another look.
        now: the steady time of the last look.
        other: requests counted that are not in `used`, minus those that are but were not granted
            here, so that the sum of both is what was granted.
    """

    __slots__ = (
        "_day",
        "_lead",
        "_probed",
        "_refused_at",
        "_refused_until",
        "_seen",
        "_told_at",
        "_window",
        "limit",
        "now",
        "other",
        "quiet",
        "used",
    )

    def __init__(self, limit: float | None, window: QuotaWindow) -> None:
        self.limit = float("inf") if limit is None else float(limit)
        self.used = self.other = 0.0
        self.now = 0.0
        self._window: QuotaWindow = window
        self._day: Day = UTCDay() if window == "utc-day" else RollingDay()
        self._seen = 0.0  # `used` at the last look
        self._lead = 0.0  # of the wall clock before the steady time
        self._told_at = [-math.inf] * len(_MARKS)
        self._refused_until = self._refused_at = -math.inf
        self._probed = False  # whether a request went out after it, to see if it still holds
        self.quiet = 0.0
        self._settle()

    @property
    def _refused(self) -> bool:
        return self.now < self._refused_until

    @property
    def left(self) -> float:
        """Requests that are left; 0 while the server says that none are."""
        return 0.0 if self._refused else max(0.0, self.limit - self.used)

    def fits(self, cost: float) -> bool:
        """Tell whether `cost` requests are left."""
        return self.used + cost <= self.limit and self.now >= self._refused_until

    def passed_mark(self) -> float | None:
        """Give the highest warning mark (0.8, 0.95) that is passed and was not told yet.

        Each is told once per window, also if permits that come back lower the count again.
        """
        news = None
        for index, mark in enumerate(_MARKS):
            if self.used >= mark * self.limit and self._told_at[index] < self._day.starts:
                self._told_at[index] = self.now
                news = mark
        self._settle()
        return news

    def _settle(self) -> None:
        """Work out how far the count may go without another look."""
        self.quiet = self.limit
        for mark, told_at in zip(_MARKS, self._told_at, strict=True):
            if told_at < self._day.starts:
                self.quiet = min(self.quiet, mark * self.limit)
        if not self._refused and self._refused_at < self._day.starts:
            self._refused_until = -math.inf  # it was about a day that is over
        if self._refused_until > -math.inf:
            self.quiet = 0.0

    def look(self, now: float, wall: float) -> tuple[bool, float]:
        """Forget what has left the window.

        Returns:
            Whether what was counted before cannot be taken back any more, and the seconds until
            something may change.
        """
        self.now, self._lead = now, wall - now
        new, next_look = self._day.look(now, wall, self.used - self._seen)
        self._take_over()
        if self._refused:
            next_look = min(next_look, self._refused_until)
        return new, next_look - now

    def _take_over(self) -> None:
        self.other += self.used - self._day.used
        self.used = self._seen = self._day.used
        self._settle()

    def refused(self) -> None:
        """Take the server's word that the quota is spent."""
        self._refused_until = min(self._day.resets, self.now + _LOOK_AGAIN)
        self._refused_at, self._probed = self.now, False
        self._settle()

    def granted(self) -> None:
        """Take note of a request that goes out after the server's word has run out.

        The first one is a probe, and the others wait for what becomes of it; unless the server
        says it again, the word is forgotten with the next.
        """
        if self._refused_until > -math.inf:
            self._refused_until = -math.inf if self._probed else self.now + _PROBE
            self._probed = not self._probed
            self._settle()

    @property
    def stopped_for(self) -> float:
        """Seconds for which the server's word still stands."""
        return max(0.0, self._refused_until - self.now) if self._refused else 0.0

    def shared(self, day: int, used: float, stopped_for: float) -> None:
        """Take over what all who share the limit have counted; call it after `look`.

        Args:
            day: which day they count, since 1970.
            used: how many requests.
            stopped_for: seconds for which the server's word stands, as one of them has heard it.
        """
        self._day.agree(day, used)
        self._take_over()
        if stopped_for > self.stopped_for + _SAME_WORD:
            self._refused_until = self.now + stopped_for
            self._refused_at, self._probed = self.now, False
            self._settle()

    @property
    def retry_at(self) -> datetime:
        """When it is worth another try."""
        return self._date(self._refused_until) if self._refused else self.resets_at

    @property
    def resets_at(self) -> datetime:
        """An estimate of when requests are left again: midnight UTC, or when the oldest leave."""
        return self._date(self._day.resets)

    def _date(self, instant: float) -> datetime:
        # A midnight that lost a microsecond on the way is still midnight.
        return datetime.fromtimestamp(round(instant + self._lead, 3), UTC)

    def snapshot(self) -> dict[str, Any]:
        """Give the count, and the server's word, as plain data."""
        return {
            "window": self._window,
            "slots": [list(slot) for slot in self._day.slots()],
            "refused_until": self._date(self._refused_until).isoformat() if self._refused else None,
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Take over count and word; where both know a slot, the higher count stays.

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
        refused_for = self._lasts(plain.get("refused_until"))
        self._refused_until = max(self._refused_until, self.now + refused_for)
        self._day.merge(theirs)
        self._take_over()
        self.passed_mark()

    def _lasts(self, until: str | None) -> float:
        """Give the seconds up to an instant of the wall clock, as many as make sense."""
        if until is None:
            return 0.0
        left = datetime.fromisoformat(until) - self._date(self.now)
        return min(left / timedelta(seconds=1), _LOOK_AGAIN)
