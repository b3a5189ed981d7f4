"""Error answers: what their bodies say, and which error they mean.

The two generations and the gateway in front of them word their errors in five ways (`message`,
`error` as a text or an object, `detail`, plain text, nothing at all), and use one status for
several causes. All of that is decided here, by pure functions.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from deepidv_async._config import APIVersion
from deepidv_async._redaction import clean_text, outline
from deepidv_async._status_errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    EndpointNotServedError,
    InsufficientFundsError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from deepidv_async._values import is_array, is_object
from deepidv_async._wire import WireRequest, WireResponse, instant_after, parse_retry_after

__all__ = ["Origin", "Problem", "read_problem", "status_error"]

_MAX_HINTS: Final = 20
_MAX_DEPTH: Final = 8
# "API key is missing." and "Invalid or missing API key" are published; not meant are the
# sandbox's "This is a sandbox API key" and "this API key lacks the required permission".
_KEY_TROUBLE: Final = re.compile(
    r"\b(missing|invalid|unknown|expired|no)( or \w+)? (x-)?api[ -]?key\b"
    r"|\bapi[ -]?key( header)?( is| was| has)? (missing|invalid|required|unknown|expired)\b"
)

Scrub: TypeAlias = Callable[[str], str]


@attrs.frozen(eq=False, repr=False)
class Origin:
    """Which call an answer belongs to.

    Attributes:
        operation: the call, for example `list_workflows`.
        api_version: the generation it was made to.
        names_workflow: whether the request named a workflow, so that a 404 can mean its id.
        base_url: host and path prefix of the API.
    """

    operation: str
    api_version: APIVersion
    names_workflow: bool
    base_url: str


@attrs.frozen(eq=False, repr=False)
class Problem:
    """What an error body says.

    Attributes:
        message: the server's words, shortened; empty if there are none.
        source: where they stood: `message`, `error`, `detail`, `text`, or empty.
        code: machine-readable code.
        hints: the entries of `hints` or `details`, as sent but for the key.
        body: outline of the body, without values.
        resets_at: end of a quota's period as the body names it (aware, UTC).
    """

    message: str = ""
    source: str = ""
    code: str | None = None
    hints: tuple[Any, ...] = ()
    body: Any = None
    resets_at: datetime | None = None


def read_problem(body: bytes, content_type: str, scrub: Scrub) -> Problem:
    """Read the body of an error answer, whatever its form.

    Args:
        body: the body, possibly cut.
        content_type: its media type.
        scrub: takes the API key out of a text, since servers echo what they got.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        # Scrubbed after parsing: JSON may write characters of a key as escapes.
        value = _scrubbed(json.loads(text), scrub)
    except (ValueError, RecursionError):
        return _read_text(scrub(text), content_type, len(body))
    if is_object(value):
        return _read_object(value)
    if isinstance(value, str):
        message = clean_text(value)
        return Problem(message=message, source="text" if message else "", body=outline(value))
    return Problem(body=outline(value))


def _scrubbed(value: Any, scrub: Scrub, depth: int = 0) -> Any:
    """Take out of a JSON value the key, what lies too deep to be copied, and NaN and Infinity."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else outline(value)
    if is_object(value) and depth < _MAX_DEPTH:
        return {scrub(name): _scrubbed(item, scrub, depth + 1) for name, item in value.items()}
    if is_array(value) and depth < _MAX_DEPTH:
        return [_scrubbed(item, scrub, depth + 1) for item in value]
    # What is left has no text, or is told by its size only.
    return outline(value, depth) if isinstance(value, dict | list) else value


def _read_text(text: str, content_type: str, size: int) -> Problem:
    drawn = f"{content_type or 'no content type'}, {size} bytes"
    # A page of a gateway says nothing; what began as JSON and is cut off may hold a record.
    if "html" in content_type or text.lstrip().startswith(("<", "{", "[")):
        return Problem(body=drawn)
    message = clean_text(text)
    return Problem(message=message, source="text" if message else "", body=drawn)


def _read_object(value: dict[str, Any]) -> Problem:
    nested = value.get("error")
    inner = nested if is_object(nested) else {}
    source, message = _first_text(
        ("message", value.get("message")),
        ("error", nested),
        ("error", inner.get("message")),
        ("detail", value.get("detail")),
    )
    _, code = _first_text(("code", value.get("code")), ("code", inner.get("code")))
    lists = (value.get("hints"), inner.get("details"), value.get("details"))
    hints = next((found for found in lists if is_array(found)), list[Any]())
    return Problem(
        message=message,
        source=source,
        code=clean_text(code, 80) or None,
        hints=tuple(hints[:_MAX_HINTS]),
        body=outline(value),
        resets_at=_instant_or_none(value.get("resets_at")),
    )


def _first_text(*candidates: tuple[str, Any]) -> tuple[str, str]:
    for name, found in candidates:
        if isinstance(found, str) and (message := clean_text(found)):
            return name, message
    return "", ""


def _instant_or_none(value: Any) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value)
        return None if instant.tzinfo is None else instant.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def status_error(
    request: WireRequest, response: WireResponse, origin: Origin, now: datetime, scrub: Scrub
) -> APIStatusError:
    """Give the error that an answer with a status other than success means."""
    problem = read_problem(response.body, response.content_type, scrub)
    error_type = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    kind = _kind_of(response.status, problem, error_type, origin)
    retry_after = parse_retry_after(response.headers.get("retry-after"), now)
    details: dict[str, Any] = {
        "status": response.status,
        "code": problem.code,
        "hints": problem.hints,
        "body": problem.body,
        "request_id": scrub(response.request_id) if response.request_id else None,
        "operation": origin.operation,
        "retry_after": retry_after,
        "retry_at": instant_after(now, retry_after),
    }
    if kind is QuotaExceededError:
        details["resets_at"] = problem.resets_at
    return kind(_message(kind, request, response, problem, origin), **details)


def _kind_of(
    status: int, problem: Problem, error_type: str, origin: Origin
) -> type[APIStatusError]:
    match status:
        case 400:
            return BadRequestError
        case 401:
            return AuthenticationError
        case 402:
            return InsufficientFundsError
        case 403:
            return _kind_of_403(problem, error_type)
        case 404:
            return _kind_of_404(problem, origin)
        case 429:
            return _kind_of_429(problem, error_type)
        case _:
            return ServerError if status >= 500 else APIStatusError  # noqa: PLR2004 - HTTP


def _kind_of_403(problem: Problem, error_type: str) -> type[APIStatusError]:
    said = problem.message.rstrip(".").casefold()
    if said == "missing authentication token" or error_type.startswith("MissingAuthentication"):
        return EndpointNotServedError
    # The gateway says {"message": "Forbidden"}; the application words its refusals as `error`.
    gateways = said == "forbidden" and problem.source == "message"
    if gateways or error_type == "ForbiddenException" or _KEY_TROUBLE.search(said):
        return AuthenticationError
    return PermissionDeniedError


def _kind_of_404(problem: Problem, origin: Origin) -> type[APIStatusError]:
    # A list that takes no id cannot be missing, and {"message": "Not Found"} is how a gateway
    # without such a route answers; the application words its own 404 as `error`.
    routeless = problem.source == "message" and problem.message.casefold() == "not found"
    return EndpointNotServedError if routeless or not origin.names_workflow else NotFoundError


def _kind_of_429(problem: Problem, error_type: str) -> type[APIStatusError]:
    spent = (
        problem.message.casefold().startswith("limit exceeded")
        or error_type == "LimitExceededException"
        or problem.code == "QUOTA_EXCEEDED"
    )
    return QuotaExceededError if spent else RateLimitError


def _message(
    kind: type[APIStatusError],
    request: WireRequest,
    response: WireResponse,
    problem: Problem,
    origin: Origin,
) -> str:
    said = problem.message or f"no message ({clean_text(str(problem.body), 100)})"
    if kind is EndpointNotServedError:
        other = "v1" if origin.api_version == "legacy" else "legacy"
        return (
            f"{said.rstrip('.')}. {origin.base_url} does not serve the {origin.api_version} API "
            f"that {origin.operation} needs. To speak the other generation set "
            f'AsyncDeepIDV(api_version="{other}") or DEEPIDV_API_VERSION={other}; '
            "otherwise check base_url and its stage prefix."
        )
    if 300 <= response.status < 400 and "location" in response.headers:  # noqa: PLR2004 - HTTP
        return (
            f"the API redirects {request.method} to {_host(response)}, which is not followed, "
            "because the API key would travel along. If the API lives there, set base_url."
        )
    return said


def _host(response: WireResponse) -> str:
    try:
        host = urlsplit(response.headers.get("location", "")).hostname
    except ValueError:
        host = None
    return clean_text(host, 100) if host else "another path of the same host"
