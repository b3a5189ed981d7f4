"""The fast way through a page and the careful reader: the same records, and which is asked when."""

import copy
import json
import pickle
import weakref
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import _hooks, _pages, _structure
from deepidv_async._errors import ResponseDecodeError
from deepidv_async._models import SessionStatus, Workflow, WorkflowSession
from deepidv_async._records import RecordReader
from deepidv_async._structure import PageShape, decode_page

WORKFLOWS = PageShape(Workflow, ("workflows",))
SESSIONS = PageShape(WorkflowSession, ("sessions",))
NAMES = {
    Workflow: [
        *("id", "workflow_id", "workflowId", "name", "workflow_name", "created_at", "createdAt"),
        *("status", "steps"),
    ],
    WorkflowSession: [
        *("id", "idv_id", "idvId", "name", "created_at", "createdAt", "expires_at", "status"),
        *("type", "session_progress", "sessionProgress", "workflow_id", "workflow_steps"),
        *("workflowSteps", "location", "meta_data", "uploads", "analysisData", "user_id"),
        *("userId",),
    ],
}
UNKNOWN = ["riskBand", "extra", "__class__", "é", ""]
TIMES = ["2026-05-06T07:08:09.123Z", "2026-05-06T07:08:09+02:00", "0001-01-01T00:00:00+14:00"]
TEXTS = st.sampled_from(["VERIFIED", "session", "STARTED", "ODD", "", "2026-05-06", *TIMES])
VALUES = st.one_of(
    TEXTS,
    st.sampled_from([None, True, 0, 1.5, [], ["A"], ["A", 1], {}, {"a": True}, {"a": [1]}]),
)
SOUND = {
    "created_at": st.sampled_from(TIMES[:2]),
    "expires_at": st.sampled_from(TIMES[:2]),
    "workflow_steps": st.lists(TEXTS, max_size=2),
    "steps": st.lists(TEXTS, max_size=2),
    "meta_data": st.dictionaries(TEXTS, VALUES, max_size=2),
    "analysisData": st.dictionaries(TEXTS, VALUES, max_size=2),
    "uploads": st.dictionaries(TEXTS, st.booleans(), max_size=2),
}


@st.composite
def pages(draw):
    """Records that are alike, and some that are not: keys come and go, values go wrong."""
    shape = draw(st.sampled_from([WORKFLOWS, SESSIONS]))
    usual = ["id", *draw(st.lists(st.sampled_from(NAMES[shape.model] + UNKNOWN), max_size=6))]
    rare = st.sampled_from(NAMES[shape.model] + UNKNOWN)
    records = []
    for _ in range(draw(st.integers(0, 6))):
        keys = dict.fromkeys(usual)
        if draw(st.booleans()):
            keys |= dict.fromkeys(draw(st.lists(rare, max_size=2)))
            keys.pop(draw(st.sampled_from(usual)), None)
        odd = draw(st.integers(0, 9)) == 0
        record = {key: draw(VALUES if odd else SOUND.get(key, TEXTS | st.none())) for key in keys}
        records.append(draw(st.just(record) | VALUES) if odd else record)
    return shape, json.dumps({shape.envelopes[0]: records}).encode()


def outcome(body, shape):
    """All that a caller can see of a page."""
    try:
        page = decode_page(body, shape)
    except ResponseDecodeError as error:
        items, rest = error.partial.items, [str(error), error.path, error.partial, error.body]
    else:
        items, rest = page.items, [page.drift, page.next_token]
    kinds = [[type(value) for value in attrs.astuple(item, recurse=False)] for item in items]
    # As text, since Python holds true, 1 and 1.0 for equal.
    return items, kinds, [json.dumps(item.to_dict(), sort_keys=True) for item in items], rest


@given(pages())
@settings(max_examples=400)
def test_the_fast_way_and_the_careful_reader_agree(page):
    """Values and their types, `extra`, drift, errors and paths are the same either way."""
    shape, body = page
    fast = outcome(body, shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pages.PageReader, "_widen", never_wider)
        assert outcome(body, shape) == fast


def never_wider(*_):
    raise ValueError


LIGHT = {
    "id": "s_1",
    "organization_id": "org",
    "status": "VERIFIED",
    "session_progress": "COMPLETED",
    "created_at": "2026-05-06T07:08:09.123Z",
    "updated_at": "2026-05-06T07:08:09+02:00",
}
FULL = LIGHT | {
    "external_id": None,
    "workflow_steps": ["A", "B"],
    "location": {"country": "CA"},
    "meta_data": {"applicant_view_time": "x"},
    "uploads": {"id_front": True},
    "analysis_data": {"deep": [{"er": 1}]},
}
ALIKE = {
    "snake_case": [LIGHT] * 3,
    "camelCase": [{"id": "s", "createdAt": "2026-05-06T07:08:09Z", "sessionProgress": "STARTED"}],
    "another name of the id": [{"idv_id": "s_1", "status": "PENDING"}, {"idv_id": "s_2"}],
    "one key": [{"id": "s_1"}, {"id": "s_2"}],
    "keys that come and go": [LIGHT, FULL, {"id": "x"}, LIGHT, FULL | {"type": "session"}],
    "another order": [LIGHT, dict(reversed(LIGHT.items())), FULL, dict(reversed(FULL.items()))],
    "nulls": [dict.fromkeys(FULL) | {"id": "s"}, FULL],
    "unknown fields": [LIGHT | {"a": 1}, LIGHT, LIGHT | {"a": None, "b": {}}, {"b": 0, "id": "s"}],
    "unknown values": [LIGHT | {"status": "NEW", "type": "new"}] * 2,
}


@pytest.fixture
def no_careful_reader(monkeypatch):
    """Let the careful reader fail whoever asks it."""

    def refuse(*_):
        raise AssertionError("the careful reader was asked")

    monkeypatch.setattr(RecordReader, "__call__", refuse)


@pytest.mark.parametrize("records", ALIKE.values(), ids=ALIKE.keys())
def test_sound_records_are_read_the_fast_way(records, no_careful_reader):
    """Any one casing, absent keys, nulls, unknown fields and values: none needs care."""
    page = decode_page(json.dumps({"sessions": records}).encode(), SESSIONS)
    for item, record in zip(page.items, records, strict=True):
        assert item.id == record.get("id", record.get("idv_id"))
        assert item.status == record.get("status")
        unknown = {key: value for key, value in record.items() if len(key) == 1}
        assert item.extra == unknown


def test_a_sound_page_leaves_nothing_to_count():
    """No record of it is looked at again for drift."""
    reader = _structure._CONVERTER.get_structure_hook(WorkflowSession)
    reading = reader.read([LIGHT, FULL] * 50, "$")
    assert len(reading.items) == 100
    assert (reading.with_extra, reading.unknown, reading.faults) == ([], [], [])


@pytest.mark.parametrize("records", ALIKE.values(), ids=ALIKE.keys())
def test_after_too_many_kinds_of_records_one_function_serves_all(
    records, monkeypatch, no_careful_reader
):
    """Functions made for a set of fields are few; the one for all fields gives the same."""
    reader = _structure._CONVERTER.get_structure_hook(WorkflowSession)
    usual = reader.read(records, "$")
    monkeypatch.setattr(reader, "_runs", {})
    monkeypatch.setattr(_pages, "_MOST_RUNS", 0)
    assert reader.read(records, "$") == usual
    assert set(reader._runs) <= {(False,), (True,)}


def test_functions_are_made_once_and_not_without_end(monkeypatch):
    """A page like one before it makes no function; random pages make at most 34."""
    reader = _structure._CONVERTER.get_structure_hook(WorkflowSession)
    monkeypatch.setattr(reader, "_runs", {})
    reader.read([LIGHT], "$")
    made = dict(reader._runs)
    reader.read([LIGHT] * 5, "$")
    assert reader._runs == made
    names = [field.name for field in reader._fields[1:8]]
    for number in range(2 ** len(names)):
        keys = {name: None for bit, name in enumerate(names) if number >> bit & 1}
        reader.read([{"id": "s", **keys, **({"new": 1} if number % 2 else {})}], "$")
    assert len(reader._runs) <= 34


def test_names_that_are_data_do_not_widen_the_form_without_end(monkeypatch):
    """Records with a name each are read right; after 32 such names they are left to care."""
    asked = []
    careful = RecordReader.__call__

    def count(self, record):
        asked.append(record)
        return careful(self, record)

    monkeypatch.setattr(RecordReader, "__call__", count)
    records = [{"id": "s", f"name_{number}": number} for number in range(100)]
    page = decode_page(json.dumps({"sessions": records}).encode(), SESSIONS)
    assert [item.extra for item in page.items] == [
        {f"name_{number}": number} for number in range(100)
    ]
    assert asked == records[32:]


@pytest.fixture
def item():
    """A session that came the fast way."""
    return decode_page(json.dumps({"sessions": [FULL]}).encode(), SESSIONS).items[0]


def test_a_record_is_what_its_class_makes(item):
    """Filled from behind, yet a true instance: equal, hashed, copied, pickled, evolved alike."""
    made = WorkflowSession(
        "s_1",
        organization_id="org",
        status=SessionStatus.VERIFIED,
        session_progress=item.session_progress,
        created_at=datetime(2026, 5, 6, 7, 8, 9, 123000, tzinfo=UTC),
        updated_at=datetime(2026, 5, 6, 5, 8, 9, tzinfo=UTC),
        workflow_steps=("A", "B"),
        location={"country": "CA"},
        meta_data={"applicant_view_time": "x"},
        uploads={"id_front": True},
        analysis_data={"deep": [{"er": 1}]},
    )
    assert type(item) is WorkflowSession
    assert (item, hash(item), repr(item)) == (made, hash(made), repr(made))
    assert attrs.asdict(item) == attrs.asdict(made)
    assert attrs.evolve(item, name="n") == attrs.evolve(made, name="n")
    copies = [copy.copy(item), copy.deepcopy(item), pickle.loads(pickle.dumps(item))]
    assert copies == [made] * 3
    assert {type(one) for one in copies} == {WorkflowSession}
    assert weakref.ref(item)() is item
    assert not hasattr(item, "__dict__")


def test_a_record_is_frozen(item):
    """Nothing of it can be set or deleted, known name or not."""
    for name in ("id", "extra", "unknown"):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(item, name, "x")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(item, name)


@pytest.mark.parametrize("model", [Workflow, WorkflowSession])
def test_a_model_has_no_code_that_decoding_would_skip(model):
    """Validators, converters and an own `__init__` would not run."""
    for field in attrs.fields(model):
        assert (field.validator, field.converter) == (None, None)
    assert not hasattr(model, "__attrs_post_init__")
    assert not hasattr(model, "__attrs_pre_init__")


def test_records_do_not_share_their_extra():
    """Each has a dictionary of its own, empty ones too."""
    page = decode_page(json.dumps({"sessions": [LIGHT, LIGHT]}).encode(), SESSIONS)
    assert page.items[0].extra is not page.items[1].extra


def test_the_converter_structures_single_records():
    """The same reader is the hook of the model for cattrs."""
    structure = _structure._CONVERTER.structure
    assert structure({"workflowId": "wf", "odd": 1}, Workflow) == Workflow("wf", extra={"odd": 1})
    with pytest.raises(ValueError, match="has no id"):
        structure({"name": "n"}, Workflow)


def test_a_type_that_is_not_inlined_is_left_to_its_hook():
    """A function can be made for any attrs class whose types the converter knows."""

    @attrs.frozen
    class Other:
        number: int
        extra: dict

    fields = [_hooks.Field("number", int, lambda value, type_: type_(value) + 1, required=True)]
    run = _hooks.make_run(Other, fields, others=False)
    form = _hooks.Form({}, (), {"n": None}, 1, lambda record: (record["n"],), run)
    reading = _hooks.Reading()
    run(iter([{"n": "4"}]), form, reading)
    assert reading.items == [Other(5, {})]
