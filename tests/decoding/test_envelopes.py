"""Names of the list, tokens and what else stands beside the records."""

import json

import pytest

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._structure import PageShape, decode_page

PAGED = PageShape(WorkflowSession, ("sessions",), paged=True)
OPTIONAL = PageShape(Workflow, ("workflows",), paged=True, token_optional=True)
UNPAGED = PageShape(
    WorkflowSession, ("sessions", "workflows", "idvs", "verifications", "data"), bare_array=True
)
RECORDS = [{"id": "s_2"}, {"id": "s_1"}]


def decode(value, shape=PAGED):
    return decode_page(json.dumps(value).encode(), shape)


def ids(page):
    return [session.id for session in page.items]


def refused(value, shape=PAGED):
    with pytest.raises(ResponseDecodeError) as caught:
        decode(value, shape)
    return caught.value


@pytest.mark.parametrize(
    ("envelope", "token", "drift"),
    [
        ({"next_token": "abc+/="}, "abc+/=", {}),
        ({"next_token": None}, None, {}),
        ({"next_token": ""}, None, {"empty_envelope_field:next_token": 1}),
        ({}, None, {"missing_envelope_field:next_token": 1}),
        ({"nextToken": "abc"}, "abc", {"missing_envelope_field:next_token": 1}),
        ({"next_token": "abc", "nextToken": "abc"}, "abc", {}),
        ({"next_token": None, "nextToken": "abc"}, "abc", {}),
        (
            {"next_token": "", "nextToken": "abc"},
            "abc",
            {"empty_envelope_field:next_token": 1},
        ),
    ],
)
def test_the_token_of_a_paged_body(envelope, token, drift):
    """Null is the end; absent or empty is the end and counts as drift; text is kept as it is."""
    page = decode({"sessions": RECORDS, **envelope})
    assert ids(page) == ["s_2", "s_1"]
    assert (page.next_token, page.drift) == (token, drift)


def test_a_token_that_may_be_absent():
    """A list that is not documented to have a token shows no drift without one, and reads one."""
    assert decode({"workflows": RECORDS}, OPTIONAL).drift == {}
    assert decode({"workflows": RECORDS, "next_token": "t"}, OPTIONAL).next_token == "t"


@pytest.mark.parametrize(
    ("token", "found"),
    [(5, "a number"), (True, "a boolean"), (0, "a number"), ([], "an array"), ({}, "an object")],
)
def test_a_token_that_is_no_text_is_refused(token, found):
    """A cursor that cannot be read is an error with the records in hand, never the end."""
    error = refused({"sessions": RECORDS, "next_token": token})
    assert error.path == "$.next_token"
    assert found in error.message
    assert [session.id for session in error.partial.items] == ["s_2", "s_1"]
    assert (error.partial.next_token, error.partial.unreadable) == (None, ())


def test_a_token_that_no_url_can_carry_is_refused():
    """Half of a surrogate pair is legal in JSON and cannot be sent back."""
    error = refused({"sessions": RECORDS, "nextToken": "\ud800"})
    assert error.path == "$.nextToken"
    assert "not valid Unicode" in error.message
    assert len(error.partial.items) == 2


def test_two_tokens_that_differ_are_refused():
    """Nobody can tell which of two cursors goes on."""
    error = refused({"sessions": RECORDS, "next_token": "a", "nextToken": "b"})
    assert (error.path, error.partial.next_token) == ("$.next_token", None)


def test_a_bad_token_wins_over_a_bad_record():
    """The path names what stops the paging; the bad records are told beside it."""
    error = refused({"sessions": [{"id": "s"}, 7], "next_token": 1})
    assert error.path == "$.next_token"
    assert "1 of 2 records" in error.message
    assert error.partial.unreadable == ("$.sessions[1]",)


@pytest.mark.parametrize("name", ["next_token", "nextToken"])
@pytest.mark.parametrize("token", ["abc", 5, False, {}])
def test_a_token_without_paging_is_refused(name, token):
    """A legacy list with a token is a cut list: refused with its records, never passed as whole."""
    error = refused({"sessions": RECORDS, name: token}, UNPAGED)
    assert error.path == f"$.{name}"
    assert "legacy API has no paging" in error.message
    assert 'api_version="v1"' in error.message
    assert [session.id for session in error.partial.items] == ["s_2", "s_1"]
    assert (error.partial.next_token, error.skippable) == (None, False)


@pytest.mark.parametrize("name", ["next_token", "nextToken"])
def test_no_token_without_paging_is_as_documented(name):
    """A null token says that the list is whole; an empty one too, and counts as drift."""
    assert decode({"sessions": RECORDS, name: None}, UNPAGED).drift == {}
    page = decode({"sessions": RECORDS, name: ""}, UNPAGED)
    assert (len(page.items), page.next_token) == (2, None)
    assert page.drift == {f"empty_envelope_field:{name}": 1}


def test_other_names_beside_the_list_are_drift():
    """What the envelope holds besides is counted, under a name that is cleaned and short."""
    page = decode({"sessions": RECORDS, "next_token": None, "total": 2, "a\nb" + "c" * 90: None})
    assert page.drift == {
        "unknown_envelope_field:total": 1,
        f"unknown_envelope_field:a b{'c' * 36}…": 1,
    }


def test_many_names_become_few_kinds_of_drift():
    """An envelope whose names are data does not become as many labels; the sum is kept."""
    body = {"sessions": RECORDS, **{f"name_{number}": 1 for number in range(500)}}
    drift = decode(body, UNPAGED).drift
    assert len(drift) == 101
    assert sum(drift.values()) == 500
    assert drift["other:…"] == 400


def test_the_first_accepted_name_with_a_list_is_read():
    """Order of preference decides, not order in the body; what else is empty counts as drift."""
    page = decode({"data": [], "workflows": None, "sessions": RECORDS}, UNPAGED)
    assert ids(page) == ["s_2", "s_1"]
    assert page.drift == {"unknown_envelope_field:data": 1, "unknown_envelope_field:workflows": 1}


def test_records_under_two_names_are_refused():
    """Nobody can tell which are meant: those of the preferred name are `partial`."""
    error = refused({"data": [{"id": "other"}], "idvs": [], "workflows": RECORDS}, UNPAGED)
    assert error.path == "$.data"
    assert "'workflows' and in 'data'" in error.message
    assert [session.id for session in error.partial.items] == ["s_2", "s_1"]
    assert not error.skippable


@pytest.mark.parametrize("records", [[], RECORDS])
@pytest.mark.parametrize("wrong", [{"items": RECORDS}, {}, "x", "", 0, False])
@pytest.mark.parametrize(("name", "other"), [("sessions", "data"), ("data", "sessions")])
def test_an_accepted_name_without_a_list_is_refused(name, other, wrong, records):
    """A list under another name does not excuse it: the records may be in what is no list."""
    error = refused({name: wrong, other: records}, UNPAGED)
    assert (error.path, error.partial) == (f"$.{name}", None)
    assert f"in {name!r}" in error.message


def test_a_preferred_name_without_a_list_does_not_hide_one():
    """A name that holds no list is passed over when another accepted one holds one."""
    page = decode({"sessions": None, "data": RECORDS}, UNPAGED)
    assert ids(page) == ["s_2", "s_1"]
    assert page.drift == {"unknown_envelope_field:sessions": 1}


def test_an_empty_list_beside_records_is_refused():
    """An empty preferred list must not hide the records that stand under another name."""
    error = refused({"sessions": [], "data": RECORDS}, UNPAGED)
    assert error.path == "$.sessions"
    assert "'data'" in error.message
    assert decode({"sessions": [], "data": []}, UNPAGED).items == ()


@pytest.mark.parametrize("name", ["error", "errors"])
def test_a_reported_error_beside_a_list_is_refused(name):
    """A list that comes with an error may lack records: refused, with what there is."""
    body = {"sessions": RECORDS, "next_token": "t", name: "Something went wrong."}
    error = refused(body)
    assert error.path == f"$.{name}"
    assert "reports an error" in error.message
    assert (len(error.partial.items), error.partial.next_token) == (2, "t")
    assert refused({"sessions": [], "next_token": None, name: {"code": 1}}).path == f"$.{name}"


@pytest.mark.parametrize(
    "beside", [{"error": None}, {"errors": []}, {"error": False}, {"message": "OK"}]
)
def test_no_error_and_a_message_beside_a_list_are_drift(beside):
    """An empty error or a message says nothing against the list."""
    page = decode({"sessions": RECORDS, "next_token": None, **beside})
    assert len(page.items) == 2
    assert page.drift == {f"unknown_envelope_field:{name}": 1 for name in beside}


@pytest.mark.parametrize("name", ["message", "detail"])
def test_an_empty_list_beside_a_text_is_refused(name):
    """A text may say why there are no records; an empty one, or no text at all, says nothing."""
    body = {"sessions": [], "next_token": None}
    error = refused({**body, name: "Forbidden"})
    assert (error.path, error.partial) == (f"$.{name}", None)
    assert "Forbidden" not in error.message
    for nothing in ("", " ", None, 5):
        page = decode({**body, name: nothing})
        assert (page.items, page.drift) == ((), {f"unknown_envelope_field:{name}": 1})


def test_a_list_without_success_is_refused():
    """`success` that is false is a reported failure, with or without records; true is drift."""
    body = {"next_token": "t", "success": False}
    error = refused({**body, "sessions": []})
    assert (error.path, error.partial) == ("$.success", None)
    error = refused({**body, "sessions": RECORDS})
    assert (error.path, len(error.partial.items)) == ("$.success", 2)
    assert decode({**body, "sessions": [], "success": True}).items == ()


def test_an_empty_list_with_an_error_has_no_partial():
    """No records are no partial page: it could be taken for an empty one."""
    assert refused({"sessions": [], "next_token": None, "error": "x"}).partial is None


def test_a_byte_order_mark_is_tolerated():
    """Some gateways put one in front of the document."""
    body = b"\xef\xbb\xbf" + json.dumps({"sessions": RECORDS, "next_token": None}).encode()
    assert ids(decode_page(body, PAGED)) == ["s_2", "s_1"]


def test_white_space_around_the_document_is_tolerated():
    """JSON allows white space on both sides."""
    body = b" \r\n" + json.dumps({"sessions": RECORDS, "next_token": None}).encode() + b"\n\n"
    assert ids(decode_page(body, PAGED)) == ["s_2", "s_1"]


def test_a_bare_array_of_a_paged_shape_lacks_its_token():
    """A bare array has no place for a token: the end, and drift where one is documented."""
    shape = PageShape(WorkflowSession, ("sessions",), bare_array=True, paged=True)
    page = decode(RECORDS, shape)
    assert page.next_token is None
    assert page.drift == {"missing_envelope_field:next_token": 1}
