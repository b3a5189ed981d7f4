"""What the client tells about its work: frozen records, handed to observers as they happen.

No record holds the key, an id of a workflow or session, or any other content of an answer.
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, cast

import attrs

from deepidv_async._errors import ConfigurationError
from deepidv_async._history import TimeSpent

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "CallFinished",
    "Event",
    "LimiterWaited",
    "Observer",
    "Observers",
    "ProcessForked",
    "RetryScheduled",
    "SchemaDrift",
    "Throttled",
]

_logger = logging.getLogger("deepidv_async")


@attrs.frozen
class AttemptStarted:
    """A request is handed to the HTTP library.

    Attributes:
        operation: the call, for example `list_workflows`.
        attempt: 1 for the first try of this call.
    """

    operation: str
    attempt: int


@attrs.frozen
class AttemptFinished:
    """A try has ended: well, badly, or cut off by a cancellation or the deadline.

    Attributes:
        operation: the call.
        attempt: 1 for the first try.
        status: HTTP status, `None` where no answer came.
        error: name of the error class, `None` after a success, `CancelledError` if cut off.
        elapsed: seconds from handing the request over to its outcome.
        request_id: the server's id of the request.
    """

    operation: str
    attempt: int
    status: int | None
    error: str | None
    elapsed: float
    request_id: str | None = None


@attrs.frozen
class RetryScheduled:
    """A failed try will be repeated.

    Attributes:
        operation: the call.
        attempt: the number of the try that failed.
        delay: seconds until the next one may start.
        error: name of the error class.
    """

    operation: str
    attempt: int
    delay: float
    error: str


@attrs.frozen
class CallFinished:
    """A call has ended: the last event of every call, also of a cancelled one.

    Attributes:
        operation: the call.
        outcome: `ok`, or the name of the error class (`CancelledError` for a cancelled call).
        attempts: how many tries it took; 0 if nothing was sent.
        elapsed: seconds in all.
        spent: where they went.
    """

    operation: str
    outcome: str
    attempts: int
    elapsed: float
    spent: TimeSpent


@attrs.frozen
class LimiterWaited:
    """A call has waited for the rate limiter, for a millisecond or more.

    Attributes:
        operation: the call.
        waited: seconds.
    """

    operation: str
    waited: float


@attrs.frozen
class Throttled:
    """The server answered 429; the limiter, if there is one, makes every call wait.

    Attributes:
        operation: the call that met the 429.
        retry_after: seconds the server asked for, `None` if it did not say.
    """

    operation: str
    retry_after: float | None


@attrs.frozen
class SchemaDrift:
    """A page differs from what is documented, in ways that lose nothing.

    Attributes:
        operation: the call.
        counts: what differs and how often, for example
            `{"unknown_field:riskScore": 50, "wrong_type:status": 1}`.
    """

    operation: str
    counts: Mapping[str, int]


@attrs.frozen
class ProcessForked:
    """The process was forked: the child has a pool of its own and an empty bucket.

    Attributes:
        parent: process id of the client's maker.
        child: process id of this process.
    """

    parent: int
    child: int


Event: TypeAlias = (
    AttemptStarted
    | AttemptFinished
    | RetryScheduled
    | CallFinished
    | LimiterWaited
    | Throttled
    | SchemaDrift
    | ProcessForked
)


class Observer(Protocol):
    """A callable that is told of every event, on the event loop: it must not block."""

    def __call__(self, event: Event, /) -> object:
        """Take one event; the answer is ignored."""
        ...


def _check_sequence(value: object) -> Sequence[object]:
    if isinstance(value, Sequence):
        return cast("Sequence[object]", value)
    raise ConfigurationError(
        f"observers must be a sequence of callables, not {type(value).__name__}."
    )


def _check_observer(value: object) -> Observer:
    if not callable(value):
        raise ConfigurationError(f"An observer must be callable; got {type(value).__name__}.")
    if inspect.iscoroutinefunction(value):
        raise ConfigurationError(
            "An observer must be a plain function: nothing would await the coroutine of an "
            "async one. Let it put the events into a queue."
        )
    return value


class Observers:
    """The observers of a client; false when there are none, so that events cost nothing.

    An observer that raises is logged, by its class and the error's class only (the error's
    text is not ours to judge), and never breaks a call.

    Raises:
        ConfigurationError: not a sequence of plain callables.
    """

    __slots__ = ("_observers",)

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(map(_check_observer, _check_sequence(observers)))

    def __bool__(self) -> bool:
        return bool(self._observers)

    def emit(self, event: Event) -> None:
        """Hand `event` to every observer, in their order."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - a user's code, whatever it raises
                _logger.warning(
                    "observer %s raised %s on %s",
                    type(observer).__name__,
                    type(error).__name__,
                    type(event).__name__,
                )
