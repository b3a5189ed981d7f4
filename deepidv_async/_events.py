"""What the client tells about its work: frozen records, handed to observers as they happen.

No record holds the key, an id of a workflow or session, or any other content of an answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import attrs

from deepidv_async._history import TimeSpent

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "CallFinished",
    "Event",
    "LimiterEvent",
    "LimiterWaited",
    "PauseStarted",
    "ProcessForked",
    "QuotaSpent",
    "QuotaWarning",
    "RateLearned",
    "RetryScheduled",
    "SchemaDrift",
    "Throttled",
]


@attrs.frozen
class AttemptStarted:
    """A request is handed to the HTTP library.

    Attributes:
        operation: the call, for example `list_workflows`.
        attempt: 1 for the first try of this call.
    """

    operation: str
    attempt: int


@attrs.frozen
class AttemptFinished:
    """A try has ended: well, badly, or cut off by a cancellation or the deadline.

    Attributes:
        operation: the call.
        attempt: 1 for the first try.
        status: HTTP status, `None` where no answer came.
        error: name of the error class, `None` after a success, `CancelledError` if cut off.
        elapsed: seconds from handing the request over to its outcome.
        request_id: the server's id of the request.
    """

    operation: str
    attempt: int
    status: int | None
    error: str | None
    elapsed: float
    request_id: str | None = None


@attrs.frozen
class RetryScheduled:
    """A failed try will be repeated.

    Attributes:
        operation: the call.
        attempt: the number of the try that failed.
        delay: seconds until the next one may start.
        error: name of the error class.
    """

    operation: str
    attempt: int
    delay: float
    error: str


@attrs.frozen
class CallFinished:
    """A call has ended: the last event of every call, also of a cancelled one.

    Attributes:
        operation: the call.
        outcome: `ok`, or the name of the error class (`CancelledError` for a cancelled call).
        attempts: how many tries it took; 0 if nothing was sent.
        elapsed: seconds in all.
        spent: where they went.
    """

    operation: str
    outcome: str
    attempts: int
    elapsed: float
    spent: TimeSpent


@attrs.frozen
class LimiterWaited:
    """A call has waited for the rate limiter, for a millisecond or more.

    Attributes:
        operation: the call.
        waited: seconds.
    """

    operation: str
    waited: float


@attrs.frozen
class Throttled:
    """The server answered 429; the limiter, if there is one, makes every call wait.

    Attributes:
        operation: the call that met the 429.
        retry_after: seconds the server asked for, `None` if it did not say.
    """

    operation: str
    retry_after: float | None


@attrs.frozen
class SchemaDrift:
    """A page differs from what is documented, in ways that lose nothing.

    Attributes:
        operation: the call.
        counts: what differs and how often, for example
            `{"unknown_field:riskScore": 50, "wrong_type:status": 1}`.
    """

    operation: str
    counts: Mapping[str, int]


@attrs.frozen
class ProcessForked:
    """The process was forked: the child has a pool of its own and an empty bucket.

    Attributes:
        parent: process id of the client's maker.
        child: process id of this process.
    """

    parent: int
    child: int


@attrs.frozen
class PauseStarted:
    """A 429 came, or headers said that nothing is left: nobody gets a permit for a while.

    Attributes:
        seconds: how long.
        retry_after: what the server asked for, in `Retry-After` or as the reset of its window;
            `None` if it did not say.
    """

    seconds: float
    retry_after: float | None


@attrs.frozen
class RateLearned:
    """The limiter goes slower than published, since the server admits less.

    Attributes:
        per_second: the rate from now on; it creeps back up by itself.
        published: the rate of the `RateLimit`.
    """

    per_second: float
    published: float


@attrs.frozen
class QuotaWarning:
    """A good part of the daily quota is used.

    Attributes:
        share: the mark that was passed, 0.8 or 0.95.
        used: requests counted.
        limit: requests per day.
        resets_at: when the quota is expected to be full again (aware, UTC; an estimate).
    """

    share: float
    used: float
    limit: float
    resets_at: datetime


@attrs.frozen
class QuotaSpent:
    """The server says that the daily quota is spent.

    Attributes:
        used: requests that this limiter has counted.
        resets_at: when the quota is expected to be full again (aware, UTC; an estimate).
    """

    used: float
    resets_at: datetime


LimiterEvent: TypeAlias = PauseStarted | RateLearned | QuotaWarning | QuotaSpent

Event: TypeAlias = (
    AttemptStarted
    | AttemptFinished
    | RetryScheduled
    | CallFinished
    | LimiterWaited
    | Throttled
    | SchemaDrift
    | ProcessForked
    | LimiterEvent
)
