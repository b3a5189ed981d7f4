"""What users set beside host and key, checked where it is given: options and the limiter."""

from enum import Enum
from typing import Final, Literal, TypeAlias

import attrs

from deepidv_async._clock import Clock
from deepidv_async._config import Timeouts, seconds
from deepidv_async._errors import ConfigurationError
from deepidv_async._redaction import shown
from deepidv_async._retry import RetryPolicy
from deepidv_async.limits import Priority, RateLimit, RateLimiter, TokenBucket

__all__ = ["KEEP", "CallOptions", "Keep", "check_connections", "make_limiter"]


class _Keep(Enum):
    KEEP = "keep"


Keep: TypeAlias = Literal[_Keep.KEEP]
# Stands for "as it is": None cannot, since it means "no deadline".
KEEP: Final = _Keep.KEEP


@attrs.frozen
class CallOptions:
    """The options of a client or of a view.

    Attributes:
        timeouts: bounds of each attempt's phases.
        deadline: bound of the whole call in seconds, `None` for none.
        retry: how failures are repeated.
        priority: the limiter's lane to wait in.
    """

    timeouts: Timeouts
    deadline: float | None
    retry: RetryPolicy
    priority: Priority = "normal"

    # Not attrs converters: an instance that one of them leaves half made cannot be printed,
    # and a traceback with locals prints it.
    @classmethod
    def checked(
        cls,
        *,
        timeout: float | Timeouts,
        deadline: float | None,
        retry: RetryPolicy,
        priority: Priority = "normal",
    ) -> "CallOptions":
        """Make options of what a user passed.

        Raises:
            ConfigurationError: an option is malformed.
        """
        return cls(
            timeouts=Timeouts.of(timeout),
            deadline=None if deadline is None else seconds("deadline", deadline),
            retry=_check_retry(retry),
            priority=_check_priority(priority),
        )

    def changed(
        self,
        *,
        timeout: float | Timeouts | Keep = KEEP,
        deadline: float | Keep | None = KEEP,
        retry: RetryPolicy | Keep = KEEP,
        priority: Priority | Keep = KEEP,
    ) -> "CallOptions":
        """Give the same options but for those that are given.

        Raises:
            ConfigurationError: an option is malformed.
        """
        return self.checked(
            timeout=self.timeouts if timeout is KEEP else timeout,
            deadline=self.deadline if deadline is KEEP else deadline,
            retry=self.retry if retry is KEEP else retry,
            priority=self.priority if priority is KEEP else priority,
        )


def _check_retry(value: object) -> RetryPolicy:
    if isinstance(value, RetryPolicy):
        return value
    raise ConfigurationError(f"retry must be a RetryPolicy, not {type(value).__name__}.")


def _check_priority(value: object) -> Priority:
    if value in ("normal", "bulk"):
        return value
    raise ConfigurationError(f"priority must be 'normal' or 'bulk'; got {shown(value)}.")


def check_connections(value: object) -> None:
    """Check the number of connections.

    Raises:
        ConfigurationError: not a whole number of one or more.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"max_connections must be 1 or more; got {value!r}.")


def make_limiter(
    value: RateLimit | RateLimiter | None, clock: Clock, options: CallOptions
) -> RateLimiter | None:
    """Give the limiter that a user passed, or make one for the limit.

    Raises:
        ConfigurationError: neither a limit nor a limiter.
    """
    if value is None:
        return None
    if isinstance(value, RateLimit):
        return TokenBucket(value, clock=clock, pause_cap=options.retry.retry_after_cap)
    if not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in ("acquire", "throttled", "stats")
    ):
        return value
    raise ConfigurationError(
        "rate_limit must be a RateLimit, a limiter with acquire(), throttled() and stats(), or "
        f"None, not {type(value).__name__}."
    )
