"""The error tree: what every error in it can do, whoever raises it."""

import copy
import io
import json
import pickle
import traceback
from datetime import UTC, datetime
from multiprocessing.reduction import ForkingPickler

import pytest

import deepidv_async
from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    DeepIDVError,
    EndpointNotServedError,
    InsufficientFundsError,
    InvalidArgumentError,
    NotFoundError,
    PartialPage,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    SharedLimitUnavailableError,
    TimeSpent,
    UnsupportedByAPIVersionError,
    Workflow,
)

AT = datetime(2026, 5, 6, 12, tzinfo=UTC)
ATTEMPTS = [
    Attempt(1, 503, "ServerError", 0.25, delay=0.5, request_id="r1"),
    Attempt(2, None, "APITimeoutError", 30.0),
]
STATUS = {
    "code": "A_CODE",
    "hints": [{"path": ["limit"], "received": None}],
    "body": {"error": "str(3)", "hints": [{"path": ["str(5)"]}]},
    "request_id": "r2",
    "operation": "list_workflows",
    "retry_after": 7.5,
    "retry_at": AT,
    "attempts": ATTEMPTS,
}
PARTIAL = PartialPage((Workflow("wf_1", name="Jane Doe"),), "token", ("$.workflows[1]",))

ERRORS = [
    DeepIDVError("what happened"),
    ConfigurationError("what happened"),
    UnsupportedByAPIVersionError("what happened"),
    InvalidArgumentError("what happened"),
    ClientClosedError("what happened"),
    APIConnectionError("what happened", cause="ReadError", retryable=False, attempts=ATTEMPTS),
    APITimeoutError("what happened", phase="read", cause="ReadTimeout", attempts=ATTEMPTS),
    DeadlineExceededError(
        "what happened", deadline=2.5, spent=TimeSpent(limited=2.0), attempts=ATTEMPTS
    ),
    SharedLimitUnavailableError("what happened"),
    ResponseDecodeError(
        "What happened.",
        path="$.workflows[1].id",
        body='{"workflows": ["…"]}',
        partial=PARTIAL,
        status=200,
        request_id="r2",
        attempts=ATTEMPTS,
    ),
    APIStatusError("what happened", status=409, **STATUS),
    BadRequestError("what happened", status=400, **STATUS),
    AuthenticationError("what happened", status=401, **STATUS),
    InsufficientFundsError("what happened", status=402, **STATUS),
    PermissionDeniedError("what happened", status=403, **STATUS),
    NotFoundError("what happened", status=404, **STATUS),
    EndpointNotServedError("what happened", status=403, **STATUS),
    RateLimitError("what happened", status=429, **STATUS),
    QuotaExceededError("what happened", status=429, resets_at=AT, **STATUS),
    ServerError("what happened", status=503, **STATUS),
]
BARE = [
    APIConnectionError("what happened"),
    APITimeoutError("what happened", phase="pool"),
    DeadlineExceededError("what happened"),
    ResponseDecodeError("What happened."),
    APIStatusError("what happened", status=500),
    RateLimitError("what happened", status=None),
    QuotaExceededError("what happened", status=None),
]
EVERY = [*ERRORS, *BARE]


def named(error):
    return f"{type(error).__name__}-{'bare' if error in BARE else 'full'}"


def family(kind):
    return {kind}.union(*map(family, kind.__subclasses__()))


def forked(error):
    """Cross to another process as `multiprocessing` does it."""
    return pickle.loads(ForkingPickler.dumps(error))


def pickled(protocol):
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


def pickled_in_python(error):
    """Cross by the pickler that is written in Python, which other serializers build on."""
    stream = io.BytesIO()
    pickle._Pickler(stream).dump(error)
    return pickle._loads(stream.getvalue())


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "fork": forked,
    "python": pickled_in_python,
} | {f"protocol {number}": pickled(number) for number in range(pickle.HIGHEST_PROTOCOL + 1)}


def test_the_list_is_whole():
    """Each class of the tree is public and is among the errors that are tried here."""
    tree = family(DeepIDVError)
    ours = {kind for kind in tree if kind.__module__.startswith("deepidv_async")}
    assert {type(error) for error in ERRORS} == ours
    assert all(getattr(deepidv_async, kind.__name__) is kind for kind in ours)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("error", EVERY, ids=named)
def test_an_error_crosses_whole(error, way):
    """Copied or pickled, an error keeps its class, arguments, attributes and text."""
    other = way(error)
    assert other is not error
    assert type(other) is type(error)
    assert other.args == error.args == (error.message,)
    assert vars(other) == vars(error)
    assert (str(other), repr(other)) == (str(error), repr(error))
    assert other.to_dict() == error.to_dict()
    assert other.user_message == error.user_message


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_cause_of_ours_comes_along(way):
    """The last real error under a `DeadlineExceededError` crosses with it, and its cause too."""
    error, last, first = (
        DeadlineExceededError("late"),
        ServerError("failed", status=503),
        APIConnectionError("broke"),
    )
    last.__cause__, error.__cause__ = first, last
    crossed = way(error)
    assert type(crossed.__cause__) is ServerError
    assert crossed.__cause__.status == 503
    assert str(crossed.__cause__.__cause__) == "broke"
    shown = "".join(traceback.format_exception(crossed))
    assert shown.index("broke") < shown.index("failed") < shown.index("late")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_foreign_cause_stays_behind(way):
    """Another library's error may hold a request or not pickle at all: it does not cross."""
    error = APIConnectionError("broke", cause="OSError: gone")
    error.__cause__ = OSError(lambda: "not picklable")
    crossed = way(error)
    assert crossed.__cause__ is None
    assert crossed.cause == "OSError: gone"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_notes_come_along(way):
    """What a caller noted on an error crosses with it."""
    error = ServerError("failed", status=500)
    error.add_note("while exporting")
    assert way(error).__notes__ == ["while exporting"]


def test_a_crossed_error_shows_its_new_context():
    """An error from another process that is raised while handling one shows that one too."""
    crossed = pickle.loads(pickle.dumps(ServerError("failed", status=500)))
    with pytest.raises(ServerError) as caught:
        try:
            {}["in here"]
        except KeyError:
            raise crossed  # noqa: B904 - the context is the point
    assert "in here" in "".join(traceback.format_exception(caught.value))


class TenantError(ServerError):
    """A user's own class, whose constructor takes other arguments."""

    def __init__(self, tenant):
        super().__init__("failed", status=500)
        self.tenant = tenant


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_users_subclass_crosses_too(way):
    """A subclass does not have to know how errors are rebuilt."""
    crossed = way(TenantError("acme"))
    assert type(crossed) is TenantError
    assert (crossed.tenant, crossed.status, crossed.args) == ("acme", 500, ("failed",))


@pytest.mark.parametrize("error", EVERY, ids=named)
def test_an_error_becomes_plain_data(error):
    """`to_dict` is strict JSON, names the class, and has every public attribute."""
    plain = error.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["error"] == type(error).__name__
    assert plain["message"] == str(error)
    assert plain.keys() == {"error", *vars(error)}


def test_plain_data_of_a_status_error():
    """Times become ISO 8601, attempts objects; private attributes and notes stay out."""
    error = QuotaExceededError("spent", status=429, resets_at=AT, **STATUS)
    error._private = object()
    error.add_note("a note")
    assert error.to_dict() == {
        "error": "QuotaExceededError",
        "message": str(error),
        "status": 429,
        "code": "A_CODE",
        "hints": [{"path": ["limit"], "received": None}],
        "body": {"error": "str(3)", "hints": [{"path": ["str(5)"]}]},
        "request_id": "r2",
        "operation": "list_workflows",
        "retry_after": 7.5,
        "retry_at": "2026-05-06T12:00:00+00:00",
        "attempts": [
            {
                "number": 1,
                "status": 503,
                "error": "ServerError",
                "elapsed": 0.25,
                "delay": 0.5,
                "request_id": "r1",
            },
            {
                "number": 2,
                "status": None,
                "error": "APITimeoutError",
                "elapsed": 30.0,
                "delay": None,
                "request_id": None,
            },
        ],
        "resets_at": "2026-05-06T12:00:00+00:00",
    }


def test_readable_records_are_counted_not_told():
    """A partial page goes into logs as a number and paths, never as records."""
    error = ResponseDecodeError("What happened.", partial=PARTIAL)
    assert error.to_dict()["partial"] == {"items": 1, "unreadable": ["$.workflows[1]"]}
    for text in (str(error), repr(error), json.dumps(error.to_dict()), repr(error.partial)):
        assert "Jane" not in text
    assert error.partial.items[0].name == "Jane Doe"


def test_time_spent_is_told_by_phase():
    """Where the time went is an object of four numbers."""
    error = DeadlineExceededError("late", deadline=3, spent=TimeSpent(1.0, 0.5, 1.25, 0.25))
    assert error.to_dict()["spent"] == {
        "limited": 1.0,
        "queued": 0.5,
        "on_wire": 1.25,
        "backing_off": 0.25,
    }
    assert DeadlineExceededError("late").spent == TimeSpent()


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidArgumentError, ValueError),
        (ClientClosedError, RuntimeError),
        (DeadlineExceededError, TimeoutError),
    ],
)
def test_pythons_own_errors_catch_ours(kind, builtin):
    """Three errors are also what Python itself would raise."""
    with pytest.raises(builtin):
        raise kind("what happened")


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (APITimeoutError, [APIConnectionError]),
        (QuotaExceededError, [RateLimitError, APIStatusError]),
        (EndpointNotServedError, [NotFoundError, APIStatusError]),
        (BadRequestError, [APIStatusError]),
        (AuthenticationError, [APIStatusError]),
        (InsufficientFundsError, [APIStatusError]),
        (PermissionDeniedError, [APIStatusError]),
        (ServerError, [APIStatusError]),
    ],
)
def test_the_tree(kind, parents):
    """A class is caught by those above it, and by no other of ours."""
    ours = [each for each in kind.__mro__ if issubclass(each, DeepIDVError)]
    assert ours == [kind, *parents, DeepIDVError]


@pytest.mark.parametrize("error", EVERY, ids=named)
def test_a_user_message_is_a_sentence(error):
    """What an end user may see is a sentence, and says nothing of keys, quotas or HTTP."""
    said = error.user_message
    assert said[0].isupper()
    assert said.endswith(".")
    assert not {"api", "key", "http", "quota", "429"} & set(said.lower().split())


@pytest.mark.parametrize("error", EVERY, ids=named)
def test_a_user_status_is_never_the_api_s(error):
    """What a service answers its own caller with does not blame him for our key or our limit."""
    said = error.user_status
    assert said in {400, 404, 500, 502, 503, 504}
    theirs = (BadRequestError, InvalidArgumentError, NotFoundError, PermissionDeniedError)
    blamed = isinstance(error, theirs) and not isinstance(error, EndpointNotServedError)
    assert (said < 500) == blamed
    # "Please try again in a moment" goes with the statuses that mean the same to a program.
    assert ("in a moment" in error.user_message) == (said in {503, 504})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (APIStatusError("no", status=409), "HTTP 409: no."),
        (APIStatusError("no", status=409, operation="call"), "HTTP 409 from call: no."),
        (APIStatusError("no.", status=409, request_id="r"), "HTTP 409: no. (request id r)"),
        (
            APIStatusError("Why?", status=409, retry_after=7),
            "HTTP 409: Why? The server asks to wait 7 s.",
        ),
        (
            APIStatusError("cut…", status=409, attempts=ATTEMPTS),
            "HTTP 409: cut… [after 2 attempts]",
        ),
        (APIStatusError("no", status=409, attempts=ATTEMPTS[:1]), "HTTP 409: no."),
        (APIStatusError("Stop!", status=409), "HTTP 409: Stop!"),
        (
            RateLimitError("paused.", status=None, retry_after=90),
            f"paused. {RateLimitError.advice}",
        ),
        (EndpointNotServedError("set this.", status=403), "HTTP 403: set this."),
        (APIConnectionError("broke", attempts=ATTEMPTS), "broke [after 2 attempts]"),
        (APIConnectionError("broke", attempts=ATTEMPTS[:1]), "broke"),
        (ResponseDecodeError("Wrong."), "Wrong. At $."),
        (
            ResponseDecodeError("Wrong.", path="$.a", body="{}", request_id="r"),
            "Wrong. At $.a. Body: {}. (request id r)",
        ),
        (DeadlineExceededError("late"), "late"),
    ],
    ids=range(14),
)
def test_texts(error, text):
    """Status, call, the server's words, what to do, how long, which request, how many tries."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (BadRequestError, "page size"),
        (AuthenticationError, "DEEPIDV_API_KEY"),
        (InsufficientFundsError, "Top up"),
        (PermissionDeniedError, "live key"),
        (NotFoundError, "list_workflows()"),
        (RateLimitError, "rate_limit=first.rate_limiter"),
        (QuotaExceededError, "reset"),
        (ServerError, "Try again later"),
    ],
)
def test_each_status_says_what_to_do(kind, words):
    """The text of an error ends in advice."""
    assert words in str(kind("Refused", status=400))


def test_what_is_not_said_is_nothing():
    """An error that was told only its message claims no more than that."""
    assert vars(APIConnectionError("x")) == {
        "message": "x",
        "cause": "",
        "retryable": True,
        "attempts": (),
    }
    assert APITimeoutError("x", phase="read").retryable
    assert set(vars(ResponseDecodeError("x")).values()) == {"x", "$", None, ()}
    assert DeadlineExceededError("x").deadline is None
    bare = vars(QuotaExceededError("x", status=None))
    assert {name for name, value in bare.items() if value} == {"message"}


def test_sequences_become_tuples():
    """What an error keeps cannot be changed through the list that it was made from."""
    attempts, hints = list(ATTEMPTS), [1]
    errors = [
        APIStatusError("x", status=400, hints=hints, attempts=attempts),
        APIConnectionError("x", attempts=attempts),
        DeadlineExceededError("x", attempts=attempts),
        ResponseDecodeError("x", attempts=attempts),
    ]
    attempts.clear()
    hints.clear()
    assert [error.attempts for error in errors] == [tuple(ATTEMPTS)] * 4
    assert errors[0].hints == (1,)
