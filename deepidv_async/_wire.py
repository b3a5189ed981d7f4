"""HTTP without I/O: what goes out, what came back, and the headers between the two."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urlencode

import attrs

from deepidv_async._redaction import clean_text

__all__ = [
    "WireRequest",
    "WireResponse",
    "instant_after",
    "join_url",
    "next_midnight",
    "parse_retry_after",
    "rate_left",
]

# A span of thirty years is none: such a number is an instant.
_UNIX_TIMES: Final = 1e9
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_RATE_HEADERS: Final = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
)
# Some 30 million years: a longer wait is kept as this one, so that it stays a finite number.
_LONGEST: Final = 1e15


@attrs.frozen(eq=False, repr=False)
class WireRequest:
    """A request as it will go out, but for the key.

    Attributes:
        method: HTTP method.
        url: absolute URL.
        headers: names and values.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = (
        ("accept", "application/json"),
        # Only what can be inflated under a cap; httpx would add br and zstd where it can.
        ("accept-encoding", "gzip, deflate"),
    )


@attrs.frozen(eq=False, repr=False)
class WireResponse:
    """An answer as it came, read whole.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        body: the inflated body.
        flaw: why the body is not whole or not readable, `None` if it is.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    flaw: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - as HTTP defines it

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; empty if there is none."""
        return clean_text(self.headers.get("content-type", "").partition(";")[0].lower(), 80)

    @property
    def request_id(self) -> str | None:
        """The id that the vendor's support asks for."""
        for name in ("x-amzn-requestid", "x-request-id"):
            if value := clean_text(self.headers.get(name, ""), 128):
                return value
        return None


def join_url(
    base_url: str, path: str, workflow_id: str | None, query: Iterable[tuple[str, str]]
) -> str:
    """Build an absolute URL; the id and the query's values are percent-encoded."""
    if workflow_id is not None:
        path = path.replace("{workflow_id}", quote(workflow_id, safe=""))
    encoded = urlencode(list(query), quote_via=quote, safe="")
    return f"{base_url}{path}?{encoded}" if encoded else f"{base_url}{path}"


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header: seconds from `now`, or `None` if it says nothing usable.

    Takes whole or decimal seconds and HTTP dates (a past one means 0). However long the wait,
    it is kept: an absurd one is a reason to stop, not to come back at once. Everything else,
    such as `nan`, `inf` or a negative number, is ignored.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST)
    try:
        instant = parsedate_to_datetime(text)
        if instant.tzinfo is None:  # "-0000" and a missing zone: HTTP dates are in GMT
            instant = instant.replace(tzinfo=UTC)
        return max(0.0, (instant - now).total_seconds())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def rate_left(
    headers: Mapping[str, str], wall: Callable[[], datetime]
) -> tuple[float, float | None] | None:
    """Read rate-limit headers: requests left, and seconds until the server counts afresh.

    The vendor documents none today; the common names are understood should they appear, with
    the reset as seconds from now or, if it is that large, as a Unix time.

    Returns:
        `None` if there are none, or they make no sense.
    """
    for remaining_name, reset_name in _RATE_HEADERS:
        if remaining_name not in headers:  # so far always
            continue
        remaining = headers[remaining_name].strip()
        if _SECONDS.fullmatch(remaining):
            reset = headers.get(reset_name, "").strip()
            if not _SECONDS.fullmatch(reset):
                return float(remaining), None
            seconds = float(reset)
            if seconds > _UNIX_TIMES:
                seconds = max(0.0, seconds - wall().timestamp())
            return float(remaining), seconds
    return None


def next_midnight(now: datetime) -> datetime:
    """Give the end of the day in UTC, when a usage plan's daily quota most likely resets."""
    tomorrow = now.astimezone(UTC) + timedelta(days=1)
    return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)


def instant_after(now: datetime, seconds: float | None) -> datetime | None:
    """Add seconds to an instant; `None` if there is nothing to add or the sum has no date."""
    if seconds is None:
        return None
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None
