"""Reading ahead: the next page of several workflows is on its way while one is worked on.

What is handed out keeps the order of the workflows and of their pages, however the answers come:
that is what makes two exports of the same data equal.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice
from types import TracebackType
from typing import Final, Self, TypeAlias

from deepidv_async import WorkflowSession
from deepidv_async.cli._reading import Batch, SessionReading

__all__ = ["ReadAhead"]

# A page of 500 is some megabytes: so many are held at most, and one that is worked on.
_WIDTH: Final = 4

_Task: TypeAlias = asyncio.Task[Batch[WorkflowSession]]


class ReadAhead:
    """Gives every batch of several readings, in order.

    Inside the block tasks read ahead; none is left at its end.

    Args:
        readings: one for each workflow; taken from when there is room.

    Attributes:
        current_id: of the workflow whose page was handed out last, or could not be had.
    """

    def __init__(self, readings: Iterable[SessionReading]) -> None:
        self.current_id: str = ""
        self._readings = iter(readings)
        self._window: deque[tuple[SessionReading, _Task]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [task for _, task in self._window]
        for task in tasks:
            task.cancel()
        # Also of those that have failed the error has to be looked at.
        await asyncio.gather(*tasks, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[WorkflowSession]:
        """Give the next batch.

        Raises:
            DeepIDVError: the page could not be had; the batches before it have been given.
                Asked again, it goes on with the next workflow.
        """
        for reading in islice(self._readings, _WIDTH - len(self._window)):
            self._window.append((reading, _begin(reading)))
        if not self._window:
            raise StopAsyncIteration
        reading, task = self._window.popleft()
        self.current_id = reading.workflow_id
        batch = await task
        if not batch.last and batch.broken is None:
            self._window.appendleft((reading, _begin(reading)))
            # Three turns of the loop, and the request for the next page is written: what is
            # done with this one may then block.
            for _ in range(3):
                await asyncio.sleep(0)
        return batch


def _begin(reading: SessionReading) -> _Task:
    return asyncio.create_task(reading.next())
