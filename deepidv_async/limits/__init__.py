"""Rate limiting: the limit as numbers, the protocol, and the bucket that keeps it."""

from deepidv_async.limits._bucket import TokenBucket
from deepidv_async.limits._limit import RateLimit
from deepidv_async.limits._news import (
    LimiterEvent,
    PauseStarted,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
)
from deepidv_async.limits._protocol import (
    LimiterStats,
    Permit,
    Priority,
    QuotaAware,
    RateHeadersAware,
    RateLimiter,
)

__all__ = [
    "LimiterEvent",
    "LimiterStats",
    "PauseStarted",
    "Permit",
    "Priority",
    "QuotaAware",
    "QuotaSpent",
    "QuotaWarning",
    "RateHeadersAware",
    "RateLearned",
    "RateLimit",
    "RateLimiter",
    "TokenBucket",
]
