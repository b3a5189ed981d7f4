"""What is told of an error to those who keep logs: enough to act on, and nobody's data."""

import asyncio
import json

import pytest

from bad_answers import PERSON
from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    EndpointNotServedError,
    PartialPage,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    Workflow,
)
from deepidv_async._failures import failure_of

ALWAYS = {"error", "message", "status", "code", "hints", "request_id", "attempts"}


@pytest.mark.parametrize("ended", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt])
def test_a_call_that_was_stopped_has_not_failed(ended):
    """Cancellations, closings and signals are no failures."""
    assert failure_of(ended(), ()) is None


@pytest.mark.parametrize(
    "error",
    [
        LookupError(PERSON),
        ClientClosedError("closed"),
        ConfigurationError("wrong"),
        DeadlineExceededError("late", deadline=2.0),
        ResponseDecodeError("not JSON", path="$.x", body="bytes(3)", status=200, request_id="r"),
        RateLimitError("a pause", status=None, retry_after=100.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own_words_are_told(error):
    """The class is told, our message too, another library's not; a reader finds the same keys."""
    told = failure_of(error, [Attempt(1, 500, "ServerError", 0.1, request_id="r1")])
    assert told["error"] == type(error).__name__
    assert told["message"] == getattr(error, "message", "")
    assert told.keys() >= ALWAYS
    assert told["attempts"][0]["request_id"] == "r1"
    assert "operation" not in told  # the event has it
    assert PERSON not in json.dumps(told)


def test_of_a_status_the_servers_words_are_left_out():
    """The message tells the status and what to do, the outline how the body was made."""
    error = BadRequestError(PERSON, status=400, code="BATCH_TOO_LARGE", body={"message": "str(19)"})
    told = failure_of(error, ())
    assert told["message"] == f"HTTP 400. {BadRequestError.advice}"
    assert (told["status"], told["code"]) == (400, "BATCH_TOO_LARGE")
    assert told["body"] == {"message": "str(19)"}
    assert failure_of(APIStatusError("said", status=302), ())["message"] == "HTTP 302."
    elsewhere = failure_of(EndpointNotServedError(PERSON, status=404), ())["message"]
    assert elsewhere.startswith("HTTP 404. The host does not serve this generation")


@pytest.mark.parametrize("code", [PERSON, "", "1984-05-06", "x" * 41])
def test_a_code_that_is_no_name_is_outlined(code):
    """A code is a name made for programs; anything else may be anything."""
    error = BadRequestError("said", status=400, code=code)
    assert failure_of(error, ())["code"] == f"str({len(code)})"


def test_hints_tell_the_rule_and_not_the_value():
    """Of a refused parameter: which, what is expected; what was sent is told by its size."""
    hints = [
        {
            "code": "too_big",
            "path": ["sessions", 0, "limit"],
            "maximum": 500,
            "inclusive": True,
            "expected": None,
            "received": PERSON,
            "message": f"{PERSON} is too big",
            "type": f"{PERSON}",
            "field": ["a", PERSON],
            "origin": {"person": PERSON},
        },
        PERSON,
        [PERSON],
        7,
    ]
    told = failure_of(BadRequestError("said", status=400, hints=hints), ())["hints"]
    assert told == [
        {
            "code": "too_big",
            "path": ["sessions", 0, "limit"],
            "maximum": 500,
            "inclusive": True,
            "expected": None,
            "received": "str(19)",
            "message": "str(30)",
            "type": "str(19)",
            "field": ["str(1)", "… 1 more"],
            "origin": {"person": "str(19)"},
        },
        "str(19)",
        ["str(19)"],
        "number",
    ]


def test_why_no_connection_was_made():
    """The system's words are told: name not found, refused, certificate; nothing says more."""
    cause = "ConnectError: [Errno 111] Connection refused"
    error = APIConnectionError(f"Cannot connect to https://api. ({cause})", cause=cause)
    told = failure_of(error, ())
    assert told["cause"] == cause
    assert told["message"] == error.message


def test_what_could_not_be_read_is_not_quoted():
    """The HTTP library quotes a line that it cannot read, and that is a piece of an answer."""
    cause = f"RemoteProtocolError: illegal header line: bytearray(b'{PERSON}')"
    error = APIConnectionError(f"The connection broke. ({cause})", cause=cause)
    told = failure_of(error, ())
    assert told["cause"] == "RemoteProtocolError"
    assert told["message"] == "The connection broke. (RemoteProtocolError)"
    assert failure_of(APIConnectionError("gone"), ())["message"] == "gone"


def test_the_details_of_each_class():
    """What a class has beyond the others is told as well, as plain data."""
    timeout = failure_of(APITimeoutError("late", phase="read", cause="ReadTimeout"), ())
    assert (timeout["phase"], timeout["cause"]) == ("read", "ReadTimeout")
    assert failure_of(DeadlineExceededError("late", deadline=2.0), ())["deadline"] == 2.0
    partial = PartialPage((Workflow(id="wf", name=PERSON),), "token", ("$.workflows[1]",))
    decoding = failure_of(ResponseDecodeError("said", path="$.x", partial=partial), ())
    assert decoding["partial"] == {"items": 1, "unreadable": ["$.workflows[1]"]}
    assert decoding["path"] == "$.x"
    assert failure_of(QuotaExceededError("spent", status=429), ())["resets_at"] is None
