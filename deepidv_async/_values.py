"""JSON values: what a value is, and readers for the types that the models use.

A reader gives the right type or raises `ValueError`; nothing is ever coerced. It takes the value
and the type that is asked for, the signature of a structure hook, and its error does not hold the
value, which is personal data.
"""

from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeGuard, get_args

__all__ = [
    "READERS",
    "check_zone",
    "is_array",
    "is_object",
    "kind",
    "open_enum",
    "open_enum_reader",
]


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
    check_zone(moment)
    return moment


def check_zone(moment: datetime) -> None:
    """Raise `ValueError` for a time without a zone, or with one that leads out of the calendar."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    if MINYEAR < moment.year < MAXYEAR:
        return
    # At the ends of the calendar an offset can point outside of it, and the first conversion
    # to UTC, in the user's code, would overflow.
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside of the calendar") from None


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if is_array(value) and {*map(type, value)} <= {str}:
        return tuple(value)
    raise ValueError("not a list of strings")


def _object(value: Any, _: Any) -> Mapping[str, Any]:
    if is_object(value):
        return value
    raise ValueError("not an object")


def _flags(value: Any, _: Any) -> Mapping[str, bool]:
    flags = _object(value, dict)
    if {*map(type, flags.values())} <= {bool}:
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
