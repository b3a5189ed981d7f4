"""Rate limiting: the limit as numbers, the protocol, and the bucket that keeps it."""

from deepidv_async.limits._bucket import TokenBucket
from deepidv_async.limits._limit import RateLimit
from deepidv_async.limits._protocol import (
    LimiterStats,
    Permit,
    Priority,
    QuotaAware,
    RateHeadersAware,
    RateLimiter,
    RefusalAware,
    Talkative,
)

__all__ = [
    "LimiterStats",
    "Permit",
    "Priority",
    "QuotaAware",
    "RateHeadersAware",
    "RateLimit",
    "RateLimiter",
    "RefusalAware",
    "Talkative",
    "TokenBucket",
]
