"""The published limit, as numbers."""

from typing import Any, Final, Literal

import attrs

from deepidv_async._config import seconds
from deepidv_async._errors import ConfigurationError
from deepidv_async._redaction import shown

__all__ = ["RateLimit"]

_LARGEST: Final = 1e12
# Requests per second; one in a day is 1.2e-5.
_SLOWEST: Final = 1e-6


def _check(name: str, value: Any, *, least: float = 0.0, most: float = _LARGEST) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and least <= value <= most):
        span = f"{least:g} or more" if most == _LARGEST else f"between {least:g} and {most:g}"
        raise ConfigurationError(
            f"RateLimit({name}=...) must be a number, {span}; got {shown(value)}."
        )


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
        _check("per_second", self.per_second, least=_SLOWEST)
        _check("burst", self.burst, least=1)
        seconds("RateLimit(hold=...)", self.hold)
        if self.per_day is not None:
            _check("per_day", self.per_day, least=1)
        if self.initial is not None:
            _check("initial", self.initial, most=self.burst)
        if self.quota_window not in ("utc-day", "rolling"):
            raise ConfigurationError(
                "RateLimit(quota_window=...) must be 'utc-day' or 'rolling'; "
                f"got {shown(self.quota_window)}."
            )
