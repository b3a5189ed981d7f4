"""What a limiter learns from 429s: a lower rate, and how long to stay silent.

Somebody else may use the same key, or the gateway may admit less than it says. The rate is
multiplied by 0.85 for each congestion event and creeps back by half a percent of the published
rate per second: against a server that grants 80 % this costs about one refusal in half a
minute, and finds the share that is left beside another program.

All refusals of requests that were sent before the limiter reacted are one event: they tell
nothing new about the rate that was chosen after them.

Pure: instants are handed in, in seconds.
"""

from typing import Final

__all__ = ["Congestion"]

_DECREASE: Final = 0.85
_INCREASE: Final = 0.005  # of the published rate, per second
_FLOOR: Final = 0.05  # of the published rate
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_SAME_EVENT: Final = 1.0


class Congestion:
    """The learned rate and the pause, for one limiter.

    Attributes:
        published: the rate that the vendor promises, requests/s.
        rate: the rate to keep now.
        since: instant of the last congestion event; infinite before the first.
        answers: how many requests that were sent after it have been answered, 429s included.
    """

    __slots__ = (
        "_before",
        "_earlier",
        "_grown_at",
        "_refusals",
        "_streak",
        "answers",
        "published",
        "rate",
        "since",
    )

    def __init__(self, published: float) -> None:
        self.published = published
        self.rate = published
        self.since = float("inf")
        self.answers = 0
        self._grown_at = 0.0
        self._before = 0  # answers when the last event came
        self._refusals = 0  # of the last event
        self._streak = 0  # events in a row without a success between them
        self._earlier = 0  # the same, when the last event came

    @property
    def lowered(self) -> bool:
        """Whether the rate is below the published one."""
        return self.rate < self.published

    def grow(self, now: float) -> float:
        """Creep back towards the published rate, and give the rate for now."""
        if now > self._grown_at:
            more = _INCREASE * self.published * (now - self._grown_at)
            self.rate = min(self.published, self.rate + more)
            self._grown_at = now
        return self.rate

    def refused(self, now: float) -> tuple[float, bool]:
        """React to a 429.

        Returns:
            The pause in seconds if the server asked for none, and whether the rate was lowered.
        """
        self.grow(now)
        # Negative when there was no event yet.
        event = self.answers > 0 or not 0 <= now - self.since < _SAME_EVENT
        if event:
            self.since = now
            self._before, self.answers, self._refusals = self.answers, 0, 1
            self._earlier = self._streak
            self.rate = max(_FLOOR * self.published, self.rate * _DECREASE)
        else:
            self._refusals += 1
        # Answers that arrive together are told one after the other: only when as many refusals
        # as answers have been told is it certain that none of these was a success.
        self._streak = 1 if self._refusals < self._before else self._earlier + 1
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._streak - 1, 10)), event

    def stay_silent(self, until: float) -> None:
        """Do not creep back before `until`."""
        self._grown_at = max(self._grown_at, until)

    def rebase(self, now: float) -> None:
        """Go on with another clock: what the last one said means nothing there."""
        self.since = float("inf")
        self._grown_at = now
