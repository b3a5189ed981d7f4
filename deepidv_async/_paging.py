"""Pages, and iterators over all pages."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, cast, overload

from deepidv_async._arguments import check_count, check_limit
from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import ResponseInfo
from deepidv_async._prefetch import ReadAhead

__all__ = ["ItemIterator", "Page", "PageIterator"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Sequence[T_co]):
    """One page of records: an immutable sequence, in the server's order.

    Attributes:
        items: the records.
        next_token: cursor of the next page, `None` on the last one.
        response: status, request id, seconds and tries of the call.
    """

    __slots__ = ("_items", "_next_token", "_response")

    def __init__(
        self, items: Sequence[T_co], next_token: str | None, response: ResponseInfo
    ) -> None:
        self._items: tuple[T_co, ...] = tuple(items)
        self._next_token: str | None = next_token
        self._response: ResponseInfo = response

    @property
    def items(self) -> tuple[T_co, ...]:
        """The records."""
        return self._items

    @property
    def next_token(self) -> str | None:
        """Cursor of the next page."""
        return self._next_token

    @property
    def response(self) -> ResponseInfo:
        """How the page was had."""
        return self._response

    @property
    def has_more(self) -> bool:
        """Whether the server has another page; an empty page may have one, too."""
        return self._next_token is not None

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...
    def __getitem__(self, index: int | slice) -> T_co | tuple[T_co, ...]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Page):
            return NotImplemented
        theirs = cast("Page[object]", other)
        return self._items == theirs._items and self._next_token == theirs._next_token

    def __hash__(self) -> int:
        return hash((self._items, self._next_token))

    def __repr__(self) -> str:
        return f"Page({len(self._items)} items, has_more={self.has_more})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._items, self._next_token, self._response)


class _Cursor(ReadAhead[Page[T]]):
    """Where an iteration stands; items and pages are two views of it."""

    def __init__(self, fetch: Callable[[str | None], Awaitable[Page[T]]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._next_token: str | None = None
        self._seen: set[str] = set()
        self._exhausted = False
        self.closed: bool = False

    async def fetch(self) -> Page[T] | None:
        # The place moves only after a page has come, so that a failed or cancelled fetch is
        # simply made again.
        return None if self.closed or self._exhausted else await self._advance()

    async def next_page(self) -> Page[T] | None:
        """Give the next page; `None` at the end, and once closed."""
        page = None if self.closed else await self.take()
        return None if self.closed else page

    async def _advance(self) -> Page[T]:
        if self._next_token is not None and self._next_token in self._seen:
            raise ResponseDecodeError(
                "The server gave a cursor that it had given before: following it would never "
                "end. The pages up to here were complete; start again from the beginning.",
                path="$.next_token",
            )
        try:
            page = await self._fetch(self._next_token)
        except ResponseDecodeError as error:
            if error.partial is not None and error.skippable:
                # The caller has the readable records: going on means the page behind, or one
                # poison record would stop every iteration for ever.
                self._move_to(error.partial.next_token)
            raise
        self._move_to(page.next_token)
        return page

    def _move_to(self, next_token: str | None) -> None:
        if self._next_token is not None:
            self._seen.add(self._next_token)
        self._next_token = next_token
        self._exhausted = next_token is None


class PageIterator(AsyncIterator[Page[T]]):
    """Iterates over pages; made by `ItemIterator.pages`."""

    def __init__(self, cursor: _Cursor[T]) -> None:
        self._cursor = cursor

    def __aiter__(self) -> "PageIterator[T]":
        return self

    async def __anext__(self) -> Page[T]:
        async with self._cursor.lock:
            page = await self._cursor.next_page()
        if page is None:
            raise StopAsyncIteration
        return page


class ItemIterator(AsyncIterator[T]):
    """Iterates over the records of all pages, in the server's order, keeping one page.

    Nothing is requested before the first record is asked for, and dropping the iterator at any
    point is safe. It can be used from several tasks: each record goes to one of them.

    After an error the iteration can go on with another `async for` over the same object. If the
    page could not be fetched, it is fetched again. If it was fetched but holds a record that
    cannot be read, `ResponseDecodeError.partial` has the readable ones, which are not yielded
    again: going on continues with the page behind.
    """

    def __init__(self, fetch: Callable[[str | None], Awaitable[Page[T]]]) -> None:
        self._cursor = _Cursor(fetch)
        self._buffer: deque[T] = deque()

    def __aiter__(self) -> "ItemIterator[T]":
        return self

    async def __anext__(self) -> T:
        while not self._buffer:
            if not await self._refill():
                raise StopAsyncIteration
        return self._buffer.popleft()

    async def _refill(self) -> bool:
        """Fetch a page unless another task has just done so; false at the end."""
        more = True
        async with self._cursor.lock:
            if not self._buffer:
                page = await self._cursor.next_page()
                more = page is not None
                self._buffer.extend(page or ())
        return more

    def pages(self) -> PageIterator[T]:
        """Iterate over pages instead, from the next one that was not fetched yet."""
        return PageIterator(self._cursor)

    def prefetched(self, pages: int = 1) -> AbstractAsyncContextManager["ItemIterator[T]"]:
        """Fetch ahead inside a block: the next request is sent before a page is handed out.

        The block gives this very iterator. One request is under way at a time, since where the
        next page is stands in the one before; and there is none beyond the last page. What fails
        is raised where its page would have come, after all records before it. Leaving the block
        in whatever way ends the request under way; pages that have come are kept, so that the
        iterator can be used on, without fetching ahead.

        It costs at most `pages` requests more than were needed if the block is left early, and
        their memory. One is enough to work and fetch at the same time; more only even out
        answers that take now long, now short.

        Args:
            pages: how many pages may be fetched ahead, 1 or more.

        Raises:
            InvalidArgumentError: `pages` is not a whole number of 1 or more; at once.

        Example:
            ```python
            async with client.iter_workflow_sessions("wf_1").prefetched(1) as sessions:
                async for session in sessions:
                    print(session.id)
            ```
        """
        return self._ahead(check_count("pages", pages))

    @asynccontextmanager
    async def _ahead(self, pages: int) -> AsyncGenerator["ItemIterator[T]", None]:
        self._cursor.depth += pages
        try:
            yield self
        finally:
            self._cursor.depth -= pages
            await self._cursor.stop()

    async def collect(self, max_items: int | None = None) -> list[T]:
        """Gather the records in a list.

        If a page fails, what was gathered goes back into the iterator: nothing is lost, and
        collecting again goes on from there.

        Args:
            max_items: stop after that many; the rest can still be iterated.

        Raises:
            InvalidArgumentError: `max_items` is negative or not a whole number.
            DeepIDVError: as the call that fetches a page.
        """
        limit = check_limit("max_items", max_items)
        found: list[T] = []
        try:
            while limit is None or len(found) < limit:
                found.append(await anext(self))
        except StopAsyncIteration:
            pass
        except BaseException:
            if not self._cursor.closed:
                self._buffer.extendleft(reversed(found))
            raise
        return found

    async def aclose(self) -> None:
        """End the iteration: nothing more is fetched or yielded."""
        self._cursor.closed = True
        self._buffer.clear()
        await self._cursor.stop()
