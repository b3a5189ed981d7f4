"""The API key: from the environment, a file or standard input, never from the command line.

What is typed behind a command is seen by everybody on the machine who lists its processes, and
stays in the shell's history.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from deepidv_async import ConfigurationError

__all__ = ["read_key"]

STDIN: Final = "-"
# Longer than any key: pointed at a wrong file, a little of it is read and nothing is shown.
_MOST: Final = 4096


def read_key(source: str | None) -> str | None:
    """Give the key that `--api-key-file` names; `None` leaves it to `DEEPIDV_API_KEY`.

    Args:
        source: a path, `-` for standard input (asked for without echo on a terminal), or
            `None`.

    Raises:
        ConfigurationError: there is no key, or the file cannot be read.
    """
    if source is None:
        if not os.environ.get("DEEPIDV_API_KEY"):
            raise ConfigurationError(
                "No API key: set DEEPIDV_API_KEY, or name a file with --api-key-file PATH "
                "(- for standard input). To look around without a key: deepidv-async demo"
            )
        return None
    try:
        raw = _ask() if source == STDIN else _read(Path(source))
    except OSError as error:
        raise ConfigurationError(
            f"The API key cannot be read from {source}: {error.strerror or error}."
        ) from None
    # Editors and `echo` end a file with a line break, Windows puts a mark in front of it.
    key = raw.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if not key:
        raise ConfigurationError(f"There is no API key in {_named(source)}.")
    return key


def _named(source: str) -> str:
    return "standard input" if source == STDIN else source


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST)


def _ask() -> bytes:
    if sys.stdin is None:  # closed before the program began (`<&-`)
        return b""
    if sys.stdin.isatty():
        return getpass.getpass("API key: ", stream=sys.stderr).encode()
    return sys.stdin.buffer.read(_MOST)
