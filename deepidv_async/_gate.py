"""The gate in front of the pool: never more requests in flight than it has places.

Callers of the `normal` lane pass first, as in the limiter, so that a web request does not wait
behind an export here either; while both lanes wait, one place in eleven goes to `bulk`.
"""

import asyncio
from collections import OrderedDict
from typing import Final, TypeAlias

from deepidv_async.limits import Priority

__all__ = ["Gate"]

# An ordered dict lets go of its first and of any other entry in constant time.
_Lane: TypeAlias = "OrderedDict[asyncio.Future[None], None]"
_NORMAL_PER_BULK: Final = 10


class Gate:
    """A semaphore with two lanes, first come first served in each.

    A place goes straight from who leaves to who waits, so nobody can slip in between, and a
    waiter that is cancelled after it was given a place hands it on.

    Args:
        places: how many may be inside at once.

    Attributes:
        free: places that nobody has.
    """

    __slots__ = ("_bulk", "_normal", "_turns", "free")

    def __init__(self, places: int) -> None:
        self.free = places
        self._normal: _Lane = OrderedDict()
        self._bulk: _Lane = OrderedDict()
        self._turns = 0  # of the normal lane since bulk's last one

    def enter_now(self) -> bool:
        """Take a place if one is free."""
        if self.free:
            self.free -= 1
            return True
        return False

    async def enter(self, priority: Priority) -> None:
        """Wait for a place that `enter_now` did not have."""
        lane = self._normal if priority == "normal" else self._bulk
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane[turn] = None
        try:
            await turn
        except BaseException:
            lane.pop(turn, None)
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next in line, or back."""
        while (turn := self._next()) is not None:
            if not turn.done():  # else it was cancelled, and has not run yet
                turn.set_result(None)
                return
        self.free += 1

    def _next(self) -> "asyncio.Future[None] | None":
        bulk_is_due = not self._normal or self._turns >= _NORMAL_PER_BULK
        if self._bulk and bulk_is_due:
            self._turns = 0
            return self._bulk.popitem(last=False)[0]
        if self._normal:
            self._turns += 1
            return self._normal.popitem(last=False)[0]
        return None
