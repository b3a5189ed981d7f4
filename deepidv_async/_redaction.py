"""What may be shown: the key never, personal data only by type and length.

`Secret` carries the API key without showing it. `outline` draws the shape of a JSON value for
an error or a log line; `clean_text` makes the server's own words safe to print, and `shown` a
caller's wrong argument.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, cast

__all__ = ["MASK", "Secret", "clean_text", "outline", "shown"]

MASK: Final = "[api key]"

_MAX_DEPTH: Final = 4
_MAX_ENTRIES: Final = 12
_MAX_NAME: Final = 40
_MAX_SHOWN: Final = 10**15
# Control characters, separators, half surrogates, and those that turn the direction of writing:
# with these a line of a log can show something else than it holds.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


class Secret:
    """An API key that can be used and cannot be seen.

    `repr`, `str` and formatting show a mask; pickling and copying are refused, since a pickle
    is a file that somebody reads. `reveal` is called in one place, where the header is set.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the key itself. Never bind the answer to a name: tracebacks show locals."""
        return self._value

    def scrub(self, text: str) -> str:
        """Replace the key by a mask wherever `text` repeats it (servers echo what they got)."""
        return text.replace(self._value, MASK)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an API key is not pickled or copied: make a new client instead")


def clean_text(text: str, limit: int = 300) -> str:
    """Give `text` on one line, without control characters, at most `limit` characters long."""
    # What can be printed needs no cleaning, and most can; the pattern takes four times as long.
    line = text[: limit * 4]
    line = line.strip() if line.isprintable() else _CONTROL.sub(" ", line).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shown(value: object) -> str:
    """Tell in a message what a caller passed: numbers as they are, all else by its type.

    A text in the wrong place may be a key or a person's name, and is as long as it likes; an
    integer of 5,000 digits cannot even be printed.
    """
    small = isinstance(value, int) and -_MAX_SHOWN < value < _MAX_SHOWN
    if value is None or small or isinstance(value, float):
        return repr(value)
    return f"an object of type {type(value).__name__}"


def outline(value: Any, depth: int = 0, scrub: Callable[[str], str] = str) -> Any:
    """Draw a JSON value without its contents: keys stay, values become type and length.

    `scrub` takes the API key out of each name, before the name is cut.

    Example:
        `{"id": "wf_1", "steps": [1, 2]}` becomes `{"id": "str(4)", "steps": ["number", ...]}`.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return f"str({len(value)})"
        case Mapping():
            return _outline_object(cast("Mapping[str, object]", value), depth, scrub)
        case Sequence():
            return _outline_array(cast("Sequence[object]", value), depth, scrub)
        case _:
            return type(value).__name__


def _outline_object(value: Mapping[str, Any], depth: int, scrub: Callable[[str], str]) -> Any:
    if depth >= _MAX_DEPTH:
        return f"object({len(value)})"
    drawn = {
        clean_text(scrub(str(key)), _MAX_NAME): outline(item, depth + 1, scrub)
        for key, item in list(value.items())[:_MAX_ENTRIES]
    }
    if len(value) > _MAX_ENTRIES:
        drawn["…"] = f"{len(value) - _MAX_ENTRIES} more"
    return drawn


def _outline_array(value: Sequence[Any], depth: int, scrub: Callable[[str], str]) -> Any:
    if depth >= _MAX_DEPTH or not value:
        return f"array({len(value)})"
    first = outline(value[0], depth + 1, scrub)
    return [first] if len(value) == 1 else [first, f"… {len(value) - 1} more"]
