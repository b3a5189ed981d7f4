"""Many workflows at once: the pages of all of them as they come, a few under way at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import attrs

from deepidv_async._arguments import check_count, check_ids
from deepidv_async._errors import (
    ClientClosedError,
    ConfigurationError,
    DeepIDVError,
    ResponseDecodeError,
)
from deepidv_async._models import WorkflowSession
from deepidv_async._paging import Page, PageIterator
from deepidv_async._prefetch import end_tasks, let_others_run
from deepidv_async._redaction import clean_text, shown

__all__ = ["WorkflowSessionsPage", "fan_out"]

_Open: TypeAlias = Callable[[str], PageIterator[WorkflowSession]]
_END: Final = object()


def _show_id(value: object) -> str:
    # What cannot be an id may be anything, a record with personal data too.
    return repr(clean_text(value)) if isinstance(value, str) else shown(value)


@attrs.frozen
class WorkflowSessionsPage:
    """One page of one workflow's sessions, or the error that came in its place.

    Attributes:
        workflow_id: the workflow, as it was given.
        page: its next page; `None` with an error.
        error: why there is no page; `None` with a page.
    """

    workflow_id: str = attrs.field(repr=_show_id)
    page: Page[WorkflowSession] | None
    error: DeepIDVError | None

    @property
    def last(self) -> bool:
        """Whether nothing more comes of this workflow: its last page, or an error.

        Records that cannot be read (`ResponseDecodeError.skippable`) do not stop a workflow: the
        page behind them comes, if there is one.
        """
        if self.page is not None:
            return not self.page.has_more
        if isinstance(self.error, ResponseDecodeError) and self.error.skippable:
            return self.error.partial is None or self.error.partial.next_token is None
        return True


@attrs.define(eq=False)
class _Slot:
    """A place for one workflow under way."""

    workflow_id: Any = None
    pages: PageIterator[WorkflowSession] | None = None

    def result(
        self, page: Page[WorkflowSession] | None, error: DeepIDVError | None
    ) -> WorkflowSessionsPage:
        """Make a result, and room for the next workflow if it is the last one."""
        made = WorkflowSessionsPage(self.workflow_id, page, error)
        if made.last:
            self.pages = None
        return made


class _Results(AsyncIterator[WorkflowSessionsPage]):
    """The results as they come.

    Each slot has one task at a time, which brings one result: results that nobody has asked for
    yet are as many as there are slots at most, and a slow consumer slows down the requests.
    """

    def __init__(
        self, ids: Iterable[object] | AsyncIterable[object], open_pages: _Open, slots: int
    ) -> None:
        self._ids = aiter(ids) if isinstance(ids, AsyncIterable) else iter(ids)
        self._open = open_pages
        self._free = [_Slot() for _ in range(slots)]
        self._tasks: dict[asyncio.Task[WorkflowSessionsPage | None], _Slot] = {}
        self._ready: asyncio.Queue[asyncio.Task[WorkflowSessionsPage | None]] = asyncio.Queue()
        self._pulling = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._closed = False

    async def __anext__(self) -> WorkflowSessionsPage:
        async with self._taking:  # else, of several consumers, only one would see the end
            if not self._ready.empty():
                await let_others_run()
            while self._fill():
                task = await self._ready.get()
                slot = self._tasks.pop(task)
                if task.cancelled() and task.cancelling():
                    self._free.append(slot)
                    continue
                try:
                    result = task.result()
                except BaseException:
                    self._free.append(slot)
                    raise
                if result is not None:
                    self._start(slot)
                    return result
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End what is under way."""
        self._closed = True
        await end_tasks(self._tasks)

    def _fill(self) -> bool:
        """Set every free slot to work; tells whether any is at work."""
        if self._closed:
            return False
        while self._free:
            self._start(self._free.pop())
        return bool(self._tasks)

    def _start(self, slot: _Slot) -> None:
        task = asyncio.create_task(self._next_result(slot))
        task.add_done_callback(self._ready.put_nowait)
        self._tasks[task] = slot

    async def _next_result(self, slot: _Slot) -> WorkflowSessionsPage | None:
        """Fetch the next page of the slot's workflow; `None` if no workflow is left for it."""
        if slot.pages is None:
            async with self._pulling:
                workflow_id = await self._next_id()
            if workflow_id is _END:
                return None
            slot.workflow_id = workflow_id
        try:
            if slot.pages is None:
                slot.pages = self._open(slot.workflow_id)
            return slot.result(await anext(slot.pages), None)
        except (ClientClosedError, ConfigurationError):
            raise
        except DeepIDVError as error:
            return slot.result(None, error)

    async def _next_id(self) -> object:
        if isinstance(self._ids, AsyncIterator):
            return await anext(self._ids, _END)
        return next(self._ids, _END)


def fan_out(
    ids: Iterable[str] | AsyncIterable[str], open_pages: _Open, concurrency: int
) -> AbstractAsyncContextManager[AsyncIterator[WorkflowSessionsPage]]:
    """Page through many workflows, `concurrency` of them at a time, inside a block.

    Args:
        ids: the workflows, taken one by one as places become free.
        open_pages: makes the pages of one workflow, or refuses its id.
        concurrency: workflows under way at most, and results that wait for the consumer.

    Raises:
        InvalidArgumentError: no ids can come of `ids`, or `concurrency` is less than 1.
    """
    check_ids(ids)
    return _block(ids, open_pages, check_count("concurrency", concurrency))


@asynccontextmanager
async def _block(
    ids: Iterable[str] | AsyncIterable[str], open_pages: _Open, concurrency: int
) -> AsyncGenerator[AsyncIterator[WorkflowSessionsPage], None]:
    results = _Results(ids, open_pages, concurrency)
    try:
        yield results
    finally:
        await results.aclose()
