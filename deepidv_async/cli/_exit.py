"""Exit codes: what a script can tell from the outcome without reading a message.

The numbers are a contract. 4 is what other API tools use for a key that is not accepted; 130, 141
and 143 are what a shell makes of SIGINT, SIGPIPE and SIGTERM.
"""

from enum import IntEnum

__all__ = ["ExitCode"]


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
    TERMINATED = 143
