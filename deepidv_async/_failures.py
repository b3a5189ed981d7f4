"""What may be told of a failed call to those who keep logs: plain data, fit for JSON.

An error holds the server's own words and what the HTTP library said, for the program that
catches it. Logs are kept for months and read by many, so of a server's words only those are
told that can be nobody's data: status, code, request id, names of fields, and in `hints` the
facts about the parameters that were refused.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, cast

import attrs

from deepidv_async._errors import APIConnectionError, DeepIDVError
from deepidv_async._history import Attempt
from deepidv_async._redaction import outline
from deepidv_async._status_errors import APIStatusError, EndpointNotServedError

__all__ = ["failure_of"]

# What the classes of the tree have beyond their message, and may be told as `to_dict` gives it.
_TOLD: Final = (
    *("status", "code", "hints", "body", "request_id", "retry_after", "retry_at", "resets_at"),
    *("cause", "phase", "deadline", "path", "partial"),
)
# The vendor's hints are issues of Zod: these names describe the rule that was broken; `received`,
# `message` and others may repeat what was sent.
_FACTS: Final = {
    *("code", "exact", "expected", "field", "format", "inclusive", "maximum", "minimum"),
    *("origin", "path", "type", "validation"),
}
_NOT_SERVED: Final = (
    "The host does not serve this generation of the API: check api_version and base_url."
)
_NAME: Final = re.compile(r"[A-Za-z_][\w.\[\]-]{0,39}", re.ASCII)


def failure_of(error: BaseException, attempts: Sequence[Attempt]) -> dict[str, Any] | None:
    """Give what may be told of an error, or `None` if it is a cancellation and no failure.

    Args:
        error: what ended the call.
        attempts: the tries of the call.
    """
    if not isinstance(error, Exception):
        return None
    told: dict[str, Any] = {
        "error": type(error).__name__,
        "message": "",
        "status": None,
        "code": None,
        "hints": [],
        "request_id": None,
    }
    if isinstance(error, DeepIDVError):
        known = error.to_dict()
        told |= {name: known[name] for name in _TOLD if name in known}
        told["message"] = _message(error)
    # Of another error, from a limiter or observer of the user's, the text is not ours to judge.
    if isinstance(error, APIStatusError):
        told["code"] = error.code if _is_plain(error.code) else outline(error.code)
        told["hints"] = [_facts(hint) for hint in error.hints]
    elif isinstance(error, APIConnectionError):
        told["cause"] = _cause(error)
    told["attempts"] = [attrs.asdict(attempt) for attempt in attempts]
    return told


def _message(error: DeepIDVError) -> str:
    match error:
        case EndpointNotServedError():
            return f"HTTP {error.status}. {_NOT_SERVED}"
        case APIStatusError(status=int(status)):  # the message is the server's
            return f"HTTP {status}. {error.advice}".rstrip()
        case APIConnectionError(cause=str(cause)) if cause:
            return error.message.replace(f"({cause})", f"({_cause(error)})")
        case _:
            return error.message


def _cause(error: APIConnectionError) -> str:
    """Give what the HTTP library said, as long as no byte of an answer can be in it."""
    # The resolver's, the system's and the TLS library's words: nothing tells more of a connection
    # that could not be made. Others quote a line of the answer that they could not read.
    if error.cause.startswith("ConnectError:"):
        return error.cause
    return error.cause.partition(":")[0]


def _facts(hint: Any) -> Any:
    """Outline one hint, but keep what it says about the rule that was broken."""
    drawn = outline(hint)
    if not isinstance(hint, dict):
        return drawn
    known = cast("dict[str, Any]", hint)
    return drawn | {name: value for name, value in known.items() if _is_fact(name, value)}


def _is_fact(name: str, value: object) -> bool:
    if name not in _FACTS:
        return False
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return all(_is_plain(each) for each in values)


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return _NAME.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)
