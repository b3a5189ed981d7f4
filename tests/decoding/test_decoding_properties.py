"""What holds for every body: one kind of error, nothing lost, nothing invented."""

import json
from datetime import datetime
from enum import StrEnum

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import (
    SessionProgress,
    SessionStatus,
    SessionType,
    Workflow,
    WorkflowSession,
)
from deepidv_async._structure import PageShape, decode_page

WORKFLOWS = PageShape(Workflow, ("workflows",), paged=True)
SESSIONS = PageShape(
    WorkflowSession, ("sessions", "workflows", "data"), bare_array=True, paged=True
)
SHAPES = st.sampled_from([WORKFLOWS, SESSIONS])

ALIASES = {
    Workflow: {"workflow_id": "id", "workflowId": "id", "workflow_name": "name"}
    | {"workflowName": "name", "createdAt": "created_at"},
    WorkflowSession: {"idv_id": "id", "idvId": "id"}
    | {
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "submittedAt": "submitted_at",
        "expiresAt": "expires_at",
        "sessionProgress": "session_progress",
        "workflowId": "workflow_id",
        "externalId": "external_id",
        "organizationId": "organization_id",
        "userId": "user_id",
        "senderUserId": "sender_user_id",
        "workflowSteps": "workflow_steps",
        "metaData": "meta_data",
        "analysisData": "analysis_data",
    },
}
FIELDS = {
    model: {**{f.name: f.name for f in attrs.fields(model) if f.name != "extra"}, **aliases}
    for model, aliases in ALIASES.items()
}

TEXT = st.text(max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXT
TIMES = st.sampled_from(
    ["2026-05-06T07:08:09.000Z", "2026-05-06T07:08:09+02:00", "2026-05-06", "2026-05-06T07:08:09"]
)
PUBLISHED = st.sampled_from([*SessionStatus, *SessionType, *SessionProgress]).map(str)
VALUES = st.recursive(
    SCALARS | TIMES | PUBLISHED | st.just(0) | st.just(1.0) | st.just(1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SPECIAL = ("sessions", "workflows", "data", "next_token", "nextToken", "error", "message", "extra")
NAMES = st.sampled_from(
    [*SPECIAL, *sorted({name for fields in FIELDS.values() for name in fields})]
)
OBJECTS = st.dictionaries(NAMES | TEXT, VALUES, max_size=8)


def encode(value):
    return json.dumps(value, allow_nan=False).encode()


def same(one, other):
    """Whether two values are the same JSON: `True` is not `1`, `1` is not `1.0`."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def stands_for(field, raw):
    """Whether a field's value says what `raw` says, no more and no less."""
    match field:
        case datetime():
            return isinstance(raw, str) and field == datetime.fromisoformat(raw)
        case StrEnum():
            return same(field.value, raw)
        case tuple():
            return same(list(field), raw)
        case _:
            return same(field, raw)


@given(VALUES | OBJECTS | st.lists(OBJECTS, max_size=3), SHAPES)
@settings(max_examples=100)
def test_any_json_is_a_page_or_a_decode_error(value, shape):
    """Whatever JSON comes, nothing but `ResponseDecodeError` is raised."""
    try:
        page = decode_page(encode(value), shape)
    except ResponseDecodeError:
        return
    assert isinstance(page.items, tuple)
    assert all(isinstance(item, shape.model) for item in page.items)


@given(st.lists(VALUES | OBJECTS, max_size=4), SHAPES)
@settings(max_examples=100)
def test_every_record_is_an_item_or_unreadable(records, shape):
    """A list of anything: each record is read or named, in order, none vanishes."""
    ids = [readable_id(record, shape) for record in records]
    items, unreadable = read({shape.envelopes[0]: records, "next_token": "t"}, shape)
    assert [item.id for item in items] == [id_ for id_ in ids if id_]
    named = [path.removesuffix("]").partition("[")[2].partition("]")[0] for path in unreadable]
    assert named == [str(number) for number, id_ in enumerate(ids) if not id_]


def read(body, shape):
    try:
        page = decode_page(encode(body), shape)
    except ResponseDecodeError as error:
        return error.partial.items, error.partial.unreadable
    return page.items, ()


def readable_id(record, shape):
    if not isinstance(record, dict):
        return None
    names = [name for name, field in FIELDS[shape.model].items() if field == "id"]
    found = next((record[name] for name in names if record.get(name) is not None), None)
    return found if isinstance(found, str) else None


@given(st.binary(max_size=64), SHAPES)
@settings(max_examples=100)
def test_any_bytes_are_a_page_or_a_decode_error(body, shape):
    """Noise is never anything but a `ResponseDecodeError`, or a body that is right."""
    try:
        page = decode_page(body, shape)
    except ResponseDecodeError:
        return
    assert page.items == ()


@pytest.mark.parametrize("shape", [WORKFLOWS, SESSIONS])
@given(fields=OBJECTS)
@settings(max_examples=100)
def test_nothing_of_a_record_is_lost_or_made_up(shape, fields):
    """Each value that came is in its field or in `extra`, unchanged; nothing else is there.

    Of two spellings with the same value one is enough.
    """
    record = {**fields, "id": "record_1"}
    (item,) = decode_page(encode({shape.envelopes[0]: [record], "next_token": None}), shape).items
    known = FIELDS[shape.model]
    assert set(item.extra) <= set(record)
    for name, raw in record.items():
        if name in item.extra:
            assert same(item.extra[name], raw)
        elif raw is not None:
            twins = [item.extra[twin] for twin in item.extra if known.get(twin) == known[name]]
            assert any(stands_for(told, raw) for told in [getattr(item, known[name]), *twins])
        else:
            assert name in known
    for field in set(known.values()):
        value = getattr(item, field)
        spelled = [raw for name, raw in record.items() if known.get(name) == field]
        assert value is None or any(stands_for(value, raw) for raw in spelled)


@given(OBJECTS)
@settings(max_examples=60)
def test_drift_tells_the_whole_of_extra(fields):
    """Every entry of `extra` is counted once; no other record drift but unknown values."""
    body = encode({"sessions": [{**fields, "id": "s"}], "next_token": None})
    page = decode_page(body, SESSIONS)
    counted = {
        key: times for key, times in page.drift.items() if not key.startswith("unknown_value:")
    }
    assert sum(counted.values()) == len(page.items[0].extra)
    assert all(key.partition(":")[0] in KINDS for key in counted)


KINDS = {"unknown_field", "wrong_type", "conflict"}


@given(OBJECTS)
@settings(max_examples=60)
def test_a_record_gives_json_ready_data(fields):
    """Whatever came, the record can be written as JSON again."""
    body = encode({"sessions": [{**fields, "id": "s"}], "next_token": None})
    plain = decode_page(body, SESSIONS).items[0].to_dict()
    assert same(json.loads(json.dumps(plain, allow_nan=False)), plain)
