"""Tables and bars, as rich draws them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from deepidv_async import Workflow, WorkflowSession
from deepidv_async.cli._cells import Record
from deepidv_async.cli._text import printable

__all__ = ["bar", "make_table", "record_table", "status_style"]

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
# An id is there to be copied, and half a time tells nothing: the other columns are folded.
_WHOLE: Final = frozenset({"id", "created_at"})
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


def make_table() -> Table:
    """Make a table in the style of the house: no frame, a line under the header."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )


def record_table(
    records: Sequence[Record],
    kind: type[Record],
    workflow_names: Mapping[str, str] | None = None,
) -> Table:
    """Draw records, in the few columns that a person looks for first.

    Args:
        records: all of them, at least one.
        kind: what they are.
        workflow_names: by id, for the sessions of several workflows; a column shows them.
    """
    columns = dict(_COLUMNS[kind])
    if workflow_names is not None:
        del columns["type"]  # 80 columns hold no more
        columns["workflow_id"] = "workflow"
    rows = [_cells(record, columns, workflow_names or {}) for record in records]
    table = make_table()
    for place, (name, header) in enumerate(columns.items()):
        if name in _WHOLE:
            widest = max(row[place].cell_len for row in rows)
            table.add_column(header, no_wrap=True, min_width=widest)
        else:
            table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _cells(record: Record, columns: Mapping[str, str], names: Mapping[str, str]) -> list[Text]:
    times = _TIMES[type(record)]
    values = {name: getattr(record, name) for name in columns}
    if "workflow_id" in values:
        values["workflow_id"] = names.get(values["workflow_id"], values["workflow_id"])
    return [_cell(value, times) for value in values.values()]


def _cell(value: Any, times: str) -> Text:
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


def bar(share: float, width: int, *, utf8: bool) -> str:
    """Draw a share of the largest figure as a bar.

    Args:
        share: 0 to 1; what is not nothing is seen.
        width: of the longest bar, in columns.
        utf8: whether the output has a heavy line.
    """
    stroke = "\N{BOX DRAWINGS HEAVY HORIZONTAL}" if utf8 else "-"
    return stroke * max(share > 0, round(width * share))
