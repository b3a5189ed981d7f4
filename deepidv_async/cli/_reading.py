"""Reading: the pages of a list as batches, with what cannot be read told instead of raised."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Generic, TypeVar

import attrs

from deepidv_async import (
    AsyncDeepIDV,
    ItemIterator,
    Page,
    PageIterator,
    ResponseDecodeError,
    Workflow,
    WorkflowSession,
)
from deepidv_async.cli._ids import IdSet
from deepidv_async.cli._selection import Selection, Sieve

__all__ = ["Batch", "SessionReading", "Source", "collect_workflows", "read_workflows"]

T = TypeVar("T", Workflow, WorkflowSession)

# The fewest requests for a list: they are what the daily quota counts.
_MOST_PER_PAGE: Final = 500


@attrs.frozen
class Batch(Generic[T]):
    """What one page gave.

    Attributes:
        records: the readable ones, each once.
        next_token: cursor of the page behind.
        unread: places that could not be read.
        broken: why there is no way to the page behind, if so.
        digests: of the ids of the records, as `IdSet` gives them.
        repeated: records that had come before and are left out.
    """

    records: Sequence[T]
    next_token: str | None = None
    unread: Sequence[str] = ()
    broken: ResponseDecodeError | None = None
    digests: bytes = b""
    repeated: int = 0

    @property
    def last(self) -> bool:
        """Whether the list ends here."""
        return self.next_token is None and self.broken is None


async def next_batch(pages: PageIterator[T], where: str) -> Batch[T]:
    """Read the next page.

    Args:
        pages: of a list, which has not come to its end.
        where: what the page is called in `Batch.unread`.

    Raises:
        DeepIDVError: the page could not be had, or not be read at all.
    """
    try:
        page = await anext(pages)
    except ResponseDecodeError as error:
        if error.partial is None:
            raise
        return Batch(
            error.partial.items,
            error.partial.next_token,
            [f"{where} {place}" for place in error.partial.unreadable],
            # Not a record is at fault but the way on: the iterator would fetch this page again.
            None if error.skippable else error,
        )
    return Batch(page.items, page.next_token)


async def read_workflows(client: AsyncDeepIDV) -> AsyncGenerator[Batch[Workflow], None]:
    """Give the organization's workflows, newest first.

    Raises:
        DeepIDVError: as the client's call.
    """
    pages = client.iter_workflows().pages()
    count = 0
    while True:
        count += 1
        batch = await next_batch(pages, f"page {count}")
        yield batch
        if batch.broken is not None:
            raise batch.broken
        if batch.last:
            return


async def collect_workflows(client: AsyncDeepIDV) -> tuple[list[Workflow], list[str]]:
    """Give the organization's workflows, and the places of the list that could not be read.

    Raises:
        DeepIDVError: as the client's call.
    """
    workflows: list[Workflow] = []
    unread: list[str] = []
    async with aclosing(read_workflows(client)) as batches:
        async for batch in batches:
            workflows.extend(batch.records)
            unread.extend(f"list of workflows, {place}" for place in batch.unread)
    return workflows, unread


@attrs.frozen
class Source:
    """Where sessions come from, and which.

    Attributes:
        client: the client.
        selection: which sessions are wanted.
        sieve: picks those that the server cannot pick.
        page_size: sessions per request; `None` for the server's default.
    """

    client: AsyncDeepIDV
    selection: Selection
    sieve: Sieve
    page_size: int | None

    @classmethod
    def of(
        cls,
        client: AsyncDeepIDV,
        selection: Selection,
        *,
        page_size: int | None = None,
        limit: int | None = None,
    ) -> "Source":
        """Choose the fewest requests for what is wanted.

        Raises:
            InvalidArgumentError, UnsupportedByAPIVersionError: the server cannot be asked so.
        """
        # Refuses by itself, and requests nothing.
        period = selection.asked(client.api_version)
        client.iter_workflow_sessions("-", page_size=page_size, **period)
        sieve = Sieve(selection, client.api_version)
        if page_size is None and client.api_version == "v1":
            enough = _MOST_PER_PAGE if limit is None or not sieve.idle else limit
            page_size = min(enough, _MOST_PER_PAGE)
        return cls(client, selection, sieve, page_size)


class SessionReading:
    """The sessions of one workflow, page by page, each of them once.

    A list that is newest first shifts when sessions are made while it is paged, and gives some of
    them twice: they are known by their ids.

    Args:
        source: where from, and which.
        workflow_id: the workflow.
        whole: whether more than this workflow is read, so that messages name it.
        next_token: cursor of the page to begin with.
        ids: those that have come before.
    """

    def __init__(
        self,
        source: Source,
        workflow_id: str,
        *,
        whole: bool = False,
        next_token: str | None = None,
        ids: IdSet | None = None,
    ) -> None:
        self.workflow_id: str = workflow_id
        self._source = source
        self._begin = next_token
        self._ids = IdSet() if ids is None else ids
        self._where = f"workflow {workflow_id}, page" if whole else "page"
        self._count = 0
        self._pages: PageIterator[WorkflowSession] = ItemIterator(self._fetch).pages()

    async def _fetch(self, next_token: str | None) -> Page[WorkflowSession]:
        source = self._source
        return await source.client.list_workflow_sessions(
            self.workflow_id,
            page_size=source.page_size,
            next_token=next_token or self._begin,
            **source.selection.asked(source.client.api_version),
        )

    async def next(self) -> Batch[WorkflowSession]:
        """Read the next page; not to be called behind the last one.

        Raises:
            DeepIDVError: as the client's call.
        """
        self._count += 1
        batch = await next_batch(self._pages, f"{self._where} {self._count}")
        records: list[WorkflowSession] = []
        digests = bytearray()
        wanted = self._source.sieve.sift(batch.records)
        for session in wanted:
            if digest := self._ids.add(session.id):
                digests += digest
                records.append(self._placed(session))
        return attrs.evolve(
            batch,
            records=records,
            digests=bytes(digests),
            repeated=len(wanted) - len(records),
        )

    def _placed(self, session: WorkflowSession) -> WorkflowSession:
        """Give the session with its workflow, which the legacy body as documented leaves out."""
        if session.workflow_id is not None:
            return session
        return attrs.evolve(session, workflow_id=self.workflow_id)

    async def batches(self) -> AsyncGenerator[Batch[WorkflowSession], None]:
        """Give all of them, one page after the other.

        Raises:
            DeepIDVError: as the client's call.
        """
        while True:
            batch = await self.next()
            yield batch
            if batch.broken is not None:
                raise batch.broken
            if batch.last:
                return
