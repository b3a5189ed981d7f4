"""What a limiter tells about itself: frozen records, handed to its listeners as they happen."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import attrs

__all__ = ["LimiterEvent", "Listeners", "PauseStarted", "QuotaSpent", "QuotaWarning", "RateLearned"]

_logger = logging.getLogger("deepidv_async")


@attrs.frozen
class PauseStarted:
    """A 429 came: nobody gets a permit for a while.

    Attributes:
        seconds: how long.
        retry_after: what the server asked for, `None` if it did not say.
    """

    seconds: float
    retry_after: float | None


@attrs.frozen
class RateLearned:
    """The limiter goes slower than published, since the server admits less.

    Attributes:
        per_second: the rate from now on; it creeps back up by itself.
        published: the rate of the `RateLimit`.
    """

    per_second: float
    published: float


@attrs.frozen
class QuotaWarning:
    """A good part of the daily quota is used.

    Attributes:
        share: the mark that was passed, 0.8 or 0.95.
        used: requests counted.
        limit: requests per day.
        resets_at: when the quota is expected to be full again (aware, UTC; an estimate).
    """

    share: float
    used: float
    limit: float
    resets_at: datetime


@attrs.frozen
class QuotaSpent:
    """The server says that the daily quota is spent.

    Attributes:
        used: requests that this limiter has counted.
        resets_at: when the quota is expected to be full again (aware, UTC; an estimate).
    """

    used: float
    resets_at: datetime


LimiterEvent: TypeAlias = PauseStarted | RateLearned | QuotaWarning | QuotaSpent


class Listeners:
    """Whoever wants the news. One that raises is logged and never breaks a call."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: list[Callable[[LimiterEvent], object]] = []

    def add(self, listener: Callable[[LimiterEvent], object]) -> Callable[[], None]:
        """Add a listener; the answer takes it off again, and may be called more than once."""
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def tell(self, event: LimiterEvent) -> None:
        """Hand `event` to every listener."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a user's code, whatever it raises
                _logger.warning(
                    "limiter listener raised %s on %s",
                    type(error).__name__,
                    type(event).__name__,
                )
