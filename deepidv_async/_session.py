"""What a client has on one event loop of one process, and when that has to be left behind.

The HTTP library's client is only carried here, so its type is whatever the transport makes.
"""

import asyncio
from typing import Generic, TypeVar

import attrs

from deepidv_async._binding import Ground, LoopBinding
from deepidv_async._errors import ClientClosedError
from deepidv_async._gate import Gate
from deepidv_async._observers import Observers

__all__ = ["CLOSED", "Session", "Sessions"]

C = TypeVar("C")

CLOSED = "This client is closed: make a new AsyncDeepIDV."


@attrs.define(eq=False, repr=False)
class Session(Generic[C]):
    """What is used on one event loop.

    Attributes:
        gate: as many places as the pool has connections.
        opening: held while the client is made, so that it is made once.
        client: the HTTP library's client, made with the first request.
    """

    gate: Gate
    client: C | None
    opening: asyncio.Lock = attrs.field(factory=asyncio.Lock)


class Sessions(Generic[C]):
    """The sessions of one client: one at a time, and those of a parent process.

    Args:
        places: places of each gate.
        injected: a client that was handed in and outlives every session.
        observers: told of a fork.

    Attributes:
        closed: whether the client was closed.
        parents: sessions of the process that this one was forked from. They are kept rather
            than dropped: collecting one here could say good-bye on a TLS connection that the
            parent still uses.
    """

    def __init__(self, places: int, injected: C | None, observers: Observers) -> None:
        self._places = places
        self._injected = injected
        self._observers = observers
        self._binding = LoopBinding("This client")
        self._current: Session[C] | None = None
        self.parents: list[Session[C]] = []
        self.closed = False

    def current(self) -> Session[C]:
        """Give the session of the running loop.

        Raises:
            ClientClosedError: the client was closed.
            ConfigurationError: the client is in use on another loop.
        """
        if self.closed:
            raise ClientClosedError(CLOSED)
        ground = self._look()
        if self._current is None or ground is not Ground.SAME:
            self._current = Session(Gate(self._places), self._injected)
        return self._current

    def _look(self) -> Ground:
        parent = self._binding.pid
        ground = self._binding.check()
        if ground is Ground.FORKED:
            if self._current is not None:
                self.parents.append(self._current)
                self._current = None
            if self._observers:
                from deepidv_async._events import ProcessForked  # noqa: PLC0415 - see _narrator

                self._observers.emit(ProcessForked(parent=parent, child=self._binding.pid))
        return ground

    def close(self) -> C | None:
        """Take no more requests; give the client that has to be closed, if there is one.

        Raises:
            ConfigurationError: the client is in use on another loop, which has to close it.
        """
        if self._current is None or self.closed:
            self.closed = True
            return None
        # The sockets of a closed loop are closed with it, those of a parent are the parent's.
        ground = self._look()
        self.closed = True
        session, self._current = self._current, None
        if ground is not Ground.SAME or self._injected is not None:
            return None
        return session.client

    @property
    def unclosed(self) -> bool:
        """Whether there is a client of ours that nobody has closed."""
        session = self._current
        return session is not None and session.client is not None and self._injected is None
