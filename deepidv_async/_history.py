"""What is remembered of a call: its tries, where its time went, what could be read."""

from typing import Any

import attrs

__all__ = ["Attempt", "PartialPage", "TimeSpent"]


@attrs.frozen
class Attempt:
    """One try of a call, as kept in the history of an error.

    Attributes:
        number: 1 for the first try.
        status: HTTP status, or `None` where no answer came.
        error: name of the error class that the try ended with, `None` after a success.
        elapsed: seconds from handing the request over to its outcome.
        delay: seconds waited afterwards before the next try, `None` after the last.
        request_id: the server's id of this request, for the vendor's support.
    """

    number: int
    status: int | None
    error: str | None
    elapsed: float
    delay: float | None = None
    request_id: str | None = None


@attrs.frozen
class TimeSpent:
    """Where the time of one call went, in seconds.

    Attributes:
        limited: waiting for the rate limiter.
        queued: waiting for one of the client's connections.
        on_wire: sending requests and reading answers.
        backing_off: waiting between tries.
    """

    limited: float = 0.0
    queued: float = 0.0
    on_wire: float = 0.0
    backing_off: float = 0.0


@attrs.frozen
class PartialPage:
    """What could be read of an answer that could not be read whole.

    Attributes:
        items: the readable records, in the server's order.
        next_token: the cursor of the next page, if the answer had one.
        unreadable: JSON paths of the records that are missing from `items`.
    """

    items: tuple[Any, ...]
    next_token: str | None
    unreadable: tuple[str, ...]
