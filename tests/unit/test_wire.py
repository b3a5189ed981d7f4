"""URLs, headers and spans of time, without a network."""

import math
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deepidv_async._wire import (
    WireRequest,
    WireResponse,
    instant_after,
    join_url,
    next_midnight,
    parse_retry_after,
    rate_left,
)

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
LONGEST = 1e15


@pytest.mark.parametrize(
    ("path", "workflow_id", "query", "url"),
    [
        ("/workflow", None, [], "https://h/dev/workflow"),
        ("/workflow/{workflow_id}", "wf_1", [], "https://h/dev/workflow/wf_1"),
        ("/workflow/{workflow_id}", "a b+c", [], "https://h/dev/workflow/a%20b%2Bc"),
        ("/workflow/{workflow_id}", "é", [], "https://h/dev/workflow/%C3%A9"),
        (
            "/workflow/{workflow_id}",
            "{workflow_id}",
            [],
            "https://h/dev/workflow/%7Bworkflow_id%7D",
        ),
        ("/v1/sessions", "wf_1", [("limit", "5")], "https://h/dev/v1/sessions?limit=5"),
        (
            "/v1/sessions",
            None,
            [("workflow_id", "a/b&c"), ("next_token", "x+y/z==")],
            "https://h/dev/v1/sessions?workflow_id=a%2Fb%26c&next_token=x%2By%2Fz%3D%3D",
        ),
    ],
)
def test_urls(path, workflow_id, query, url):
    """The prefix of the base URL stays, the id and every value of the query are encoded."""
    assert join_url("https://h/dev", path, workflow_id, query) == url


QUERIES = st.lists(st.tuples(st.sampled_from("abc"), st.text(min_size=1)), max_size=4)


@given(QUERIES)
@settings(max_examples=50)
def test_the_query_is_read_as_it_was_given(query):
    """Whatever the values, the server reads them in order, and the HTTP library changes none."""
    url = join_url("https://h", "/v1/sessions", None, query)
    assert str(httpx.URL(url)) == url
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == query


def test_a_request_asks_for_what_can_be_read():
    """JSON, in the two encodings that are inflated under a cap; the key is not there yet."""
    request = WireRequest("GET", "https://h/workflow")
    assert request.headers == (
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
    )


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (204, True), (299, True), (300, False)]
)
def test_success_is_what_http_calls_so(status, ok):
    """Exactly the statuses from 200 to 299."""
    assert WireResponse(status, {}, b"").ok is ok


@pytest.mark.parametrize(
    ("headers", "content_type"),
    [
        ({}, ""),
        ({"content-type": ""}, ""),
        ({"content-type": "application/json"}, "application/json"),
        ({"content-type": " Application/JSON ; charset=utf-8"}, "application/json"),
        ({"content-type": "text/html\r\nx: y"}, "text/html x: y"),
        ({"content-type": "x" * 200}, "x" * 79 + "…"),
    ],
)
def test_the_content_type_is_brought_to_one_form(headers, content_type):
    """Parameters, capitals and what no message should hold go."""
    assert WireResponse(200, headers, b"").content_type == content_type


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({}, None),
        ({"x-request-id": "app-1"}, "app-1"),
        ({"x-amzn-requestid": "gw-1"}, "gw-1"),
        ({"x-request-id": "app-1", "x-amzn-requestid": "gw-1"}, "gw-1"),
        ({"x-request-id": "app-1", "x-amzn-requestid": " \t"}, "app-1"),
        ({"x-request-id": "a\nb"}, "a b"),
        ({"x-request-id": "x" * 500}, "x" * 127 + "…"),
        ({"x-amzn-trace-id": "trace"}, None),
    ],
)
def test_the_request_id(headers, request_id):
    """The gateway's id first, then the application's; safe to print."""
    assert WireResponse(200, headers, b"").request_id == request_id


def test_a_response_does_not_show_its_body():
    """A body is personal data; `repr` leaves it out."""
    assert "Jane" not in repr(WireResponse(200, {}, b"Jane"))


RETRY_AFTERS = [
    (None, None),
    ("", None),
    (" ", None),
    ("0", 0.0),
    ("1", 1.0),
    (" 120 ", 120.0),
    ("007", 7.0),
    ("1.5", 1.5),
    ("0.0000000001", 1e-10),
    ("86400", 86400.0),
    ("9" * 20, LONGEST),
    ("9" * 400, LONGEST),
    ("1" + "0" * 400 + ".5", LONGEST),
    ("-1", None),
    ("+1", None),
    ("1.", None),
    (".5", None),
    ("1e3", None),
    ("1,5", None),
    ("5, 10", None),
    ("5 seconds", None),
    ("0x10", None),
    ("nan", None),
    ("inf", None),
    ("-inf", None),
    ("Infinity", None),
    ("\u0661", None),  # a digit, but not one of HTTP's
    ("soon", None),
    ("2026-05-06T12:00:30Z", None),
    ("Wed, 06 May 2026 12:00:30 GMT", 30.0),
    ("Wednesday, 06-May-26 12:00:30 GMT", 30.0),
    ("Wed May  6 12:00:30 2026", 30.0),
    ("Wed, 06 May 2026 12:00:30 -0000", 30.0),
    ("Wed, 06 May 2026 12:00:30", 30.0),
    ("Wed, 06 May 2026 13:00:30 +0100", 30.0),
    ("Wed, 06 May 2026 12:00:00 GMT", 0.0),
    ("Wed, 06 May 2026 11:59:00 GMT", 0.0),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    (
        "Fri, 31 Dec 9999 23:59:59 GMT",
        (datetime.max.replace(tzinfo=UTC) - NOW) // timedelta(seconds=1),
    ),
    ("Wed, 31 Feb 2026 12:00:00 GMT", None),
    ("Wed, 06 May 2026 25:00:00 GMT", None),
    ("Wed, 06 May 99999 12:00:00 GMT", None),
    ("Wed, 06 May 99999999999999999999 12:00:00 GMT", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTERS, ids=range(len(RETRY_AFTERS)))
def test_retry_after(header, seconds):
    """Seconds and HTTP dates of every form are read; a past date is now; nonsense says nothing."""
    assert parse_retry_after(header, NOW) == seconds


WORDS = [
    "Wed",
    "06",
    "May",
    "jan",
    "2026",
    "99999999999",
    "12:00:30",
    "GMT",
    "+0100",
    "-0000",
    "pm",
]
FRAGMENTS = st.lists(st.sampled_from(WORDS) | st.sampled_from(" ,:-.0\x00é"), max_size=9).map(
    "".join
)


@given(st.text() | FRAGMENTS)
@settings(max_examples=200)
def test_no_retry_after_hurts(header):
    """Any header is ignored or becomes a finite wait, and no wait is negative."""
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.integers(0, 10**12))
@example(10**15)
def test_whole_seconds_are_kept(seconds):
    """A wait is never shortened, however long."""
    assert parse_retry_after(str(seconds), NOW) == seconds


@given(st.integers(-(10**6), 10**9))
def test_dates_are_told_from_now(offset):
    """A date is the wait until then, whatever moment it is now."""
    header = format_datetime(NOW + timedelta(seconds=offset), usegmt=True)
    assert parse_retry_after(header, NOW) == max(0, offset)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2026, 5, 6, tzinfo=UTC), datetime(2026, 5, 7, tzinfo=UTC)),
        (datetime(2026, 5, 6, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 5, 7, tzinfo=UTC)),
        (datetime(2026, 12, 31, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (
            datetime(2026, 5, 7, 1, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 5, 7, tzinfo=UTC),
        ),
    ],
    ids=range(4),
)
def test_the_end_of_the_day(now, end):
    """The quota's day ends at the next midnight in UTC, which lies ahead, wherever one is."""
    assert next_midnight(now) == end
    assert next_midnight(now).utcoffset() == timedelta()


def test_the_instant_after_a_wait():
    """A wait that has an end gives its instant; none, and one beyond the calendar, do not."""
    assert instant_after(NOW, 90.5) == NOW + timedelta(seconds=90.5)
    assert instant_after(NOW, 0.0) == NOW
    assert instant_after(NOW, None) is None
    assert instant_after(NOW, 1e12) is None
    assert instant_after(NOW, LONGEST) is None


HIGH_NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, None),
        ({"ratelimit-remaining": "12"}, (12.0, None)),
        ({"ratelimit-remaining": "12", "ratelimit-reset": "3.5"}, (12.0, 3.5)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, (0.0, 9.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, (0.0, None)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1778068805"}, (0.0, 5.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000001"}, (0.0, 0.0)),
        ({"ratelimit-remaining": "-1"}, None),
        ({"ratelimit-remaining": "nan", "x-ratelimit-remaining": "4"}, (4.0, None)),
    ],
)
def test_rate_limit_headers(headers, left):
    """Both common spellings are read; a reset is a span, or an instant if it is that large."""
    assert rate_left(headers, lambda: HIGH_NOON) == left
