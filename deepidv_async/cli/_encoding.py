"""Encodings of an exported file: sessions as bytes, the same bytes for the same sessions.

`jsonl` holds whole records, `csv` is for spreadsheets, and `flat` for programs that want a table:
JSON lines of which each has the same columns, and each column one type.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import attrs

from deepidv_async import WorkflowSession
from deepidv_async.cli._cells import column_names, csv_row, csv_text, plain
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._text import json_text

__all__ = ["Encoding", "encoding_of"]

# Free in form, and so JSON text in a column, also where they happen to be a text.
_NESTED: Final = frozenset(
    {"workflow_steps", "location", "meta_data", "uploads", "analysis_data", "extra"}
)

Sessions: TypeAlias = Iterable[WorkflowSession]


@attrs.frozen
class Encoding:
    """One format of a file.

    Attributes:
        preamble: how a file begins.
        encode: makes bytes of sessions.
    """

    preamble: bytes
    encode: Callable[[Sessions], bytes]


def encoding_of(output: OutputFormat) -> Encoding:
    """Give the encoding of a format."""
    match output:
        case OutputFormat.CSV:
            header = csv_text([column_names(WorkflowSession)])
            return Encoding(header.encode(), _csv)
        case OutputFormat.FLAT:
            return Encoding(b"", _flat)
        case _:
            return Encoding(b"", _jsonl)


def _csv(sessions: Sessions) -> bytes:
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes an escape.
    return csv_text(map(csv_row, sessions)).encode("utf-8", "backslashreplace")


def _jsonl(sessions: Sessions) -> bytes:
    return _lines(map(plain, sessions))


def _flat(sessions: Sessions) -> bytes:
    return _lines(map(_columns, sessions))


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json_text(row) + "\n" for row in rows).encode()


def _columns(session: WorkflowSession) -> dict[str, str | None]:
    columns: dict[str, str | None] = {}
    for name, written in plain(session).items():
        value = getattr(session, name)
        if isinstance(value, datetime):
            # Always with microseconds: readers guess one form for a whole column.
            text = value.astimezone(UTC).isoformat(timespec="microseconds")
            columns[name] = text.replace("+00:00", "Z")
        elif name in _NESTED and written is not None:
            columns[name] = json_text(written)
        else:
            columns[name] = written
    return columns
