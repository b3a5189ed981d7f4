"""One record: spellings, types, what is kept and what is counted."""

import json
from datetime import datetime

import attrs
import pytest

from deepidv_async import _records, _structure
from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._structure import PageShape, decode_page

WORKFLOWS = PageShape(Workflow, ("workflows",))
SESSIONS = PageShape(WorkflowSession, ("sessions",))
TIMES = ("created_at", "updated_at", "submitted_at", "expires_at")
TEXTS = (
    "name",
    "status",
    "type",
    "session_progress",
    "workflow_id",
    "external_id",
    "organization_id",
    "user_id",
    "sender_user_id",
)
NOT_TEXT = (5, 0, 1.5, True, False, [], ["VERIFIED"], {}, {"a": 1})
NOT_OBJECT = (5, True, [], [["a", 1]], "", "{}")


def session(**fields):
    page = decode_page(json.dumps({"sessions": [{"id": "s", **fields}]}).encode(), SESSIONS)
    return page.items[0], page.drift


def workflow(**fields):
    page = decode_page(json.dumps({"workflows": [fields]}).encode(), WORKFLOWS)
    return page.items[0], page.drift


def refused(records):
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(json.dumps({"sessions": records}).encode(), SESSIONS)
    return caught.value


@pytest.mark.parametrize("name", ["id", "workflow_id", "workflowId"])
def test_spellings_of_a_workflows_id(name):
    """Every published name of a workflow's id is its id."""
    assert workflow(**{name: "wf_1"}) == (Workflow("wf_1"), {})


@pytest.mark.parametrize("name", ["id", "idv_id", "idvId"])
def test_spellings_of_a_sessions_id(name):
    """Every published name of a session's id is its id."""
    page = decode_page(json.dumps({"sessions": [{name: "s_1"}]}).encode(), SESSIONS)
    assert page.items == (WorkflowSession("s_1"),)


@pytest.mark.parametrize("name", ["workflow_id", "workflowId"])
def test_a_sessions_workflow_is_never_its_id(name):
    """A session that names only its workflow has no id."""
    assert session(**{name: "wf_1"})[0].workflow_id == "wf_1"
    assert refused([{name: "wf_1"}]).path == "$.sessions[0].id"


def test_aliases_belong_to_their_model():
    """A name of one model's field is an unknown field of the other."""
    item, drift = session(workflow_name="n")
    assert (item.name, item.extra) == (None, {"workflow_name": "n"})
    assert drift == {"unknown_field:workflow_name": 1}
    item, drift = workflow(id="wf_1", idv_id="x")
    assert item.extra == {"idv_id": "x"}
    assert drift == {"unknown_field:idv_id": 1}


@pytest.mark.parametrize(
    ("record", "created"),
    [
        ({"created_at": "2026-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z"}, 1),
        ({"createdAt": "2026-01-01T00:00:00Z", "created_at": None}, 1),
        ({"created_at": None, "createdAt": "2026-01-01T00:00:00Z"}, 1),
        ({"created_at": None, "createdAt": None}, None),
    ],
)
def test_two_spellings_that_agree(record, created):
    """Equal values, and a null beside a value, are taken without drift."""
    item, drift = session(**record)
    assert (item.created_at.day if item.created_at else None) == created
    assert (item.extra, drift) == ({}, {})


@pytest.mark.parametrize("backwards", [False, True])
def test_two_spellings_that_differ(backwards):
    """The preferred spelling is taken in any order; the other is kept and counted."""
    fields = {"id": "a", "workflow_id": "b", "workflowId": "c", "name": "n", "workflowName": "m"}
    ordered = dict(reversed(fields.items())) if backwards else fields
    item, drift = workflow(**ordered, other=1)
    assert (item.id, item.name) == ("a", "n")
    assert item.extra == {"workflow_id": "b", "workflowId": "c", "workflowName": "m", "other": 1}
    assert drift == {
        "conflict:workflow_id": 1,
        "conflict:workflowId": 1,
        "conflict:workflowName": 1,
        "unknown_field:other": 1,
    }


def test_the_alias_in_snake_case_wins_over_its_camel_case():
    """Without the first name, preference goes on down the list."""
    item, drift = workflow(workflowId="c", workflow_id="b")
    assert (item.id, item.extra) == ("b", {"workflowId": "c"})
    assert drift == {"conflict:workflowId": 1}


@pytest.mark.parametrize(
    ("fields", "id_", "extra"),
    [
        ({"id": None, "workflow_id": "b", "workflowId": "c"}, "b", {"workflowId": "c"}),
        ({"id": "a", "workflow_id": None, "workflowId": "c"}, "a", {"workflowId": "c"}),
        ({"id": "a", "workflow_id": "b", "workflowId": None}, "a", {"workflow_id": "b"}),
    ],
)
def test_null_takes_no_part_in_a_conflict(fields, id_, extra):
    """Among three spellings a null neither wins nor is kept."""
    item, drift = workflow(**fields)
    assert (item.id, item.extra) == (id_, extra)
    assert drift == {f"conflict:{name}": 1 for name in extra}


def test_a_wrong_preferred_spelling_is_not_replaced():
    """A preferred value of a wrong type stays the one that counts: both are kept, none taken."""
    item, drift = session(created_at=5, createdAt="2026-01-01T00:00:00Z")
    assert item.created_at is None
    assert item.extra == {"created_at": 5, "createdAt": "2026-01-01T00:00:00Z"}
    assert drift == {"wrong_type:created_at": 1, "conflict:createdAt": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), ({"a": 1}, {"a": True}), ({"a": [0]}, {"a": [False]})],
)
def test_values_that_python_holds_for_equal_are_told_apart(one, other):
    """`1 == True` in Python, not in JSON: the second value must not get lost."""
    item, _ = session(meta_data=one, metaData=other)
    assert json.dumps(item.extra["metaData"]) == json.dumps(other)


def test_the_order_of_an_objects_names_makes_no_difference():
    """Two spellings with the same members in another order are equal."""
    item, drift = session(meta_data={"a": 1, "b": 2}, metaData={"b": 2, "a": 1})
    assert (item.meta_data, item.extra, drift) == ({"a": 1, "b": 2}, {}, {})


def test_values_too_deep_to_compare_count_as_different():
    """A comparison that runs out of stack keeps both values."""
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    try:
        assert not _records._same(deep, deep)
    finally:
        # Freed level by level: the interpreter's own way down recurses.
        while deep:
            deep = deep.pop()


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("raw", NOT_TEXT)
def test_a_text_is_never_made_from_another_type(name, raw):
    """No "5", no "True": the field is None and the raw value is kept and counted."""
    item, drift = session(**{name: raw})
    assert getattr(item, name) is None
    assert item.extra == {name: raw}
    assert type(item.extra[name]) is type(raw)
    assert drift == {f"wrong_type:{name}": 1}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    "raw",
    [
        "2026-04-02T09:15:00",
        "2026-04-02",
        "09:15:00Z",
        "",
        "now",
        "3 weeks ago",
        "None",
        "2026-04-02T09:15:60Z",
        "2026-04-02T25:00:00Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
        "2026-04-02T09:15:00+25:00",
        "\ud8002026-04-02T09:15:00Z",
        1775121300,
        1775121300000.0,
        True,
        ["2026-04-02T09:15:00Z"],
        {"seconds": 1},
    ],
)
def test_a_time_that_cannot_be_read_is_kept_raw(name, raw):
    """No zone, no date, no such day, a number: None, with the raw value kept and counted."""
    item, drift = session(**{name: raw})
    assert getattr(item, name) is None
    assert item.extra == {name: raw}
    assert drift == {f"wrong_type:{name}": 1}


@pytest.mark.parametrize(
    "raw",
    [
        "2026-04-02T09:15:00.000Z",
        "2026-04-02T09:15:00+05:30",
        "2026-04-02 09:15:00-00:00",
        "2026-04-02T09:15:00.123456Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_time_keeps_its_offset(raw):
    """A readable time is aware, keeps the offset it came with and can be converted."""
    item, drift = session(created_at=raw)
    assert item.created_at == datetime.fromisoformat(raw)
    assert item.created_at.utcoffset() == datetime.fromisoformat(raw).utcoffset()
    assert item.to_dict()["created_at"].endswith("Z")
    assert drift == {}


@pytest.mark.parametrize("name", ["meta_data", "analysis_data"])
@pytest.mark.parametrize("raw", NOT_OBJECT)
def test_an_object_is_never_made_from_another_type(name, raw):
    """A list of pairs is no object, a text neither."""
    item, drift = session(**{name: raw})
    assert getattr(item, name) is None
    assert (item.extra, drift) == ({name: raw}, {f"wrong_type:{name}": 1})


@pytest.mark.parametrize("raw", [5, True, [], ["Canada"]])
def test_a_location_is_a_text_or_an_object(raw):
    """Any other type is kept raw."""
    item, drift = session(location=raw)
    assert item.location is None
    assert (item.extra, drift) == ({"location": raw}, {"wrong_type:location": 1})


@pytest.mark.parametrize("raw", [[], "a", {"a": 1}, {"a": None}, {"a": True, "b": "true"}])
def test_uploads_are_an_object_of_booleans(raw):
    """One value that is no boolean keeps the whole object raw."""
    item, drift = session(uploads=raw)
    assert item.uploads is None
    assert (item.extra, drift) == ({"uploads": raw}, {"wrong_type:uploads": 1})
    assert session(uploads={})[0].uploads == {}


@pytest.mark.parametrize(
    "raw", ["ID_VERIFICATION", {}, [1], ["A", None], [["A"]], [{"id": "A", "config": {}}], 5]
)
def test_steps_are_a_list_of_texts(raw):
    """Any other element keeps the whole list raw, for workflows and sessions alike."""
    item, drift = session(workflow_steps=raw)
    assert item.workflow_steps is None
    assert (item.extra, drift) == ({"workflow_steps": raw}, {"wrong_type:workflow_steps": 1})
    flow, drift = workflow(id="wf", steps=raw)
    assert flow.steps is None
    assert (flow.extra, drift) == ({"steps": raw}, {"wrong_type:steps": 1})


def test_steps_are_kept_as_they_are():
    """Order, casing, repetition and unknown steps stay; the list becomes a tuple."""
    steps = ["face-liveness", "LEGACY_STEP", "face-liveness"]
    assert session(workflow_steps=steps)[0].workflow_steps == tuple(steps)
    assert workflow(id="wf", steps=[])[0].steps == ()


def test_the_raw_value_is_kept_under_the_name_it_came_with():
    """A wrong value in camelCase is found in `extra` in camelCase."""
    item, drift = session(metaData=[], sessionProgress=1)
    assert item.extra == {"metaData": [], "sessionProgress": 1}
    assert drift == {"wrong_type:metaData": 1, "wrong_type:sessionProgress": 1}


def test_null_is_none_and_nothing_else():
    """Null in any known field is None, without drift and without an entry in `extra`."""
    names = [field.name for field in attrs.fields(WorkflowSession)][1:-1]
    item, drift = session(**dict.fromkeys(names))
    assert item == WorkflowSession("s")
    assert drift == {}


def test_an_unknown_field_is_kept_and_counted():
    """Unknown fields stay under their own names, null included, even one called `extra`."""
    fields = {"riskScore": 5, "auto_decision": {"by": "x"}, "extra": {"id": 1}, "nothing": None}
    item, drift = session(**fields)
    assert item.extra == fields
    assert drift == {f"unknown_field:{name}": 1 for name in fields}


def test_drift_is_summed_over_the_page():
    """Each kind of drift is counted once per record, records without any not at all."""
    records = [{"id": f"s_{number}", "riskScore": number} for number in range(50)]
    records.append({"id": "t", "status": 5})
    records.append({"id": "u", "status": "NEW_STATUS"})
    page = decode_page(json.dumps({"sessions": records}).encode(), SESSIONS)
    assert page.drift == {
        "unknown_field:riskScore": 50,
        "wrong_type:status": 1,
        "unknown_value:status": 1,
    }


def test_no_value_in_drift():
    """Drift tells names, never values, and a long or odd name only cleaned and shortened."""
    item, drift = session(status="Jane Roe", **{"a\x1b[31m\n" + "b" * 99: "Jane Roe"})
    assert item.status == "Jane Roe"
    assert "Jane" not in repr(drift)
    assert drift == {"unknown_value:status": 1, f"unknown_field:a [31m {'b' * 32}…": 1}


def test_field_names_that_are_data_become_few_kinds_of_drift():
    """Records with names of their own do not make a label each; the sum is kept."""
    records = [{"id": f"s_{number}", f"name_{number}": 1} for number in range(300)]
    page = decode_page(json.dumps({"sessions": records}).encode(), SESSIONS)
    assert len(page.drift) == 101
    assert sum(page.drift.values()) == 300


@pytest.mark.parametrize(
    ("bad", "path", "fragment"),
    [
        (None, "$.sessions[1]", "null, not an object"),
        ("s_1", "$.sessions[1]", "a string, not an object"),
        ([], "$.sessions[1]", "an array, not an object"),
        (7, "$.sessions[1]", "a number, not an object"),
        ({}, "$.sessions[1].id", "has no id"),
        ({"id": None}, "$.sessions[1].id", "has no id"),
        ({"id": ""}, "$.sessions[1].id", "an empty string as its id"),
        ({"id": 5}, "$.sessions[1].id", "a number as its id"),
        ({"id": True}, "$.sessions[1].id", "a boolean as its id"),
        ({"idvId": ["s"]}, "$.sessions[1].idvId", "an array as its id"),
        ({"id": 5, "idv_id": "s"}, "$.sessions[1].id", "a number as its id"),
    ],
)
def test_a_record_without_an_id_stops_the_page_and_not_the_rest(bad, path, fragment):
    """The error names the bad record; `partial` has the others, in order, and the token."""
    shape = attrs.evolve(SESSIONS, paged=True)
    body = {"sessions": [{"id": "a"}, bad, {"id": "b"}, {}], "next_token": "t"}
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(json.dumps(body).encode(), shape)
    error = caught.value
    assert error.path == path
    assert "2 of 4 records" in error.message
    assert fragment in error.message
    assert [item.id for item in error.partial.items] == ["a", "b"]
    assert error.partial.next_token == "t"
    assert error.partial.unreadable == (path, "$.sessions[3].id")


def test_the_path_of_a_bad_record_in_a_bare_array():
    """Without an envelope the path starts at the root."""
    shape = attrs.evolve(SESSIONS, bare_array=True)
    with pytest.raises(ResponseDecodeError) as caught:
        decode_page(b'[{"id": "a"}, {}]', shape)
    assert caught.value.path == "$[1].id"


def test_a_type_without_a_reader_is_left_to_the_converter():
    """Only `None` is taken off a union; a type that is no union stays as it is."""
    assert _structure._without_none(tuple[str, ...]) == tuple[str, ...]
    assert _structure._without_none(int | str | None) == int | str
