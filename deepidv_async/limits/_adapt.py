"""What a limiter learns from 429s: a lower rate, and how long to stay silent.

Somebody else may use the same key, or the gateway may admit less than it says. The rate is
multiplied by 0.85 for each congestion event and creeps back by half a percent of the published
rate per second: against a server that grants 80 % this costs about one refusal in half a
minute, and finds the share that is left beside another program.

A refusal is a new event if and only if its request was granted after the last event: all others
tell nothing new about the rate that was chosen then, however late they come.

Pure: instants are handed in, in seconds.
"""

from typing import Final

__all__ = ["Congestion"]

_DECREASE: Final = 0.85
_INCREASE: Final = 0.005  # of the published rate, per second
_FLOOR: Final = 0.05  # of the published rate
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_SAME_EVENT: Final = 1.0  # where nobody says which request was refused


class Congestion:
    """The learned rate and the pause, for one limiter.

    Attributes:
        published: the rate that the vendor promises, requests/s.
        rate: the rate to keep now.
        since: instant of the last congestion event; infinite before the first.
        answers: how many requests that were granted after it were answered, 429s included.
    """

    __slots__ = (
        "_admitted",
        "_before",
        "_grown_at",
        "_row",
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
        self._before = float("inf")  # the event before the last one
        self._admitted = 0  # of the requests that were granted between these two
        self._row = 0  # events in a row, if none was admitted between the last two

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

    def refused(self, now: float, granted_at: float | None = None) -> tuple[float, bool]:
        """React to a 429.

        Args:
            now: the instant.
            granted_at: when the request that was refused had got its permit. If nobody knows,
                what comes within a second of an event, or during its pause, belongs to it.

        Returns:
            The pause in seconds if the server asked for none, and whether the rate was lowered.
        """
        event = self._is_event(now, granted_at)
        self.grow(now)
        if event:
            self._row = self._streak + 1
            self._before, self.since = self.since, now
            self._admitted, self.answers = self.answers, 0
            self.rate = max(_FLOOR * self.published, self.rate * _DECREASE)
        if granted_at is None or granted_at > self._before:
            self._admitted -= 1
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._streak - 1, 10)), event

    def _is_event(self, now: float, granted_at: float | None) -> bool:
        if self.since == float("inf"):
            return True
        if granted_at is not None:
            return granted_at > self.since
        # It does not creep back before the pause is over.
        return not self.since <= now < max(self.since + _SAME_EVENT, self._grown_at)

    @property
    def _streak(self) -> int:
        """Events in a row without a success between them.

        Answers that arrive together are told one after the other: whether one of them was a
        success is known when all their refusals have been told.
        """
        return 1 if self._admitted > 0 else self._row

    def stay_silent(self, until: float) -> None:
        """Do not creep back before `until`."""
        self._grown_at = max(self._grown_at, until)

    def restore(self, rate: float, passed: float) -> None:
        """Go on from a rate that was learned `passed` seconds ago, before the first request."""
        self.rate = max(_FLOOR * self.published, rate)
        self._grown_at = -passed
        self.grow(0.0)

    def rebase(self, now: float) -> None:
        """Go on with another clock: what the last one said means nothing there."""
        self.since = float("inf")
        self._grown_at = now
