"""Virtual time for libraries that ask the `time` module instead of the event loop.

Import this before any of them: some take the functions over when they are imported.
"""

import math
import time
from collections.abc import Callable

from virtual_loop import VirtualLoop

__all__ = ["FollowedLoop", "run"]

_EPOCH = 1_800_000_000.0
_loops: list["FollowedLoop"] = []


def _follow(name: str, zero: float, scale: int) -> None:
    real: Callable[[], float] = getattr(time, name)

    def followed() -> float:
        if not _loops:
            return real()
        now = zero + _loops[-1].now
        return now if scale == 1 else int(now * scale)

    setattr(time, name, followed)


for _name, _zero in (("time", _EPOCH), ("monotonic", 0.0), ("perf_counter", 0.0)):
    _follow(_name, _zero, 1)
    _follow(f"{_name}_ns", _zero, 1_000_000_000)


class FollowedLoop(VirtualLoop):
    """A loop that jumps from timer to timer, as late for each as a real one.

    A real loop rounds its sleep up to a millisecond and wakes some 60 µs later. Each turn takes
    2 µs, so nobody polls for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        jump = self._selector.select

        def select(timeout=None):
            before = self.now
            ready = jump(timeout)
            if self.now > before:
                self.now = math.ceil((self.now - before) * 1e3 - 1e-9) / 1e3 + before + 60e-6
            return ready

        self._selector.select = select

    def _run_once(self) -> None:
        self.now += 2e-6
        super()._run_once()


def run(main, phase: float = 0.0):
    """Run `main()` to its end in virtual time; `phase` is where in the second it starts."""
    loop = FollowedLoop()
    loop.now = phase
    _loops.append(loop)
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        _loops.pop()
        loop.close()
