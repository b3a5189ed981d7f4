"""Writers: how records become lines of a table, of JSON, of CSV on standard output.

All but the table are written page by page and need no more memory than a page; `json` is one array
all the same. A table has to know all its rows to set its columns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from deepidv_async import Workflow
from deepidv_async.cli._cells import Record, column_names, csv_row, csv_text, plain, tsv_text
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._terminal import Terminal
from deepidv_async.cli._text import json_text

__all__ = ["Writer", "make_writer"]


class Writer(Protocol):
    """Writes records to standard output in one format."""

    def write(self, records: Sequence[Record]) -> None:
        """Take the records of one page."""
        ...

    def finish(self) -> None:
        """Write what belongs behind the last record."""
        ...


def make_writer(
    output: OutputFormat,
    terminal: Terminal,
    kind: type[Record],
    workflow_names: Mapping[str, str] | None = None,
) -> Writer:
    """Make the writer of a format for one kind of record.

    Args:
        output: the format.
        terminal: where to.
        kind: what is written.
        workflow_names: by id, for a table of the sessions of several workflows; it may be
            filled later.
    """
    match output:
        case OutputFormat.TABLE:
            return _TableWriter(terminal, kind, workflow_names)
        case OutputFormat.JSON:
            return _JSONWriter(terminal)
        case OutputFormat.CSV:
            return _RowWriter(terminal, kind, csv_text)
        case OutputFormat.TSV:
            return _RowWriter(terminal, kind, tsv_text)
        case _:
            return _JSONLinesWriter(terminal)


@attrs.define
class _JSONLinesWriter:
    """One record per line, whole."""

    _terminal: Terminal

    def write(self, records: Sequence[Record]) -> None:
        ascii_only = not self._terminal.utf8
        for record in records:
            self._terminal.data(json_text(plain(record), ascii_only=ascii_only) + "\n")
        self._terminal.flush()

    def finish(self) -> None:
        """Nothing follows the last line."""


@attrs.define
class _JSONWriter:
    """One array; a record per line, so that line-based tools find their way, too."""

    _terminal: Terminal
    _opened: bool = False

    def write(self, records: Sequence[Record]) -> None:
        ascii_only = not self._terminal.utf8
        for record in records:
            self._terminal.data(",\n" if self._opened else "[\n")
            self._terminal.data(json_text(plain(record), ascii_only=ascii_only))
            self._opened = True
        self._terminal.flush()

    def finish(self) -> None:
        self._terminal.data("\n]\n" if self._opened else "[]\n")
        self._terminal.flush()


class _RowWriter:
    """A header and a row per record: all fields, nested ones as JSON."""

    def __init__(
        self,
        terminal: Terminal,
        kind: type[Record],
        text_of: Callable[[Iterable[Sequence[str]]], str],
    ) -> None:
        self._terminal = terminal
        self._text_of = text_of
        self._header: list[list[str]] = [column_names(kind)]

    def write(self, records: Sequence[Record]) -> None:
        rows = [*self._header, *map(csv_row, records)]
        self._header.clear()
        self._terminal.data(self._text_of(rows))
        self._terminal.flush()

    def finish(self) -> None:
        """Write the header if nothing has come."""
        self.write(())


@attrs.define
class _TableWriter:
    """The few columns that a person looks for first."""

    _terminal: Terminal
    _kind: type[Record]
    _workflow_names: Mapping[str, str] | None
    _records: list[Record] = attrs.field(factory=list[Record])

    def write(self, records: Sequence[Record]) -> None:
        self._records.extend(records)

    def finish(self) -> None:
        count = len(self._records)
        if count:
            from deepidv_async.cli._tables import record_table  # noqa: PLC0415 - rich, on use

            table = record_table(self._records, self._kind, self._workflow_names)
            self._terminal.show(table)
        noun = "workflow" if self._kind is Workflow else "session"
        self._terminal.note(f"{count:,} {noun}{'' if count == 1 else 's'}")
