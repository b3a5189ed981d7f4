"""What callers may pass: every argument is good as it is, or refused before any request."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deepidv_async._arguments import (
    check_limit,
    check_page_size,
    check_period,
    check_token,
    check_workflow_id,
)
from deepidv_async._errors import DeepIDVError, InvalidArgumentError
from deepidv_async._wire import join_url

BASE = "https://api.example"
RENDERED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MILLISECOND = timedelta(milliseconds=1)
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
HUGE = 10**5000


def brief(value):
    """Make a test's id of a value that may be long, unprintable or both."""
    if isinstance(value, int | float):
        return "huge" if value == HUGE else ("-huge" if value == -HUGE else repr(value))
    text = ascii(value)
    return text if len(text) < 30 else f"{text[:20]}-{len(text)}"


def refused(check, *arguments):
    with pytest.raises(InvalidArgumentError) as caught:
        check(*arguments)
    return str(caught.value)


GOOD_IDS = [
    "0b7f3c1e-1111-4222-8333-944455566677",
    "wf_1",
    "test_workflow",
    "sess:1@host",
    "...",
    ".hidden",
    "with space",
    "été",
    "工作流",
    "a&b=c+d;e",
    "{workflow_id}",
    "x" * 512,
]
BAD_IDS = [
    ("", "empty"),
    ("   ", "empty"),
    ("\n", "empty"),
    (".", "dot segment"),
    ("..", "dot segment"),
    ("/", "holds /"),
    ("a/b", "holds /"),
    ("../sessions", "holds /"),
    ("a\\b", r"holds \\"),
    ("a?b=c", r"holds \?"),
    ("a#b", "holds #"),
    ("a%2Fb", "holds %"),
    ("a?b#c", r"holds # \?"),
    ("a\nb", "cannot be printed"),
    ("a\r\nx-api-key: b", "cannot be printed"),
    ("a\tb", "cannot be printed"),
    ("a\x00b", "cannot be printed"),
    ("a\x7fb", "cannot be printed"),
    ("a\x85b", "cannot be printed"),
    ("a\u2028b", "cannot be printed"),
    ("a\u200bb", "cannot be printed"),
    ("a\u00a0b", "cannot be printed"),
    ("a\ud800b", "cannot be printed"),
    ("x" * 513, "513 characters"),
    ("x" * 10_000, "10000 characters"),
    (None, "a str, not NoneType"),
    (5, "a str, not int"),
    (True, "a str, not bool"),
    (b"wf_1", "a str, not bytes"),
    (["wf_1"], "a str, not list"),
]


@pytest.mark.parametrize("workflow_id", GOOD_IDS, ids=brief)
def test_an_id_passes_as_it_is(workflow_id):
    """The format of ids is not promised, so whatever can be a path segment passes unchanged."""
    assert check_workflow_id(workflow_id) == workflow_id


@pytest.mark.parametrize(("workflow_id", "why"), BAD_IDS, ids=brief)
def test_a_wrong_id_is_refused(workflow_id, why):
    """An id that is none, or would change what the URL names, is refused with the reason."""
    message = refused(check_workflow_id, workflow_id)
    assert message.startswith("workflow_id ")
    assert re.search(why, message)
    assert len(message) < 200


@given(st.text())
@example("..")
def test_an_accepted_id_is_one_segment_of_the_path(workflow_id):
    """Any text is refused, or comes back from the URL whole, as one segment and nothing else."""
    try:
        accepted = check_workflow_id(workflow_id)
    except InvalidArgumentError:
        return
    parts = urlsplit(join_url(BASE, "/workflow/{workflow_id}", accepted, []))
    assert (parts.netloc, parts.query, parts.fragment) == ("api.example", "", "")
    assert parts.path.isascii()
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "workflow", workflow_id]


GOOD_TOKENS = ["abc", "eyJpZCI6ICJ4In0=", "a+b/c==", ".", "..", "%2F", "a?b#c&d", "x" * 8192]
BAD_TOKENS = [
    ("", "empty"),
    (" ", "empty"),
    ("a\nb", "cannot be printed"),
    ("\ud800", "cannot be printed"),
    ("x" * 8193, "8193 characters"),
    (None, "a str, not NoneType"),
    (7, "a str, not int"),
]


@pytest.mark.parametrize("token", GOOD_TOKENS, ids=brief)
def test_a_cursor_passes_as_it_is(token):
    """A cursor is the server's business: only what no URL could carry is refused."""
    assert check_token(token) == token


@pytest.mark.parametrize(("token", "why"), BAD_TOKENS, ids=brief)
def test_a_wrong_cursor_is_refused(token, why):
    """A cursor that cannot be one is refused by its name, and not shown."""
    message = refused(check_token, token)
    assert message.startswith("next_token ")
    assert why in message
    assert len(message) < 120


@given(st.text())
@example("a+b/c== &d")
def test_an_accepted_cursor_survives_the_query(token):
    """Any text is refused, or the server reads it as it was given."""
    try:
        accepted = check_token(token)
    except InvalidArgumentError:
        return
    query = urlsplit(join_url(BASE, "/v1/sessions", None, [("next_token", accepted)])).query
    assert query.isascii()
    assert parse_qsl(query, strict_parsing=True) == [("next_token", token)]


@given(st.integers(-10, 600) | st.integers())
@example(0)
@example(1)
@example(500)
@example(501)
def test_page_sizes_run_from_1_to_500(size):
    """The documented range is accepted, nothing outside of it, and the message says both."""
    if 1 <= size <= 500:
        assert check_page_size(size) == size
    else:
        assert "from 1 to 500" in refused(check_page_size, size)


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "got 0."),
        (501, "got 501."),
        (-1, "got -1."),
        (True, "got True."),
        (False, "got False."),
        (50.0, "got 50.0."),
        (float("nan"), "got nan."),
        (None, "got None."),
        ("50", "got an object of type str."),
        ("x" * 10_000, "got an object of type str."),
        ([50], "got an object of type list."),
        (HUGE, "got an object of type int."),
    ],
    ids=brief,
)
def test_a_wrong_page_size_is_told_briefly(size, told):
    """A page size is a whole number and no bool; a wrong one is shown if it can be, else typed."""
    assert refused(check_page_size, size).endswith(told)


def test_a_bound_is_a_count_or_none():
    """An upper bound is zero, more, or `None` for no bound."""
    assert [check_limit("max_items", each) for each in (None, 0, 1, HUGE)] == [None, 0, 1, HUGE]


@pytest.mark.parametrize("bound", [-1, -HUGE, True, False, 1.0, "5", [], {}], ids=brief)
def test_a_wrong_bound_is_refused(bound):
    """What is no count is refused by the argument's name."""
    message = refused(check_limit, "max_items", bound)
    assert message.startswith("max_items must be a whole number of 0 or more")


PERIODS = [
    (NOON, "2026-05-06T12:00:00.000Z", "2026-05-06T12:00:00.000Z"),
    (NOON.replace(microsecond=1000), "2026-05-06T12:00:00.001Z", "2026-05-06T12:00:00.001Z"),
    (NOON.replace(microsecond=1), "2026-05-06T12:00:00.000Z", "2026-05-06T12:00:00.001Z"),
    (NOON.replace(microsecond=999_500), "2026-05-06T12:00:00.999Z", "2026-05-06T12:00:01.000Z"),
    (
        datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        "2026-12-31T23:59:59.999Z",
        "2027-01-01T00:00:00.000Z",
    ),
    (
        datetime(2026, 5, 6, 2, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "2026-05-05T20:30:00.000Z",
        "2026-05-05T20:30:00.000Z",
    ),
    (datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
    (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
]


@pytest.mark.parametrize(("instant", "as_start", "as_end"), PERIODS)
def test_a_period_is_rendered_in_utc(instant, as_start, as_end):
    """Ends are ISO 8601 in UTC with milliseconds: the start rounded down, the end up."""
    assert check_period(instant, None) == (as_start, None)
    assert check_period(None, instant) == (None, as_end)
    assert check_period(instant, instant) == (as_start, as_end)


def test_a_period_may_be_open():
    """Neither end has to be given."""
    assert check_period(None, None) == (None, None)


@given(
    st.lists(
        st.datetimes(
            min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zones
            max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - as above
            timezones=st.timezones(),
        ),
        min_size=2,
        max_size=2,
    )
)
@settings(max_examples=60)
def test_a_period_loses_nothing(instants):
    """Rounded to milliseconds, a period holds the one that was asked for, and hardly more."""
    start, end = sorted(instants, key=lambda each: each.astimezone(UTC))
    first, last = check_period(start, end)
    assert RENDERED.fullmatch(first)
    assert RENDERED.fullmatch(last)
    assert timedelta() <= start - datetime.fromisoformat(first) < MILLISECOND
    assert timedelta() <= datetime.fromisoformat(last) - end < MILLISECOND


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (datetime(2026, 5, 6), None, "start_date has no time zone"),  # noqa: DTZ001 - the point
        (None, datetime(2026, 5, 6), "end_date has no time zone"),  # noqa: DTZ001 - the point
        (date(2026, 5, 6), None, "start_date must be a datetime, not date"),
        (None, "2026-05-06", "end_date must be a datetime, not str"),
        (1_700_000_000, None, "start_date must be a datetime, not int"),
        (False, None, "start_date must be a datetime, not bool"),
        (NOON + timedelta(microseconds=1), NOON, "is after end_date"),
        (
            datetime(2026, 5, 6, 12, tzinfo=timezone(timedelta(hours=-1))),
            NOON,
            "is after end_date",
        ),
        (
            datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
            None,
            "start_date lies outside the years 1 to 9999",
        ),
        (
            None,
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
            "end_date lies outside the years 1 to 9999",
        ),
    ],
)
def test_a_wrong_period_is_refused(start, end, why):
    """A time whose instant is not known, or a start after its end, is refused with the reason."""
    assert why in refused(check_period, start, end)


def test_a_refusal_is_both_ours_and_a_value_error():
    """Code that expects Python's own error for bad arguments catches ours too."""
    with pytest.raises(ValueError, match="empty") as caught:
        check_workflow_id("")
    assert isinstance(caught.value, DeepIDVError)
