"""Tells the observers what a call goes through; a client without observers has no narrator.

So events cost such a client nothing, not even the time to load their classes.
"""

import os
from collections.abc import Mapping
from typing import Any

from deepidv_async._events import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    LimiterWaited,
    RetryScheduled,
    SchemaDrift,
    Throttled,
)
from deepidv_async._failures import failure_of
from deepidv_async._history import Attempt
from deepidv_async._observers import Observers
from deepidv_async._trip import Trip

__all__ = ["Narrator"]

# Asking takes microseconds on its own; from here on, in seconds, a call has waited.
_A_WAIT = 0.001


class Narrator:
    """Makes events of the state of a trip.

    Args:
        observers: whom to tell.
    """

    def __init__(self, observers: Observers) -> None:
        self._emit = observers.emit

    def call_started(self, trip: Trip[Any]) -> None:
        """Tell that a call begins, and name it for what is told of it from now on."""
        # At random rather than counted: a forked child would go on with its parent's count.
        trip.label = os.urandom(8).hex()
        spec = trip.call.spec
        self._emit(
            CallStarted(
                operation=spec.operation,
                api_version=spec.api_version,
                path=spec.path,
                priority=trip.options.priority,
                call=trip.label,
            )
        )

    def waited(self, trip: Trip[Any], seconds: float) -> None:
        """Tell of a wait for the limiter, if there was one."""
        if seconds >= _A_WAIT:
            self._emit(LimiterWaited(trip.operation, seconds, trip.label))

    def attempt_started(self, trip: Trip[Any]) -> None:
        """Tell that a request is handed over."""
        self._emit(AttemptStarted(trip.operation, len(trip.attempts) + 1, trip.label))

    def attempt_finished(self, trip: Trip[Any], done: Attempt) -> None:
        """Tell how a try has ended."""
        self._emit(
            AttemptFinished(
                operation=trip.operation,
                attempt=done.number,
                status=done.status,
                error=done.error,
                elapsed=done.elapsed,
                request_id=done.request_id,
                call=trip.label,
            )
        )

    def throttled(self, trip: Trip[Any], retry_after: float | None) -> None:
        """Tell of a 429 that is no spent quota."""
        self._emit(Throttled(trip.operation, retry_after, trip.label))

    def retry_scheduled(self, trip: Trip[Any], delay: float, error: Exception) -> None:
        """Tell of the wait before the next try."""
        self._emit(
            RetryScheduled(
                operation=trip.operation,
                attempt=len(trip.attempts),
                delay=delay,
                error=type(error).__name__,
                call=trip.label,
            )
        )

    def drifted(self, trip: Trip[Any], drift: Mapping[str, int]) -> None:
        """Tell what is not as documented, if anything is."""
        if drift:
            self._emit(SchemaDrift(trip.operation, drift, trip.label))

    def call_finished(self, trip: Trip[Any], error: BaseException | None) -> None:
        """Tell how a call has ended."""
        tries = trip.attempts
        self._emit(
            CallFinished(
                operation=trip.operation,
                outcome="ok" if error is None else type(error).__name__,
                attempts=len(tries),
                elapsed=trip.lapped - trip.started,
                spent=trip.spent,
                api_version=trip.call.spec.api_version,
                status=tries[-1].status if tries else None,
                error=None if error is None else failure_of(error, tries),
                call=trip.label,
            )
        )
