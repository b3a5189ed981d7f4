"""Those who want to hear of events, and the handing over that never breaks a call."""

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from deepidv_async._errors import ConfigurationError

if TYPE_CHECKING:
    from deepidv_async._events import Event

__all__ = ["Observer", "Observers"]

_logger = logging.getLogger("deepidv_async")
# Without it Python prints a library's warnings in programs that have not set up logging.
_logger.addHandler(logging.NullHandler())


class Observer(Protocol):
    """A callable that is told of every event, on the event loop: it must not block."""

    def __call__(self, event: "Event", /) -> object:
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

    def add(self, observer: Observer) -> Callable[[], None]:
        """Take one more observer; the answer takes it off again, and may be called twice."""
        self._observers = (*self._observers, observer)

        def remove() -> None:
            left = list(self._observers)
            if observer in left:
                left.remove(observer)
            self._observers = tuple(left)

        return remove

    def __bool__(self) -> bool:
        return bool(self._observers)

    def emit(self, event: "Event") -> None:
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
