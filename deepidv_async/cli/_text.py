"""Text that others wrote, made safe to print: on a terminal, in JSON, in a spreadsheet.

Names, statuses and messages come from the server, and part of them from the people it verifies.
None of it may move the cursor, hide itself, or become a formula.
"""

import json
import re
from typing import Any, Final

__all__ = ["json_text", "printable", "spreadsheet_cell"]

_OUTSIDE_ASCII_TEXT: Final = re.compile(r"[^ -~]")
# What Excel, LibreOffice or Google Sheets take for a formula; the wide forms are read like the
# narrow ones where Chinese or Japanese is set.
_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    r"""Give `text` on one line, with what cannot be seen as an escape (`\x1b`, `\u202e`)."""
    if text.isprintable():
        return text
    return _OUTSIDE_ASCII_TEXT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else char.encode("unicode-escape").decode("ascii")


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    r"""Write `value` as JSON on one line; what cannot be seen is escaped (`\u001b`, `\u202e`).

    Args:
        value: plain data.
        ascii_only: escape every letter outside ASCII, for an output that is not UTF-8.
    """
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    if text.isprintable():
        return text
    return _OUTSIDE_ASCII_TEXT.sub(_json_escaped, text)


def _json_escaped(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def spreadsheet_cell(text: str) -> str:
    r"""Give `text` for a cell of a CSV file: never a formula, no control character.

    An apostrophe in front makes a spreadsheet show a formula instead of running it. Line
    breaks and tabs inside stay, other controls become escapes (`\x1b`).
    """
    safe = _CONTROLS.sub(_escaped, text)
    return f"'{safe}" if _FORMULA.match(text) else safe
