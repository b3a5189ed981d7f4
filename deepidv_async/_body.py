"""A success body up to its records: bytes to JSON, JSON to envelope, nothing taken on trust.

A gateway page, half a document or an error object sent with status 200 must never look like "no
sessions", so everything that is not a documented envelope raises `ResponseDecodeError`. Its text
tells what was found by kind, length and names. The JSON parser's own error is dropped, not
chained: it carries the whole document, and the document is personal data.

Where a body could be read in more than one way:

- several accepted names are present: the first one, in the order of the shape, that holds a list
  is read and the others count as drift; an empty list beside a filled one is refused, since
  nobody can tell whether it means "none";
- `error` or `errors` that is not empty stands beside a list: refused, the records are `partial`.
  A `message` beside a list is drift only, since it may well say "OK";
- the token is spelled `nextToken`, as sibling lists of the API do: it is read. Two spellings that
  disagree are refused.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NoReturn, TypeVar

import attrs

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._redaction import clean_text, outline
from deepidv_async._values import is_array, is_object, kind

__all__ = [
    "Envelope",
    "Fault",
    "PageShape",
    "count_drift",
    "field_name",
    "outline_body",
    "read_envelope",
]

T = TypeVar("T")

_TOKEN: Final = "next_token"  # noqa: S105 - the name of a cursor, not a secret
_TOKEN_SPELLINGS: Final = (_TOKEN, "nextToken")
_ERROR_NAMES: Final = ("error", "errors")
_ERROR_HINTS: Final = (*_ERROR_NAMES, "message", "detail")
_CUT_OFF: Final = "it is cut off"
_MAX_NAME: Final = 40
_MAX_NAMES: Final = 12
_MAX_DRIFT_KEYS: Final = 100


@attrs.frozen
class PageShape(Generic[T]):
    """What a documented body of a list looks like.

    Attributes:
        model: class of the records.
        envelopes: accepted names of the list, in order of preference.
        bare_array: whether the list may come without an envelope.
        paged: whether the body carries `next_token`.
        token_optional: whether a paged body may leave `next_token` out without counting as
            drift.
    """

    model: type[T]
    envelopes: tuple[str, ...]
    bare_array: bool = False
    paged: bool = False
    token_optional: bool = False


@attrs.frozen
class Fault:
    """Why a page is refused although its records can be looked at.

    Attributes:
        path: JSON path of what is wrong.
        message: what is wrong, one sentence.
    """

    path: str
    message: str


@attrs.frozen
class Envelope:
    """A body whose list was found.

    Attributes:
        body: the parsed body.
        records: the list, each element as it came.
        path: JSON path of the list.
        next_token: the cursor of the next page, `None` at the end or where it is unreadable.
        fault: what else is wrong with the envelope.
        drift: what is not as documented, and how often.
    """

    body: Any = attrs.field(repr=False)
    records: Sequence[Any] = attrs.field(repr=False)
    path: str
    next_token: str | None = attrs.field(repr=False)
    fault: Fault | None
    drift: Mapping[str, int]


def field_name(name: str) -> str:
    """Make a name that the server chose fit for a message, a drift key or a metric's label."""
    return clean_text(name, _MAX_NAME)


def count_drift(drift: dict[str, int], key: str, times: int = 1) -> None:
    """Count one kind of drift; beyond 100 kinds they are counted together.

    An object whose keys are data (ids, say) must not become as many labels of a metric.
    """
    if key not in drift and len(drift) >= _MAX_DRIFT_KEYS:
        key = "other:…"
    drift[key] = drift.get(key, 0) + times


def outline_body(body: Any) -> str:
    """Draw a parsed body on one short line: names, types and lengths."""
    return clean_text(json.dumps(outline(body), ensure_ascii=False))


def read_envelope(body: bytes, shape: PageShape[Any], *, content_type: str = "") -> Envelope:
    """Parse a body and find its list.

    Args:
        body: the whole body, inflated.
        shape: what is documented.
        content_type: the header's value; only told in messages.

    Raises:
        ResponseDecodeError: the body is not JSON, or holds no accepted list.
    """
    found = f"{len(body)} bytes, content type {clean_text(content_type, 80) or 'not given'}"
    parsed, problem = _parse(body)
    if problem:
        raise ResponseDecodeError(
            f"The answer is not JSON: {problem} ({found}).", body=f"bytes({len(body)})"
        )
    if is_object(parsed):
        return _open_object(parsed, shape, found)
    if is_array(parsed) and shape.bare_array:
        token, fault, drift = _read_token({}, shape)
        return Envelope(parsed, parsed, "$", token, fault, drift)
    raise ResponseDecodeError(
        f"The answer is {kind(parsed)}, where {_documented(shape)} is documented ({found}).",
        body=outline_body(parsed),
    )


class _NotStrictError(ValueError):
    """A number that Python's parser takes and JSON does not have."""


def _refuse_constant(_: str) -> NoReturn:
    raise _NotStrictError("it holds NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrictError("it holds a number that is too large for a float")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _parse(body: bytes) -> tuple[Any, str | None]:
    # The problem is returned and raised by the caller, outside of these `except` blocks: an
    # error raised within one keeps the parser's error, hence the document, as `__context__`.
    try:
        # A byte order mark is not allowed in JSON, yet some gateways and proxies add one.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        return None, _CUT_OFF if cut else f"it is not UTF-8 at byte {error.start}"
    try:
        return _DECODER.decode(text), None
    except json.JSONDecodeError as error:
        return None, _what_is_wrong(text.strip(), error)
    except _NotStrictError as error:
        return None, str(error)
    except ValueError:
        return None, "it holds an integer with more digits than Python's limit"
    except RecursionError:
        return None, "it is nested too deeply"


def _what_is_wrong(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "the body is empty"
    if text.startswith("<"):
        return "it is HTML or XML, perhaps a page of a gateway or proxy"
    if text[0] not in "{[" or "\0" in text:
        return "it is plain text, or binary data"
    if error.msg == "Extra data":
        return f"it goes on after its end, at character {error.pos}"
    # Within a string the parser points at its start, anywhere else at where it stumbled.
    open_string = error.msg.startswith("Unterminated string")
    if open_string or text[-1] not in "}]" or error.pos >= len(error.doc.rstrip()):
        return _CUT_OFF
    return f"{error.msg}, at character {error.pos}"


def _documented(shape: PageShape[Any]) -> str:
    names = " or ".join(repr(name) for name in shape.envelopes)
    return f"an object with a list in {names}{' or a bare array' if shape.bare_array else ''}"


def _open_object(body: dict[str, Any], shape: PageShape[Any], found: str) -> Envelope:
    lists = [name for name in shape.envelopes if is_array(body.get(name))]
    if not lists:
        raise _no_list(body, shape, found)
    name = lists[0]
    records = body[name]
    filled = [other for other in lists if body[other]]
    if not records and filled:
        raise ResponseDecodeError(
            f"The answer has an empty list in {name!r} and records in {filled[0]!r}: "
            "it cannot be told which is meant.",
            path=f"$.{name}",
            body=outline_body(body),
        )
    token, fault, drift = _read_token(body, shape)
    for other in body:
        if other != name and other not in _TOKEN_SPELLINGS:
            count_drift(drift, f"unknown_envelope_field:{field_name(other)}")
    return Envelope(body, records, f"$.{name}", token, _reported_error(body) or fault, drift)


def _no_list(body: dict[str, Any], shape: PageShape[Any], found: str) -> ResponseDecodeError:
    present = next((name for name in shape.envelopes if name in body), None)
    if present is not None:
        return ResponseDecodeError(
            f"The answer has {kind(body[present])} in {present!r}, "
            f"where {_documented(shape)} is documented ({found}).",
            path=f"$.{present}",
            body=outline_body(body),
        )
    names = ", ".join(repr(field_name(name)) for name in list(body)[:_MAX_NAMES]) or "no names"
    more = f" and {len(body) - _MAX_NAMES} more" if len(body) > _MAX_NAMES else ""
    hint = (
        " It looks like an error sent with a success status."
        if any(name in body for name in _ERROR_HINTS)
        else ""
    )
    return ResponseDecodeError(
        f"The answer has {names}{more}, where {_documented(shape)} is documented ({found}).{hint}",
        body=outline_body(body),
    )


def _reported_error(body: dict[str, Any]) -> Fault | None:
    for name in _ERROR_NAMES:
        if body.get(name):
            return Fault(f"$.{name}", "The answer reports an error although its status is success.")
    return None


def _read_token(
    body: dict[str, Any], shape: PageShape[Any]
) -> tuple[str | None, Fault | None, dict[str, int]]:
    drift: dict[str, int] = {}
    told = {name: body[name] for name in _TOKEN_SPELLINGS if body.get(name) is not None}
    if not shape.paged:
        for name in told:
            count_drift(drift, f"unknown_envelope_field:{name}")
        return None, None, drift
    if _TOKEN not in body and not shape.token_optional:
        count_drift(drift, f"missing_envelope_field:{_TOKEN}")
    for name, value in told.items():
        if not isinstance(value, str):
            return None, Fault(f"$.{name}", f"The answer has {kind(value)} as {name!r}."), drift
        if not value:
            count_drift(drift, f"empty_envelope_field:{name}")
        elif not _sendable(value):
            return None, Fault(f"$.{name}", f"The {name!r} is not valid Unicode."), drift
    tokens = {value for value in told.values() if value}
    if len(tokens) > 1:
        return None, Fault(f"$.{_TOKEN}", "The answer has two tokens that differ."), drift
    return next(iter(tokens), None), None, drift


def _sendable(token: str) -> bool:
    # JSON can escape half of a surrogate pair; no URL can carry it.
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True
