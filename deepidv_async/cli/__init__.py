"""The command line: `deepidv-async`, also as `python -m deepidv_async`.

It takes the extra `cli` (click and rich), which is imported on use: without it, one line says
how to install it.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]

_LIBRARIES = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as typed behind the program's name; `None` takes the process's own.

    Returns:
        The exit code; `deepidv-async --help` lists them.
    """
    try:
        from deepidv_async.cli._app import run  # noqa: PLC0415 - the extra, on use
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        if library not in _LIBRARIES:
            raise
        print(  # noqa: T201 - the one thing that can be said without the extra
            f"deepidv-async needs {library}: pip install 'deepidv-async[cli]'", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        # The imports take long enough to be interrupted by an impatient user.
        return 130
    return run(arguments)
