"""What an answer tells the limiter: a throttle, a spent quota, the headers of a rate limit.

A limiter of the user's own has the methods of `RateLimiter`; what it may know beyond those is
asked for by protocol.
"""

from typing import Final

from deepidv_async._clock import Clock
from deepidv_async._status_errors import QuotaExceededError, RateLimitError
from deepidv_async._wire import WireResponse, next_midnight, rate_left
from deepidv_async.limits import Permit, QuotaAware, RateHeadersAware, RateLimiter, RefusalAware

__all__ = ["obey_headers", "tell_refusal"]

# Seconds; the headers of a rate limit speak of less, those of a quota of more.
_LONG_WINDOW: Final = 60.0


def obey_headers(
    limiter: RateLimiter | None, permit: Permit, response: WireResponse, clock: Clock
) -> None:
    """Hand on what rate-limit headers say, should there be any, by the permit if it listens."""
    left = rate_left(response.headers, clock.wall)
    if left is None:
        return
    remaining, reset_after = left
    if reset_after is not None and reset_after > _LONG_WINDOW:
        # Nobody documents what such a window counts; maybe the day.
        reset_after = None
    listeners: tuple[object, object] = (permit, limiter)
    for told in listeners:
        if isinstance(told, RateHeadersAware):
            told.server_says(remaining=remaining, reset_after=reset_after)
            return


def tell_refusal(
    limiter: RateLimiter | None, permit: Permit, error: RateLimitError, clock: Clock
) -> None:
    """Hand on a 429, by its permit where that can tell; a spent quota gets its estimated reset."""
    told: object = limiter
    if not isinstance(error, QuotaExceededError):
        if isinstance(permit, RefusalAware):
            permit.refused(error.retry_after)
        elif limiter is not None:
            limiter.throttled(error.retry_after)
        return
    if isinstance(told, QuotaAware):
        estimate = told.quota_exceeded()
    else:
        estimate = next_midnight(clock.wall())
    error.resets_at = error.resets_at or estimate
    error.retry_at = error.retry_at or error.resets_at
