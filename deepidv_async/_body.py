"""A success body up to its records: bytes to JSON, JSON to envelope, nothing taken on trust.

A gateway page, half a document or an error object sent with status 200 must never look like "no
sessions", so everything that is not a documented envelope raises `ResponseDecodeError`. Its text
tells what was found by kind, length and names. The JSON parser's own error is dropped, not
chained: it carries the whole document, and the document is personal data.

Where a body could be read in more than one way:

- an accepted name holds anything but a list or null: refused, whatever stands under the others;
- several accepted names hold lists: an empty one before a filled one is refused, since nobody can
  tell whether it means "none"; of two filled ones the first, in the order of the shape, is
  `partial` of the refusal; empty ones behind the first count as drift;
- a failure is reported beside the list (`error` or `errors` that is not empty, `success` that is
  false): refused, the records are `partial`. A text in `message` or `detail` is drift only, since
  it may well say "OK", unless the list is empty: then it may say why;
- the token is spelled `nextToken`, as sibling lists of the API do: it is read. Two spellings that
  disagree are refused, and so is a token where no paging exists: it says that records are missing;
- the documented token is absent: the end, and drift. The API leaves out what is null elsewhere, so
  refusing would lose whole lists, and `SchemaDrift` tells who wants to know.

The server chooses the names of fields and may echo the API key in one. `scrub` is applied to the
whole name, before it is cut: half a key would no longer be found.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._json import parse_json
from deepidv_async._redaction import clean_text, outline
from deepidv_async._shape import Fault, PageShape, Scrub, count_drift, field_name
from deepidv_async._values import is_array, is_object, kind

__all__ = [
    "Envelope",
    "outline_body",
    "read_envelope",
]

_TOKEN: Final = "next_token"  # noqa: S105 - the name of a cursor, not a secret
_TOKEN_SPELLINGS: Final = (_TOKEN, "nextToken")
_ERROR_NAMES: Final = ("error", "errors")
_SPEAKING_NAMES: Final = ("message", "detail")
_TWO: Final = 2
_MAX_NAMES: Final = 12


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


def outline_body(body: Any, scrub: Scrub = str) -> str:
    """Draw a parsed body on one short line: names, types and lengths."""
    return clean_text(json.dumps(outline(body, scrub=scrub), ensure_ascii=False))


def read_envelope(
    body: bytes, shape: PageShape[Any], *, content_type: str = "", scrub: Scrub = str
) -> Envelope:
    """Parse a body and find its list.

    Args:
        body: the whole body, inflated.
        shape: what is documented.
        content_type: the header's value; only told in messages.
        scrub: takes the API key out of what the server wrote.

    Raises:
        ResponseDecodeError: the body is not JSON, or holds no list that can be trusted.
    """
    parsed, problem = parse_json(body)
    if (envelope := _as_documented(parsed, shape)) is not None:
        return envelope
    told = clean_text(scrub(content_type), 80) or "not given"
    found = f"{len(body)} bytes, content type {told}"
    if problem:
        raise ResponseDecodeError(
            f"The answer is not JSON: {problem} ({found}).", body=f"bytes({len(body)})"
        )
    if is_object(parsed):
        return _Answer(parsed, shape, found, scrub).open()
    if is_array(parsed) and shape.bare_array:
        token, fault, drift = _read_token({}, shape)
        return Envelope(parsed, parsed, "$", token, fault, drift)
    raise ResponseDecodeError(
        f"The answer is {kind(parsed)}, where {_documented(shape)} is documented ({found}).",
        body=outline_body(parsed, scrub),
    )


def _as_documented(parsed: Any, shape: PageShape[Any]) -> Envelope | None:
    """Open the usual answer: a filled list under its first name, a sound token, no more."""
    name = shape.envelopes[0]
    if not is_object(parsed) or not is_array(records := parsed.get(name)) or not records:
        return None
    told, token = _TOKEN in parsed, parsed.get(_TOKEN)
    expected = shape.paged if told else shape.token_optional or not shape.paged
    sound = token is None or (isinstance(token, str) and token.isascii() and token != "")
    if not (expected and sound) or len(parsed) != 1 + told:
        return None
    return Envelope(parsed, records, f"$.{name}", token, None, {})


def _documented(shape: PageShape[Any]) -> str:
    names = " or ".join(repr(name) for name in shape.envelopes)
    return f"an object with a list in {names}{' or a bare array' if shape.bare_array else ''}"


@attrs.frozen
class _Answer:
    """A body that is an object, and what is known about it."""

    body: dict[str, Any] = attrs.field(repr=False)
    shape: PageShape[Any]
    found: str
    scrub: Scrub = attrs.field(repr=False)

    def open(self) -> Envelope:
        """Find the list and what stands beside it."""
        body = self.body
        told = [name for name in self.shape.envelopes if body.get(name) is not None]
        wrong = [name for name in told if not is_array(body[name])]
        if wrong or not told:
            raise self._without_list(wrong)
        name = told[0]
        filled = [other for other in told if body[other]]
        if not body[name]:
            self._check_empty(name, filled)
        token, fault, drift = _read_token(body, self.shape)
        fault = _reported_failure(body) or _two_lists(filled) or fault
        for other in body:
            if other != name and other not in _TOKEN_SPELLINGS:
                count_drift(drift, f"unknown_envelope_field:{field_name(other, self.scrub)}")
        return Envelope(body, body[name], f"$.{name}", token, fault, drift)

    def _check_empty(self, name: str, filled: list[str]) -> None:
        if filled:
            raise self._error(
                f"The answer has an empty list in {name!r} and records in {filled[0]!r}: "
                "it cannot be told which is meant.",
                f"$.{name}",
            )
        if failure := _reported_failure(self.body):
            raise self._error(failure.message, failure.path)
        for speaking in _SPEAKING_NAMES:
            said = self.body.get(speaking)
            if isinstance(said, str) and said.strip():
                raise self._error(
                    f"The answer has an empty list in {name!r} and a text in {speaking!r}, "
                    "which may tell of an error.",
                    f"$.{speaking}",
                )

    def _without_list(self, wrong: list[str]) -> ResponseDecodeError:
        body, where = self.body, f"where {_documented(self.shape)} is documented ({self.found})."
        present = wrong or [name for name in self.shape.envelopes if name in body]
        if present:
            name = present[0]
            return self._error(
                f"The answer has {kind(body[name])} in {name!r}, {where}", f"$.{name}"
            )
        shown = [repr(field_name(name, self.scrub)) for name in list(body)[:_MAX_NAMES]]
        names = ", ".join(shown) or "no names"
        more = f" and {len(body) - _MAX_NAMES} more" if len(body) > _MAX_NAMES else ""
        error = any(name in body for name in (*_ERROR_NAMES, *_SPEAKING_NAMES))
        hint = " It looks like an error sent with a success status." if error else ""
        return self._error(f"The answer has {names}{more}, {where}{hint}", "$")

    def _error(self, message: str, path: str) -> ResponseDecodeError:
        return ResponseDecodeError(message, path=path, body=outline_body(self.body, self.scrub))


def _reported_failure(body: dict[str, Any]) -> Fault | None:
    names = [name for name in _ERROR_NAMES if body.get(name)]
    if body.get("success") is False:
        names.append("success")
    if not names:
        return None
    return Fault(f"$.{names[0]}", "The answer reports an error although its status is success.")


def _two_lists(filled: list[str]) -> Fault | None:
    if len(filled) < _TWO:
        return None
    first, second = filled[:_TWO]
    return Fault(
        f"$.{second}",
        f"The answer has records in {first!r} and in {second!r}: "
        "it cannot be told which are meant.",
    )


def _read_token(
    body: dict[str, Any], shape: PageShape[Any]
) -> tuple[str | None, Fault | None, dict[str, int]]:
    drift: dict[str, int] = {}
    told = {name: body[name] for name in _TOKEN_SPELLINGS if body.get(name) is not None}
    if shape.paged and _TOKEN not in body and not shape.token_optional:
        count_drift(drift, f"missing_envelope_field:{_TOKEN}")
    for name, value in told.items():
        if value == "":
            count_drift(drift, f"empty_envelope_field:{name}")
        elif flaw := _flaw_of_token(name, value, shape):
            return None, Fault(f"$.{name}", flaw), drift
    tokens = {value for value in told.values() if value}
    if len(tokens) > 1:
        return None, Fault(f"$.{_TOKEN}", "The answer has two tokens that differ."), drift
    return next(iter(tokens), None), None, drift


def _flaw_of_token(name: str, value: Any, shape: PageShape[Any]) -> str | None:
    if not shape.paged:
        return (
            f"The answer has a {name!r}, so there are more records, and the legacy API has no "
            'paging to fetch them: use api_version="v1".'
        )
    if not isinstance(value, str):
        return f"The answer has {kind(value)} as {name!r}."
    return None if _sendable(value) else f"The {name!r} is not valid Unicode."


def _sendable(token: str) -> bool:
    # JSON can escape half of a surrogate pair; no URL can carry it.
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True
