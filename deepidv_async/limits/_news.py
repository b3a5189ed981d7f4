"""What a limiter tells its observers; one without observers has no news.

So a client without observers does not load the events' classes: 5 ms of its first construction.

Nothing is told at once: an observer may call the limiter, which may be in the middle of a grant.
"""

from deepidv_async._limiter_events import (
    LimiterEvent,
    PauseStarted,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
)
from deepidv_async._observers import Observers
from deepidv_async.limits._quota import Quota

__all__ = ["News"]


class News:
    """The events of one limiter.

    Attributes:
        observers: who is told.
    """

    def __init__(self) -> None:
        self.observers = Observers()
        self._untold: list[LimiterEvent] = []

    def add(self, event: LimiterEvent) -> None:
        """Note anything else."""
        self._untold.append(event)

    def paused(self, seconds: float, asked: float | None) -> None:
        """Note a pause of so many seconds, and how many the server asked for."""
        self._untold.append(PauseStarted(seconds, asked))

    def learned(self, rate: float, published: float) -> None:
        """Note a rate that is lower than before."""
        self._untold.append(RateLearned(rate, published))

    def quota_spent(self, quota: Quota) -> None:
        """Note that the server says that the quota is spent."""
        self._untold.append(QuotaSpent(quota.used, quota.resets_at))

    def quota_warning(self, mark: float, quota: Quota) -> None:
        """Note that a share of the quota is used."""
        self._untold.append(QuotaWarning(mark, quota.used, quota.limit, quota.resets_at))

    def tell(self) -> None:
        """Hand over what is untold; call it where an observer may call the limiter."""
        while self._untold:
            self.observers.emit(self._untold.pop(0))
