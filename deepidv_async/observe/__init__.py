"""Ready-made observers: logging, an error log, OpenTelemetry.

Each is switched on by one line: `AsyncDeepIDV(observers=[EventLog()])`. They read the public
events and nothing else, so they are also examples of how to write one. `OpenTelemetry` takes
the extra `otel`, which is imported on use.
"""

import typing

from deepidv_async.observe._error_log import ErrorLog
from deepidv_async.observe._event_log import EventLog

if typing.TYPE_CHECKING:
    from deepidv_async.observe._otel import OpenTelemetry

__all__ = ["ErrorLog", "EventLog", "OpenTelemetry"]


def __getattr__(name: str) -> object:
    if name != "OpenTelemetry":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from deepidv_async.observe._otel import OpenTelemetry  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise ImportError(
            f"OpenTelemetry needs {missing.name}: pip install 'deepidv-async[otel]'",
            name=missing.name,
        ) from missing
    globals()[name] = OpenTelemetry
    return OpenTelemetry
