"""Holds asyncio's cancellations back wherever anyio's are held back.

httpcore 1.0.9 shields its clean-up with anyio's scopes, which asyncio's own cancellations
(`Task.cancel`, `asyncio.timeout`, `wait_for`) do not heed: one that arrives while a response is
being closed costs the pool a slot for good. Of ten slots a storm of them left 0 to 4 alive.

A child task that is only ever cancelled through a scope would do as well, and costs 27 µs a call:
it takes two more turns of the loop, this none. It would also part the HTTP client and its hooks
from the caller's task.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

import anyio

__all__ = ["guarded"]

T = TypeVar("T")

_Awaited: TypeAlias = "asyncio.Future[Any] | None"  # what a coroutine yields; None: a turn
_Step: TypeAlias = Callable[[], _Awaited]


async def guarded(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` so that no cancellation reaches what it shields with anyio's scopes.

    A cancellation that comes meanwhile is delivered where the shield ends. One is never lost: if
    the coroutine ends first, it is raised in place of what that gave.
    """
    scope = anyio.CancelScope()
    steps = _Steps(coroutine, scope)
    try:
        with scope:
            result = await steps
            if steps.held is None:
                return result
    except Exception:
        if steps.held is None:
            raise
    raise steps.held or asyncio.CancelledError


class _Steps(Generic[T]):
    """Steps a coroutine as a task would, and decides when it learns of a cancellation.

    Attributes:
        held: the first cancellation that a shield has held back.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], scope: anyio.CancelScope) -> None:
        self.held: asyncio.CancelledError | None = None
        self._coroutine = coroutine
        self._scope = scope

    def __await__(self) -> Generator[Any, Any, T]:
        step: _Step = partial(self._coroutine.send, None)
        try:
            while True:
                step = yield from self._wait(step())
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            self._coroutine.close()

    def _wait(self, awaited: _Awaited) -> Generator[Any, Any, _Step]:
        """Wait for what the coroutine awaits; gives the step to take then."""
        while awaited is None or not awaited.done():
            try:
                yield from _turn() if awaited is None else _end_of(awaited)
            except asyncio.CancelledError as error:
                if self._shielded():
                    self.held = self.held or error
                    self._scope.cancel()  # anyio delivers it where the shield ends
                elif awaited is None or not awaited.cancel(*error.args):
                    return partial(self._coroutine.throw, error)
            if awaited is None:
                break
        return partial(self._coroutine.send, None)

    def _shielded(self) -> bool:
        """Tell whether the coroutine has shielded itself where it stands now.

        anyio does not say so. It does say which deadline holds there, so give the scope around
        the coroutine one that comes before all others: what does not follow it is shielded.
        """
        deadline = anyio.current_effective_deadline()
        if deadline == -math.inf:  # anyio cancels, and heeds shields by itself
            return False
        now = anyio.current_time()
        self._scope.deadline = now + min(1, (deadline - now) / 2)
        shielded = anyio.current_effective_deadline() > self._scope.deadline
        self._scope.deadline = math.inf
        return shielded


def _turn() -> Generator[None, None, None]:
    yield


def _end_of(awaited: "asyncio.Future[Any]") -> Generator[Any, None, None]:
    """Wait until a future is done; whoever cancels this wait does not cancel the future."""
    end = asyncio.get_running_loop().create_future()

    def tell(_: object) -> None:
        if not end.done():
            end.set_result(None)

    # Set by who yields a future, taken back by who accepts it.
    awaited._asyncio_future_blocking = False  # noqa: SLF001 - a task's part in the protocol
    awaited.add_done_callback(tell)
    try:
        yield from end
    finally:
        awaited.remove_done_callback(tell)
