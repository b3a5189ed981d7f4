"""The files of an export: FILE when it is whole, FILE.part and FILE.checkpoint until then.

The three lie in one folder, so that the last step is a renaming, which happens at once or not at
all. They are for their owner's eyes only: they hold personal data.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import attrs

from deepidv_async import ConfigurationError, WorkflowSession
from deepidv_async.cli._checkpoint import Checkpoint, Entry, Spent, open_private
from deepidv_async.cli._ids import IdSet
from deepidv_async.cli._reading import Batch

__all__ = ["Place", "Store"]


@attrs.frozen
class Place:
    """Where an export stands.

    Attributes:
        workflow: place of the workflow that is next, in the list of workflows.
        next_token: cursor of the page that is next; `None` for the workflow's first.
        size: bytes of the file so far.
        sessions: how many are in it.
        unread: places that could not be read.
    """

    workflow: int = 0
    next_token: str | None = None
    size: int = 0
    sessions: int = 0
    unread: tuple[str, ...] = ()

    def behind(self, entry: Entry) -> "Place":
        """Give the place behind a page."""
        ends = entry.next_token is None
        return Place(
            workflow=entry.workflow + ends,
            next_token=entry.next_token,
            size=entry.size,
            sessions=entry.sessions,
            unread=(*self.unread, *entry.unread),
        )


class Store:
    """Keeps what has come, page by page, so that no end of a run loses any of it.

    Args:
        path: of the file.
        preamble: how the file begins.

    Attributes:
        path: the same.
        part: what has come so far.
        place: where the export stands.
        workflow_ids: what it goes through; `None` until `begin`.
        ids: of the sessions of the workflow that is next, as far as they are there.
        limiter: the rate limiter's snapshot that an earlier run has left.
        renamed: whether an earlier run was ended between its last two steps.

    Raises:
        ConfigurationError: another process is writing that file.
        OSError: the files cannot be opened or made.
    """

    def __init__(self, path: Path, preamble: bytes) -> None:
        self.path: Path = path
        self.part: Path = path.with_name(f"{path.name}.part")
        self.place: Place = Place(size=len(preamble))
        self.workflow_ids: list[str] | None = None
        self.ids: IdSet = IdSet()
        self.limiter: Mapping[str, Any] | None = None
        self.renamed: bool = False
        self._preamble = preamble
        self._start = self.place  # of the workflow that is next
        self._start_at = 0  # where its lines of the journal begin
        self._journal = Checkpoint(path.with_name(f"{path.name}.checkpoint"))
        self._file: Any = None

    @property
    def complete(self) -> bool:
        """Whether every page of every workflow is there."""
        return self.workflow_ids is not None and self.place.workflow == len(self.workflow_ids)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._journal.closed and self._journal.empty:
            self._journal.remove()  # nothing was begun: leave no trace
        self._journal.close()
        if self._file is not None:
            self._file.close()

    def resume(self, options: Mapping[str, Any], *, restart: bool = False) -> bool:
        """Take up what an earlier run has left; tell whether there is anything.

        Args:
            options: what is exported.
            restart: take up nothing, whatever export it was; `begin` drops it.

        Raises:
            ConfigurationError: it was another export, its files do not fit together, or the
                checkpoint is a file of something else, which is never dropped.
        """
        header = self._journal.header()
        if restart:
            return False
        if header is None:
            self._refuse_orphan()
            return False
        self.workflow_ids = header["workflows"]
        theirs = header["export"]
        other = [name for name, value in options.items() if theirs.get(name) != value]
        if other:
            raise ConfigurationError(
                f"{self._journal.path.name} was left by an export with other settings "
                f"({', '.join(other)}). Use the same, or drop it: --restart begins afresh."
            )
        self._read_journal()
        self.renamed = (
            self.complete
            and not self.part.exists()
            and self.path.is_file()
            and self.path.stat().st_size == self.place.size
        )
        if not self.renamed:
            self._open_part()
        return True

    def _refuse_orphan(self) -> None:
        if self.part.exists():
            raise ConfigurationError(
                f"{self.part.name} is there without its checkpoint: move it away, or drop it: "
                "--restart begins afresh."
            )

    def _read_journal(self) -> None:
        digests = bytearray()
        self._start_at = self._journal.position()
        for entry in self._journal.entries():
            self.limiter = entry.limiter
            if isinstance(entry, Spent):
                continue
            self.place = self.place.behind(entry)
            digests += entry.digests
            if entry.next_token is None:
                self._start, self._start_at = self.place, self._journal.position()
                digests.clear()
        self.ids.restore(bytes(digests))

    def _open_part(self) -> None:
        self._file = open_private(self.part)
        size = self._file.seek(0, os.SEEK_END)
        if self.place == Place(size=len(self._preamble)):
            self._file.truncate(0)
            self._file.seek(0)
            self._write(self._preamble)
        elif size < self.place.size:
            raise ConfigurationError(
                f"{self.part.name} holds less than its checkpoint says, so it was changed or cut "
                "off: --restart begins afresh."
            )
        self._cut_part()

    def _cut_part(self) -> None:
        self._file.truncate(self.place.size)
        self._file.seek(self.place.size)

    def begin(self, options: Mapping[str, Any], workflow_ids: Sequence[str]) -> None:
        """Begin afresh.

        Raises:
            OSError: a file cannot be made or written.
        """
        self._journal.begin({"export": dict(options), "workflows": list(workflow_ids)})
        self.workflow_ids = list(workflow_ids)
        self._start_at = self._journal.position()
        self._open_part()
        # The files are new: without this a loss of power may leave one of them, or none.
        _sync_folder(self.path.parent)

    def add(
        self,
        batch: Batch[WorkflowSession],
        data: bytes,
        limiter: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep one page; when this returns it is on the disk.

        Raises:
            OSError: it could not be written. What came before it is still there.
        """
        self._write(data)
        entry = Entry(
            workflow=self.place.workflow,
            next_token=batch.next_token,
            size=self.place.size + len(data),
            sessions=self.place.sessions + len(batch.records),
            unread=tuple(batch.unread),
            digests=batch.digests,
            limiter=limiter,
        )
        self._journal.add(entry)
        self.place = self.place.behind(entry)
        if batch.last:
            self._start, self._start_at = self.place, self._journal.position()
            self.ids = IdSet()

    def spend(self, limiter: Mapping[str, Any]) -> None:
        """Remember at the end of a run where the rate limiter stands.

        Raises:
            OSError: it could not be written.
        """
        self._journal.add(Spent(limiter))

    def _write(self, data: bytes) -> None:
        if data:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())

    def rewind(self) -> None:
        """Go back to the beginning of the workflow that is next, and forget its pages."""
        self._journal.cut(self._start_at)
        self.place, self.ids = self._start, IdSet()
        self._cut_part()

    def finish(self) -> None:
        """Give the file its name, and take the checkpoint away.

        Raises:
            OSError: it could not be renamed.
        """
        if self._file is not None:
            self._file.close()
            self.part.replace(self.path)
            _sync_folder(self.path.parent)
        self._journal.remove()


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk, too, where a folder can be opened for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
