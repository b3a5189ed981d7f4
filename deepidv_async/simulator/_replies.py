"""Answers: the documented errors of both generations, and the gateway's own.

The wording is the published one wherever a wording is published: all of the legacy table, for
the current API the 401, the 402 (plain text), the sandbox 403 and the form of the 400. The rest
keeps to the published shape.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import attrs

from deepidv_async.simulator._journal import Generation

__all__ = [
    "GATEWAY",
    "Reply",
    "Trouble",
    "by_status",
    "documented",
    "invalid_query",
    "json_reply",
]

Trouble: TypeAlias = Literal[
    "invalid-input",
    "missing-key",
    "invalid-key",
    "unpaid",
    "other-organization",
    "sandbox-write",
    "not-found",
    "method-not-allowed",
    "throttled",
    "server-error",
    "unavailable",
    "forbidden",
    "not-served",
    "too-many-requests",
    "limit-exceeded",
    "too-large",
    "timeout",
    "null-message",
]

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


@attrs.frozen
class Reply:
    """An answer, not yet sent.

    Attributes:
        status: HTTP status.
        body: as it goes out.
        content_type: of the body.
        reason: what the journal says of it.
        items: how many records it holds.
        headers: further headers.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    content_type: str = JSON
    reason: str = "granted"
    items: int = 0
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


def json_reply(
    status: int,
    value: Any,
    *,
    reason: str = "granted",
    items: int = 0,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Reply:
    """Make an answer of a JSON value."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, JSON, reason, items, headers)


def _error(status: int, text: str, reason: Trouble) -> Reply:
    return json_reply(status, {"error": text}, reason=reason)


def _gateway(status: int, message: str | None, kind: str, reason: Trouble) -> Reply:
    headers = {"x-amzn-ErrorType": kind}
    return json_reply(status, {"message": message}, reason=reason, headers=headers)


_EITHER: Final = (
    _error(402, "Insufficient funds or subscription.", "unpaid"),
    _error(403, "This workflow belongs to another organization.", "other-organization"),
    _error(
        403,
        "This is a sandbox API key. Use a live API key to create or modify resources.",
        "sandbox-write",
    ),
    _error(404, "Workflow not found.", "not-found"),
    attrs.evolve(
        _error(405, "Method not allowed.", "method-not-allowed"), headers={"Allow": "GET"}
    ),
    _error(429, "Rate limit exceeded.", "throttled"),
    _error(500, "Something went wrong.", "server-error"),
    _error(503, "Service unavailable.", "unavailable"),
)
_LEGACY: Final = (
    _error(400, "Invalid Input.", "invalid-input"),
    _error(401, "Invalid API key.", "invalid-key"),
    _error(403, "API key is missing.", "missing-key"),
)
_UNAUTHORIZED: Final = {"detail": "Invalid or missing API key"}
_V1: Final = (
    json_reply(
        400,
        {"message": "Invalid request", "hints": [{"code": "custom", "path": [], "message": ""}]},
        reason="invalid-input",
    ),
    json_reply(401, _UNAUTHORIZED, reason="invalid-key"),
    json_reply(401, _UNAUTHORIZED, reason="missing-key"),
    Reply(402, b"Insufficient funds or subscription.", TEXT, "unpaid"),
    # No wording is published for the current API's 429: the gateway speaks for it.
    _gateway(429, "Too Many Requests", "TooManyRequestsException", "throttled"),
)

GATEWAY: Final[Mapping[str, Reply]] = {
    reply.reason: reply
    for reply in (
        _gateway(403, "Forbidden", "ForbiddenException", "forbidden"),
        _gateway(
            403,
            "Missing Authentication Token",
            "MissingAuthenticationTokenException",
            "not-served",
        ),
        _gateway(413, "Request Too Long", "RequestTooLargeException", "too-large"),
        _gateway(429, "Too Many Requests", "TooManyRequestsException", "too-many-requests"),
        _gateway(429, "Limit Exceeded", "LimitExceededException", "limit-exceeded"),
        _gateway(500, None, "AuthorizerConfigurationException", "null-message"),
        _gateway(504, "Endpoint request timed out", "GatewayTimeoutException", "timeout"),
    )
}
"""The gateway's own errors by name; the same for both generations."""

_DOCUMENTED: Final[Mapping[Generation, Mapping[str, Reply]]] = {
    "legacy": {reply.reason: reply for reply in (*_LEGACY, *_EITHER)},
    "v1": {reply.reason: reply for reply in (*_EITHER, *_V1)},
}


def documented(generation: Generation | None, trouble: str) -> Reply:
    """Give an error in its documented form, or in the gateway's.

    Raises:
        KeyError: there is no error of that name.
    """
    own = _DOCUMENTED[generation or "legacy"]
    return own[trouble] if trouble in own else GATEWAY[trouble]


def by_status(generation: Generation | None, status: int) -> Reply:
    """Give the error that is documented first for a status, or a plain `error` body."""
    known = (*_DOCUMENTED[generation or "legacy"].values(), *GATEWAY.values())
    found = next((reply for reply in known if reply.status == status), None)
    if found is not None:
        return found
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return json_reply(status, {"error": phrase}, reason="fault")


def invalid_query(generation: Generation, name: str, message: str) -> Reply:
    """Refuse a query parameter: the current API tells which, the legacy one does not."""
    if generation == "legacy":
        return documented(generation, "invalid-input")
    hint = {"code": "custom", "path": [name], "message": message}
    body = {"message": "Invalid query parameters", "hints": [hint]}
    return json_reply(400, body, reason="invalid-input")
