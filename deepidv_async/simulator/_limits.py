"""The server's side of the limits: a token bucket and a daily count per key.

The bucket is judged when a request arrives, and a refused request costs nothing: that is how
the gateway's is documented. The numbers are passed in with each request, so that a test can
change them while the simulator runs.
"""

from datetime import date
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["DRIFT", "Limits", "Refusal", "refill"]

Refusal: TypeAlias = Literal["throttled", "quota"]

# Sums of floats drift by parts in 10^15: a client that keeps the limit to the letter must not
# be refused for that.
DRIFT: Final = 1e-9


def refill(tokens: float, elapsed: float, rate: float, burst: float) -> float:
    """Tell how many tokens a bucket holds after `elapsed` seconds."""
    return min(burst, tokens + max(elapsed, 0.0) * rate)


@attrs.define
class _Bucket:
    tokens: float
    at: float


@attrs.define
class Limits:
    """What each key has used."""

    _buckets: dict[str, _Bucket] = attrs.field(factory=dict[str, _Bucket], repr=False)
    _days: dict[tuple[str, date], int] = attrs.field(
        factory=dict[tuple[str, date], int], repr=False
    )

    def take(
        self,
        key: str,
        *,
        now: float,
        today: date,
        rate: float | None,
        burst: float,
        per_day: int | None,
    ) -> Refusal | None:
        """Count one request, or say which limit it breaks.

        Args:
            key: whose limits.
            now: monotonic arrival time in seconds.
            today: the day whose quota it falls under.
            rate: requests per second; `None` for no limit.
            burst: requests that may come at once.
            per_day: requests per day; `None` for no quota.
        """
        used = self._days.get((key, today), 0)
        if per_day is not None and used >= per_day:
            return "quota"
        if rate is not None and not self._take_token(key, now, rate, burst):
            return "throttled"
        self._days[key, today] = used + 1
        return None

    def _take_token(self, key: str, now: float, rate: float, burst: float) -> bool:
        bucket = self._buckets.setdefault(key, _Bucket(burst, now))
        bucket.tokens = refill(bucket.tokens, now - bucket.at, rate, burst)
        bucket.at = now
        if bucket.tokens < 1 - DRIFT:
            return False
        bucket.tokens -= 1
        return True

    def used(self, key: str, today: date) -> int:
        """Tell how many requests of a day were granted."""
        return self._days.get((key, today), 0)

    def clear(self) -> None:
        """Give every key a full bucket and a fresh day."""
        self._buckets.clear()
        self._days.clear()
