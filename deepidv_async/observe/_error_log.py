"""A file of failed calls: one line of JSON each, rotated, readable by its owner only."""

import contextlib
import errno
import json
import logging
import logging.handlers
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import attrs

from deepidv_async import CallFinished, ConfigurationError, Event, __version__

__all__ = ["ErrorLog"]

_OWNER_ONLY: Final = 0o600
# A pipe without a reader, or one that is full, must not stop the event loop.
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0)

_logger = logging.getLogger("deepidv_async")


class ErrorLog:
    """An observer that keeps a line of JSON for each call that failed.

    A line holds what `CallFinished.error` has, with the time (UTC), the versions of library and
    API, and where the call's time went: no key, no personal data and no words of the server.
    Cancelled calls are no failures.

    The file is opened for each line, so it may be moved or removed at any time. A line that
    cannot be written, since the disk is full or the folder is gone, is lost; the call goes on,
    the package's logger tells when that begins and when it ends, and `lost` counts. Rotation is
    that of one process: give each its own file.

    Args:
        path: the file, made with mode 0600 at once if it is not there.
        max_bytes: size at which a new file is begun; 0 for never.
        backups: how many full files are kept beside it, as `path.1` and so on.

    Attributes:
        lost: how many lines could not be written.

    Raises:
        ConfigurationError: the file cannot be opened, or a number makes no sense.

    Example:
        ```python
        client = AsyncDeepIDV(observers=[ErrorLog("deepidv-errors.jsonl")])
        ```
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int = 10_000_000, backups: int = 5
    ) -> None:
        _check("max_bytes", max_bytes, least=0)
        _check("backups", backups, least=1)
        self._handler = _Lines(path, max_bytes=max_bytes, backups=backups)

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._handler.lost

    def __call__(self, event: Event, /) -> None:
        """Keep a line if a call has failed."""
        if isinstance(event, CallFinished) and event.error is not None:
            self._handler.handle(logging.makeLogRecord({"msg": _told(event)}))

    def __repr__(self) -> str:
        return f"ErrorLog({self._handler.baseFilename!r})"


def _check(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(f"{name} must be {least} or more; got {value!r}.")


def _told(event: CallFinished) -> dict[str, Any]:
    return {
        "version": __version__,
        "operation": event.operation,
        "api_version": event.api_version,
        "call": event.call,
        **(event.error or {}),
        "elapsed": event.elapsed,
        "spent": attrs.asdict(event.spent),
    }


class _Lines(logging.handlers.RotatingFileHandler):
    """Rotates like its base, but opens the file for each line and gives up quietly."""

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, delay=True)
        self.lost = 0
        self._losing = False
        try:
            os.close(self._open_file())
        except OSError as error:
            raise ConfigurationError(
                f"The error log cannot be opened ({_why(error)}). Name a file in a folder that is "
                "there and may be written to."
            ) from error

    def _open_file(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NEVER_WAIT
        return os.open(self.baseFilename, flags, _OWNER_ONLY)

    def emit(self, record: logging.LogRecord) -> None:
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        try:
            line = json.dumps({"time": at, **cast("dict[str, Any]", record.msg)}, default=str)
            self._append(f"{line}\n".encode("ascii"))
        except Exception as error:  # noqa: BLE001 - no call fails because this line is lost
            self._lose(error)
        else:
            self._go_on()

    def _append(self, line: bytes) -> None:
        if self._full(len(line)):
            # A folder in which nothing can be renamed is no reason to lose lines.
            with contextlib.suppress(OSError):
                self.doRollover()
        descriptor = self._open_file()
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                # The disk is full now: half a line would spoil the next one.
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)

    def _full(self, more: int) -> bool:
        file = Path(self.baseFilename)
        # A device or a pipe must not be renamed.
        size = file.stat().st_size if self.maxBytes and file.is_file() else 0
        return size > 0 and size + more > self.maxBytes

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        if not self._losing:
            self._losing = True
            _logger.warning("the error log cannot be written (%s): lines are lost", _why(error))

    def _go_on(self) -> None:
        if self._losing:
            self._losing = False
            _logger.warning("the error log is written again; %d lines were lost so far", self.lost)


def _why(error: Exception) -> str:
    said = getattr(error, "strerror", None)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
