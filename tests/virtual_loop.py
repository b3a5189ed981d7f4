"""An event loop whose clock jumps to the next timer: hours of waiting pass in milliseconds.

The loop's selector never sleeps. When nothing is ready it moves the clock to the next timer,
unless a thread still works for the loop: then time stands still until the thread reports.
Nothing ready, no timer and no thread at work can only be a deadlock, and is raised as one, with
the place where every task waits. Real sockets are refused: their data would always come too late.
"""

import asyncio
import contextlib
import selectors
import threading
from collections.abc import Iterator

__all__ = ["DeadlockError", "VirtualLoop"]

# Seconds of real time between two looks at a thread that works, and before a deadlock is called
# one: a thread that the loop knows nothing of may still want to wake it.
_LOOK = 0.001
_GRACE = 0.3
_TURNS = 8  # of a busy loop, between two looks at its wake-up pipe


class DeadlockError(AssertionError):
    """Every task waits for something that nobody will do."""


class _JumpingSelector:
    """The loop's selector; it answers at once and moves the loop's clock instead of sleeping."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._inner = selectors.DefaultSelector()
        self._loop = loop
        self._turns = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def register(self, fileobj, events, data=None):
        # The first one is the loop's own wake-up pipe.
        if len(self._inner.get_map()) > 0:
            raise RuntimeError(
                "virtual time does not go with real sockets, pipes or subprocesses: "
                "drop the mark `virtual_time`, or use an in-memory transport"
            )
        return self._inner.register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[object]:
        if timeout is not None and timeout <= 0:
            # There is work already. To ask the system each time would take a tenth of a run.
            self._turns += 1
            return self._inner.select(0) if self._turns % _TURNS == 0 else []
        # Asked before the wake-up pipe is read: a thread that is done has written to it.
        while self._loop.thread_at_work():
            if ready := self._inner.select(_LOOK):
                return ready
        if timeout is None:
            if ready := self._inner.select(_GRACE):
                return ready
            raise DeadlockError(self._loop.describe_deadlock())
        if ready := self._inner.select(0):
            return ready
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with a clock of its own, which starts at 0.

    Attributes:
        now: the loop's time in seconds. A test may move it forward.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._executing: set[asyncio.Future] = set()
        self._held = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self._executing.add(future)
        future.add_done_callback(self._executing.discard)
        return future

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of asyncio's own loop
    ) -> None:
        # Since 3.12 the runner passes 300 s, a timer that the clock would jump to at once.
        with self._time_held():
            await super().shutdown_default_executor()

    def thread_at_work(self) -> bool:
        """Tell whether a thread will still report to this loop."""
        if self._held or self._executing:
            return True
        # Mostly this thread is alone, and a list of one would take most of a jump's time.
        return threading.active_count() > 1 and any(
            _works_for(thread, self) for thread in threading.enumerate()
        )

    def describe_deadlock(self) -> str:
        """Name every task and the line where it waits."""
        lines = [f"deadlock at {self.now:g} s of virtual time: no timer, no thread, and waiting:"]
        for task in sorted(asyncio.all_tasks(self), key=lambda task: task.get_name()):
            stack = task.get_stack()
            place = f"{stack[-1].f_code.co_filename}:{stack[-1].f_lineno}" if stack else "(nowhere)"
            lines.append(f"  {task.get_name()} {task.get_coro()!r} at {place}")
        return "\n".join(lines)

    @contextlib.contextmanager
    def _time_held(self) -> Iterator[None]:
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1


def _works_for(thread: threading.Thread, loop: asyncio.AbstractEventLoop) -> bool:
    # anyio starts threads of its own and tells nobody; each has the loop it reports to and a
    # queue that counts an item as unfinished until its result was handed over.
    queue = getattr(thread, "queue", None)
    return getattr(thread, "loop", None) is loop and bool(getattr(queue, "unfinished_tasks", 0))
