"""Listing: from the pages of the API to records on standard output."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from deepidv_async import (
    AsyncDeepIDV,
    DeepIDVError,
    ItemIterator,
    PageIterator,
    ResponseDecodeError,
    Workflow,
    WorkflowSession,
)
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._output import OutputFormat, Record, Writer, make_writer
from deepidv_async.cli._terminal import Terminal

__all__ = ["Records", "print_records"]

Records: TypeAlias = ItemIterator[Workflow] | ItemIterator[WorkflowSession]
Pages: TypeAlias = PageIterator[Workflow] | PageIterator[WorkflowSession]

# Where a thousand records cannot be read, the first places tell as much as all of them.
_NAMED: Final = 3


@attrs.define
class _Progress:
    """How far a listing has come.

    Attributes:
        pages: pages read.
        written: records written.
        unread: places that could not be read.
        broken: why no page behind the last one can be had, if so.
    """

    pages: int = 0
    written: int = 0
    unread: list[str] = attrs.field(factory=list[str])
    broken: ResponseDecodeError | None = None

    def verdict(self) -> str | None:
        """Say what is missing; `None` if nothing is."""
        if not self.unread:
            return None
        more = len(self.unread) - _NAMED
        named = ", ".join(self.unread[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"Not all of the answer could be read; the rest is printed. Unreadable: {named}."


async def print_records(
    client: AsyncDeepIDV,
    ask: Callable[[AsyncDeepIDV], Records],
    kind: type[Record],
    *,
    terminal: Terminal,
    output: OutputFormat | None,
    limit: int | None,
) -> ExitCode:
    """Write records page by page as they come, and close the client.

    Args:
        client: made for this.
        ask: starts the iteration.
        kind: what comes.
        terminal: where to.
        output: the format; `None` for a table on a terminal and `jsonl` elsewhere.
        limit: stop after so many records; `None` for all.

    Returns:
        `OK`, or `PARTIAL` if some of the answer could not be read.

    Raises:
        DeepIDVError: the list could not be read to its end. What came before is written, and a
            JSON array is closed.
    """
    output = output or (OutputFormat.TABLE if terminal.shown else OutputFormat.JSONL)
    writer = make_writer(output, terminal, kind)
    noun = "workflows" if kind is Workflow else "sessions"
    progress = _Progress()
    try:
        with terminal.counter(noun, beside_data=output is not OutputFormat.TABLE) as count:
            async with client:
                await _copy(ask(client).pages(), writer, progress, limit, count)
        writer.finish()
    except DeepIDVError:
        if progress.written:
            writer.finish()
        raise
    finally:
        if (missing := progress.verdict()) is not None:
            terminal.error(missing)
    return ExitCode.PARTIAL if progress.unread else ExitCode.OK


async def _copy(
    pages: Pages,
    writer: Writer,
    progress: _Progress,
    limit: int | None,
    count: Callable[[int], None],
) -> None:
    while limit is None or progress.written < limit:
        records = await _next_page(pages, progress)
        if records is None:
            return
        wanted = records if limit is None else records[: limit - progress.written]
        writer.write(wanted)
        progress.written += len(wanted)
        count(progress.written)


async def _next_page(pages: Pages, progress: _Progress) -> Sequence[Record] | None:
    """Give the readable records of the next page; `None` at the end."""
    if progress.broken is not None:
        raise progress.broken
    progress.pages += 1
    page: Sequence[Record]
    try:
        page = await anext(pages)
    except StopAsyncIteration:
        return None
    except ResponseDecodeError as error:
        if error.partial is None:
            raise
        if not error.skippable:
            # Not a record is at fault but the way on: the iterator would fetch this page again.
            progress.broken = error
        places = error.partial.unreadable
        progress.unread.extend(f"page {progress.pages} {place}" for place in places)
        page = error.partial.items
    return page
