"""What a limiter tells of itself: pauses, learned rates, the quota, and the state of a shared one.

These events belong to no call. Whoever uses the limiter is told, and they hold no words of a
server: of one that cannot be reached there is the class of the error alone.
"""

from datetime import datetime
from typing import TypeAlias

import attrs

__all__ = [
    "LimiterEvent",
    "PauseStarted",
    "QuotaSpent",
    "QuotaWarning",
    "RateLearned",
    "SharedLimitFound",
    "SharedLimitLost",
]


@attrs.frozen
class PauseStarted:
    """A 429 came, or headers said that nothing is left: nobody gets a permit for a while.

    Attributes:
        seconds: how long.
        retry_after: what the server asked for, in `Retry-After` or as the reset of its window;
            `None` if it did not say.
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


@attrs.frozen
class SharedLimitLost:
    """The server of a shared limit cannot be reached: this process goes on with its share.

    Attributes:
        cause: the class of the client's error, `TimeoutError` if the server only was too slow.
        share: part of the rate that is kept meanwhile; 0 if callers fail.
    """

    cause: str
    share: float


@attrs.frozen
class SharedLimitFound:
    """The server of a shared limit answers again.

    Attributes:
        away: how long it did not, in seconds.
    """

    away: float


LimiterEvent: TypeAlias = (
    PauseStarted | RateLearned | QuotaWarning | QuotaSpent | SharedLimitLost | SharedLimitFound
)
