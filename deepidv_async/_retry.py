"""Whether a failed try is repeated, and when: pure verdicts, no waiting.

`RetryPolicy` judges one call by itself; `RetryBudget` keeps all calls of a client together from
making an outage worse.
"""

import random
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from deepidv_async._config import seconds
from deepidv_async._errors import APIConnectionError, ConfigurationError, DeepIDVError
from deepidv_async._redaction import shown
from deepidv_async._status_errors import (
    APIStatusError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)

__all__ = [
    "NOT_RETRYABLE",
    "OUT_OF_BUDGET",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Stop",
    "Verdict",
]

# 2 ** 63 times the shortest delay is beyond every cap; larger powers overflow a float.
_MAX_DOUBLINGS: Final = 63

# In retries. A sound service sees at most a fifth more requests; the reserve lets a short script
# repeat its few calls, and bounds what an outage costs to two seconds' worth of requests.
_RESERVE: Final = 50.0
_PER_SUCCESS: Final = 0.2
_PER_SECOND: Final = 1.0
# Sums of fifths fall short of whole numbers by rounding.
_ROUNDING: Final = 1e-9


@attrs.frozen
class Retry:
    """Repeat the request.

    Attributes:
        delay: seconds to wait first.
    """

    delay: float


@attrs.frozen
class Stop:
    """Raise the error.

    Attributes:
        reason: why, in a word or two.
    """

    reason: str


Verdict: TypeAlias = Retry | Stop

NOT_RETRYABLE: Final = Stop("not retryable")
OUT_OF_BUDGET: Final = Stop("too many calls of this client have failed lately")


@attrs.frozen
class RetryPolicy:
    """How failed requests are repeated: exponential back-off with full jitter.

    Every call of this library is a GET, so repeating one is safe. Repeated are 429 (a throttle,
    not a spent quota), 5xx, connection errors and timeouts.

    Args:
        max_retries: tries after the first; 0 means exactly one request.
        initial: upper end of the first random delay, in seconds; it doubles with every try.
        maximum: upper end of any random delay, in seconds.
        retry_after_cap: the longest `Retry-After` worth waiting for, in seconds. A longer one
            is never shortened: the error is raised at once and tells when to come back.
        random: source of numbers from 0 to 1, for tests.

    Raises:
        ConfigurationError: a number is negative or not a number.
    """

    max_retries: int = 3
    initial: float = 0.5
    maximum: float = 30.0
    retry_after_cap: float = 60.0
    random: Callable[[], float] = attrs.field(default=random.random, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if not _is_count(self.max_retries):
            raise ConfigurationError(
                "RetryPolicy(max_retries=...) must be a whole number of 0 or more; got "
                f"{shown(self.max_retries)}."
            )
        for name in ("initial", "maximum", "retry_after_cap"):
            seconds(f"RetryPolicy({name}=...)", getattr(self, name), zero=True)

    def verdict(self, error: DeepIDVError, attempt: int) -> Verdict:
        """Decide what follows the failure of try number `attempt` (1 for the first)."""
        if not _worth_repeating(error):
            return NOT_RETRYABLE
        retry_after = error.retry_after if isinstance(error, APIStatusError) else None
        if retry_after is not None and retry_after > self.retry_after_cap:
            return Stop("Retry-After above the cap")
        if attempt > self.max_retries:
            return Stop("no retries left")
        return Retry(max(self.backoff(attempt), retry_after or 0.0))

    def backoff(self, attempt: int) -> float:
        """Draw the delay after try number `attempt`, in seconds."""
        ceiling = min(self.maximum, self.initial * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
        return self.random() * ceiling


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _worth_repeating(error: DeepIDVError) -> bool:
    if isinstance(error, APIConnectionError):
        return error.retryable
    return isinstance(error, RateLimitError | ServerError) and not isinstance(
        error, QuotaExceededError
    )


class RetryBudget:
    """What a client may still spend on retries: one for each, earned by successes and by time.

    When a service is down, every call fails, and repeating all of them would multiply the load
    on what is left of it. Once the budget is spent, failures are raised at once, but for one
    retry a second, until calls succeed again.
    """

    def __init__(self) -> None:
        self._saved = _RESERVE
        self._at = float("-inf")

    def spend(self, now: float) -> bool:
        """Pay for one retry at `now`, in seconds of any monotonic clock, if that is possible."""
        if now > self._at:
            self._save((now - self._at) * _PER_SECOND)
        self._at = now
        if self._saved < 1 - _ROUNDING:
            return False
        self._saved -= 1
        return True

    def earn(self) -> None:
        """Take note of a success."""
        self._save(_PER_SUCCESS)

    def _save(self, amount: float) -> None:
        self._saved = min(_RESERVE, self._saved + amount)
