"""The right to send one request, and what becomes of it."""

from typing import TYPE_CHECKING

from deepidv_async.limits._level import ANSWERED, ARRIVED, GRANTED, REFUSED, Flight

if TYPE_CHECKING:  # the ledger makes the permits
    from deepidv_async.limits._ledger import Ledger

__all__ = ["BucketPermit"]


class BucketPermit(Flight):
    """The right to send one request, given by a `TokenBucket`.

    Tell it what becomes of the request; only the first news counts. A permit that is dropped
    without any news counts as written at that moment, so that a program which only ever calls
    `acquire()` is limited as by a plain bucket instead of being stopped.
    """

    __slots__ = ("_ledger", "level")

    def __init__(self, ledger: "Ledger", cost: float, at: float) -> None:
        # Written out instead of calling Flight's: this runs for every request.
        self.cost = cost
        self.at = at
        self.state = GRANTED
        self.level = ledger.level
        self._ledger = ledger

    def written(self) -> None:
        """The request's bytes went out: the server sees it within `hold` seconds."""
        ledger, level = self._ledger, self.level
        if self.state == GRANTED and level is ledger.level:
            ledger.sent += self.cost
            level.written(self, ledger.read_clock())
            if level.starved:
                ledger.on_room()  # the head may have waited for this hold to begin

    def seen(self) -> None:
        """The server answered, or has surely got the request."""
        ledger, level = self._ledger, self.level
        if self.state > ARRIVED or level is not ledger.level:
            return
        if self.state == GRANTED:
            ledger.sent += self.cost
        level.arrive(self, ledger.read_clock())
        self.state = ANSWERED
        if self.at > ledger.congestion.since:
            ledger.congestion.answers += 1
        if level.starved:
            ledger.on_room()

    def refused(self, retry_after: float | None) -> None:
        """The server refused this request with a 429: as `TokenBucket.throttled`, and exact.

        The limiter knows by the permit whether the 429 is news about the rate that it keeps now,
        or late news about one that it has left already.

        Args:
            retry_after: seconds the server asked for, `None` if it did not say.
        """
        self.seen()
        if self.state == REFUSED:
            return
        known = self.state == ANSWERED and self.level is self._ledger.level
        if known:
            self.state = REFUSED
        self._ledger.refused(retry_after, self.at if known else None)

    def server_says(self, *, remaining: float, reset_after: float | None = None) -> None:
        """Obey the rate-limit headers of this request's answer: as `TokenBucket.server_says`.

        The limiter knows by the permit how old the news may be.

        Args:
            remaining: requests that may still be sent.
            reset_after: seconds until the server counts afresh, if it said so.
        """
        ledger = self._ledger
        if self.level is ledger.level:
            ledger.server_says(remaining, reset_after, age=ledger.read_clock() - self.at)

    def unsent(self) -> None:
        """Nothing went out: the permit goes back. Without effect after `written`."""
        if self.state == GRANTED and self.level is self._ledger.level:
            self.level.unsent(self)
            self._ledger.returned(self)

    def __del__(self) -> None:
        if self.state == GRANTED:
            # Not here: the garbage collector may run in the middle of the ledger's own work.
            self._ledger.dropped(self)

    def __repr__(self) -> str:
        states = ("granted", "written", "arrived", "answered", "refused", "returned")
        news = states[self.state]
        return f"<BucketPermit cost={self.cost:g} {news}>"
