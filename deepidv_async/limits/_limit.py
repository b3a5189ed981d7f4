"""The published limit, as numbers."""

from typing import Any, Literal

import attrs

from deepidv_async._config import seconds
from deepidv_async._errors import ConfigurationError

__all__ = ["RateLimit"]


def _amount(name: str, value: Any, *, least: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and least <= value < float("inf") and value > 0):
        raise ConfigurationError(f"RateLimit({name}=...) must be a number; got {value!r}.")


@attrs.frozen
class RateLimit:
    """The limit of one API key; the defaults are those the vendor publishes.

    Args:
        per_second: sustained requests per second.
        burst: how many requests may go at once after a quiet time.
        per_day: requests per day; `None` for no daily quota.
        hold: seconds after which a request that was written, but not answered, counts as
            arrived. It must exceed the one-way delay to the server, nothing else.
        initial: tokens to start with; `None` for a full burst. Use 0 for programs that are
            started often, or each start gets a fresh burst.
        quota_window: whether `per_day` counts the calendar day in UTC or the last 24 hours.
            The vendor does not publish which.

    Raises:
        ConfigurationError: a number is not positive, or not a number.
    """

    per_second: float = 25.0
    burst: float = 35.0
    per_day: int | None = 10_000
    hold: float = 0.5
    initial: float | None = None
    quota_window: Literal["utc-day", "rolling"] = "utc-day"

    def __attrs_post_init__(self) -> None:
        _amount("per_second", self.per_second, least=0)
        _amount("burst", self.burst, least=1)
        seconds("RateLimit(hold=...)", self.hold)
        if self.per_day is not None:
            _amount("per_day", self.per_day, least=1)
        if self.initial is not None and not 0 <= self.initial <= self.burst:
            raise ConfigurationError(
                f"RateLimit(initial=...) must lie between 0 and burst; got {self.initial!r}."
            )
        if self.quota_window not in ("utc-day", "rolling"):
            raise ConfigurationError(
                "RateLimit(quota_window=...) must be 'utc-day' or 'rolling'; "
                f"got {self.quota_window!r}."
            )
