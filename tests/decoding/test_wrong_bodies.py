"""Bodies that came with status 200 and are not what is documented: none is an empty list."""

import gzip
import json

import pytest

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._structure import PageShape, decode_page

WORKFLOWS = PageShape(Workflow, ("workflows",))
V1 = PageShape(WorkflowSession, ("sessions",), paged=True)
LEGACY = PageShape(
    WorkflowSession, ("sessions", "workflows", "idvs", "verifications", "data"), bare_array=True
)

HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
GOOD = b'{"sessions":[{"id":"s_1","name":"caf\xc3\xa9"}],"next_token":null}'

WRONG = [
    # No document at all.
    (V1, b"", "$", "the body is empty"),
    (LEGACY, b"", "$", "the body is empty"),
    (V1, b" \r\n\t ", "$", "the body is empty"),
    (V1, b"\xef\xbb\xbf", "$", "the body is empty"),
    (V1, b"\x00\x00\x00\x00", "$", "plain text, or binary"),
    # Pages of gateways, proxies and portals.
    (V1, HTML, "$", "HTML or XML"),
    (LEGACY, b"\n  " + HTML, "$", "HTML or XML"),
    (WORKFLOWS, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "$", "XML"),
    (V1, b"OK", "$", "plain text"),
    (V1, b"Insufficient funds or subscription.", "$", "plain text"),
    (V1, b"sessions=&next_token=", "$", "plain text"),
    (V1, b"data: {}\n\n", "$", "plain text"),
    # Other encodings.
    (V1, GOOD.decode().encode("utf-16"), "$", "not UTF-8 at byte 0"),
    (V1, '{"sessions":[]}'.encode("utf-16-le"), "$", "plain text, or binary"),
    (V1, '{"sessions":[]}'.encode("utf-32-be"), "$", "plain text, or binary"),
    (V1, GOOD.decode().encode("latin-1"), "$", "not UTF-8 at byte"),
    (V1, gzip.compress(GOOD), "$", "not UTF-8 at byte 1"),
    (V1, b'{"sessions":[{"id":"\xff"}]}', "$", "not UTF-8 at byte"),
    # Cut off.
    (V1, GOOD[:1], "$", "cut off"),
    (V1, GOOD[:2], "$", "cut off"),
    (V1, GOOD[:5], "$", "cut off"),
    (V1, GOOD[:11], "$", "cut off"),
    (V1, GOOD[:12], "$", "cut off"),
    (V1, GOOD[: GOOD.index(b"\xa9")], "$", "cut off"),
    (V1, GOOD[: GOOD.index(b"}") + 1], "$", "cut off"),
    (V1, GOOD[: GOOD.index(b"]") + 1], "$", "cut off"),
    (V1, GOOD[:-1], "$", "cut off"),
    (V1, GOOD[:-2], "$", "cut off"),
    (V1, b'{"sessions":[{"id":"a}]', "$", "cut off"),
    (V1, b'{"sessions":[{"id":"\\u00', "$", "cut off"),
    (LEGACY, b'[{"id":"s_1"},', "$", "cut off"),
    (LEGACY, b"[", "$", "cut off"),
    # Not quite JSON.
    (V1, GOOD + b"}", "$", "goes on after its end"),
    (V1, GOOD + GOOD, "$", "goes on after its end"),
    (V1, GOOD + b"\n" + GOOD, "$", "goes on after its end"),
    (V1, b"{'sessions':[]}", "$", "Expecting property name"),
    (V1, b"{sessions:[]}", "$", "Expecting property name"),
    (V1, b'{"sessions":[],}', "$", "at character"),
    (V1, b'{"sessions":[{"id":"s"},]}', "$", "at character"),
    (V1, b'{"sessions":[{"id":"s"} {"id":"t"}]}', "$", "delimiter"),
    (V1, b'{"sessions" []}', "$", "delimiter"),
    (V1, b'{"sessions":[{"id":"a\nb"}]}', "$", "Invalid control character"),
    (V1, b'{"sessions":[{"id":"\\x"}]}', "$", "escape"),
    (V1, b'{"sessions":[] /* none */}', "$", "delimiter"),
    (V1, b'{"sessions":None}', "$", "Expecting value"),
    (V1, b'{"sessions":[{"id":"s","score":NaN}]}', "$", "NaN or Infinity"),
    (V1, b'{"sessions":[{"id":"s","score":-Infinity}]}', "$", "NaN or Infinity"),
    (LEGACY, b"[Infinity]", "$", "NaN or Infinity"),
    (V1, b'{"sessions":[{"id":"s","score":1e999}]}', "$", "too large for a float"),
    (V1, b'{"sessions":[{"id":"s","n":' + b"9" * 5000 + b"}]}", "$", "more digits"),
    (V1, b'{"sessions":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "$", "nested too deeply"),
    (LEGACY, b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "$", "nested too deeply"),
    # JSON of another type.
    (V1, b"null", "$", "is null, where"),
    (V1, b"true", "$", "is a boolean, where"),
    (V1, b"0", "$", "is a number, where"),
    (LEGACY, b"12.5", "$", "is a number, where"),
    (LEGACY, b'""', "$", "is a string, where"),
    (V1, b'"{\\"sessions\\":[]}"', "$", "is a string, where"),
    (V1, b"[]", "$", "is an array, where"),
    (WORKFLOWS, b'[{"id":"wf_1"}]', "$", "is an array, where"),
    # Another envelope.
    (V1, b"{}", "$", "has no names, where"),
    (LEGACY, b"{}", "$", "or a bare array"),
    (V1, b'{"workflows":[{"id":"wf_1"}]}', "$", "has 'workflows', where"),
    (WORKFLOWS, b'{"sessions":[]}', "$", "has 'sessions', where"),
    (WORKFLOWS, b'{"workflow":{"id":"wf_1"}}', "$", "has 'workflow', where"),
    (V1, b'{"Sessions":[]}', "$", "has 'Sessions', where"),
    (V1, b'{"data":[],"next_token":null}', "$", "has 'data', 'next_token', where"),
    (LEGACY, b'{"items":[]}', "$", "has 'items', where"),
    (LEGACY, b'{"results":[{"id":"s_1"}]}', "$", "'verifications' or 'data'"),
    (LEGACY, b'{"session_record":{"id":"s_1"},"resource_links":{}}', "$", "'session_record'"),
    (V1, json.dumps({f"k{n}": n for n in range(15)}).encode(), "$", "'k11' and 3 more"),
    # An envelope without a list.
    (V1, b'{"sessions":null,"next_token":null}', "$.sessions", "has null in 'sessions'"),
    (V1, b'{"sessions":{}}', "$.sessions", "has an object in 'sessions'"),
    (V1, b'{"sessions":"[]"}', "$.sessions", "has a string in 'sessions'"),
    (V1, b'{"sessions":false}', "$.sessions", "has a boolean in 'sessions'"),
    (V1, b'{"sessions":0}', "$.sessions", "has a number in 'sessions'"),
    (LEGACY, b'{"data":{"sessions":[]}}', "$.data", "has an object in 'data'"),
    (LEGACY, b'{"data":null,"idvs":""}', "$.idvs", "has a string in 'idvs'"),
    (LEGACY, b'{"sessions":{"items":[{"id":"s"}]},"data":[]}', "$.sessions", "has an object in"),
    (LEGACY, b'{"sessions":"x","workflows":[]}', "$.sessions", "has a string in 'sessions'"),
    (WORKFLOWS, b'{"workflows":{"0":{"id":"wf_1"}}}', "$.workflows", "an object"),
    # An error that was sent with a success status.
    (V1, b'{"error":"Something went wrong."}', "$", "looks like an error"),
    (V1, b'{"message":null}', "$", "looks like an error"),
    (LEGACY, b'{"message":"Forbidden"}', "$", "looks like an error"),
    (LEGACY, b'{"detail":"Invalid or missing API key"}', "$", "looks like an error"),
    (V1, b'{"error":{"code":"X"},"sessions":[],"next_token":null}', "$.error", "reports an error"),
    (LEGACY, b'{"sessions":[],"data":[{"id":"s"}]}', "$.sessions", "empty list in 'sessions'"),
    (LEGACY, b'{"idvs":[{"id":"a"}],"data":[{"id":"b"}]}', "$.data", "which are meant"),
    (LEGACY, b'{"sessions":[],"message":"Forbidden"}', "$.message", "a text in 'message'"),
    (V1, b'{"sessions":[],"detail":"No access"}', "$.detail", "a text in 'detail'"),
    (V1, b'{"sessions":[],"success":false}', "$.success", "reports an error"),
    # A token that is none, or has no place.
    (WORKFLOWS, b'{"workflows":[],"next_token":"t"}', "$.next_token", "has no paging"),
    (V1, b'{"sessions":[],"next_token":0}', "$.next_token", "a number as 'next_token'"),
    (V1, b'{"sessions":[],"next_token":{"id":"s"}}', "$.next_token", "an object as"),
    (V1, b'{"sessions":[],"next_token":false}', "$.next_token", "a boolean as"),
    (V1, b'{"sessions":[],"nextToken":7}', "$.nextToken", "a number as 'nextToken'"),
    # Records that are none.
    (V1, b'{"sessions":[null]}', "$.sessions[0]", "null, not an object"),
    (V1, b'{"sessions":["s_1","s_2"]}', "$.sessions[0]", "2 of 2 records"),
    (V1, b'{"sessions":[[]]}', "$.sessions[0]", "an array, not an object"),
    (V1, b'{"sessions":[{}]}', "$.sessions[0].id", "has no id"),
    (V1, b'{"sessions":[{"id":null}]}', "$.sessions[0].id", "has no id"),
    (V1, b'{"sessions":[{"id":""}]}', "$.sessions[0].id", "an empty string"),
    (V1, b'{"sessions":[{"id":5}]}', "$.sessions[0].id", "a number as its id"),
    (V1, b'{"sessions":[{"workflow_id":"wf_1"}]}', "$.sessions[0].id", "has no id"),
    (V1, b'{"sessions":[{"id":"a"},{"id":{}}]}', "$.sessions[1].id", "1 of 2 records"),
    (WORKFLOWS, b'{"workflows":[{"name":"n"}]}', "$.workflows[0].id", "has no id"),
    (WORKFLOWS, b'{"workflows":[{"workflowId":1}]}', "$.workflows[0].workflowId", "a number"),
    (LEGACY, b'{"idvs":[{"idv_id":1}]}', "$.idvs[0].idv_id", "a number as its id"),
    (LEGACY, b"[[]]", "$[0]", "an array, not an object"),
    (LEGACY, b'[{"id":"s_1"},{"_id":"s_2"}]', "$[1].id", "has no id"),
]


@pytest.mark.parametrize(
    ("shape", "body", "path", "fragment"),
    WRONG,
    ids=[f"{number}:{body[:24]!r}" for number, (_, body, _, _) in enumerate(WRONG)],
)
def test_a_wrong_body_is_a_clear_error(shape, body, path, fragment):
    """Each wrong body raises, with the place of the fault and words of its own."""
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(body, shape, content_type="application/json")
    error = caught.value
    assert error.path == path
    assert fragment in error.message
    assert len(str(error)) < 900
    assert "\n" not in str(error)


def test_the_table_is_long_and_without_repetition():
    """At least 60 bodies, each different for its shape."""
    assert len({(id(shape), body) for shape, body, _, _ in WRONG}) == len(WRONG) >= 60


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("text/html; charset=utf-8", "content type text/html; charset=utf-8"),
        ("", "content type not given"),
        ("a\r\nx-injected: b", "content type a x-injected: b"),
        ("x" * 500, f"content type {'x' * 79}…"),
    ],
)
def test_length_and_content_type_are_told(given, told):
    """What was found is described by its size and its header's value, on one line."""
    for body in (HTML, b"null", b"{}", b'{"sessions":1}'):
        with pytest.raises(ResponseDecodeError) as caught:
            decode_page(body, V1, content_type=given)
        assert f"({len(body)} bytes, {told})" in caught.value.message


def test_every_prefix_of_a_body_is_an_error():
    """Wherever a body is cut, it is told as cut off, except before its first byte."""
    for length in range(1, len(GOOD)):
        with pytest.raises(ResponseDecodeError, match="cut off"):
            decode_page(GOOD[:length], V1)


def test_the_body_is_outlined():
    """The error draws names, types and lengths on one short line; raw bytes only by length."""
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(b'{"sessions":[{"id":5,"name":"Jane Roe"},1],"next_token":"abc"}', V1)
    assert caught.value.body == (
        '{"sessions": [{"id": "number", "name": "str(8)"}, "… 1 more"], "next_token": "str(3)"}'
    )
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(HTML, V1)
    assert caught.value.body == f"bytes({len(HTML)})"
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(json.dumps({f"name_{n}" * 5: [] for n in range(99)}).encode(), V1)
    assert len(caught.value.body) <= 300
