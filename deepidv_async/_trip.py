"""The state of one call under way: its history, and where its time goes."""

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from deepidv_async._calls import Call
from deepidv_async._delivery import NO_PERMIT
from deepidv_async._errors import APIConnectionError, DeadlineExceededError, DeepIDVError
from deepidv_async._history import Attempt, TimeSpent
from deepidv_async._options import CallOptions
from deepidv_async._status_errors import APIStatusError
from deepidv_async._wire import WireResponse
from deepidv_async.limits import Permit

__all__ = ["Outcome", "Trip"]

T = TypeVar("T")

Outcome: TypeAlias = WireResponse | APIStatusError | APIConnectionError


class Trip(Generic[T]):
    """The state of one call under way.

    Attributes:
        started: when it began.
        ends: when its deadline is over.
        lapped: when the phase before this one ended.
        label: tells its events from those of other calls, where there are observers.
    """

    __slots__ = (
        "_now",
        "attempts",
        "backing_off",
        "call",
        "ends",
        "label",
        "lapped",
        "last_error",
        "limited",
        "on_wire",
        "options",
        "permit",
        "queued",
        "started",
    )

    def __init__(self, call: Call[T], options: CallOptions, now: Callable[[], float]) -> None:
        self.call = call
        self.options = options
        self._now = now
        self.label = ""
        self.started = self.lapped = now()
        self.ends = None if options.deadline is None else self.started + options.deadline
        self.attempts: list[Attempt] = []
        self.permit: Permit = NO_PERMIT
        self.last_error: DeepIDVError | None = None
        self.limited = self.queued = self.on_wire = self.backing_off = 0.0

    @property
    def operation(self) -> str:
        return self.call.spec.operation

    def lap(self) -> float:
        """End a phase: gives its seconds."""
        before, self.lapped = self.lapped, self._now()
        return self.lapped - before

    @property
    def spent(self) -> TimeSpent:
        return TimeSpent(
            limited=self.limited,
            queued=self.queued,
            on_wire=self.on_wire,
            backing_off=self.backing_off,
        )

    def remember(self, outcome: Outcome | BaseException, elapsed: float) -> Attempt:
        """Add a try to the history, also one that was cut off."""
        answer = outcome if isinstance(outcome, WireResponse | APIStatusError) else None
        attempt = Attempt(
            number=len(self.attempts) + 1,
            status=None if answer is None else answer.status,
            error=None if isinstance(outcome, WireResponse) else type(outcome).__name__,
            elapsed=elapsed,
            request_id=None if answer is None else answer.request_id,
        )
        self.attempts.append(attempt)
        return attempt

    def deadline_error(self, why: str) -> DeadlineExceededError:
        spent = self.spent
        error = DeadlineExceededError(
            f"{self.operation}: {why}; the deadline is {self.options.deadline:g} s. Spent: "
            f"limiter {spent.limited:.3f} s, queue {spent.queued:.3f} s, wire "
            f"{spent.on_wire:.3f} s, back-off {spent.backing_off:.3f} s over "
            f"{len(self.attempts)} attempts. Raise deadline=, or send less at once.",
            deadline=self.options.deadline,
            spent=spent,
            attempts=self.attempts,
        )
        error.__cause__ = self.last_error
        return error
