"""The error itself: it travels, and carries nothing of the body but the readable records."""

import copy
import json
import pickle
import traceback

import pytest

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import WorkflowSession
from deepidv_async._redaction import MASK, Secret
from deepidv_async._structure import PageShape, decode_page

SHAPE = PageShape(WorkflowSession, ("sessions",), paged=True)
CANARY = "Jane-Roe-1970"
PERSON = {"id": 5, "name": CANARY, "meta_data": {"ip": CANARY}, "created_at": CANARY}

LEAKY = [
    f"<html>{CANARY}</html>".encode(),
    CANARY.encode(),
    f'{{"sessions":[{{"name":"{CANARY}'.encode(),
    f'{{"sessions":[]}} {CANARY}'.encode(),
    f'{{"sessions":[{{"name":"{CANARY}" "b"}}]}}'.encode(),
    f'{{"a":"{CANARY}","b":NaN}}'.encode(),
    f'{{"a":"{CANARY}","b":1e999}}'.encode(),
    f'{{"a":"{CANARY}","b":'.encode() + b"9" * 5000 + b"}",
    f'{{"a":"{CANARY}","b":'.encode() + b"[" * 200_000,
    f'{{"a":"{CANARY}'.encode() + b'\xff"}',
    json.dumps(CANARY).encode(),
    json.dumps([CANARY]).encode(),
    json.dumps({"error": CANARY}).encode(),
    json.dumps({"sessions": CANARY}).encode(),
    json.dumps({"sessions": [], "next_token": None, "error": CANARY}).encode(),
    json.dumps({"sessions": [CANARY], "next_token": None}).encode(),
    json.dumps({"sessions": [PERSON], "next_token": [CANARY]}).encode(),
    json.dumps({"sessions": [PERSON, {**PERSON, "id": {"a": CANARY}}]}).encode(),
]


def refused(body):
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(body, SHAPE, content_type="application/json")
    return caught.value


@pytest.mark.parametrize("body", LEAKY, ids=[str(number) for number in range(len(LEAKY))])
def test_no_content_of_the_body_in_the_error(body):
    """Text, repr, dict, pickle and printed traceback hold no personal data, nor does a cause."""
    error = refused(body)
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = [
        str(error),
        repr(error),
        repr(error.args),
        repr(error.to_dict()),
        repr(vars(error)),
        "".join(traceback.format_exception(error)),
    ]
    assert not [text for text in shown if CANARY in text]
    assert CANARY.encode() not in pickle.dumps(error)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_the_error_travels_with_its_partial_page(again):
    """A copied or pickled error has the same text, path, outline and readable records."""
    body = {"sessions": [{"id": "a", "name": CANARY}, {}], "next_token": "t"}
    error = refused(json.dumps(body).encode())
    other = again(error)
    assert type(other) is ResponseDecodeError
    assert (str(other), other.path, other.body) == (str(error), error.path, error.body)
    assert other.partial == error.partial
    assert other.partial.items == (WorkflowSession("a", CANARY),)
    assert CANARY not in str(other) + repr(other) + repr(other.to_dict()) + repr(
        other.partial.items
    )


def test_what_the_call_knows_is_left_to_the_call():
    """Status, request id and history are not the decoder's to fill in."""
    error = refused(b"{}")
    assert (error.status, error.request_id, error.attempts) == (None, None, ())


def test_the_error_as_plain_data():
    """The dict tells what is wrong and where, and counts the readable records."""
    error = refused(b'{"sessions":[{"id":"a"},{}],"next_token":null}')
    plain = error.to_dict()
    assert plain["error"] == "ResponseDecodeError"
    assert plain["path"] == "$.sessions[1].id"
    assert plain["partial"] == {"items": 1, "unreadable": ["$.sessions[1].id"]}
    assert json.loads(json.dumps(plain)) == plain


# Longer than a name is shown, so that what is left after a cut is no longer the whole key.
KEY = "sk_live_" + "0123456789abcdef" * 3
ECHOES = [KEY, f"x-api-key: {KEY}", f"{'p' * 20}{KEY}", f"{KEY}\n{KEY}"]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize(
    "body",
    [
        lambda echo: {echo: 1},
        lambda echo: {"sessions": "x", echo: []},
        lambda echo: {"sessions": [], echo: [], "error": {echo: {echo: 1}}},
        lambda echo: {"sessions": [{echo: 1}], "next_token": None},
        lambda echo: {"sessions": [{"id": "s", echo: [{echo: 1}]}], "next_token": 5},
        lambda echo: [{echo: 1}],
    ],
    ids=["no list", "wrong list", "error", "record", "token", "array"],
)
def test_a_key_in_a_name_is_scrubbed_before_it_is_cut(body, echo):
    """A name that echoes the key shows a mask: no part of the key is left by shortening."""
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(
            json.dumps(body(echo)).encode(), SHAPE, content_type=echo, scrub=Secret(KEY).scrub
        )
    error = caught.value
    shown = f"{error} {error!r} {error.to_dict()} {error.path} {error.args}"
    assert KEY[:10] not in shown
    assert MASK in shown


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_in_a_name_is_scrubbed_in_drift(echo):
    """Keys of drift become labels of metrics: they show the mask, the record keeps its name."""
    body = {"sessions": [{"id": "s", echo: 1}], "next_token": None, echo: 1}
    page = decode_page(json.dumps(body).encode(), SHAPE, scrub=Secret(KEY).scrub)
    assert len(page.drift) == 2
    assert all(MASK in key and KEY[:10] not in key for key in page.drift)
    assert page.items[0].extra == {echo: 1}
