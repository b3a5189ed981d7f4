"""The checkpoint of an export: a journal that says how far the `.part` file is true.

Its first line tells what is exported, and the others one page each: which it was, how long the file
is with it, the ids in it, where the rate limiter stands. A line is written, and on the disk, after
the page is. So whatever ends a run, the last whole line describes data that is there, and what lies
behind it is cut off by the next run. A run that is not killed ends with a line about the limiter
alone: what was requested in vain counts for the day, too.
"""

import importlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import attrs

from deepidv_async import ConfigurationError

__all__ = ["Checkpoint", "Entry", "Spent", "open_private"]

_BEGINNING: Final = b'{"export": '


def open_private(path: Path) -> Any:
    """Open a file for reading and writing, and make it if need be, for its owner's eyes only.

    Raises:
        OSError: it cannot be opened or made.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "r+b")


@attrs.frozen
class Entry:
    """One page of the export.

    Attributes:
        workflow: place of its workflow in the header's list.
        next_token: cursor of the page behind; `None` if the workflow ends here.
        size: bytes of the file, with this page.
        sessions: how many are in it, with this page.
        unread: places of this page that could not be read.
        digests: of the ids in this page.
        limiter: what the rate limiter's `snapshot()` gave.
    """

    workflow: int
    next_token: str | None
    size: int
    sessions: int
    unread: Sequence[str] = ()
    digests: bytes = b""
    limiter: Mapping[str, Any] | None = None

    def to_line(self) -> bytes:
        """Give the line of the journal."""
        plain = attrs.asdict(self) | {"digests": b64encode(self.digests).decode()}
        return json.dumps(plain).encode() + b"\n"


@attrs.frozen
class Spent:
    """The end of a run.

    Attributes:
        limiter: what the rate limiter's `snapshot()` gave.
    """

    limiter: Mapping[str, Any]

    def to_line(self) -> bytes:
        """Give the line of the journal."""
        return json.dumps(attrs.asdict(self)).encode() + b"\n"


def _read(line: bytes) -> Entry | Spent:
    """Read a line of the journal.

    Raises:
        ValueError, TypeError: it is not a whole one.
    """
    if not line.endswith(b"\n"):
        raise ValueError
    plain = json.loads(line)
    if "digests" not in plain:
        return Spent(**plain)
    return Entry(**plain | {"digests": b64decode(plain["digests"], validate=True)})


class Checkpoint:
    """The journal of one export; while it is open, no other process can open it.

    Args:
        path: of the journal.

    Attributes:
        path: the same.

    Raises:
        ConfigurationError: another process has it open.
        OSError: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self._file = open_private(path)
        try:
            _lock(self._file, path)
        except BlockingIOError:
            self._file.close()
            raise ConfigurationError(
                f"Another export is writing {path.with_suffix('').name}: wait for its end."
            ) from None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return bool(self._file.closed)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever written to it."""
        return os.fstat(self._file.fileno()).st_size == 0

    def header(self) -> Mapping[str, Any] | None:
        """Give what is exported; `None` if the journal has not begun.

        Raises:
            ConfigurationError: the file is something else.
        """
        self._file.seek(0)
        line = self._file.readline()
        if not line.endswith(b"\n") and _BEGINNING.startswith(line[: len(_BEGINNING)]):
            return None
        with suppress(ValueError):
            header = json.loads(line)
            if line.startswith(_BEGINNING) and "workflows" in header:
                return cast("dict[str, Any]", header)
        raise ConfigurationError(
            f"{self.path.name} is not the checkpoint of an export: move it away."
        )

    def entries(self) -> Iterator[Entry | Spent]:
        """Give what is behind `header`, in its order; what is no whole line any more is cut off.

        A line that was not written to its end is the last one that there is: its page is
        fetched again.
        """
        while True:
            place = self.position()
            try:
                yield _read(self._file.readline())
            except (ValueError, TypeError):
                self.cut(place)
                return

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write the first line, and nothing else is there any more."""
        self._file.seek(0)
        self._file.truncate()
        self._append(json.dumps(header).encode() + b"\n")

    def add(self, entry: Entry | Spent) -> None:
        """Write one more line."""
        self._append(entry.to_line())

    def position(self) -> int:
        """Give where the next line will begin."""
        return int(self._file.tell())

    def cut(self, position: int) -> None:
        """Forget the pages from that position on."""
        self._file.seek(position)
        self._file.truncate()

    def _append(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Take the journal away: it describes nothing any more."""
        try:
            # While it is locked: a moment later it might be another export's.
            self.path.unlink(missing_ok=True)
        except PermissionError:  # Windows takes away no file that is open
            self.close()
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let others open it."""
        self._file.close()


def _lock(file: Any, path: Path) -> None:
    """Keep other processes out; the system lets go by itself when this one ends.

    Raises:
        BlockingIOError: one is in, or was until a moment ago.
    """
    with suppress(ImportError):  # Windows lacks it
        fcntl: Any = importlib.import_module("fcntl")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Its end, between our opening and our locking, may have taken the file away: we would hold one
    # without a name, while the next export makes and holds another.
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return
    raise BlockingIOError
