"""`async with bucket.permit():` the short way to use a limiter around any coroutine."""

from types import TracebackType
from typing import Protocol

from deepidv_async.limits._protocol import Permit, Priority

__all__ = ["PermitScope"]


class _Acquires(Protocol):
    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> Permit: ...


class PermitScope:
    """One request: entering waits for the permit, leaving tells that the request was answered.

    Use it once.
    """

    __slots__ = ("_cost", "_deadline", "_limiter", "_permit", "_priority")

    def __init__(
        self, limiter: _Acquires, cost: float, priority: Priority, deadline: float | None
    ) -> None:
        self._limiter = limiter
        self._cost = cost
        self._priority: Priority = priority
        self._deadline = deadline
        self._permit: Permit | None = None

    async def __aenter__(self) -> Permit:
        """Wait for the permit; the request counts as written from here on."""
        permit = await self._limiter.acquire(
            cost=self._cost, priority=self._priority, deadline=self._deadline
        )
        permit.written()
        self._permit = permit
        return permit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell that the request was answered, unless the body raised: then nobody knows."""
        if self._permit is not None and kind is None:
            self._permit.seen()
