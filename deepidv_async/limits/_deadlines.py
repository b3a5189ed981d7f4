"""Which waiters of a lane can no longer be served in time.

A waiter needs its own cost and all that stands before it. At `rate` tokens per second its turn
cannot come before

    now + (debt + open - burst + what stands before it + its cost) / rate.

With P, all that ever joined its lane up to and including it, and L, all that ever left the
lane, the cost up to it is P - L if nobody behind it has left; somebody who did (other than from
the very end, which is not counted in L) makes its turn seem earlier, never later. So the
deadline is lost as soon as

    deadline x rate - P   <   now x rate + debt + open - burst - L.

The left side, its key, is fixed when the waiter joins. A heap of the keys gives the lost ones
first, and nothing has to be computed again while the queue moves.
"""

import heapq
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

__all__ = ["Deadlines"]

_FEW: Final = 64


class _Waits(Protocol):
    @property
    def lane(self) -> object | None: ...


W = TypeVar("W", bound=_Waits)


class Deadlines(Generic[W]):
    """A heap of waiters by their keys; those who no longer wait are dropped on the way."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, W]] = []
        self._number = 0

    def add(self, waiter: W, key: float) -> None:
        """Remember a waiter that has a deadline."""
        self._number += 1
        heapq.heappush(self._heap, (key, self._number, waiter))

    def nearest(self) -> float | None:
        """Give the smallest key of those who still wait."""
        heap = self._heap
        while heap and heap[0][2].lane is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def lost(self, line: float) -> Iterator[W]:
        """Take off and give every waiter whose key is below `line`."""
        while (key := self.nearest()) is not None and key < line:
            yield heapq.heappop(self._heap)[2]

    def compact(self, living: int) -> None:
        """Drop those who no longer wait, once they are many more than the `living`."""
        if len(self._heap) > 2 * living + _FEW:
            self._heap = [entry for entry in self._heap if entry[2].lane is not None]
            heapq.heapify(self._heap)
