"""The errors with which a limiter refuses: what happened, and what to do."""

from datetime import datetime, timedelta

from deepidv_async._errors import DeadlineExceededError
from deepidv_async._history import TimeSpent
from deepidv_async._status_errors import QuotaExceededError, RateLimitError

__all__ = ["paused_too_long", "quota_spent", "too_late"]


def too_late(*, waited: float, allowed: float) -> DeadlineExceededError:
    """Tell that no permit can be had before the deadline.

    Args:
        waited: seconds spent in the queue.
        allowed: seconds that the deadline left when the caller came.
    """
    return DeadlineExceededError(
        "The rate limit leaves no room for this request before its deadline. Allow more time, "
        "or send less at once.",
        deadline=allowed,
        spent=TimeSpent(limited=waited),
    )


def paused_too_long(*, wait: float, wall: datetime) -> RateLimitError:
    """Tell that the pause after a 429 is longer than anybody should wait.

    Args:
        wait: seconds that are left of the pause.
        wall: the time now.
    """
    return RateLimitError(
        f"The server refused a request (429) and asked to wait; {wait:.0f} s of that are left, "
        "which is more than this limiter waits. Nothing was sent; try again at retry_at.",
        status=None,
        retry_after=wait,
        retry_at=wall + timedelta(seconds=wait),
    )


def quota_spent(
    *, used: float, wall: datetime, retry_at: datetime, resets_at: datetime
) -> QuotaExceededError:
    """Tell that the daily quota is spent, by our own count or by the server's word.

    Args:
        used: requests counted in this window.
        wall: the time now.
        retry_at: when it is worth another try.
        resets_at: when the quota is expected to be full again.
    """
    return QuotaExceededError(
        f"The daily quota is spent ({used:g} requests counted); this request was not sent. It is "
        f"expected to be full again at {resets_at.isoformat(timespec='seconds')}.",
        status=None,
        resets_at=resets_at,
        retry_at=retry_at,
        retry_after=max(0.0, (retry_at - wall).total_seconds()),
    )
