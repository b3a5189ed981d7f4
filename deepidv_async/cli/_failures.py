"""Failures: what is said of an error that ends a command, and the code it ends with."""

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
    SharedLimitUnavailableError,
    UnsupportedByAPIVersionError,
)
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._terminal import Terminal, silence

__all__ = ["exit_code", "report"]

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
    (SharedLimitUnavailableError, ExitCode.UNREACHABLE),
    (NotFoundError, ExitCode.NOT_FOUND),
)


def exit_code(error: DeepIDVError) -> ExitCode:
    """Give the code of a command that ended with `error`."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def report(terminal: Terminal, error: BaseException) -> ExitCode | None:
    """Say on standard error what ended a command.

    Returns:
        The exit code; `None` for a mistake of ours, of which nothing is said.
    """
    match error:
        case DeepIDVError():
            terminal.error(str(error))
            if (cure := _hint(error)) is not None:
                terminal.note(cure)
            return exit_code(error)
        case ImportError():
            return _report_missing(terminal, error)
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case BrokenPipeError():
            silence()
            return ExitCode.BROKEN_PIPE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            terminal.error(f"{where}{error.strerror or error}")
            silence()
            return ExitCode.FAILED
        case _:
            return None


def _report_missing(terminal: Terminal, missing: ImportError) -> ExitCode | None:
    library = (missing.name or "").partition(".")[0]
    if library == "deepidv_async":  # a broken installation is no missing extra
        return None
    if library == "rich":
        terminal.error("deepidv-async needs rich: pip install 'deepidv-async[cli]'")
    else:
        terminal.error(str(missing))
    return ExitCode.USAGE


def _hint(error: DeepIDVError) -> str | None:
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
