"""Exit codes: what a script can tell from the outcome without reading a message.

The numbers are a contract. 4 is what other API tools use for a key that is not accepted, 130
and 141 are what a shell makes of SIGINT and SIGPIPE.
"""

from enum import IntEnum
from typing import Final

from deepidv_async import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    DeepIDVError,
    EndpointNotServedError,
    InsufficientFundsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnsupportedByAPIVersionError,
)

__all__ = ["ExitCode", "exit_code", "hint"]


class ExitCode(IntEnum):
    """How a command can end."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    FORBIDDEN = 4
    RATE_LIMITED = 5
    PAYMENT_REQUIRED = 6
    UNREACHABLE = 7
    NOT_FOUND = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


# The first class that fits decides. A generation that the host does not serve is found out by a
# 403 or 404, but it is cured by an option: that is what 2 stands for.
_CODES: Final[tuple[tuple[type[DeepIDVError], ExitCode], ...]] = (
    (ConfigurationError, ExitCode.USAGE),
    (InvalidArgumentError, ExitCode.USAGE),
    (UnsupportedByAPIVersionError, ExitCode.USAGE),
    (EndpointNotServedError, ExitCode.USAGE),
    (AuthenticationError, ExitCode.FORBIDDEN),
    (PermissionDeniedError, ExitCode.FORBIDDEN),
    (RateLimitError, ExitCode.RATE_LIMITED),
    (InsufficientFundsError, ExitCode.PAYMENT_REQUIRED),
    (APIConnectionError, ExitCode.UNREACHABLE),
    (DeadlineExceededError, ExitCode.UNREACHABLE),
    (NotFoundError, ExitCode.NOT_FOUND),
)


def exit_code(error: DeepIDVError) -> ExitCode:
    """Give the code of a command that ended with `error`."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def hint(error: DeepIDVError) -> str | None:
    """Give the option that cures `error`, where its own text names a Python argument only."""
    match error:
        case EndpointNotServedError():
            return "On the command line: --api-version and --base-url."
        case NotFoundError():
            return "On the command line: deepidv-async workflows lists them."
        case UnsupportedByAPIVersionError():
            return "On the command line: --api-version v1."
        case _:
            return None
