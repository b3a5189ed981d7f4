"""Verdicts on failed tries: pure functions of the error and the number of the try."""

import pickle
import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
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
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    SharedLimitUnavailableError,
    UnsupportedByAPIVersionError,
)
from deepidv_async._retry import Retry, Stop

WORTH = [
    RateLimitError("x", status=429),
    ServerError("x", status=500),
    ServerError("x", status=503),
    ServerError("x", status=504),
    APIConnectionError("x"),
    APITimeoutError("x", phase="read"),
]
NOT_WORTH = [
    APIConnectionError("x", retryable=False),
    QuotaExceededError("x", status=429),
    QuotaExceededError("x", status=None),
    APIStatusError("x", status=409),
    BadRequestError("x", status=400),
    AuthenticationError("x", status=401),
    InsufficientFundsError("x", status=402),
    PermissionDeniedError("x", status=403),
    NotFoundError("x", status=404),
    EndpointNotServedError("x", status=403),
    ResponseDecodeError("x"),
    DeadlineExceededError("x"),
    ClientClosedError("x"),
    SharedLimitUnavailableError("x"),
    ConfigurationError("x"),
    InvalidArgumentError("x"),
    UnsupportedByAPIVersionError("x"),
    DeepIDVError("x"),
]
SPANS = st.floats(0, 1e6)


def policy(**options):
    """Make a policy whose jitter is always at its upper end."""
    return RetryPolicy(random=lambda: 1.0, **options)


def named(error):
    return f"{type(error).__name__}-{getattr(error, 'status', '')}"


def test_defaults():
    """Three retries, from half a second, at most 30 s, and no longer wait than a minute."""
    assert attrs.asdict(RetryPolicy()) | {"random": None} == {
        "max_retries": 3,
        "initial": 0.5,
        "maximum": 30.0,
        "retry_after_cap": 60.0,
        "random": None,
    }


@pytest.mark.parametrize("error", WORTH, ids=named)
def test_what_is_repeated(error):
    """A throttle, 5xx, connection errors and timeouts, as often as the policy says."""
    verdicts = [policy(max_retries=2).verdict(error, attempt) for attempt in (1, 2, 3, 4)]
    assert verdicts == [Retry(0.5), Retry(1.0), Stop("no retries left"), Stop("no retries left")]


@pytest.mark.parametrize("error", NOT_WORTH, ids=named)
def test_what_is_not_repeated(error):
    """What another try cannot cure is raised at once."""
    assert policy().verdict(error, 1) == Stop("not retryable")


@pytest.mark.parametrize("error", WORTH, ids=named)
def test_no_retries_means_one_request(error):
    """`max_retries=0` stops after the first try."""
    assert policy(max_retries=0).verdict(error, 1) == Stop("no retries left")


@pytest.mark.parametrize(
    ("retry_after", "verdict"),
    [
        (None, Retry(0.5)),
        (0.0, Retry(0.5)),
        (0.25, Retry(0.5)),
        (7.0, Retry(7.0)),
        (60.0, Retry(60.0)),
        (60.001, Stop("Retry-After above the cap")),
        (1e15, Stop("Retry-After above the cap")),
    ],
)
@pytest.mark.parametrize("kind", [RateLimitError, ServerError])
def test_retry_after_is_obeyed(kind, retry_after, verdict):
    """A wait that the server asks for is kept in full, or not begun at all."""
    error = kind("x", status=429, retry_after=retry_after)
    assert policy().verdict(error, 1) == verdict


def test_a_cap_of_nothing():
    """With a cap of zero any wait that the server asks for is too long."""
    strict = policy(retry_after_cap=0)
    assert strict.verdict(RateLimitError("x", status=429, retry_after=0.1), 1) == Stop(
        "Retry-After above the cap"
    )
    assert strict.verdict(RateLimitError("x", status=429, retry_after=0.0), 1) == Retry(0.5)


POLICIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 9),
    initial=SPANS,
    maximum=SPANS,
    retry_after_cap=SPANS,
    random=st.randoms().map(lambda source: source.random),
)


@given(POLICIES, SPANS | st.none(), st.integers(1, 12))
@settings(max_examples=100)
def test_every_verdict_keeps_the_policy(rules, retry_after, attempt):
    """No delay is shorter than was asked for, none random above the ceiling; no try too many."""
    verdict = rules.verdict(RateLimitError("x", status=429, retry_after=retry_after), attempt)
    asked = retry_after or 0.0
    if isinstance(verdict, Stop):
        assert attempt > rules.max_retries or asked > rules.retry_after_cap
    else:
        assert attempt <= rules.max_retries
        assert asked <= rules.retry_after_cap
        ceiling = min(rules.maximum, rules.initial * 2 ** (attempt - 1))
        assert asked <= verdict.delay <= max(asked, ceiling)


def test_the_ceiling_doubles_up_to_the_maximum():
    """0.5, 1, 2, ... 30 seconds, and never an overflow."""
    rules = policy(max_retries=10**6)
    assert [rules.backoff(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert rules.backoff(10**6) == 30
    assert policy(initial=1e-300).backoff(10**6) < 1e-250
    assert policy(initial=0).backoff(5) == 0
    assert policy(initial=1e308, maximum=5).backoff(100) == 5


def test_jitter_is_full():
    """A delay lies anywhere between nothing and the ceiling, each part of it as likely."""
    rules = RetryPolicy(initial=8, random=random.Random(7).random)
    drawn = [rules.backoff(1) for _ in range(400)]
    assert 0 <= min(drawn) < 0.2
    assert 7.8 < max(drawn) <= 8
    assert 3.5 < sum(drawn) / len(drawn) < 4.5


@pytest.mark.parametrize("value", [-1, True, False, 1.5, "3", None, float("nan"), [3]], ids=repr)
def test_a_wrong_number_of_retries(value):
    """Retries are counted in whole numbers."""
    with pytest.raises(ConfigurationError, match=r"max_retries=\.\.\.\) must be a whole number"):
        RetryPolicy(max_retries=value)


@pytest.mark.parametrize("name", ["initial", "maximum", "retry_after_cap"])
@pytest.mark.parametrize("value", [-0.1, True, "3", None, float("nan"), float("inf")], ids=repr)
def test_a_wrong_span(name, value):
    """A span is refused by its own name."""
    with pytest.raises(ConfigurationError, match=rf"RetryPolicy\({name}="):
        RetryPolicy(**{name: value})


def test_a_policy_is_a_value():
    """Frozen, compared by its numbers, shown without its source of chance, and picklable."""
    assert RetryPolicy() == RetryPolicy(random=lambda: 0.0) != RetryPolicy(max_retries=1)
    assert hash(RetryPolicy()) == hash(RetryPolicy(random=lambda: 0.0))
    assert "random" not in repr(RetryPolicy())
    assert pickle.loads(pickle.dumps(RetryPolicy(initial=2))) == RetryPolicy(initial=2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().max_retries = 9
