"""Every event as a record of Python's logging."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

import attrs

from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    Event,
    LimiterWaited,
    PauseStarted,
    ProcessForked,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
    RetryScheduled,
    SchemaDrift,
    SharedLimitFound,
    SharedLimitLost,
    Throttled,
    TimeSpent,
)

__all__ = ["EventLog"]

# Level, template, and the fields that fill it. Templates are stable: error trackers group by them.
_LINES: Final[Mapping[type, tuple[int, str, tuple[str, ...]]]] = {
    CallStarted: (logging.DEBUG, "%s: started", ("operation",)),
    LimiterWaited: (
        logging.DEBUG,
        "%s: waited %.3f s for the rate limiter",
        ("operation", "waited"),
    ),
    AttemptStarted: (logging.DEBUG, "%s: attempt %d started", ("operation", "attempt")),
    AttemptFinished: (
        logging.DEBUG,
        "%s: attempt %d ended after %.3f s, status %s, error %s",
        ("operation", "attempt", "elapsed", "status", "error"),
    ),
    Throttled: (logging.WARNING, "%s: the server answered 429", ("operation",)),
    RetryScheduled: (
        logging.WARNING,
        "%s: attempt %d failed with %s, the next one comes in %.3f s",
        ("operation", "attempt", "error", "delay"),
    ),
    SchemaDrift: (
        logging.WARNING,
        "%s: the answer is not quite as documented: %s",
        ("operation", "counts"),
    ),
    CallFinished: (
        logging.INFO,
        "%s: %s after %d attempts and %.3f s",
        ("operation", "outcome", "attempts", "elapsed"),
    ),
    PauseStarted: (logging.WARNING, "the rate limiter pauses for %.3f s", ("seconds",)),
    RateLearned: (
        logging.WARNING,
        "the rate limiter goes down to %.2f of %.2f requests/s",
        ("per_second", "published"),
    ),
    QuotaWarning: (
        logging.WARNING,
        "%d of the day's %d requests are used",
        ("used", "limit"),
    ),
    QuotaSpent: (logging.ERROR, "the day's quota is spent after %d requests", ("used",)),
    SharedLimitLost: (
        logging.WARNING,
        "the shared limit's server is away (%s): this process keeps to %.2f of the rate",
        ("cause", "share"),
    ),
    SharedLimitFound: (
        logging.INFO,
        "the shared limit's server answers again after %.3f s",
        ("away",),
    ),
    ProcessForked: (
        logging.INFO,
        "process %d goes on with the client of its parent %d",
        ("child", "parent"),
    ),
}
# Of a failure, what is flat; the error log has the rest.
_OF_THE_ERROR: Final = ("message", "code", "request_id")


class EventLog:
    """An observer that logs every event, with its fields as `extra`.

    Levels: DEBUG for the steps of a call, INFO for its end, WARNING for what slows it down, ERROR
    for a call that failed. The keys of `extra` begin with `deepidv_`; their values are texts,
    numbers or `None`, never nested. Neither key nor personal data is in either.

    Args:
        logger: where to; by default the package's own, `deepidv_async`.

    Example:
        ```python
        client = AsyncDeepIDV(observers=[EventLog()])
        ```
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger: logging.Logger = logger or logging.getLogger("deepidv_async")

    def __call__(self, event: Event, /) -> None:
        """Log one event."""
        line = _LINES.get(type(event))
        if line is None:  # from a limiter that is not ours
            return
        level, template, names = line
        if isinstance(event, CallFinished) and event.error is not None:
            level = logging.ERROR
        if self._logger.isEnabledFor(level):
            fields = dict(_flat(event))
            arguments = [fields[name] for name in names]
            extra = {f"deepidv_{name}": value for name, value in fields.items()}
            extra["deepidv_event"] = type(event).__name__
            self._logger.log(level, template, *arguments, extra=extra)


def _flat(event: Event) -> Iterator[tuple[str, Any]]:
    for name, value in attrs.asdict(event, recurse=False).items():
        match value:
            case TimeSpent():
                yield from attrs.asdict(value).items()
            case datetime():
                yield name, value.isoformat()
            case _ if isinstance(event, SchemaDrift) and name == "counts":
                counts = cast("Mapping[str, int]", value)
                yield name, ", ".join(f"{what}={times}" for what, times in counts.items())
            case _ if isinstance(event, CallFinished) and name == "error":
                failure = cast("Mapping[str, Any]", value or {})
                yield from ((each, failure.get(each)) for each in _OF_THE_ERROR)
            case _:
                yield name, value
