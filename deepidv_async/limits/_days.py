"""The two kinds of day that a quota may count: the calendar day in UTC, and the last 24 hours.

Both live by a steady time: seconds since 1970 that run on with the monotonic clock, whatever is
done to the wall clock. A rolling day needs nothing else. A calendar day has to ask the wall clock
when midnight is, and that may be stepped: it was wrong before or it is wrong now, and nobody can
tell which.

So a step makes two opinions of what day it is, each with a count and a midnight of its own. The
higher count stands until the day has ended by the old opinion too, 24 hours of running time at
most: a step frees nothing. If the clock is stepped back to an earlier opinion, the later ones are
dropped, so a clock that was wrong for a while locks nothing either.
"""

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

__all__ = ["Day", "RollingDay", "UTCDay"]

_DAY: Final = 86_400
_MINUTE: Final = 60
# Seconds; what differs by less is the same clock, which may be slewed by some seconds a day.
_STEP: Final = 60.0
_OPINIONS: Final = 4


class Day(Protocol):
    """A window of time with a count. Instants are those of the steady time."""

    @property
    def used(self) -> float:
        """Requests counted in the window."""
        ...

    @property
    def starts(self) -> float:
        """When the window began."""
        ...

    @property
    def resets(self) -> float:
        """When requests are left again, if none are now."""
        ...

    def look(self, now: float, wall: float, fresh: float) -> tuple[bool, float]:
        """Count what is fresh since the last look, and forget what has left the window.

        Returns:
            Whether what was counted before cannot be taken back any more, and the instant of the
            next look that may tell something new.
        """
        ...

    def slots(self) -> list[tuple[int, float]]:
        """Give the count by days or minutes of the wall clock since 1970."""
        ...

    def merge(self, slots: list[tuple[int, float]]) -> None:
        """Take over a count; where both know a slot, the higher count stays."""
        ...

    def agree(self, day: int, used: float) -> None:
        """Take the count of a day for true that others have kept with us."""
        ...


class _Opinion:
    """What day it is, as the wall clock said at some time.

    Attributes:
        lead: what the wall clock said minus the steady time, in seconds.
        day: days since 1970; it never goes back.
        used: requests counted in it.
        until: the instant up to which the opinion is heard though the clock has another one.
    """

    __slots__ = ("day", "lead", "until", "used")

    def __init__(self, lead: float, day: int, used: float) -> None:
        self.lead = lead
        self.day = day
        self.used = used
        self.until = math.inf

    @property
    def ends(self) -> float:
        return (self.day + 1) * _DAY - self.lead

    def roll(self, now: float) -> bool:
        day = int((now + self.lead) // _DAY)
        if day <= self.day:
            return False
        self.day, self.used = day, 0.0
        return True


class UTCDay:
    """The calendar day in UTC."""

    __slots__ = ("_now", "_opinions")

    def __init__(self) -> None:
        self._now = 0.0
        self._opinions = [_Opinion(0.0, 0, 0.0)]

    def _heard(self) -> Iterator[_Opinion]:
        return (one for one in self._opinions if self._now < one.until)

    @property
    def used(self) -> float:
        """The highest count of all opinions that are heard."""
        return max(one.used for one in self._heard())

    @property
    def starts(self) -> float:
        """Midnight, by the clock as it is."""
        return self._opinions[-1].ends - _DAY

    @property
    def resets(self) -> float:
        """Midnight, by the last of all opinions that are heard."""
        return max(one.ends for one in self._heard())

    def look(self, now: float, wall: float, fresh: float) -> tuple[bool, float]:
        """Count, and start afresh at midnight."""
        self._now = now
        new = False
        for one in self._opinions:
            one.used = max(0.0, one.used + fresh)
            new |= one.roll(now)
        new |= self._agree(wall - now, wall)
        return new, min(one.ends for one in self._opinions)

    def _agree(self, lead: float, wall: float) -> bool:
        """Go with the wall clock; tell whether it was stepped."""
        opinions = self._opinions
        for index in reversed(range(len(opinions))):
            one = opinions[index]
            if abs(one.lead - lead) <= _STEP:
                one.lead, one.until = lead, math.inf
                del opinions[index + 1 :]
                return False
        day = int(wall // _DAY)
        used = max((one.used for one in opinions if day <= one.day), default=0.0)
        opinions[-1].until = opinions[-1].ends
        opinions.append(_Opinion(lead, day, used))
        if len(opinions) > _OPINIONS:
            # A clock that jumps about: the second opinion stands for the first as well.
            oldest, second = opinions.pop(0), opinions[0]
            if self._now < oldest.until:
                second.used = max(second.used, oldest.used)
                second.until = max(second.until, oldest.until)
        return True

    def slots(self) -> list[tuple[int, float]]:
        """One day, the one that the clock tells."""
        return [(self._opinions[-1].day, self.used)]

    def merge(self, slots: list[tuple[int, float]]) -> None:
        """Days that are over count nothing; one that is to come is taken for today."""
        for day, count in slots:
            for one in self._opinions:
                if day >= one.day:
                    one.used = max(one.used, count)

    def agree(self, day: int, used: float) -> None:
        """Take over the count, unless it is that of a day that is over."""
        for one in self._opinions:
            if day >= one.day:
                one.used = used


class RollingDay:
    """The last 24 hours of running time, in minutes.

    A minute is forgotten when its end is 24 hours old, so the count is never too low.
    """

    __slots__ = ("_before", "_lead", "_minute", "_now", "_past", "used")

    def __init__(self) -> None:
        self.used = 0.0
        self._now = 0.0
        self._lead = 0.0
        self._minute = 0
        self._before: deque[tuple[int, float]] = deque()  # minutes that are over
        self._past = 0.0  # the sum of their counts

    @property
    def starts(self) -> float:
        """24 hours ago."""
        return self._now - _DAY

    @property
    def resets(self) -> float:
        """When the oldest minute that has a count leaves."""
        oldest = self._before[0][0] if self._before else self._minute
        return (oldest + 1) * _MINUTE + _DAY

    def look(self, now: float, wall: float, fresh: float) -> tuple[bool, float]:
        """Count, and forget the minutes that have left."""
        self._now, self._lead = now, wall - now
        self.used += fresh
        minute = int(now // _MINUTE)
        new = minute > self._minute
        if new:
            self._shift(minute)
        return new, (minute + 1) * _MINUTE

    def _shift(self, minute: int) -> None:
        count = self.used - self._past
        if count > 0:
            self._before.append((self._minute, count))
        self._minute = minute
        while self._before and self._before[0][0] < minute - _DAY // _MINUTE:
            self._before.popleft()
        self._past = self.used = sum(count for _, count in self._before)

    def slots(self) -> list[tuple[int, float]]:
        """All minutes, the current one last."""
        late = self._lead / _MINUTE
        minutes = [*self._before, (self._minute, self.used - self._past)]
        return [(math.ceil(minute + late), count) for minute, count in minutes]

    def merge(self, slots: list[tuple[int, float]]) -> None:
        """Take over minutes; those to come are taken for the current one."""
        counts = dict([*self._before, (self._minute, self.used - self._past)])
        for slot, count in slots:
            minute = min(math.ceil(slot - self._lead / _MINUTE), self._minute)
            counts[minute] = max(counts.get(minute, 0.0), count)
        current = counts.pop(self._minute)
        self._before = deque(sorted(counts.items()))
        self._past = self.used = 0.0
        self._shift(self._minute)
        self.used = self._past + current

    def agree(self, day: int, used: float) -> None:
        """Do nothing: a shared limit counts calendar days."""
