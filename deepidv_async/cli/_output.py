"""Output formats: how records become lines of a table, of JSON, of CSV.

`jsonl` and `csv` are written page by page and need no more memory than a page; `json` is one
array, written the same way; a table has to know all its rows to set its columns.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

import attrs
from rich import box
from rich.table import Table
from rich.text import Text

from deepidv_async import Workflow, WorkflowSession
from deepidv_async.cli._terminal import Terminal
from deepidv_async.cli._text import json_text, printable, spreadsheet_cell

__all__ = ["OutputFormat", "Record", "Writer", "make_table", "make_writer", "status_style"]

Record: TypeAlias = Workflow | WorkflowSession

# What a table shows, with its headers: nothing that tells about a person but ids, and no more
# than 80 columns hold.
_COLUMNS: Final[Mapping[type[Record], Mapping[str, str]]] = {
    Workflow: {"id": "id", "name": "name", "status": "status", "created_at": "created"},
    WorkflowSession: {
        "id": "id",
        "status": "status",
        "created_at": "created (UTC)",
        "type": "type",
    },
}
_TIMES: Final[Mapping[type[Record], str]] = {
    Workflow: "%Y-%m-%d",
    WorkflowSession: "%Y-%m-%d %H:%M",
}
_STYLES: Final[Mapping[str, str]] = {
    "VERIFIED": "green",
    "active": "green",
    "REJECTED": "red",
    "FAILED": "red",
    "PENDING": "yellow",
    "SUBMITTED": "yellow",
    "EXPIRED": "dim",
    "VOIDED": "dim",
    "inactive": "dim",
}


class OutputFormat(StrEnum):
    """The formats of `--output`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Writer(Protocol):
    """Writes records to standard output in one format."""

    def write(self, records: Sequence[Record]) -> None:
        """Take the records of one page."""
        ...

    def finish(self) -> None:
        """Write what belongs behind the last record."""
        ...


def make_writer(output: OutputFormat, terminal: Terminal, kind: type[Record]) -> Writer:
    """Make the writer of a format for one kind of record."""
    match output:
        case OutputFormat.TABLE:
            return _TableWriter(terminal, kind)
        case OutputFormat.JSON:
            return _JSONWriter(terminal)
        case OutputFormat.JSONL:
            return _JSONLinesWriter(terminal)
        case _:
            return _CSVWriter(terminal, kind)


@attrs.define
class _JSONLinesWriter:
    """One record per line, whole."""

    _terminal: Terminal

    def write(self, records: Sequence[Record]) -> None:
        ascii_only = not self._terminal.utf8
        for record in records:
            self._terminal.data(json_text(record.to_dict(), ascii_only=ascii_only) + "\n")
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
            self._terminal.data(json_text(record.to_dict(), ascii_only=ascii_only))
            self._opened = True
        self._terminal.flush()

    def finish(self) -> None:
        self._terminal.data("\n]\n" if self._opened else "[]\n")
        self._terminal.flush()


class _CSVWriter:
    """A header and a row per record: all fields, nested ones as JSON."""

    def __init__(self, terminal: Terminal, kind: type[Record]) -> None:
        self._terminal = terminal
        self._header: list[str] | None = [field.name for field in attrs.fields(kind)]

    def write(self, records: Sequence[Record]) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        if self._header is not None:
            rows.writerow(self._header)
            self._header = None
        rows.writerows([_cell(value) for value in record.to_dict().values()] for record in records)
        self._terminal.data(text.getvalue())
        self._terminal.flush()

    def finish(self) -> None:
        """Nothing follows the last row."""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return spreadsheet_cell(value if isinstance(value, str) else json_text(value))


@attrs.define
class _TableWriter:
    """The few columns that a person looks for first."""

    _terminal: Terminal
    _kind: type[Record]
    _rows: list[tuple[Text, ...]] = attrs.field(factory=list[Any])

    def write(self, records: Sequence[Record]) -> None:
        times = _TIMES[self._kind]
        for record in records:
            values = (getattr(record, name) for name in _COLUMNS[self._kind])
            self._rows.append(tuple(_table_cell(value, times) for value in values))

    def finish(self) -> None:
        count = len(self._rows)
        if count:
            self._terminal.show(self._table())
        noun = "workflow" if self._kind is Workflow else "session"
        self._terminal.note(f"{count:,} {noun}{'' if count == 1 else 's'}")

    def _table(self) -> Table:
        table = make_table()
        for name, header in _COLUMNS[self._kind].items():
            if name == "id":
                # It is there to be copied: narrow terminals fold the other columns.
                table.add_column(
                    header, no_wrap=True, min_width=max(row[0].cell_len for row in self._rows)
                )
            else:
                table.add_column(header, overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        return table


def make_table() -> Table:
    """Make a table in the style of the house: no frame, a line under the header."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )


def _table_cell(value: str | datetime | None, times: str) -> Text:
    match value:
        case None:
            return Text("-", style="dim")
        case datetime():
            return Text(format(value.astimezone(UTC), times))
        case _:
            return Text(printable(value), style=status_style(value))


def status_style(status: str) -> str:
    """Give the colour of a status, none for what is not published."""
    return _STYLES.get(status, "")
