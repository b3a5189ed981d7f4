"""Checks of what callers pass, done before any request: pure functions that raise or give."""

from collections.abc import AsyncIterable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from deepidv_async._errors import InvalidArgumentError
from deepidv_async._redaction import shown

__all__ = [
    "check_count",
    "check_ids",
    "check_limit",
    "check_page_size",
    "check_period",
    "check_token",
    "check_workflow_id",
]

MAX_PAGE_SIZE: Final = 500
_MAX_ID: Final = 512
_MAX_TOKEN: Final = 8192
# Each of these changes which resource a URL names; no published form of an id has one.
_URL_SYNTAX: Final = frozenset("/\\?#%")
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def check_workflow_id(value: object) -> str:
    """Give the id of a workflow if it can be one.

    Published ids are UUIDs, `wf_...` and `test_...`; anything of that kind passes, since the
    format is not promised.

    Raises:
        InvalidArgumentError: not a string, empty, a dot segment, longer than 512 characters,
            or with a character that cannot be printed or has a meaning in URLs.
    """
    text = _check_text("workflow_id", value, _MAX_ID)
    if text in (".", ".."):
        raise InvalidArgumentError(
            "workflow_id is a dot segment, which would name another resource: pass the id of "
            "a workflow, for example page[0].id of list_workflows()."
        )
    if found := sorted(_URL_SYNTAX.intersection(text)):
        raise InvalidArgumentError(
            f"workflow_id holds {' '.join(found)}, which has a meaning in URLs: pass the id "
            "alone, not a path or an already encoded id."
        )
    return text


def check_ids(value: object) -> None:
    """Check what several ids come from; each of them is checked in its turn.

    Raises:
        InvalidArgumentError: one text, which would be taken apart into its letters, or nothing
            that can be iterated.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable | AsyncIterable):
        raise InvalidArgumentError(
            "workflow_ids must be a list of ids, or another iterable or async iterable, not "
            f"{shown(value)}."
        )


def check_token(value: object) -> str:
    """Give a cursor if it can be one; its contents are the server's business.

    Raises:
        InvalidArgumentError: not a string, empty, longer than 8192 characters, or with a
            character that cannot be printed.
    """
    return _check_text("next_token", value, _MAX_TOKEN)


def _check_text(name: str, value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a str, not {type(value).__name__}.")
    if not value.strip():
        raise InvalidArgumentError(f"{name} is empty.")
    if len(value) > longest:
        raise InvalidArgumentError(
            f"{name} is {len(value)} characters long; at most {longest} make sense."
        )
    if not value.isprintable():
        # Half surrogates cannot be encoded; controls and invisible spaces hide in logs.
        raise InvalidArgumentError(
            f"{name} holds a control character or another one that cannot be printed."
        )
    return value


def check_page_size(value: object) -> int:
    """Give the page size if the API takes it.

    Raises:
        InvalidArgumentError: not a whole number from 1 to 500.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_PAGE_SIZE:
        raise InvalidArgumentError(
            f"page_size must be a whole number from 1 to {MAX_PAGE_SIZE}; got {shown(value)}."
        )
    return value


def check_limit(name: str, value: object) -> int | None:
    """Give an upper bound of a count, or `None` for none.

    Raises:
        InvalidArgumentError: not a whole number of zero or more.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidArgumentError(
            f"{name} must be a whole number of 0 or more; got {shown(value)}."
        )
    return value


def check_count(name: str, value: object) -> int:
    """Give a count of something that there must be at least one of.

    Raises:
        InvalidArgumentError: not a whole number of one or more.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidArgumentError(
            f"{name} must be a whole number of 1 or more; got {shown(value)}."
        )
    return value


def check_period(start: object, end: object) -> tuple[str | None, str | None]:
    """Give the two ends of a period as the API takes them: ISO 8601 in UTC with milliseconds.

    The start is rounded down to the millisecond and the end up, so that nothing in the period
    is missed.

    Raises:
        InvalidArgumentError: not a `datetime`, without a time zone, or the start after the end.
    """
    first, last = _check_instant("start_date", start), _check_instant("end_date", end)
    if first is not None and last is not None and first > last:
        raise InvalidArgumentError(f"start_date {start} is after end_date {end}.")
    return _render(first, up=False), _render(last, up=True)


def _check_instant(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{name} must be a datetime, not {type(value).__name__}.")
    if value.utcoffset() is None:
        raise InvalidArgumentError(
            f"{name} has no time zone, so the instant is not known: pass an aware datetime, "
            "for example datetime.now(UTC)."
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidArgumentError(f"{name} lies outside the years 1 to 9999 in UTC.") from None


def _render(instant: datetime | None, *, up: bool) -> str | None:
    if instant is None:
        return None
    rest = timedelta(microseconds=-instant.microsecond % 1000 if up else 0)
    # datetime.max stands for "no end", and nothing comes after its last millisecond.
    if instant <= _LAST - rest:
        instant += rest
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
