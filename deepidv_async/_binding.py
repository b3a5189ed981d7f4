"""Which process and which event loop an object works in.

Sockets, futures and locks belong to one running loop of one process. A client may be made before
any loop runs and may outlive one; it must notice when the ground under it has changed.
"""

import asyncio
import os
from enum import Enum

from deepidv_async._errors import ConfigurationError

__all__ = ["Ground", "LoopBinding"]


class Ground(Enum):
    """What a look at the ground found."""

    SAME = "same"
    NEW_LOOP = "new loop"
    FORKED = "forked"


class LoopBinding:
    """Remembers the loop and the process of the last use.

    Args:
        owner: name for messages, for example `This client`.
    """

    __slots__ = ("_loop", "_owner", "pid")

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._loop: asyncio.AbstractEventLoop | None = None
        self.pid = os.getpid()

    def check(self) -> Ground:
        """Compare the running loop and process with those of the last use, and move there.

        Raises:
            ConfigurationError: no asyncio loop runs here, or the last loop is still open: its
                sockets and locks cannot be used from another one.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None:
            raise ConfigurationError(
                f"{self._owner} needs a running asyncio event loop: await it inside "
                "asyncio.run(...). Other async libraries' loops are not supported."
            )
        if (pid := os.getpid()) != self.pid:
            self.pid, self._loop = pid, loop
            return Ground.FORKED
        if loop is self._loop:
            return Ground.SAME
        if self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                f"{self._owner} is in use on another event loop that is still open. Make one "
                "for each loop, or call it from its own loop "
                "(asyncio.run_coroutine_threadsafe)."
            )
        self._loop = loop
        return Ground.NEW_LOOP

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop of the last use."""
        return self._loop
