"""What type checkers must say of errors and of what hangs on them. Read by checkers, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from datetime import datetime
from typing import Any, Literal, assert_type

from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    DeepIDVError,
    EndpointNotServedError,
    InsufficientFundsError,
    InvalidArgumentError,
    NotFoundError,
    PartialPage,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    SharedLimitUnavailableError,
    TimeSpent,
    UnsupportedByAPIVersionError,
)


def every(error: DeepIDVError) -> None:
    """What each error has."""
    assert_type(error.message, str)
    assert_type(error.user_message, str)
    assert_type(type(error).user_message, str)
    assert_type(error.user_status, int)
    assert_type(error.to_dict(), dict[str, Any])
    exception: Exception = error
    del exception


def answered(error: APIStatusError) -> None:
    """What an answer of the API tells."""
    assert_type(error.status, int | None)
    assert_type(error.code, str | None)
    assert_type(error.hints, tuple[Any, ...])
    assert_type(error.body, Any)
    assert_type(error.request_id, str | None)
    assert_type(error.operation, str | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.retry_at, datetime | None)
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.advice, str)


def refused(error: RateLimitError | QuotaExceededError | ServerError) -> None:
    """What a refusal tells: a union of them has what they share."""
    assert_type(error.retry_at, datetime | None)
    if isinstance(error, QuotaExceededError):
        assert_type(error.resets_at, datetime | None)


def unanswered(error: APIConnectionError) -> None:
    """What is known where no answer came."""
    assert_type(error.cause, str)
    assert_type(error.retryable, bool)
    assert_type(error.attempts, tuple[Attempt, ...])
    if isinstance(error, APITimeoutError):
        assert_type(error.phase, Literal["connect", "read", "write", "pool"])


def late(error: DeadlineExceededError) -> None:
    """Where the time of a call went."""
    assert_type(error.deadline, float | None)
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.spent, TimeSpent)
    assert_type(error.spent.limited, float)
    assert_type(error.spent.queued, float)
    assert_type(error.spent.on_wire, float)
    assert_type(error.spent.backing_off, float)


def undecodable(error: ResponseDecodeError) -> None:
    """What could be read of an answer, and what not."""
    assert_type(error.path, str)
    assert_type(error.body, str | None)
    assert_type(error.status, int | None)
    assert_type(error.request_id, str | None)
    assert_type(error.attempts, tuple[Attempt, ...])
    assert_type(error.skippable, bool)
    assert_type(error.partial, PartialPage | None)
    if error.partial is not None:
        assert_type(error.partial.items, tuple[Any, ...])
        assert_type(error.partial.next_token, str | None)
        assert_type(error.partial.unreadable, tuple[str, ...])


def history(attempt: Attempt) -> None:
    """What is kept of each try."""
    assert_type(attempt.number, int)
    assert_type(attempt.status, int | None)
    assert_type(attempt.error, str | None)
    assert_type(attempt.elapsed, float)
    assert_type(attempt.delay, float | None)
    assert_type(attempt.request_id, str | None)


def made(when: datetime) -> list[DeepIDVError]:
    """Users' tests make errors themselves."""
    return [
        ConfigurationError("m"),
        UnsupportedByAPIVersionError("m"),
        InvalidArgumentError("m"),
        ClientClosedError("m"),
        APIConnectionError("m", cause="ConnectError", retryable=False),
        APITimeoutError("m", phase="read"),
        DeadlineExceededError("m", deadline=5, spent=TimeSpent(limited=5)),
        SharedLimitUnavailableError("m"),
        ResponseDecodeError("m", path="$.sessions[3]"),
        BadRequestError("m", status=400, hints=[{"field": "limit"}]),
        AuthenticationError("m", status=401),
        InsufficientFundsError("m", status=402),
        PermissionDeniedError("m", status=403),
        NotFoundError("m", status=404, operation="list_workflow_sessions"),
        EndpointNotServedError("m", status=403),
        RateLimitError("m", status=429, retry_after=2.0, retry_at=when),
        QuotaExceededError("m", status=None, resets_at=when),
        ServerError(
            "m", status=503, request_id="r", attempts=[Attempt(1, 503, "ServerError", 0.1)]
        ),
    ]


def by_standard_names(error: DeepIDVError) -> None:
    """Some are also what the standard library calls them."""
    if isinstance(error, InvalidArgumentError):
        value: ValueError = error
        del value
    if isinstance(error, DeadlineExceededError):
        timeout: TimeoutError = error
        del timeout
    if isinstance(error, ClientClosedError):
        runtime: RuntimeError = error
        del runtime
