"""`deepidv-async stats`: how many sessions there are, by workflow, by status and by day."""

import asyncio
import json
from collections import Counter
from datetime import UTC
from typing import Any, cast

import attrs

from deepidv_async import AsyncDeepIDV, TokenBucket, Workflow, WorkflowSession
from deepidv_async.cli._ahead import ReadAhead
from deepidv_async.cli._connection import closing
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._listing import missing
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._progress import Progress, showing
from deepidv_async.cli._reading import SessionReading, Source, collect_workflows
from deepidv_async.cli._selection import Selection
from deepidv_async.cli._terminal import Terminal

__all__ = ["Tally", "print_stats"]


@attrs.define
class Tally:
    """Counts of sessions.

    Attributes:
        workflows: those that were asked for.
        by_workflow: for each of them, how many sessions have which status.
        by_day: how many were made on which day in UTC, `2026-05-06`.
        undated: how many have no creation time.
    """

    workflows: list[Workflow]
    by_workflow: dict[str, Counter[str]] = attrs.field(factory=dict[str, Counter[str]])
    by_day: Counter[str] = attrs.field(factory=Counter[str])
    undated: int = 0

    def take(self, workflow_id: str, session: WorkflowSession) -> None:
        """Count one session."""
        statuses = self.by_workflow.setdefault(workflow_id, Counter())
        statuses[session.status or "-"] += 1
        if session.created_at is None:
            self.undated += 1
        else:
            self.by_day[session.created_at.astimezone(UTC).date().isoformat()] += 1

    @property
    def sessions(self) -> int:
        """How many there are in all."""
        return sum(self.by_status.values())

    @property
    def by_status(self) -> Counter[str]:
        """How many have which status."""
        return sum(self.by_workflow.values(), Counter[str]())

    def statuses_of(self, workflow: Workflow) -> Counter[str]:
        """Give how many sessions of a workflow have which status."""
        return self.by_workflow.get(workflow.id, Counter())

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data."""
        return {
            "sessions": self.sessions,
            "workflows": [
                {
                    "id": workflow.id,
                    "name": workflow.name,
                    "sessions": self.statuses_of(workflow).total(),
                    "statuses": dict(self.statuses_of(workflow).most_common()),
                }
                for workflow in self.workflows
            ],
            "statuses": dict(self.by_status.most_common()),
            "days": dict(sorted(self.by_day.items())),
            "undated": self.undated,
        }


def print_stats(
    client: AsyncDeepIDV,
    selection: Selection,
    *,
    terminal: Terminal,
    output: OutputFormat | None,
    page_size: int | None,
) -> ExitCode:
    """Count all sessions of all workflows, draw or print the figures, and close the client.

    Args:
        client: made for this, with a `TokenBucket`.
        selection: which sessions.
        terminal: where to.
        output: `table` or `json`; `None` for a table on a terminal and `json` elsewhere.
        page_size: sessions per request.

    Returns:
        `OK`, or `PARTIAL` if some of the answers could not be read.

    Raises:
        DeepIDVError: not all of it could be had; nothing is printed then.
    """
    source = Source.of(client, selection, page_size=page_size)
    return asyncio.run(_run(source, terminal, output))


async def _run(source: Source, terminal: Terminal, output: OutputFormat | None) -> ExitCode:
    async with closing(source.client):
        tally, unread = await _count(source, terminal)
    _print(tally, terminal, output)
    if (told := source.sieve.told()) is not None:
        terminal.note(told)
    if (told := missing(unread)) is None:
        return ExitCode.OK
    terminal.error(told)
    return ExitCode.PARTIAL


async def _count(source: Source, terminal: Terminal) -> tuple[Tally, list[str]]:
    """Read everything; give the counts and the places that could not be read."""
    limiter = cast("TokenBucket", source.client.rate_limiter)
    source = attrs.evolve(source, client=source.client.with_options(priority="bulk"))
    workflows, unread = await collect_workflows(source.client)
    tally = Tally(workflows)
    progress = Progress(terminal, limiter, workflows)
    readings = (SessionReading(source, each.id, whole=True) for each in workflows)
    with showing(progress, terminal):
        async with ReadAhead(readings) as batches:
            async for batch in batches:
                if batch.broken is not None:
                    raise batch.broken
                for session in batch.records:
                    tally.take(batches.current_id, session)
                unread.extend(batch.unread)
                progress.count(batch)
    return tally, unread


def _print(tally: Tally, terminal: Terminal, output: OutputFormat | None) -> None:
    chosen = OutputFormat.TABLE if terminal.shown else OutputFormat.JSON
    if (output or chosen) is OutputFormat.TABLE:
        from deepidv_async.cli._stats_view import show_tally  # noqa: PLC0415 - rich, on use

        show_tally(terminal, tally)
        return
    terminal.data(json.dumps(tally.to_dict(), indent=2) + "\n")
    terminal.flush()
