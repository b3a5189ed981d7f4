"""One run of an export: from the pages of the API to the store, in an order that never changes."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import attrs

from deepidv_async import (
    AsyncDeepIDV,
    BadRequestError,
    ConfigurationError,
    DeepIDVError,
    EndpointNotServedError,
    NotFoundError,
    TokenBucket,
    Workflow,
    WorkflowSession,
    __version__,
)
from deepidv_async.cli._ahead import ReadAhead
from deepidv_async.cli._connection import closing
from deepidv_async.cli._encoding import Encoding
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._failures import report
from deepidv_async.cli._ids import IdSet
from deepidv_async.cli._listing import missing
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._progress import Progress, showing
from deepidv_async.cli._reading import Batch, SessionReading, Source, collect_workflows
from deepidv_async.cli._selection import Selection
from deepidv_async.cli._store import Store
from deepidv_async.cli._terminal import Terminal

__all__ = ["Export", "Plan"]


@attrs.frozen
class Plan:
    """What is exported, and where to.

    Attributes:
        path: of the file.
        output: its format.
        selection: which sessions.
        page_size: sessions per request; `None` for as many as there may be.
        force: whether a file of that name may be replaced.
        restart: whether what an interrupted run has left is dropped.
    """

    path: Path
    output: OutputFormat
    selection: Selection
    page_size: int | None
    force: bool
    restart: bool

    def check_path(self) -> None:
        """See that the file may be made, or replaced.

        Raises:
            ConfigurationError: it may not.
        """
        if self.path.exists() and not self.path.is_file():
            raise ConfigurationError(
                f"{self.path} is no file that could be replaced. Standard output is for: "
                "deepidv-async sessions --all."
            )
        if self.path.exists() and not self.force:
            raise ConfigurationError(f"{self.path} exists. --force replaces it when all is there.")

    def options(self, client: AsyncDeepIDV) -> dict[str, Any]:
        """Give what makes two exports different ones."""
        since, until = self.selection.since, self.selection.until
        return {
            "version": __version__,
            "base_url": client.base_url,
            "api_version": client.api_version,
            "output": self.output.value,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "status": list(self.selection.statuses),
        }


class Export:
    """One run."""

    def __init__(
        self, source: Source, plan: Plan, terminal: Terminal, store: Store, encoding: Encoding
    ) -> None:
        client = source.client
        self._client = client
        self._source = attrs.evolve(source, client=client.with_options(priority="bulk"))
        self._plan = plan
        self._terminal = terminal
        self._store = store
        self._encoding = encoding
        # The command line makes every client with a RateLimit, which makes a TokenBucket, or with
        # a shared one. That restores nothing: the count of the day is on its server.
        self._limiter = cast("TokenBucket", client.rate_limiter)
        self._workflows: list[Workflow] = []
        self._pages = 0
        self._repeated = 0
        self._terminated = False
        # Whether a later run can go on behind this one.
        self._under_way = False

    async def run(self, *, resumed: bool) -> ExitCode:
        """Read what is missing, and give the file its name.

        Args:
            resumed: whether an earlier run has left something.

        Returns:
            `OK`; `PARTIAL` if some of the answers could not be read; otherwise why it ended
            early, which is told with what to do next.

        Raises:
            DeepIDVError: it was refused, and what is there stays as it is.
        """
        self._under_way = resumed
        self._listen_to_sigterm()
        try:
            async with closing(self._client):
                unread = await self._read_or_remember(resumed=resumed)
            return self._finish(unread)
        except (DeepIDVError, OSError) as error:
            if not self._under_way:
                raise
            code = report(self._terminal, error) or ExitCode.FAILED
            self._advise()
            return code
        except asyncio.CancelledError:
            if self._under_way:
                self._advise()
            if not self._terminated:  # by Ctrl-C then
                raise
            return ExitCode.TERMINATED

    async def _read_or_remember(self, *, resumed: bool) -> list[str]:
        """Read everything; if that fails, remember what it has cost."""
        try:
            unread = await self._prepare(resumed=resumed)
            await self._read_all()
        except BaseException:
            if self._store.workflow_ids is not None:
                with suppress(OSError):  # there may be no room, and the first error tells more
                    self._store.spend(self._limiter.snapshot())
            raise
        return unread

    def _listen_to_sigterm(self) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())

        def terminate() -> None:
            self._terminated = True
            task.cancel()

        with suppress(NotImplementedError):  # Windows ends the process without asking
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)

    async def _prepare(self, *, resumed: bool) -> list[str]:
        """Find out what there is to read; give the places of the list that are unreadable."""
        store = self._store
        if store.limiter is not None:
            self._limiter.restore(store.limiter)
        found, unread = await collect_workflows(self._source.client)
        self._under_way = False  # going on would be refused again
        if resumed:
            self._workflows = _recognize(store, found)
            self._terminal.note(
                f"Going on with {self._plan.path}: {store.place.sessions:,} sessions are there, "
                f"{store.place.workflow} of {len(self._workflows)} workflows are done."
            )
        else:
            self._workflows = found
            store.begin(self._plan.options(self._client), [each.id for each in found])
        self._under_way = True
        return unread

    async def _read_all(self) -> None:
        stale = self._store.place.next_token is not None
        try:
            await self._read()
        except BadRequestError:
            if not stale or self._pages:
                raise
            # A cursor is not promised to live as long as a checkpoint.
            self._terminal.note(
                "The server takes the old cursor no more: this workflow is read again."
            )
            self._store.rewind()
            await self._read()

    async def _read(self) -> None:
        place = self._store.place
        progress = Progress(
            self._terminal,
            self._limiter,
            self._workflows,
            done=place.workflow,
            sessions=place.sessions,
        )
        with showing(progress, self._terminal):
            async with ReadAhead(self._readings()) as batches:
                while (batch := await _next(batches)) is not None:
                    self._keep(batch)
                    progress.count(batch)

    def _readings(self) -> Iterator[SessionReading]:
        place, ids = self._store.place, self._store.ids
        token = place.next_token
        for workflow in self._workflows[place.workflow :]:
            yield SessionReading(self._source, workflow.id, whole=True, next_token=token, ids=ids)
            token, ids = None, IdSet()

    def _keep(self, batch: Batch[WorkflowSession]) -> None:
        if batch.broken is not None:
            raise batch.broken
        data = self._encoding.encode(batch.records)
        self._store.add(batch, data, self._limiter.snapshot())
        self._pages += 1
        self._repeated += batch.repeated

    def _finish(self, unread: Sequence[str]) -> ExitCode:
        self._plan.check_path()  # it may have come in the meantime
        store, note = self._store, self._terminal.note
        store.finish()
        self._under_way = False
        note(
            f"{store.place.sessions:,} sessions of {len(self._workflows)} workflows are in "
            f"{self._plan.path} ({store.place.size:,} bytes)."
        )
        if (told := self._source.sieve.told()) is not None:
            note(told)
        if self._repeated:
            note(f"{self._repeated:,} came twice, since the list had shifted, and are there once.")
        if (told := missing([*unread, *store.place.unread])) is None:
            return ExitCode.OK
        self._terminal.error(told)
        return ExitCode.PARTIAL

    def _advise(self) -> None:
        """Say in one line what to do next."""
        again = "the same command without --restart" if self._plan.restart else "the same command"
        self._terminal.note(
            f"{self._store.place.sessions:,} sessions are kept in {self._store.part}; run {again} "
            "again to go on."
        )


def _recognize(store: Store, found: Sequence[Workflow]) -> list[Workflow]:
    """Give the workflows of the checkpoint, as far as they are there still.

    Raises:
        ConfigurationError: none of them is: the key is another organization's.
    """
    wanted = store.workflow_ids or []
    known = {workflow.id: workflow for workflow in found}
    if wanted and known.keys().isdisjoint(wanted):
        raise ConfigurationError(
            f"None of the workflows that {store.part.name} was begun with belongs to this key: "
            "use the key of that organization, or drop it: --restart begins afresh."
        )
    return [known.get(name, Workflow(name)) for name in wanted]


async def _next(batches: ReadAhead) -> Batch[WorkflowSession] | None:
    """Give the next batch; `None` at the end.

    A workflow that was deleted since the list of workflows was read has no sessions to give: an
    export that stopped there could never be finished.
    """
    try:
        return await anext(batches)
    except StopAsyncIteration:
        return None
    except EndpointNotServedError:
        raise
    except NotFoundError:
        gone = f"workflow {batches.current_id}, which is not there any more"
        return Batch[WorkflowSession]((), unread=[gone])
