"""What the client tells about its work: frozen records, handed to observers as they happen.

No record holds the key, an id of a workflow or session, or the server's words. Of an answer there
are status, request id and code, names of fields, and from its hints which rule was broken.

The events of one call carry the same `call`, drawn at random, by which calls that run side by
side are told apart, in this process and between processes. It does not count when events are
compared. They are told in the task and in the context in which the call is awaited, so a
context variable that an observer sets on `CallStarted` is there until `CallFinished`, also for
the HTTP library.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from deepidv_async._history import TimeSpent
from deepidv_async._limiter_events import LimiterEvent

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "CallFinished",
    "CallStarted",
    "Event",
    "LimiterWaited",
    "ProcessForked",
    "RetryScheduled",
    "SchemaDrift",
    "Throttled",
]


@attrs.frozen
class CallStarted:
    """A call begins: the first event of every call.

    Attributes:
        operation: the call, for example `list_workflows`.
        api_version: the generation of the API.
        path: the path as a template: `/workflow/{workflow_id}`, never filled in.
        priority: the limiter's lane, `normal` or `bulk`.
        call: tells this call's events from those of others.
    """

    operation: str
    api_version: str
    path: str
    priority: str
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class AttemptStarted:
    """A request is handed to the HTTP library.

    Attributes:
        operation: the call, for example `list_workflows`.
        attempt: 1 for the first try of this call.
        call: tells this call's events from those of others.
    """

    operation: str
    attempt: int
    call: str = attrs.field(default="", eq=False)


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
        call: tells this call's events from those of others.
    """

    operation: str
    attempt: int
    status: int | None
    error: str | None
    elapsed: float
    request_id: str | None = None
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class RetryScheduled:
    """A failed try will be repeated.

    Attributes:
        operation: the call.
        attempt: the number of the try that failed.
        delay: seconds until the next one may start.
        error: name of the error class.
        call: tells this call's events from those of others.
    """

    operation: str
    attempt: int
    delay: float
    error: str
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class CallFinished:
    """A call has ended: the last event of every call, also of a cancelled one.

    Attributes:
        operation: the call.
        outcome: `ok`, or the name of the error class (`CancelledError` for a cancelled call).
        attempts: how many tries it took; 0 if nothing was sent.
        elapsed: seconds in all.
        spent: where they went.
        api_version: the generation of the API.
        status: HTTP status of the last try, `None` where no answer came.
        error: what failed, as plain data that is fit for JSON and holds no words of the server;
            `None` for a call that succeeded or was cancelled. Its keys are those of the error
            log: `error` (the class), `message`, `status`, `code`, `hints`, `request_id`,
            `attempts`, and what else the class has.
        call: tells this call's events from those of others.
    """

    operation: str
    outcome: str
    attempts: int
    elapsed: float
    spent: TimeSpent
    api_version: str = ""
    status: int | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class LimiterWaited:
    """A call got its permit after waiting for it, for a millisecond or more.

    A wait that ends without a permit is told by `CallFinished.spent` only.

    Attributes:
        operation: the call.
        waited: seconds.
        call: tells this call's events from those of others.
    """

    operation: str
    waited: float
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class Throttled:
    """The server answered 429; the limiter, if there is one, makes every call wait.

    Attributes:
        operation: the call that met the 429.
        retry_after: seconds the server asked for, `None` if it did not say.
        call: tells this call's events from those of others.
    """

    operation: str
    retry_after: float | None
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class SchemaDrift:
    """A page differs from what is documented, in ways that lose nothing.

    Attributes:
        operation: the call.
        counts: what differs and how often, for example
            `{"unknown_field:riskScore": 50, "wrong_type:status": 1}`.
        call: tells this call's events from those of others.
    """

    operation: str
    counts: Mapping[str, int]
    call: str = attrs.field(default="", eq=False)


@attrs.frozen
class ProcessForked:
    """The process was forked: the child has a pool of its own and an empty bucket.

    Attributes:
        parent: process id of the client's maker.
        child: process id of this process.
    """

    parent: int
    child: int


Event: TypeAlias = (
    CallStarted
    | AttemptStarted
    | AttemptFinished
    | RetryScheduled
    | CallFinished
    | LimiterWaited
    | Throttled
    | SchemaDrift
    | ProcessForked
    | LimiterEvent
)
