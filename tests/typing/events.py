"""What type checkers must say of events and observers. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, assert_never, assert_type

from deepidv_async import (
    AsyncDeepIDV,
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    Event,
    LimiterEvent,
    LimiterWaited,
    PauseStarted,
    ProcessForked,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
    RateLimit,
    RetryScheduled,
    SchemaDrift,
    SharedLimitFound,
    SharedLimitLost,
    Throttled,
    TimeSpent,
    TokenBucket,
)


def every(event: Event) -> str:
    """A checker knows all events, so that a `match` over them can be proved whole."""
    match event:
        case CallStarted() | CallFinished():
            return _call(event)
        case AttemptStarted() | AttemptFinished() | RetryScheduled():
            return _attempt(event)
        case LimiterWaited():
            assert_type(event.waited, float)
            return event.operation + event.call
        case Throttled():
            assert_type(event.retry_after, float | None)
            return event.operation + event.call
        case SchemaDrift():
            assert_type(event.counts, Mapping[str, int])
            return event.operation + event.call
        case ProcessForked():
            assert_type(event.parent, int)
            assert_type(event.child, int)
            return "fork"
        case PauseStarted() | RateLearned() | QuotaWarning() | QuotaSpent():
            return limiter_news(event)
        case SharedLimitLost() | SharedLimitFound():
            return limiter_news(event)
    assert_never(event)


def _call(event: CallStarted | CallFinished) -> str:
    if isinstance(event, CallStarted):
        assert_type(event.path, str)
        assert_type(event.priority, str)
    else:
        assert_type(event.outcome, str)
        assert_type(event.attempts, int)
        assert_type(event.elapsed, float)
        assert_type(event.spent, TimeSpent)
        assert_type(event.status, int | None)
        assert_type(event.error, Mapping[str, Any] | None)
    assert_type(event.api_version, str)
    return event.operation + event.call


def _attempt(event: AttemptStarted | AttemptFinished | RetryScheduled) -> str:
    assert_type(event.attempt, int)
    if isinstance(event, AttemptFinished):
        assert_type(event.status, int | None)
        assert_type(event.error, str | None)
        assert_type(event.elapsed, float)
        assert_type(event.request_id, str | None)
    elif isinstance(event, RetryScheduled):
        assert_type(event.delay, float)
        assert_type(event.error, str)
    return event.operation + event.call


def limiter_news(event: LimiterEvent) -> str:
    """The limiter's own events are a union of their own."""
    match event:
        case PauseStarted():
            assert_type(event.seconds, float)
            assert_type(event.retry_after, float | None)
        case RateLearned():
            assert_type(event.per_second, float)
            assert_type(event.published, float)
        case QuotaWarning():
            assert_type(event.share, float)
            assert_type(event.limit, float)
            assert_type(event.used, float)
            assert_type(event.resets_at, datetime)
        case QuotaSpent():
            assert_type(event.used, float)
            assert_type(event.resets_at, datetime)
        case SharedLimitLost():
            assert_type(event.cause, str)
            assert_type(event.share, float)
        case SharedLimitFound():
            assert_type(event.away, float)
    return type(event).__name__


class Counter:
    """An observer with a memory: a method, or the object itself."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def note(self, event: Event) -> int:
        """Remember the event; what is answered does not matter."""
        self.seen.append(event)
        return len(self.seen)

    def __call__(self, event: Event, /) -> None:
        """Remember the event."""
        self.seen.append(event)


async def asynchronous(event: Event) -> None:
    """Nobody would await this one; the constructor refuses it, a checker cannot."""


def taken(seen: list[Event]) -> None:
    """Whatever can be called with an event is an observer; what cannot is refused."""
    counter = Counter()
    AsyncDeepIDV(observers=[counter, counter.note, seen.append, lambda _event: None, every])
    AsyncDeepIDV(observers=(counter,))
    AsyncDeepIDV(observers=[int.bit_length])  # type: ignore[list-item]  # takes no event  # pyright: ignore[reportArgumentType] - takes no event
    bucket = TokenBucket(RateLimit())
    assert_type(bucket.subscribe(counter), Callable[[], None])
