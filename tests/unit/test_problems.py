"""Error answers: which error each of them means, and what is kept of its words."""

import json
import pickle
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import (
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
from deepidv_async._problems import Origin, read_problem, status_error
from deepidv_async._redaction import MASK, Secret, outline
from deepidv_async._wire import WireRequest, WireResponse

KEY = "canary-0123456789-key"
NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
REQUEST = WireRequest("GET", "https://api.example/workflow/wf_1")
LEGACY_LIST = Origin(
    "list_workflows", "legacy", names_workflow=False, base_url="https://api.example"
)
LEGACY = Origin(
    "list_workflow_sessions", "legacy", names_workflow=True, base_url="https://api.example/dev"
)
V1 = attrs.evolve(LEGACY, api_version="v1")

ZOD = [
    {"code": "too_big", "maximum": 500, "path": ["limit"], "message": "Number must be <= 500"},
    {"code": "invalid_string", "path": ["start_date"], "message": "Invalid date"},
]
SANDBOX = "This is a sandbox API key. Use a live API key to create or modify resources."
TOO_LONG = "HTTP content length exceeded 10485760 bytes."
CONFLICT = {
    "error": "Step out of order",
    "current_step": 1,
    "step_id": "FACE_LIVENESS",
    "failure_reason": "STEP_CONFLICT",
}
AML_QUOTA = {
    "error": "Monthly quota exceeded",
    "code": "QUOTA_EXCEEDED",
    "quota": 1000,
    "used": 1000,
    "remaining": 0,
    "month": "2026-05",
    "resets_at": "2026-06-01T00:00:00.000Z",
}


@attrs.frozen
class Case:
    """An answer and what it means."""

    status: int
    body: bytes
    kind: type[APIStatusError]
    message: str = ""
    source: str = ""
    code: str | None = None
    hints: tuple = ()
    content_type: str = "application/json"
    headers: dict = attrs.field(factory=dict)
    origin: Origin = LEGACY


def of(status, value, kind, message=None, source=None, **more):
    """Make a case of a JSON object, whose words are its first of message, error and detail."""
    if source is None:
        source = next((name for name in ("message", "error", "detail") if value.get(name)), "")
        message = value.get(source, "")
    return Case(status, json.dumps(value).encode(), kind, message, source, **more)


def plain(status, text, kind, **more):
    """Make a case of a body in plain text."""
    return Case(
        status, text.encode(), kind, text.strip(), "text", content_type="text/plain", **more
    )


LEGACY_CASES = {
    "400": of(400, {"error": "Invalid Input."}, BadRequestError),
    "401": of(401, {"error": "Invalid API key."}, AuthenticationError),
    "402": of(402, {"error": "Insufficient funds or subscription."}, InsufficientFundsError),
    "403": of(403, {"error": "API key is missing."}, AuthenticationError),
    "429": of(429, {"error": "Rate limit exceeded."}, RateLimitError),
    "500": of(500, {"error": "Something went wrong."}, ServerError),
}
V1_CASES = {
    "400 with hints": of(
        400,
        {"message": "Validation failed", "hints": ZOD},
        BadRequestError,
        hints=tuple(ZOD),
    ),
    "400 with error": of(400, {"error": "limit must be 1 to 500"}, BadRequestError),
    "400 of the runner": of(
        400,
        {"message": "Unsupported", "hints": [], "invalid_steps": ["KYB"], "invalid_slots": []},
        BadRequestError,
    ),
    "400 with a code": of(
        400,
        {"error": "Too many transactions", "code": "BATCH_TOO_LARGE"},
        BadRequestError,
        code="BATCH_TOO_LARGE",
    ),
    "401 with detail": of(401, {"detail": "Invalid or missing API key"}, AuthenticationError),
    "401 with error": of(401, {"error": "Unauthorized"}, AuthenticationError),
    "402 in plain text": plain(402, "Insufficient funds or subscription.", InsufficientFundsError),
    "402 as JSON": of(402, {"error": "Insufficient funds"}, InsufficientFundsError),
    "403 sandbox": of(403, {"error": SANDBOX}, PermissionDeniedError),
    "403 other organization": of(403, {"error": "Forbidden"}, PermissionDeniedError),
    "403 no key": of(403, {"error": "API key is missing."}, AuthenticationError),
    "403 key in detail": of(403, {"detail": "Invalid or missing API key"}, AuthenticationError),
    "403 with a code": of(
        403, {"message": "No access", "code": "FORBIDDEN"}, PermissionDeniedError, code="FORBIDDEN"
    ),
    "404": of(404, {"error": "Workflow not found"}, NotFoundError),
    "404 with a code": of(
        404,
        {"message": "Workflow not found", "code": "WORKFLOW_NOT_FOUND"},
        NotFoundError,
        code="WORKFLOW_NOT_FOUND",
    ),
    "409": of(409, CONFLICT, APIStatusError),
    "409 legacy step": of(409, {"error": "legacy_step_config"}, APIStatusError),
    "410": of(410, {"error": "OAuth clients are managed in the console"}, APIStatusError),
    "422": of(422, {"error": "reverify_disabled"}, APIStatusError),
    "429": of(429, {"error": "Rate limit exceeded."}, RateLimitError),
    "429 of the AML quota": of(429, AML_QUOTA, QuotaExceededError, code="QUOTA_EXCEEDED"),
    "500": of(500, {"error": "Internal error"}, ServerError),
    "501": of(501, {"error": "Not implemented for live keys"}, ServerError),
    "503": of(503, {"error": "Screening is busy"}, ServerError),
    "withdrawn draft": of(
        400,
        {
            "request_id": "r",
            "status": "failed",
            "error": {"code": "bad_image", "message": "Blurred", "details": [{"slot": "FRONT"}]},
            "metadata": {},
        },
        BadRequestError,
        "Blurred",
        "error",
        code="bad_image",
        hints=({"slot": "FRONT"},),
    ),
}
GATEWAY_CASES = {
    "429 throttle": of(
        429,
        {"message": "Too Many Requests"},
        RateLimitError,
        headers={"x-amzn-errortype": "TooManyRequestsException"},
    ),
    "429 throttle without header": of(429, {"message": "Too Many Requests"}, RateLimitError),
    "429 quota": of(
        429,
        {"message": "Limit Exceeded"},
        QuotaExceededError,
        headers={"x-amzn-errortype": "LimitExceededException"},
    ),
    "429 quota without header": of(429, {"message": "Limit Exceeded"}, QuotaExceededError),
    "429 quota by header": of(
        429,
        {"message": None},
        QuotaExceededError,
        headers={"x-amzn-errortype": "LimitExceededException:http://internal.amazon.example/"},
    ),
    "403 forbidden": of(403, {"message": "Forbidden"}, AuthenticationError),
    "403 forbidden by header": of(
        403,
        {"message": None},
        AuthenticationError,
        headers={"x-amzn-errortype": "ForbiddenException"},
    ),
    "403 not served": of(403, {"message": "Missing Authentication Token"}, EndpointNotServedError),
    "403 not served, v1": of(
        403, {"message": "Missing Authentication Token"}, EndpointNotServedError, origin=V1
    ),
    "403 not served by header": of(
        403,
        {"message": None},
        EndpointNotServedError,
        headers={"x-amzn-errortype": "MissingAuthenticationTokenException"},
    ),
    "403 of an authorizer": of(
        403, {"message": "User is not authorized to access this resource"}, PermissionDeniedError
    ),
    "403 access denied": of(
        403,
        {"message": "Access Denied"},
        PermissionDeniedError,
        headers={"x-amzn-errortype": "AccessDeniedException"},
    ),
    "401 of an authorizer": of(401, {"message": "Unauthorized"}, AuthenticationError),
    "404 of a gateway without the route": of(404, {"message": "Not Found"}, EndpointNotServedError),
    "413 as JSON": of(413, {"message": "Request Too Long"}, APIStatusError),
    "413 in plain text": plain(413, TOO_LONG, APIStatusError),
    "500 with null": of(500, {"message": None}, ServerError),
    "502": of(502, {"message": "Internal server error"}, ServerError),
    "503": of(503, {"message": "Service Unavailable"}, ServerError),
    "504": of(504, {"message": "Endpoint request timed out"}, ServerError),
}
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
ODD_CASES = {
    "empty": Case(500, b"", ServerError, content_type=""),
    "empty 401": Case(401, b"", AuthenticationError, content_type=""),
    "empty 403": Case(403, b"", PermissionDeniedError),
    "empty 404": Case(404, b"", NotFoundError),
    "empty 404 of a list": Case(404, b"", EndpointNotServedError, origin=LEGACY_LIST),
    "404 of a list": of(404, {"error": "nope"}, EndpointNotServedError, origin=LEGACY_LIST),
    "empty 429": Case(429, b"", RateLimitError),
    "html": Case(502, HTML, ServerError, content_type="text/html"),
    "html without its type": Case(502, b"\n " + HTML, ServerError, content_type=""),
    "html called JSON": Case(403, HTML, PermissionDeniedError),
    "xml": Case(503, b"<Error><Code>SlowDown</Code></Error>", ServerError),
    "plain text called JSON": Case(
        402, b"Insufficient funds", InsufficientFundsError, "Insufficient funds", "text"
    ),
    "plain text on lines": plain(400, "  bad\ninput ", BadRequestError),
    "cut JSON": Case(500, b'{"error":"Something went wr', ServerError),
    "cut record": Case(500, b'[{"name":"Jane Doe","ema', ServerError),
    "JSON string": Case(400, b'"Invalid Input."', BadRequestError, "Invalid Input.", "text"),
    "JSON string without words": Case(400, b'" "', BadRequestError),
    "JSON number": Case(500, b"500", ServerError),
    "JSON null": Case(500, b"null", ServerError),
    "JSON array": Case(500, b'["Something went wrong."]', ServerError),
    "JSON object without words": of(500, {}, ServerError),
    "two documents": Case(500, b"{}{}", ServerError),
    "byte order mark": Case(
        400, b'\xef\xbb\xbf{"error":"Invalid Input."}', BadRequestError, "Invalid Input.", "error"
    ),
    "latin-1": Case(400, b"caf\xe9", BadRequestError, "caf\ufffd", "text"),
    "binary": Case(500, b"\x00\x01\x02", ServerError),
    "UTF-16": Case(
        400, '{"error":"x"}'.encode("utf-16"), BadRequestError, content_type="text/html"
    ),
    "NaN": Case(
        400,
        b'{"error":"bad number","hints":[NaN,-Infinity,1e999]}',
        BadRequestError,
        "bad number",
        "error",
        hints=("number", "number", "number"),
    ),
    "a number that Python refuses": Case(400, b'{"error":' + b"9" * 5000 + b"}", BadRequestError),
    "too deep to parse": Case(500, b"[" * 60_000, ServerError),
    "message and error": of(400, {"error": "b", "message": "a"}, BadRequestError),
    "message is no text": of(
        400, {"message": {"a": 1}, "error": "b"}, BadRequestError, "b", "error"
    ),
    "message is empty": of(400, {"message": " ", "error": "b"}, BadRequestError, "b", "error"),
    "error is an array": of(400, {"error": ["a"], "detail": "d"}, BadRequestError, "d", "detail"),
    "error is an empty object": of(400, {"error": {}}, BadRequestError),
    "code is a number": of(400, {"error": "a", "code": 7}, BadRequestError),
    "code is blank": of(400, {"error": "a", "code": " "}, BadRequestError),
    "code further in": of(
        400,
        {"code": 7, "error": {"code": "inner", "message": "m"}},
        BadRequestError,
        "m",
        "error",
        code="inner",
    ),
    "hints is a text": of(400, {"error": "a", "hints": "h"}, BadRequestError),
    "hints is null": of(
        400, {"error": "a", "hints": None, "details": [1]}, BadRequestError, hints=(1,)
    ),
    "302": Case(302, b"", APIStatusError, content_type=""),
    "304": Case(304, b"", APIStatusError, content_type=""),
    "402 with a code": of(
        402,
        {"error": "no", "code": "INSUFFICIENT_FUNDS"},
        InsufficientFundsError,
        code="INSUFFICIENT_FUNDS",
    ),
    "405": of(405, {"message": "Method Not Allowed"}, APIStatusError),
    "408": Case(408, b"", APIStatusError),
    "418": plain(418, "I am a teapot", APIStatusError),
    "451": of(451, {"error": "unavailable"}, APIStatusError),
    "520": Case(520, b"error code: 520", ServerError, "error code: 520", "text"),
    "599": Case(599, b"", ServerError),
}
CASES = {
    f"{name}: {case}": found
    for name, cases in {
        "legacy": LEGACY_CASES,
        "v1": V1_CASES,
        "gateway": GATEWAY_CASES,
        "odd": ODD_CASES,
    }.items()
    for case, found in cases.items()
}


def error_of(case, scrub=str):
    headers = {"content-type": case.content_type, **case.headers}
    response = WireResponse(case.status, headers, case.body)
    return status_error(REQUEST, response, case.origin, NOW, scrub)


def json_of(error):
    return json.dumps(error.to_dict(), allow_nan=False)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_an_answer_means(case):
    """Each documented, each of the gateway's and each odd answer has its class and its words."""
    error = error_of(case)
    assert type(error) is case.kind
    assert (error.status, error.code, error.hints) == (case.status, case.code, case.hints)
    problem = read_problem(case.body, case.content_type, str)
    assert (problem.message, problem.source) == (case.message.replace("\n", " "), case.source)
    assert error.body == problem.body is not None
    if case.message:
        assert error.message.startswith(problem.message.rstrip("."))
    else:
        assert error.message.startswith("no message (")
    assert error.operation in str(error)
    assert str(case.status) in str(error)
    json_of(error)


def test_the_table_is_whole():
    """Every class of the branch is met, and the table is no sample."""
    assert {case.kind for case in CASES.values()} == {
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
    }
    assert len(CASES) > 90


@pytest.mark.parametrize("name", ["odd: cut record", "odd: cut JSON", "odd: html"])
def test_half_a_document_is_not_shown(name):
    """A page, or JSON that is cut off, may hold a record: told by type and size only."""
    error = error_of(CASES[name])
    size = len(CASES[name].body)
    assert error.body == f"{CASES[name].content_type}, {size} bytes"
    assert "Jane" not in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("API key is missing.", AuthenticationError),
        ("api key missing", AuthenticationError),
        ("The API key has expired", AuthenticationError),
        ("x-api-key header is missing", AuthenticationError),
        ("Invalid API key", AuthenticationError),
        ("Invalid or missing API key", AuthenticationError),
        ("Missing x-api-key", AuthenticationError),
        ("Unknown API-Key", AuthenticationError),
        ("No API key provided", AuthenticationError),
        ("API key required", AuthenticationError),
        ("Missing Authentication Token", EndpointNotServedError),
        ("missing authentication token.", EndpointNotServedError),
        (SANDBOX, PermissionDeniedError),
        ("This API key lacks the required permission", PermissionDeniedError),
        ("Invalid resource for this API key", PermissionDeniedError),
        ("You have no access with this API key", PermissionDeniedError),
        ("Your keyapikey is missing", PermissionDeniedError),
        ("Workflow belongs to another organization", PermissionDeniedError),
        ("Token is missing", PermissionDeniedError),
        ("Forbidden", PermissionDeniedError),
    ],
)
def test_what_a_403_means(words, kind):
    """A key that is missing or not accepted is told from one that may not, by the words alone."""
    assert type(error_of(of(403, {"error": words}, kind))) is kind


@pytest.mark.parametrize(
    ("words", "spent"),
    [
        ("Limit Exceeded", True),
        ("limit exceeded.", True),
        ("Limit Exceeded for today", True),
        ("Rate limit exceeded.", False),
        ("Too Many Requests", False),
        ("Burst limit exceeded", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("name", ["message", "error"])
def test_what_a_429_means(words, name, spent):
    """A spent quota is told from a throttle, under either name."""
    error = error_of(of(429, {name: words}, APIStatusError))
    assert type(error) is (QuotaExceededError if spent else RateLimitError)


@pytest.mark.parametrize(
    ("origin", "setting"), [(LEGACY, "v1"), (V1, "legacy"), (LEGACY_LIST, "v1")]
)
def test_an_endpoint_that_is_not_served_names_the_setting(origin, setting):
    """The message has the setting to change, word for word, the host, and the call."""
    error = error_of(
        of(403, {"message": "Missing Authentication Token"}, APIStatusError, origin=origin)
    )
    text = str(error)
    assert f'AsyncDeepIDV(api_version="{setting}")' in text
    assert f"DEEPIDV_API_VERSION={setting}" in text
    assert f"{origin.base_url} does not serve the {origin.api_version} API" in text
    assert origin.operation in text
    assert error.status == 403
    assert "DEEPIDV_API_KEY" not in text
    assert ".." not in text


REDIRECTS = [
    ("https://evil.example/x?y", "redirects GET to evil.example, which"),
    ("//evil.example", "redirects GET to evil.example, which"),
    ("https://user:pw@evil.example", "redirects GET to evil.example, which"),
    ("/workflow/", "redirects GET to another path of the same host, which"),
    ("", "redirects GET to another path of the same host, which"),
    ("https://[", "redirects GET to another path of the same host, which"),
    ("https://" + "e" * 300, "e…, which"),
]


@pytest.mark.parametrize(("location", "words"), REDIRECTS, ids=range(len(REDIRECTS)))
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_names_the_host(status, location, words):
    """A redirect is not followed: the error says where to, that is which host, and why not."""
    error = error_of(Case(status, b"", APIStatusError, headers={"location": location}))
    assert type(error) is APIStatusError
    assert words in error.message
    assert "base_url" in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("status", [299, 400, 503])
def test_a_location_alone_is_no_redirect(status):
    """Outside of 3xx, where a header points to does not matter."""
    error = error_of(Case(status, b"", APIStatusError, headers={"location": "https://h"}))
    assert error.message.startswith("no message")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 06 May 2026 12:02:00 GMT"}, 120.0),
        ({"retry-after": "soon"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_is_asked_for(status, headers, seconds):
    """`Retry-After` becomes seconds and an instant, on whatever error it comes with."""
    error = error_of(Case(status, b"", APIStatusError, headers=headers))
    assert error.retry_after == seconds
    assert error.retry_at == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_a_wait_beyond_the_calendar():
    """An absurd `Retry-After` is kept as a wait, although it ends at no date."""
    error = error_of(Case(429, b"", APIStatusError, headers={"retry-after": "9" * 30}))
    assert (error.retry_after, error.retry_at) == (1e15, None)
    json_of(error)


@pytest.mark.parametrize(
    ("resets_at", "instant"),
    [
        ("2026-06-01T00:00:00.000Z", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T02:00:00+02:00", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T00:00:00", None),
        ("2026-06", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("soon", None),
        (1_780_000_000, None),
        (None, None),
        ([], None),
    ],
    ids=repr,
)
def test_when_a_quota_resets(resets_at, instant):
    """The body's own time, in UTC, if it is one."""
    error = error_of(of(429, {**AML_QUOTA, "resets_at": resets_at}, QuotaExceededError))
    assert error.resets_at == instant
    assert instant is None or error.resets_at.utcoffset() == timedelta()


def test_the_request_id_is_kept():
    """The id that support asks for is on the error and in its text."""
    error = error_of(Case(500, b"", ServerError, headers={"x-amzn-requestid": "req-1"}))
    assert error.request_id == "req-1"
    assert "(request id req-1)" in str(error)
    assert error_of(Case(500, b"", ServerError)).request_id is None


def test_long_words_are_shortened():
    """A message is a line, a code a word, hints a handful, whatever the server sends."""
    case = of(
        400,
        {"error": "line\n" * 1000, "code": "C" * 1000, "hints": list(range(1000))},
        BadRequestError,
    )
    error = error_of(case)
    assert len(error.message) == 300
    assert "\n" not in str(error)
    assert len(error.code) == 80
    assert error.hints == tuple(range(20))
    wide = {f"name{number}": {f"n{each}": 1 for each in range(50)} for number in range(50)}
    assert len(str(error_of(of(500, wide, ServerError)))) < 400


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"n": value}], ids=range(2))
@pytest.mark.parametrize("levels", [1, 5, 6, 7, 8, 800])
def test_deep_hints_are_cut(wrap, levels):
    """Hints nested without end would break every copy and pickle: below six levels, sizes only."""
    hint = "bottom"
    for _ in range(levels):
        hint = wrap(hint)
    error = error_of(of(400, {"error": "x", "hints": [hint]}, BadRequestError))
    (kept,) = error.hints
    assert pickle.loads(pickle.dumps(error)).hints == error.hints
    json_of(error)
    for _ in range(min(levels, 6)):
        (kept,) = kept.values() if isinstance(kept, dict) else kept
    assert kept == ("bottom" if levels <= 6 else outline(wrap(hint), 99))


def test_shallow_hints_are_kept_as_sent():
    """A validator's own entries come through unchanged."""
    hints = [{"path": ["a", 0, {"b": None}], "received": True, "number": 1.5}, "text"]
    assert error_of(of(400, {"error": "x", "hints": hints}, BadRequestError)).hints == tuple(hints)


def texts_of(value):
    """Every text inside an error's attributes."""
    match value:
        case str():
            yield value
        case dict():
            for name, item in value.items():
                yield from (name, *texts_of(item))
        case list() | tuple():
            for item in value:
                yield from texts_of(item)


ECHOES = [
    '{"error": %s}',
    '{"message": %s}',
    '{"detail": %s}',
    '{"error": {"message": %s, "code": %s, "details": [%s]}}',
    '{"error": "x", "code": %s}',
    '{"error": "x", "hints": [%s, {"received": %s}, [[%s]]]}',
    '{"error": "x", "hints": [{%s: 1}]}',
    "{%s: {%s: 1}}",
    "%s",
    "[%s]",
]
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=60)


@given(KEYS, st.sampled_from(ECHOES), st.booleans())
@settings(max_examples=150)
def test_an_echoed_key_is_scrubbed(key, echo, escaped):
    """A server that repeats the key, escaped as JSON may or not, does not make an error tell it."""
    written = "".join(f"\\u{ord(char):04x}" for char in key) if escaped else json.dumps(key)[1:-1]
    body = echo.replace("%s", f'"you sent {written}"').encode()
    case = Case(400, body, BadRequestError, headers={"x-request-id": f"r {key}"})
    error = error_of(case, Secret(key).scrub)
    found = [*texts_of(vars(error)), str(error)]
    assert any(MASK in text for text in found)
    assert not any(key in text for text in found)


@pytest.mark.parametrize("text", [f"no funds for {KEY}", f"<{KEY}>", f'{{"{KEY}'])
def test_an_echo_in_plain_text_is_scrubbed(text):
    """Text and broken JSON are scrubbed too, before they are shortened."""
    for padding in range(240, 320, 7):
        case = Case(402, ("." * padding + text).encode(), InsufficientFundsError)
        error = error_of(case, Secret(KEY).scrub)
        assert "canary" not in repr(vars(error)) + str(error)


MEANINGS = {
    400: {BadRequestError},
    401: {AuthenticationError},
    402: {InsufficientFundsError},
    403: {AuthenticationError, PermissionDeniedError, EndpointNotServedError},
    404: {NotFoundError, EndpointNotServedError},
    429: {RateLimitError, QuotaExceededError},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMED = st.dictionaries(
    st.sampled_from(
        ["message", "error", "detail", "code", "hints", "details", "resets_at", "status"]
    ),
    JSON | st.dictionaries(st.sampled_from(["message", "code", "details"]), JSON),
)
BODIES = st.binary(max_size=200) | (JSON | NAMED).map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "retry-after", "location", "x-amzn-errortype", "x-amzn-requestid"]
    ),
    st.text(max_size=40)
    | st.sampled_from(
        ["text/html", "application/json", "5", "https://h/x", "LimitExceededException"]
    ),
)


@given(
    st.sampled_from([*MEANINGS, 300, 302, 405, 409, 413, 422, 500, 502, 504])
    | st.integers(300, 599),
    BODIES,
    HEADERS,
    st.sampled_from([LEGACY_LIST, LEGACY, V1]),
)
@settings(max_examples=300)
def test_any_answer_is_an_error_of_its_status(status, body, headers, origin):
    """No body and no header raises, and none makes a status mean another class."""
    response = WireResponse(status, headers, body)
    error = status_error(REQUEST, response, origin, NOW, Secret(KEY).scrub)
    usual = {ServerError} if status >= 500 else {APIStatusError}
    assert type(error) in MEANINGS.get(status, usual)
    assert error.status == status
    assert error.message
    assert "\n" not in str(error)
    str(error).encode()
    json_of(error)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
