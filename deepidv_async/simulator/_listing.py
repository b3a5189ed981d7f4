"""Paging as the current API documents it: a limit, opaque tokens, pages that may be short.

A token says which record was the last one read, counted from the oldest: sessions that arrive
while a list is paged shift nothing. It also holds a mark of the query, so that a token of one
list is refused by another.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zlib import crc32

import attrs

from deepidv_async.simulator._records import Record

__all__ = ["InvalidQueryError", "Page", "Query", "read_page", "read_query"]

_DEFAULT_LIMIT: Final = 50
_MAX_LIMIT: Final = 500
# Characters that put `+` and `/` into base64 wherever they fall, so that a client that forgets
# to percent-encode a token is found out.
_SALTS: Final = ("", "~~~", "???", ">>>???")


class InvalidQueryError(Exception):
    """A query parameter is refused.

    Attributes:
        name: the parameter.
        message: what is wrong with it.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name: str = name
        self.message: str = message


@attrs.frozen
class Query:
    """A list query, read and checked.

    Attributes:
        limit: the most records that a page may hold.
        next_token: cursor of the page before.
        start: created at or after.
        end: created at or before.
        mode: which of the exclusive modes, and its value.
    """

    limit: int
    next_token: str | None
    start: datetime | None
    end: datetime | None
    mode: tuple[str, str]

    def covers(self, record: Record) -> bool:
        """Tell whether a record lies between the dates."""
        if self.start is None and self.end is None:
            return True
        created = datetime.fromisoformat(record["created_at"])
        after = self.start is None or created >= self.start
        return after and (self.end is None or created <= self.end)

    @property
    def mark(self) -> int:
        """A number that tells this list from others; the limit is free to change."""
        return crc32(repr((self.mode, self.start, self.end)).encode())


@attrs.frozen
class Page:
    """A page of records and the token of the next one, `None` at the end."""

    records: Sequence[Record]
    next_token: str | None


def read_query(params: Mapping[str, str]) -> Query:
    """Read the query of `GET /v1/sessions`.

    The modes exclude each other: `external_id`, then `workflow_id`, then `by_organization`,
    else the sessions that the key's user has sent.

    Raises:
        InvalidQueryError: a value is malformed or out of range.
    """
    return Query(
        limit=_limit(params.get("limit")),
        next_token=params.get("next_token"),
        start=_date("start_date", params.get("start_date")),
        end=_date("end_date", params.get("end_date")),
        mode=_mode(params),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    # isdecimal alone lets other scripts' digits pass.
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MAX_LIMIT):
        raise InvalidQueryError("limit", f"Must be a number from 1 to {_MAX_LIMIT}")
    return int(text)


def _date(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidQueryError(name, "Must be an ISO 8601 date") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _mode(params: Mapping[str, str]) -> tuple[str, str]:
    for name in ("external_id", "workflow_id"):
        if name in params:
            if not params[name]:
                raise InvalidQueryError(name, "Must not be empty")
            return name, params[name]
    whole = params.get("by_organization", "false")
    if whole not in ("true", "false"):
        raise InvalidQueryError("by_organization", "Must be true or false")
    return ("by_organization", "") if whole == "true" else ("sender", "")


def read_page(
    records: Sequence[Record], query: Query, page_plan: Sequence[int | None] = ()
) -> Page:
    """Cut one page out of a list, newest first.

    Args:
        records: the whole list.
        query: what was asked.
        page_plan: the most records of the first page, the second and so on, in turns; 0 for an
            empty page with a token, `None` for a full one.

    Raises:
        InvalidQueryError: the token is not one of this list's.
    """
    turn, left = _decode(query, len(records))
    planned = page_plan[turn % len(page_plan)] if page_plan else None
    size = query.limit if planned is None else min(planned, query.limit)
    page: list[Record] = []
    for record in records[len(records) - left :]:
        if query.covers(record):
            if len(page) == size:
                return Page(page, _encode(query, turn + 1, left))
            page.append(record)
        left -= 1
    return Page(page, None)


def _encode(query: Query, turn: int, left: int) -> str:
    salt = _SALTS[(query.mark + turn) % len(_SALTS)]
    cursor = {"page": turn, "left": left, "of": query.mark, "salt": salt}
    return base64.b64encode(json.dumps(cursor, separators=(",", ":")).encode()).decode()


def _decode(query: Query, size: int) -> tuple[int, int]:
    if query.next_token is None:
        return 0, size
    try:
        cursor: Any = json.loads(base64.b64decode(query.next_token, validate=True))
        turn, left, mark = cursor["page"], cursor["left"], cursor["of"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise InvalidQueryError("next_token", "Is not a token") from None
    if mark != query.mark or not (isinstance(turn, int) and turn >= 0):
        raise InvalidQueryError("next_token", "Belongs to another list")
    if not (isinstance(left, int) and 0 < left <= size):
        raise InvalidQueryError("next_token", "Is no longer valid")
    return turn, left
