"""Paging: nothing lost, nothing twice, opaque tokens that only their own list accepts."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async.simulator._listing import InvalidQueryError, read_page, read_query
from deepidv_async.simulator._organization import make_organization

ORGANIZATION = make_organization("own", 5, (120,))
WORKFLOW = ORGANIZATION.workflows[0]["id"]
SESSIONS = ORGANIZATION.sessions(WORKFLOW)


def read_all(records, page_plan=(), **params):
    """Follow the tokens from the first page to the last."""
    pages, token = [], None
    while True:
        cursor = {} if token is None else {"next_token": token}
        page = read_page(records, read_query({**params, **cursor}), page_plan)
        pages.append(page)
        if (token := page.next_token) is None:
            return pages


@settings(max_examples=60)
@given(
    count=st.integers(0, 60),
    limit=st.integers(1, 500),
    plan=st.lists(st.none() | st.integers(0, 9), max_size=4),
)
def test_pages_add_up_to_the_list(count, limit, plan):
    """Whatever limit and plan, the pages hold each record once, in the list's order."""
    if plan and not any(size is None or size for size in plan):
        plan = [*plan, 1]
    pages = read_all(SESSIONS[:count], plan, limit=str(limit))
    assert [record for page in pages for record in page.records] == SESSIONS[:count]
    assert all(len(page.records) <= limit for page in pages)


def test_a_plan_makes_short_and_empty_pages_with_a_token():
    """The plan's sizes hold in turns; a page may be empty and still not be the last."""
    pages = read_all(SESSIONS[:20], (None, 3, 0), limit="5")
    assert [len(page.records) for page in pages] == [5, 3, 0, 5, 3, 0, 4]
    assert all(page.next_token for page in pages[:-1])


@pytest.mark.parametrize(
    ("params", "size"), [({}, 50), ({"limit": "500"}, 120), ({"limit": "1"}, 1)]
)
def test_the_limit_is_50_unless_told(params, size):
    """Default 50, and from 1 to 500 on request."""
    assert len(read_page(SESSIONS, read_query(params)).records) == size


@pytest.mark.parametrize("limit", ["0", "501", "-1", "", "5.0", "x", "٣", "9" * 5000])
def test_a_limit_out_of_range_is_refused(limit):
    """Anything but a whole number from 1 to 500 is an error."""
    with pytest.raises(InvalidQueryError, match="limit"):
        read_query({"limit": limit})


def test_dates_include_their_ends():
    """`start_date` is at or after, `end_date` at or before; without a zone they are UTC."""
    start, end = SESSIONS[10]["created_at"], SESSIONS[4]["created_at"]
    assert list(read_page(SESSIONS, read_query({"start_date": start})).records) == SESSIONS[:11]
    both = read_query({"start_date": start.removesuffix("Z"), "end_date": end})
    assert list(read_page(SESSIONS, both).records) == SESSIONS[4:11]
    assert [p.next_token for p in read_all(SESSIONS, end_date="2000-01-01")] == [None]
    with pytest.raises(InvalidQueryError, match="end_date"):
        read_query({"end_date": "yesterday"})


def test_pages_of_a_span_of_time_add_up():
    """Paging and dates go together."""
    start, end = SESSIONS[90]["created_at"], SESSIONS[20]["created_at"]
    pages = read_all(SESSIONS, start_date=start, end_date=end, limit="7")
    assert [record for page in pages for record in page.records] == SESSIONS[20:91]


def test_the_modes_exclude_each_other():
    """external_id before workflow_id before by_organization before the key's own user."""
    given_all = {"external_id": "e", "workflow_id": "w", "by_organization": "true"}
    modes = []
    for name in (*given_all, None):
        modes.append(read_query(given_all).mode)
        given_all.pop(name, None)
    assert modes == [
        ("external_id", "e"),
        ("workflow_id", "w"),
        ("by_organization", ""),
        ("sender", ""),
    ]
    assert read_query({"by_organization": "false"}).mode == ("sender", "")


@pytest.mark.parametrize(
    "params", [{"external_id": ""}, {"workflow_id": ""}, {"by_organization": "yes"}], ids=str
)
def test_a_mode_without_a_value_is_refused(params):
    """An empty id or a boolean that is none is an error, not another mode."""
    with pytest.raises(InvalidQueryError, match=next(iter(params))):
        read_query(params)


def test_tokens_hold_what_has_to_be_encoded():
    """Among the tokens of a list are some with `+`, with `/` and with `=`."""
    pages = read_all(SESSIONS, workflow_id=WORKFLOW, limit="1")
    tokens = "".join(page.next_token or "" for page in pages)
    assert {"+", "/", "="} <= set(tokens)
    assert len({page.next_token for page in pages}) == len(pages)


def test_a_token_survives_arrivals():
    """Sessions that arrive at the head between two pages shift nothing."""
    first = read_page(SESSIONS, read_query({"limit": "10"}))
    grown = [{"id": "new", "created_at": "2030-01-01T00:00:00.000Z"}, *SESSIONS]
    second = read_page(grown, read_query({"limit": "10", "next_token": first.next_token}))
    assert list(second.records) == SESSIONS[10:20]


def _token(**cursor):
    return base64.b64encode(json.dumps(cursor).encode()).decode()


MARK = read_query({}).mark


FORGED = {
    "empty": "",
    "text": "nonsense",
    "not ASCII": "é",
    "not JSON": base64.b64encode(b"not json").decode(),
    "too deep": base64.b64encode(b"[" * 50_000).decode(),
    "an array": base64.b64encode(b"[1]").decode(),
    "a field missing": _token(page=1, left=5),
    "another mark": _token(page=1, left=5, of=1),
    "page below zero": _token(page=-1, left=5, of=MARK),
    "page a text": _token(page="1", left=5, of=MARK),
    "nothing left": _token(page=1, left=0, of=MARK),
    "too much left": _token(page=1, left=121, of=MARK),
    "left a text": _token(page=1, left="5", of=MARK),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_a_token_of_ones_own_making_is_refused(token):
    """A token is opaque: whoever makes one up gets an error."""
    with pytest.raises(InvalidQueryError, match="next_token"):
        read_page(SESSIONS, read_query({"next_token": token}))


def test_a_token_belongs_to_its_list():
    """The token of one query is refused by another; the limit alone may change."""
    token = read_page(SESSIONS, read_query({"workflow_id": "a"})).next_token
    with pytest.raises(InvalidQueryError, match="another list"):
        read_page(SESSIONS, read_query({"workflow_id": "b", "next_token": token}))
    query = read_query({"workflow_id": "a", "next_token": token, "limit": "3"})
    assert list(read_page(SESSIONS, query).records) == SESSIONS[50:53]
