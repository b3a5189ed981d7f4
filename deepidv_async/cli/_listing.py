"""Listing: from the pages of the API to records on standard output."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final, TypeAlias

import attrs

from deepidv_async import AsyncDeepIDV, DeepIDVError, Workflow, WorkflowSession
from deepidv_async.cli._cells import Record
from deepidv_async.cli._connection import closing
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._output import Writer, make_writer
from deepidv_async.cli._reading import (
    Batch,
    SessionReading,
    Source,
    collect_workflows,
    read_workflows,
)
from deepidv_async.cli._selection import Selection, Sieve
from deepidv_async.cli._terminal import Terminal

__all__ = ["missing", "print_sessions", "print_workflows"]

Batches: TypeAlias = (
    AsyncGenerator[Batch[Workflow], None] | AsyncGenerator[Batch[WorkflowSession], None]
)

# Where a thousand records cannot be read, the first places tell as much as all of them.
_NAMED: Final = 3


def missing(places: list[str]) -> str | None:
    """Say what could not be read; `None` if nothing is missing."""
    if not places:
        return None
    more = len(places) - _NAMED
    named = "; ".join(places[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"Not all of the answer could be read; the rest is there. Unreadable: {named}."


@attrs.define
class _Listing:
    """One run of a command that lists.

    Attributes:
        terminal: where it prints.
        output: the format; `None` for a table on a terminal and `jsonl` elsewhere.
        limit: stop after so many records; `None` for all.
        sieve: what sifts the records, if something does.
        written: records written.
        unread: places that could not be read.
    """

    terminal: Terminal
    output: OutputFormat | None
    limit: int | None
    sieve: Sieve | None = None
    written: int = 0
    unread: list[str] = attrs.field(factory=list[str])

    async def run(
        self,
        client: AsyncDeepIDV,
        batches: Batches,
        kind: type[Record],
        workflow_names: Mapping[str, str] | None = None,
    ) -> ExitCode:
        """Write records page by page as they come, and close the client.

        Raises:
            DeepIDVError: the list could not be read to its end. What came before is written,
                and a JSON array is closed.
        """
        chosen = OutputFormat.TABLE if self.terminal.shown else OutputFormat.JSONL
        output = self.output or chosen
        writer = make_writer(output, self.terminal, kind, workflow_names)
        noun = "workflows" if kind is Workflow else "sessions"
        try:
            with self.terminal.counter(noun, beside_data=output is not OutputFormat.TABLE) as count:
                async with closing(client), aclosing(batches):
                    await self._copy(batches, writer, count)
            writer.finish()
            if self.sieve is not None and (sifted := self.sieve.told()) is not None:
                self.terminal.note(sifted)
        except DeepIDVError:
            if self.written:
                writer.finish()
            raise
        finally:
            if (told := missing(self.unread)) is not None:
                self.terminal.error(told)
        return ExitCode.PARTIAL if self.unread else ExitCode.OK

    async def _copy(self, batches: Batches, writer: Writer, count: Callable[[int], None]) -> None:
        async for batch in batches:
            left = None if self.limit is None else self.limit - self.written
            wanted = batch.records[:left]
            self.unread.extend(batch.unread)
            self.written += len(wanted)
            writer.write(wanted)
            count(self.written)
            if self.written == self.limit:
                return


def print_workflows(
    client: AsyncDeepIDV, terminal: Terminal, output: OutputFormat | None, limit: int | None
) -> ExitCode:
    """Write the organization's workflows to standard output, and close the client.

    Returns:
        `OK`, or `PARTIAL` if some of the answer could not be read.

    Raises:
        DeepIDVError: the list could not be read to its end.
    """
    listing = _Listing(terminal, output, limit)
    return asyncio.run(listing.run(client, read_workflows(client), Workflow))


def print_sessions(
    client: AsyncDeepIDV,
    workflow_id: str | None,
    selection: Selection,
    *,
    terminal: Terminal,
    output: OutputFormat | None,
    limit: int | None,
    page_size: int | None,
) -> ExitCode:
    """Write sessions to standard output, and close the client.

    Args:
        client: made for this.
        workflow_id: whose sessions; `None` for those of all workflows.
        selection: which of them.
        terminal: where to.
        output: the format; `None` for a table on a terminal and `jsonl` elsewhere.
        limit: stop after so many records; `None` for all.
        page_size: sessions per request.

    Returns:
        `OK`, or `PARTIAL` if some of the answer could not be read.

    Raises:
        DeepIDVError: the list could not be read to its end. What came before is written, and a
            JSON array is closed.
    """
    source = Source.of(client, selection, page_size=page_size, limit=limit)
    names: dict[str, str] | None = None
    if workflow_id is None:
        batches = _all_sessions(source, names := {})
    else:
        batches = SessionReading(source, workflow_id).batches()
    for status in selection.unpublished():
        terminal.note(f"{status} is no published status; sessions are looked for all the same.")
    listing = _Listing(terminal, output, limit, source.sieve)
    return asyncio.run(listing.run(client, batches, WorkflowSession, names))


async def _all_sessions(
    source: Source, names: dict[str, str]
) -> AsyncGenerator[Batch[WorkflowSession], None]:
    workflows, unread = await collect_workflows(source.client)
    names.update((workflow.id, workflow.name or workflow.id) for workflow in workflows)
    yield Batch[WorkflowSession]((), unread=unread)
    for workflow in workflows:
        reading = SessionReading(source, workflow.id, whole=True)
        async with aclosing(reading.batches()) as batches:
            async for batch in batches:
                yield batch
