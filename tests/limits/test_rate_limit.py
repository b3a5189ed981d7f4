"""The limit as numbers."""

import math

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.limits import RateLimit


def test_the_defaults_are_what_the_vendor_publishes():
    """25 requests/s, a burst of 35, 10,000 a day."""
    limit = RateLimit()
    assert (limit.per_second, limit.burst, limit.per_day) == (25, 35, 10_000)
    assert (limit.hold, limit.initial, limit.quota_window) == (0.5, None, "utc-day")


@pytest.mark.parametrize("name", ["per_second", "burst", "per_day", "hold"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 10**400, "5", True])
def test_a_number_that_makes_no_limit_is_refused(name, value):
    """Every number is finite and above zero; the error names it."""
    with pytest.raises(ConfigurationError, match=name):
        RateLimit(**{name: value})


@pytest.mark.parametrize("value", [0.5, 0.999])
def test_a_burst_below_one_lets_nothing_through(value):
    """A bucket that never holds a whole token would block for ever."""
    with pytest.raises(ConfigurationError, match="burst"):
        RateLimit(burst=value)


@pytest.mark.parametrize("value", [-1, 36, math.nan, "5", True])
def test_the_start_lies_within_the_bucket(value):
    """`initial` is a level: between empty and full."""
    with pytest.raises(ConfigurationError, match="initial"):
        RateLimit(initial=value)


def test_windows_have_names():
    """Two kinds of quota window are known."""
    with pytest.raises(ConfigurationError, match="quota_window"):
        RateLimit(quota_window="monthly")


def test_a_limit_may_be_without_a_quota():
    """`per_day=None` and an empty start are fine."""
    assert RateLimit(per_day=None, initial=0).per_day is None
