"""The order of a queue: two lanes, first come first served in each.

Callers of the `normal` lane go first, but while both lanes wait one token in eleven goes to
`bulk`, so that an export slows down beside web traffic and never starves.

A waiter that leaves early is taken off the sums at once, and off the deque when it comes to an
end of it or when the dead outnumber the living: O(1) for each.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

from deepidv_async.limits._deadlines import Deadlines
from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._protocol import Priority

__all__ = ["Lane", "Lanes", "Waiter"]

_NORMAL_PER_BULK: Final = 10
_FEW: Final = 64


class Waiter:
    """One caller in the queue.

    Attributes:
        future: answers with the permit, or with the reason why there is none.
        cost: tokens wanted.
        since: when the caller came.
        deadline: after this instant the permit is useless.
        lane: where it waits; `None` once it has left.
    """

    __slots__ = ("cost", "deadline", "future", "lane", "since")

    def __init__(
        self,
        future: "asyncio.Future[BucketPermit]",
        *,
        cost: float,
        since: float,
        deadline: float | None,
    ) -> None:
        self.future = future
        self.cost = cost
        self.since = since
        self.deadline = deadline
        self.lane: Lane | None = None


class Lane:
    """One line of waiters.

    Attributes:
        count: how many wait.
        cost: what they want together.
        left: what all who ever left had wanted, granted or not.
        deadlines: the waiters that have one, the first to be lost first.
        queue: all in order. Some between may have left, but those at both ends still wait.
    """

    __slots__ = ("cost", "count", "deadlines", "left", "queue")

    def __init__(self) -> None:
        self.queue: deque[Waiter] = deque()
        self.count = 0
        self.cost = 0.0
        self.left = 0.0
        self.deadlines: Deadlines[Waiter] = Deadlines()

    def join(self, waiter: Waiter, rate: float) -> None:
        """Put a waiter at the end; `rate` is the fastest at which the lane can move."""
        waiter.lane = self
        self.count += 1
        self.cost += waiter.cost
        self.queue.append(waiter)
        if waiter.deadline is not None:
            self.deadlines.add(waiter, waiter.deadline * rate - self.left - self.cost)

    def serve(self, head: Waiter) -> None:
        """Take off the head, which got its permit."""
        queue = self.queue
        queue.popleft()
        while queue and queue[0].lane is None:
            queue.popleft()
        head.lane = None
        self.count -= 1
        self.left += head.cost
        self.cost = self.cost - head.cost if self.count else 0.0
        if head.deadline is not None:
            self.deadlines.compact(self.count)

    def leave(self, waiter: Waiter) -> None:
        """Take a waiter off, from wherever it stands."""
        queue = self.queue
        # Who leaves from the very end brings nobody forward.
        if queue[-1] is not waiter:
            self.left += waiter.cost
        waiter.lane = None
        self.count -= 1
        # Sums of fractions drift; an empty sum is nil.
        self.cost = self.cost - waiter.cost if self.count else 0.0
        while queue and queue[0].lane is None:
            queue.popleft()
        while queue and queue[-1].lane is None:
            queue.pop()
        if len(queue) > 2 * self.count + _FEW:
            self.queue = deque(one for one in queue if one.lane is not None)
        if waiter.deadline is not None:
            self.deadlines.compact(self.count)

    def __iter__(self) -> Iterator[Waiter]:
        """Go through those who wait, the first first; they may be taken off on the way."""
        return (one for one in tuple(self.queue) if one.lane is not None)


class Lanes:
    """Both lanes, and whose turn it is.

    Attributes:
        count: how many wait.
        dated: how many of them have a deadline.
    """

    __slots__ = ("_credit", "both", "bulk", "count", "dated", "normal")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everybody."""
        self.normal = Lane()
        self.bulk = Lane()
        self.both = (self.normal, self.bulk)
        self.count = 0
        self.dated = 0
        self._credit = 0.0  # tokens of the normal lane since bulk's last turn

    def join(self, waiter: Waiter, priority: Priority, rate: float) -> bool:
        """Put a waiter in its lane; tell whether it is the first there."""
        lane = self.normal if priority == "normal" else self.bulk
        lane.join(waiter, rate)
        self.count += 1
        if waiter.deadline is not None:
            self.dated += 1
        return lane.count == 1

    def ahead(self, priority: Priority, cost: float) -> float:
        """Tell what has to be granted, as things stand, until a newcomer has its `cost`."""
        if priority == "normal":
            return self.normal.cost + cost
        own = self.bulk.cost + cost
        turns = max(0.0, own * _NORMAL_PER_BULK - self._credit)
        return own + min(self.normal.cost, turns)

    def first(self) -> Waiter | None:
        """Give the waiter whose turn it is."""
        normal, bulk = self.normal, self.bulk
        if bulk.count == 0:
            return normal.queue[0] if normal.count else None
        head = bulk.queue[0]
        if normal.count == 0 or self._credit >= head.cost * _NORMAL_PER_BULK:
            return head
        return normal.queue[0]

    def granted(self, waiter: Waiter) -> None:
        """Take off a waiter that got its permit, and settle whose turn comes next."""
        lane = self.normal
        if waiter.lane is not lane:
            lane = self.bulk
            self._credit = max(0.0, self._credit - waiter.cost * _NORMAL_PER_BULK)
        elif self.bulk.count:
            self._credit += waiter.cost
        lane.serve(waiter)
        self.count -= 1
        if waiter.deadline is not None:
            self.dated -= 1

    def leave(self, waiter: Waiter) -> None:
        """Take a waiter off, from wherever it stands."""
        (self.bulk if waiter.lane is self.bulk else self.normal).leave(waiter)
        self.count -= 1
        if waiter.deadline is not None:
            self.dated -= 1
        if self.bulk.count == 0:
            self._credit = 0.0

    def everybody(self) -> Iterator[Waiter]:
        """Go through all who wait; they may be taken off on the way."""
        yield from self.normal
        yield from self.bulk
