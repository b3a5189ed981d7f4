"""The assertion helpers: what they find, and that their messages name it."""

import base64
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import given

from deepidv_async import RateLimit
from deepidv_async.simulator import Entry
from deepidv_async.simulator._limits import Limits
from deepidv_async.testing import assert_no_key, assert_within_rate_limit

KEY = "canary/key+0123456789"


def entry(at, **fields):
    usual = {"generation": "v1", "method": "GET", "path": "/v1/sessions", "query": "", "items": 0}
    usual |= {"status": 200, "reason": "granted", "key": "right", "request_id": "r"}
    return Entry(at=at, **(usual | fields))


def test_traffic_within_the_limit():
    """A full burst, then one each 40 ms: the server with the published limit refuses nothing."""
    assert_within_rate_limit([])
    assert_within_rate_limit([entry(0)] * 35 + [entry(n / 25) for n in range(1, 1000)])


def test_the_first_that_came_too_early_is_named():
    """The message tells which request it was, by how much it was early, and how many there are."""
    journal = [entry(0)] * 35 + [entry(0.03, path="/workflow"), entry(0.035), entry(0.041)]
    with pytest.raises(AssertionError) as caught:
        assert_within_rate_limit(journal)
    assert str(caught.value) == (
        "2 of 38 requests would have been refused by a limit of 25/s with a burst of 35. The "
        "first is request 36, GET /workflow at 0.030 s: it came 0.010 s too early, with 0.75 "
        "tokens in the bucket."
    )


def test_other_limits():
    """The limit that is passed is the one that judges."""
    journal = [entry(0), entry(0), entry(0.5)]
    assert_within_rate_limit(journal, RateLimit(per_second=2, burst=2))
    with pytest.raises(AssertionError, match="1 of 3 requests"):
        assert_within_rate_limit(journal, RateLimit(per_second=2, burst=1))


@pytest.mark.parametrize(
    "fields",
    [{"key": "wrong"}, {"key": "missing"}, {"generation": None}, {"method": "POST"}],
    ids=str,
)
def test_what_costs_no_token_is_not_counted(fields):
    """Requests without the right key, for nothing, or of another method cost the key nothing."""
    assert_within_rate_limit([entry(0, **fields)] * 100 + [entry(0)] * 35)


@given(
    st.lists(st.floats(0, 0.3), min_size=1, max_size=150),
    st.floats(1, 50),
    st.integers(1, 20),
)
def test_it_judges_as_the_server_does(gaps, rate, burst):
    """It finds a culprit exactly where the simulator's bucket would have refused."""
    limits, at, refused, journal = Limits(), 0.0, 0, []
    for gap in gaps:
        at += gap
        journal.append(entry(at - gaps[0]))
        said = limits.take("k", now=at, today=None, rate=rate, burst=burst, per_day=None)
        refused += said is not None
    found = 0
    try:
        assert_within_rate_limit(journal, RateLimit(rate, burst))
    except AssertionError as error:
        found = int(str(error).split()[0])
    assert found == refused


@pytest.mark.parametrize(
    "form", [KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode()], ids=str
)
@pytest.mark.parametrize("raw", [False, True])
def test_a_key_is_found(form, raw):
    """A key is found as it is, percent-encoded and in base64; the message does not repeat it."""
    text = f"one\nx-api-key: {form}{form} two"
    with pytest.raises(AssertionError) as caught:
        assert_no_key(text.encode() if raw else text, KEY)
    assert "at character 15: 'one\\nx-api-key: [the API key][the API key] two'" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_text_without_the_key():
    """Nothing is found where nothing is; without a key there is nothing to tell."""
    assert_no_key("x-api-key: [redacted]", KEY)
    assert_no_key(b"\xff\xfe", KEY)
    with pytest.raises(ValueError, match="needs a key"):
        assert_no_key("text", "")
