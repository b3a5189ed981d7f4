"""`async with bucket.permit():` the short way to use a limiter around any coroutine."""

from types import TracebackType
from typing import Protocol

from deepidv_async.limits._permit import BucketPermit
from deepidv_async.limits._protocol import Priority

__all__ = ["PermitScope"]


class _Acquires(Protocol):
    async def acquire(
        self, *, cost: float = 1, priority: Priority = "normal", deadline: float | None = None
    ) -> BucketPermit: ...


class PermitScope:
    """One request: entering waits for the permit, leaving tells that the request was answered.

    Use it once.
    """

    __slots__ = ("_cost", "_deadline", "_limiter", "_permit", "_priority", "_written")
    _permit: BucketPermit

    def __init__(
        self,
        limiter: _Acquires,
        cost: float,
        priority: Priority,
        deadline: float | None,
        *,
        written: bool,
    ) -> None:
        self._limiter = limiter
        self._cost = cost
        self._priority: Priority = priority
        self._deadline = deadline
        self._written = written

    async def __aenter__(self) -> BucketPermit:
        """Wait for the permit; the request counts as written from here on, if so asked."""
        self._permit = permit = await self._limiter.acquire(
            cost=self._cost, priority=self._priority, deadline=self._deadline
        )
        if self._written:
            permit.written()
        return permit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell what is known: an answer, or, if the body raised before it wrote, that nothing went.

        If it raised after that, nobody knows, and `hold` decides.
        """
        if kind is None:
            self._permit.seen()
        else:
            self._permit.unsent()
