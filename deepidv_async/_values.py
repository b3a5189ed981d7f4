"""JSON values: a strict parser, what a value is, and readers for the types that the models use.

The parser tells what is wrong without quoting the document, which is personal data. A reader gives
the right type or raises `ValueError`; nothing is ever coerced. It takes the value and the type that
is asked for, the signature of a structure hook, and its error does not hold the value either.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeGuard, get_args

__all__ = [
    "READERS",
    "is_array",
    "is_object",
    "kind",
    "open_enum",
    "open_enum_reader",
    "parse_json",
]

_CUT_OFF: Final = "it is cut off"


class _NotStrictError(ValueError):
    """A number that Python's parser takes and JSON does not have."""


def _refuse_constant(_: str) -> NoReturn:
    raise _NotStrictError("it holds NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrictError("it holds a number that is too large for a float")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def parse_json(body: bytes) -> tuple[Any, str | None]:
    """Parse a whole document; the second value tells why it is none."""
    # The problem is returned and raised by the caller, outside of these `except` blocks: an
    # error raised within one keeps the parser's error, hence the document, as `__context__`.
    try:
        # A byte order mark is not allowed in JSON, yet some gateways and proxies add one.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        return None, _CUT_OFF if cut else f"it is not UTF-8 at byte {error.start}"
    try:
        return _DECODER.decode(text), None
    except json.JSONDecodeError as error:
        return None, _what_is_wrong(text.strip(), error)
    except _NotStrictError as error:
        return None, str(error)
    except ValueError:
        return None, "it holds an integer with more digits than Python's limit"
    except RecursionError:
        return None, "it is nested too deeply"


def _what_is_wrong(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "the body is empty"
    if text.startswith("<"):
        return "it is HTML or XML, perhaps a page of a gateway or proxy"
    if text[0] not in "{[" or "\0" in text:
        return "it is plain text, or binary data"
    if error.msg == "Extra data":
        return f"it goes on after its end, at character {error.pos}"
    # Within a string the parser points at its start, anywhere else at where it stumbled.
    open_string = error.msg.startswith("Unterminated string")
    if open_string or text[-1] not in "}]" or error.pos >= len(error.doc.rstrip()):
        return _CUT_OFF
    return f"{error.msg}, at character {error.pos}"


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether `value` is a JSON array."""
    return isinstance(value, list)


def kind(value: Any) -> str:
    """Name the JSON type of `value`, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case dict():
            return "an object"
        case _:
            return "an array"


def _text(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not a string")


def _time(value: Any, _: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value, str))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    if not MINYEAR < moment.year < MAXYEAR:
        _check_utc(moment)
    return moment


def _check_utc(moment: datetime) -> None:
    # At the ends of the calendar an offset can point outside of it, and the first conversion
    # to UTC, in the user's code, would overflow.
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside of the calendar") from None


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if is_array(value) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise ValueError("not a list of strings")


def _object(value: Any, _: Any) -> Mapping[str, Any]:
    if is_object(value):
        return value
    raise ValueError("not an object")


def _flags(value: Any, _: Any) -> Mapping[str, bool]:
    flags = _object(value, dict)
    if all(isinstance(flag, bool) for flag in flags.values()):
        return flags
    raise ValueError("not an object of booleans")


def _text_or_object(value: Any, _: Any) -> str | Mapping[str, Any]:
    return value if isinstance(value, str) else _object(value, dict)


READERS: Final[tuple[tuple[Any, Callable[[Any, Any], Any]], ...]] = (
    (str, _text),
    (datetime, _time),
    (tuple[str, ...], _texts),
    (Mapping[str, Any], _object),
    (Mapping[str, bool], _flags),
    (str | Mapping[str, Any], _text_or_object),
)


def open_enum(type_: Any) -> type[StrEnum] | None:
    """Give the enum of a union like `SessionStatus | str`, `None` for any other type."""
    return next(
        (arm for arm in get_args(type_) if isinstance(arm, type) and issubclass(arm, StrEnum)), None
    )


def open_enum_reader(type_: Any) -> Callable[[Any, Any], str]:
    """Make a reader for an open enum: the member for a published value, else the text itself."""
    members: dict[str, str] = {member.value: member for member in open_enum(type_) or ()}

    def read(value: Any, _: Any) -> str:
        text = _text(value, str)
        return members.get(text, text)

    return read
