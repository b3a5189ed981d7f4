"""Every error this library raises.

DeepIDVError
├── ConfigurationError               the client cannot be made, or not be used like this
├── UnsupportedByAPIVersionError     the chosen generation cannot honour an argument
├── InvalidArgumentError             also ValueError: refused before any request
├── ClientClosedError                also RuntimeError
├── APIConnectionError               no answer: DNS, TCP, TLS, a connection that broke
│   └── APITimeoutError              no answer in time
├── DeadlineExceededError            also TimeoutError: the call's total time is used up
├── ResponseDecodeError              an answer that is not what the API documents
└── APIStatusError                   the API answered with an error status
    ├── BadRequestError              400
    ├── AuthenticationError          401; 403 for a key that is missing or not accepted
    ├── InsufficientFundsError       402
    ├── PermissionDeniedError        other 403
    ├── NotFoundError                404
    │   └── EndpointNotServedError   this host does not serve the chosen generation
    ├── RateLimitError               429
    │   └── QuotaExceededError       the day's quota is spent
    └── ServerError                  5xx

All of them can be pickled and copied, name what to do next, and hold neither the API key nor
an object of the HTTP library, nor anybody's personal data in what they print.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, cast

import attrs

from deepidv_async._history import Attempt, PartialPage, TimeSpent

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "ClientClosedError",
    "ConfigurationError",
    "DeadlineExceededError",
    "DeepIDVError",
    "InvalidArgumentError",
    "ResponseDecodeError",
    "SharedLimitUnavailableError",
    "UnsupportedByAPIVersionError",
]

BUSY: Final = "The identity verification service is busy. Please try again in a moment."
UNREACHABLE: Final = (
    "The identity verification service cannot be reached. Please try again in a moment."
)
SET_UP: Final = "Identity verification is not set up correctly. Please contact support."
UNEXPECTED: Final = "Identity verification gave an unexpected answer. Please try again later."


def _rebuild(
    kind: "type[DeepIDVError]",
    args: tuple[Any, ...],
    state: dict[str, Any],
    cause: "DeepIDVError | None",
) -> "DeepIDVError":
    error = kind.__new__(kind)
    BaseException.__init__(error, *args)
    error.__dict__.update(state)
    if cause is not None:  # setting it, even to None, would hide the context of a later raise
        error.__cause__ = cause
    return error


def tries(attempts: tuple[Attempt, ...]) -> str:
    """Tell in a message how many attempts a call has made, if there was more than one."""
    return f" [after {len(attempts)} attempts]" if len(attempts) > 1 else ""


class DeepIDVError(Exception):
    """The root of the tree: catch it to catch everything this library raises.

    Attributes:
        message: what happened and what to do, for developers.
        user_message: a sentence that an application may show to its own end user.
        user_status: the HTTP status that goes with that sentence, for a service that answers its
            own callers. It is never the API's word about our key or our limit: a caller would
            take a 401, 402 or 429 for its own.
    """

    user_message: ClassVar[str] = UNEXPECTED
    user_status: ClassVar[int] = 502

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message: str = message

    def to_dict(self) -> dict[str, Any]:
        """Give plain data for structured logs: no key, no personal data."""
        plain: dict[str, Any] = {"error": type(self).__name__, "message": str(self)}
        for name, value in vars(self).items():
            if name != "message" and not name.startswith("_"):
                plain[name] = _plain(value)
        return plain

    def __reduce__(
        self,
    ) -> tuple[
        Callable[..., "DeepIDVError"],
        tuple[type["DeepIDVError"], tuple[Any, ...], dict[str, Any], "DeepIDVError | None"],
    ]:
        # Exception's own reduce calls the class with `args`, which fails as soon as
        # __init__ takes a keyword; and it forgets the cause.
        cause = self.__cause__
        kept = cause if isinstance(cause, DeepIDVError) else None
        return _rebuild, (type(self), self.args, self.__dict__.copy(), kept)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case PartialPage():
            return {"items": len(value.items), "unreadable": list(value.unreadable)}
        case Attempt() | TimeSpent():
            return attrs.asdict(value)
        case tuple():
            return [_plain(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value


class ConfigurationError(DeepIDVError):
    """The client cannot be made from these settings, or not be used in this place."""

    user_message: ClassVar[str] = SET_UP
    user_status: ClassVar[int] = 500


class UnsupportedByAPIVersionError(DeepIDVError):
    """The API generation in use cannot honour an argument; the message names one that can."""

    user_message: ClassVar[str] = SET_UP
    user_status: ClassVar[int] = 500


class InvalidArgumentError(DeepIDVError, ValueError):
    """An argument was refused before any request was made."""

    user_message: ClassVar[str] = "The request cannot be made with this input."
    user_status: ClassVar[int] = 400


class ClientClosedError(DeepIDVError, RuntimeError):
    """The client was closed; make a new one."""

    user_message: ClassVar[str] = UNREACHABLE
    user_status: ClassVar[int] = 503


class APIConnectionError(DeepIDVError):
    """No answer came: name resolution, TCP, TLS, or a connection that broke.

    Attributes:
        cause: the HTTP library's error as text, its class name first.
        retryable: whether another try could help.
        attempts: the history of the call.
    """

    user_message: ClassVar[str] = UNREACHABLE
    user_status: ClassVar[int] = 503

    def __init__(
        self,
        message: str,
        *,
        cause: str = "",
        retryable: bool = True,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.cause: str = cause
        self.retryable: bool = retryable
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    def __str__(self) -> str:
        return self.message + tries(self.attempts)


class APITimeoutError(APIConnectionError):
    """No answer came in time.

    Attributes:
        phase: which of the client's timeouts ran out: `connect`, `read`, `write` or `pool`.
    """

    user_message: ClassVar[str] = BUSY
    user_status: ClassVar[int] = 504

    def __init__(
        self,
        message: str,
        *,
        phase: Literal["connect", "read", "write", "pool"],
        cause: str = "",
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, cause=cause, attempts=attempts)
        self.phase: Literal["connect", "read", "write", "pool"] = phase


class DeadlineExceededError(DeepIDVError, TimeoutError):
    """The call's `deadline` passed, or the next wait could not have fitted into it.

    The last real error, if a try failed before, is the `__cause__`.

    Attributes:
        deadline: the total time that was allowed, in seconds.
        spent: where the time went.
        attempts: the history of the call.
    """

    user_message: ClassVar[str] = BUSY
    user_status: ClassVar[int] = 504

    def __init__(
        self,
        message: str,
        *,
        deadline: float | None = None,
        spent: TimeSpent | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.deadline: float | None = deadline
        self.spent: TimeSpent = spent or TimeSpent()
        self.attempts: tuple[Attempt, ...] = tuple(attempts)


class SharedLimitUnavailableError(DeepIDVError):
    """The server that keeps a shared limit cannot be reached, and the limit is set to fail then."""

    user_message: ClassVar[str] = BUSY
    user_status: ClassVar[int] = 503


class ResponseDecodeError(DeepIDVError):
    """The API answered with success, but the body is not what it documents.

    Attributes:
        path: JSON path of the first thing that is wrong, `$` for the whole body.
        body: outline of the body: keys, types and lengths, never values.
        partial: the readable records and the next token, if the envelope could be read.
        status: HTTP status.
        request_id: the server's id of the request.
        attempts: the history of the call.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "$",
        body: str | None = None,
        partial: PartialPage | None = None,
        status: int | None = None,
        request_id: str | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.path: str = path
        self.body: str | None = body
        self.partial: PartialPage | None = partial
        self.status: int | None = status
        self.request_id: str | None = request_id
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    @property
    def skippable(self) -> bool:
        """Whether single records are at fault, and nothing else.

        Then `partial` has all other records of the page and its cursor, and an iteration that
        goes on continues with the page behind. Otherwise it fetches the same page again.
        """
        return self.partial is not None and self.path in self.partial.unreadable

    def __str__(self) -> str:
        shown = f" Body: {self.body}." if self.body else ""
        request_id = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.message} At {self.path}.{shown}{request_id}"
