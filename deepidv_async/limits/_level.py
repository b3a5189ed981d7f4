"""The level of a token bucket that counts what the server may still have to count.

A plain bucket lets a spent token refill from the moment a request is sent; the server starts
when the request arrives. Two requests sent 40 ms apart can arrive together, so a client bucket
with the server's own numbers is ahead of the server by what is on its way, and meets 429s.

Here a request is first *open*: its cost is taken and does not refill. It becomes *debt*, which
refills at `rate`, once the server has surely counted it: when it answered, or `hold` seconds
after the request was written. A request may go while debt + open + cost <= burst. The server's
own debt is then never above debt + open, so it never refuses (the proof is in
docs/explanation/no-429s.md).

Pure arithmetic: no clock, no event loop; instants are handed in, in seconds.
"""

from collections import deque
from typing import Final

__all__ = [
    "ANSWERED",
    "ARRIVED",
    "GRANTED",
    "REFUSED",
    "RETURNED",
    "WRITTEN",
    "Flight",
    "Level",
]

GRANTED: Final = 0  # may be sent; open for as long as nothing more is known
WRITTEN: Final = 1  # on its way; open until it is seen or `hold` is over
ARRIVED: Final = 2  # counted by the server
ANSWERED: Final = 3  # the same, and the answer is here
REFUSED: Final = 4  # the same, and it is a 429
RETURNED: Final = 5  # never sent


class Flight:
    """One request between its grant and its arrival.

    Attributes:
        cost: tokens that it counts as.
        state: one of the six above.
        at: when it was granted.
        ends: when its hold ends; set when it is written.
    """

    __slots__ = ("at", "cost", "ends", "state")
    ends: float

    def __init__(self, cost: float, at: float) -> None:
        self.cost = cost
        self.at = at
        self.state = GRANTED


class Level:
    """How full the bucket is. Every instant handed in is that of one monotonic clock.

    Attributes:
        rate: tokens per second that come back.
        burst: tokens in a full bucket.
        hold: seconds after which a written request counts as arrived.
        debt: tokens that are spent and coming back.
        open: tokens of requests that the server may not have counted yet.
        flights: how many requests that is.
        at: the instant `debt` is true for. During a pause it is the end of the pause, since
            nothing comes back before.
        paused_until: no grant before this instant; never after `at`.
        starved: whether the last `next_look` found that news of a request may bring the tokens
            sooner than time alone.
        stood_still: seconds in which the debt was nil, so that nothing could come back.
    """

    __slots__ = (
        "_written",
        "at",
        "burst",
        "debt",
        "flights",
        "hold",
        "open",
        "paused_until",
        "rate",
        "starved",
        "stood_still",
    )

    def __init__(self, *, rate: float, burst: float, hold: float, now: float = 0.0) -> None:
        self.rate = rate
        self.burst = burst
        self.hold = hold
        self.debt = 0.0
        self.open = 0.0
        self.flights = 0
        self.at = now
        self.paused_until = now
        self.starved = False
        self.stood_still = 0.0
        self._written: deque[Flight] = deque()

    def advance(self, now: float) -> None:
        """Let time pass: each hold ends at its own instant, in order, and debt comes back."""
        if self._written:
            self._end_holds(now)
        passed = now - self.at
        if passed > 0:
            self.debt -= passed * self.rate
            self.at = now
            if self.debt < 0:
                self._stand_still()

    def _end_holds(self, now: float) -> None:
        written = self._written
        while written:
            first = written[0]
            if first.state == WRITTEN and first.ends > now:
                return
            written.popleft()
            self.arrive(first, first.ends)

    def _stand_still(self) -> None:
        self.stood_still -= self.debt / self.rate
        self.debt = 0.0

    def take(self, cost: float, now: float) -> bool:
        """Take `cost` tokens for a request that may now be sent, if they are there."""
        if self.debt + self.open + cost > self.burst:
            # Only now it matters what has come back since `at`.
            self.advance(now)
            if self.debt + self.open + cost > self.burst:
                return False
        if now < self.paused_until:
            return False
        self.open += cost
        self.flights += 1
        return True

    def written(self, flight: Flight, now: float) -> None:
        """Start the hold of a request whose bytes went out."""
        if flight.state == GRANTED:
            flight.state = WRITTEN
            flight.ends = now + self.hold
            self._written.append(flight)

    def unsent(self, flight: Flight) -> None:
        """Give back the tokens of a request that never went out."""
        if flight.state == GRANTED:
            flight.state = RETURNED
            self.flights -= 1
            self.open = self.open - flight.cost if self.flights else 0.0

    def arrive(self, flight: Flight, now: float) -> None:
        """Let the tokens of a request that the server has counted come back from now on."""
        if self._written and self._written[0].ends < now:
            self._end_holds(now)
        if flight.state > WRITTEN:
            return
        passed = now - self.at
        if passed > 0:
            # As in `advance`: the call would take a twentieth of a grant's time.
            self.debt -= passed * self.rate
            self.at = now
            if self.debt < 0:
                self._stand_still()
        flight.state = ARRIVED
        self.flights -= 1
        # Sums of fractions drift; an empty sum is nil.
        self.open = self.open - flight.cost if self.flights else 0.0
        self.debt += flight.cost
        if self.debt > self.burst:  # noqa: PLR1730 - min() would take a tenth of a grant's time
            # The server cannot owe more than its burst, whatever we thought that it owed.
            self.debt = self.burst

    def earliest(self, cost: float, rate: float) -> float:
        """Tell the first instant at which `cost` tokens could be granted one after the other.

        That is if all open requests arrive at once, and tokens come back at `rate`, the fastest
        that this level may come to; answers that are late make it later.
        """
        lack = self.debt + self.open + cost - self.burst
        return self.paused_until if lack <= 0 else self.at + lack / rate

    def next_look(self, cost: float) -> float | None:
        """Tell when `cost` tokens may be there; `None`: not before there is news of a request.

        Call it after `advance`.
        """
        lack = self.debt + self.open + cost - self.burst
        if lack <= 0:
            self.starved = False
            return self.paused_until
        self.starved = self.open + cost > self.burst or lack > cost
        if self.open + cost <= self.burst:
            due = self.at + lack / self.rate
            if lack > cost and self._written:
                # More is owed than a bucket holds, after a refusal: a hold that ends cuts that.
                due = min(due, self._written[0].ends)
            return due
        # All that can come back by itself is not enough: a request has to arrive first.
        return self._written[0].ends if self._written else None

    def line(self, rate: float) -> float:
        """Give where this level stands against one that gets `rate` tokens/s without a break.

        It stands still while tokens come back at `rate`, and rises when fewer do. Call it after
        `advance`.
        """
        return self.at * rate + self.debt + self.open - self.burst

    def line_risen(self, tokens: float, rate: float) -> float:
        """Tell when `line(rate)` will have risen by so many tokens, if there is no news."""
        lasts = self.debt / self.rate
        risen = (rate - self.rate) * lasts
        if tokens < risen:
            return self.at + tokens / (rate - self.rate)
        return self.at + lasts + (tokens - risen) / rate

    @property
    def tokens(self) -> float:
        """What could be granted at once, pauses aside; call `advance` before."""
        return max(0.0, self.burst - self.debt - self.open)

    def drain(self, now: float, resume_at: float) -> None:
        """Empty the bucket after a refusal, and grant nothing before `resume_at`.

        A refusal proves that the server's bucket is empty. Nothing comes back during the pause
        but the one token that the first request after it needs, so that requests go one by one
        afterwards, not all together. Call it after `advance`.
        """
        self.paused_until = self.at = max(self.paused_until, resume_at)
        self.debt = self.burst - min(1.0, (self.at - now) * self.rate)

    def cap(self, tokens: float) -> None:
        """Grant no more than `tokens` at once from here on, beyond what is open already."""
        self.debt = max(self.debt, self.burst - self.open - tokens)

    def set_rate(self, rate: float) -> None:
        """Let tokens come back at another rate from now on; call it after `advance`."""
        self.rate = rate

    def carry_over(self, before: float, now: float, *, empty: bool = False) -> "Level":
        """Give a level for another clock that goes on where this one stopped.

        Whatever was open may be on its way still: it gets a `hold` to arrive.

        Args:
            before: the instant on this level's clock.
            now: the same instant on the other clock.
            empty: leave no token, and nothing open: that is another process's business.
        """
        self.advance(before)
        level = Level(rate=self.rate, burst=self.burst, hold=self.hold, now=now)
        level.at = level.paused_until = now + max(0.0, self.paused_until - before)
        level.debt = self.burst if empty else self.debt
        level.stood_still = self.stood_still
        if self.flights and not empty:
            level.open, level.flights = self.open, self.flights
            for _ in range(self.flights):
                level.written(Flight(self.open / self.flights, now), now)
        return level
