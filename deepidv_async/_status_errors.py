"""The branch of the error tree that starts with an answer of the API; `_errors` draws it all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from deepidv_async._errors import BUSY, SET_UP, DeepIDVError, tries
from deepidv_async._history import Attempt

__all__ = [
    "APIStatusError",
    "AuthenticationError",
    "BadRequestError",
    "EndpointNotServedError",
    "InsufficientFundsError",
    "NotFoundError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
]


class APIStatusError(DeepIDVError):
    """The API answered with an error status that has no class of its own.

    Attributes:
        status: HTTP status; `None` where the client itself refused to send.
        message: the server's own words, shortened.
        code: machine-readable code, if the body had one.
        hints: the body's `hints` or `details`, as sent.
        body: outline of the body: keys, types and lengths, never values.
        request_id: the server's id of the request, for the vendor's support.
        operation: the call, for example `list_workflows`.
        retry_after: seconds that the server asked to wait, `None` if it did not say.
        retry_at: the same as an instant (aware, UTC).
        attempts: the history of the call.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None,
        code: str | None = None,
        hints: Sequence[Any] = (),
        body: Any = None,
        request_id: str | None = None,
        operation: str | None = None,
        retry_after: float | None = None,
        retry_at: datetime | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.status: int | None = status
        self.code: str | None = code
        self.hints: tuple[Any, ...] = tuple(hints)
        self.body: Any = body
        self.request_id: str | None = request_id
        self.operation: str | None = operation
        self.retry_after: float | None = retry_after
        self.retry_at: datetime | None = retry_at
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    def __str__(self) -> str:
        where = f" from {self.operation}" if self.operation else ""
        head = f"HTTP {self.status}{where}: " if self.status is not None else ""
        stop = "" if self.message.endswith((".", "…", "!", "?")) else "."
        advice = f" {self.advice}" if self.advice else ""
        # Where the client refused by itself, the message tells how long.
        asked = self.retry_after is not None and self.status is not None
        wait = f" The server asks to wait {self.retry_after:g} s." if asked else ""
        request_id = f" (request id {self.request_id})" if self.request_id else ""
        return f"{head}{self.message}{stop}{advice}{wait}{request_id}{tries(self.attempts)}"


class BadRequestError(APIStatusError):
    """400: the API refused the request's parameters; `hints` may tell which."""

    user_message: ClassVar[str] = "The request was not understood. Please check the input."
    user_status: ClassVar[int] = 400
    advice: ClassVar[str] = "Check the ids, dates and page size that were passed."


class AuthenticationError(APIStatusError):
    """401, or 403 for a missing key and the gateway's `Forbidden`: the key is not accepted."""

    user_message: ClassVar[str] = SET_UP
    user_status: ClassVar[int] = 500
    advice: ClassVar[str] = (
        "Check DEEPIDV_API_KEY: the key is missing, mistyped, expired, or was replaced by a "
        "regenerated one (Admin Console, Settings, API Keys)."
    )


class InsufficientFundsError(APIStatusError):
    """402: the organization's balance or subscription does not cover the call."""

    user_message: ClassVar[str] = SET_UP
    user_status: ClassVar[int] = 500
    advice: ClassVar[str] = "Top up the balance or renew the subscription in the Admin Console."


class PermissionDeniedError(APIStatusError):
    """403: the key is valid, but may not do this (a sandbox key, another organization's id)."""

    user_message: ClassVar[str] = "This record is not available."
    user_status: ClassVar[int] = 404
    advice: ClassVar[str] = (
        "The key is accepted but may not see this: use a live key of the organization that "
        "owns the workflow."
    )


class NotFoundError(APIStatusError):
    """404: there is no such workflow."""

    user_message: ClassVar[str] = "This record does not exist."
    user_status: ClassVar[int] = 404
    advice: ClassVar[str] = "Check the id; list_workflows() gives those that exist."


class EndpointNotServedError(NotFoundError):
    """The host does not serve this path at all; the message prints the setting to change."""

    user_message: ClassVar[str] = SET_UP
    user_status: ClassVar[int] = 500
    advice: ClassVar[str] = ""


class RateLimitError(APIStatusError):
    """429: too many requests; `status` is `None` where a pause after one refused the call.

    `retry_after` and `retry_at` tell when another call makes sense.
    """

    user_message: ClassVar[str] = BUSY
    user_status: ClassVar[int] = 503
    advice: ClassVar[str] = (
        "Another program may share this key: share one limiter between clients "
        "(rate_limit=first.rate_limiter) or lower RateLimit(per_second=...)."
    )


class QuotaExceededError(RateLimitError):
    """The day's quota is spent, by the server's word or by our own count (`status` is `None`).

    Attributes:
        resets_at: when it is expected to be full again (aware, UTC). The vendor does not
            publish the reset: this is an estimate.
    """

    advice: ClassVar[str] = "Wait for the reset, or ask the vendor for a higher quota."

    def __init__(
        self,
        message: str,
        *,
        status: int | None,
        resets_at: datetime | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, status=status, **details)
        self.resets_at: datetime | None = resets_at


class ServerError(APIStatusError):
    """5xx: the API, or the gateway in front of it, failed."""

    user_message: ClassVar[str] = BUSY
    user_status: ClassVar[int] = 503
    advice: ClassVar[str] = "Try again later; if it lasts, give the request id to the vendor."
