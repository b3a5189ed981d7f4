"""The models as values: frozen, quiet about their contents, and plain when asked."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from deepidv_async import (
    ResponseInfo,
    SessionProgress,
    SessionStatus,
    SessionType,
    Workflow,
    WorkflowSession,
)

AT = datetime(2026, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
WORKFLOW = Workflow("wf_1", "Jane's", AT, "active", ("ID_VERIFICATION",), {"owner": ["Jane"]})
SESSION = WorkflowSession(
    id="s_1",
    name="Jane",
    created_at=AT,
    status=SessionStatus.VERIFIED,
    type="brand-new",
    workflow_steps=("FACE_LIVENESS",),
    location={"country": "CH", "city": ["Jane's"]},
    meta_data={"applicant": {"name": "Jane"}},
    uploads={"id_front": True},
    extra={"nested": [{"name": "Jane"}]},
)
RECORDS = pytest.mark.parametrize("record", [WORKFLOW, SESSION], ids=["workflow", "session"])


@RECORDS
def test_records_show_no_personal_data(record):
    """`repr` and `str` tell id, status and creation time, nothing else."""
    for text in (repr(record), str(record), repr([record])):
        assert "Jane" not in text
        assert record.id in text
        assert "2026-05-06T07:08:09.123000+00:00" in text


def test_how_a_record_looks():
    """The three fields stand there by name, absent ones as `None`."""
    assert repr(Workflow("wf_1")) == "Workflow(id='wf_1', status=None, created_at=None)"
    assert repr(SESSION) == (
        "WorkflowSession(id='s_1', status=<SessionStatus.VERIFIED: 'VERIFIED'>, "
        "created_at='2026-05-06T07:08:09.123000+00:00')"
    )


@RECORDS
def test_records_are_frozen_and_slotted(record):
    """No field can be set, and none can be added."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record.id = "other"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record.other = 1
    assert not hasattr(record, "__dict__")


@RECORDS
def test_records_are_values(record):
    """Equal by all fields, hashed by id, whole after a copy and a pickle."""
    assert copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record
    changed = attrs.evolve(record, name="other")
    assert changed != record
    assert hash(changed) == hash(record)
    assert len({record, changed, copy.copy(record)}) == 2


@RECORDS
def test_plain_data_is_json(record):
    """`to_dict` has every field, in JSON's own types only."""
    plain = record.to_dict()
    assert list(plain) == [field.name for field in attrs.fields(type(record))]
    assert json.loads(json.dumps(plain)) == plain
    assert plain["created_at"] == "2026-05-06T07:08:09.123000Z"


def test_plain_data_of_a_session():
    """Enum members become their value, tuples lists, unknown values stay."""
    plain = SESSION.to_dict()
    assert type(plain["status"]) is str
    assert (plain["status"], plain["type"]) == ("VERIFIED", "brand-new")
    assert plain["workflow_steps"] == ["FACE_LIVENESS"]
    assert plain["updated_at"] is None


def test_plain_times_are_in_utc():
    """A time of another zone names the same instant, with `Z`."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert (
        Workflow("w", created_at=elsewhere).to_dict()["created_at"] == "2026-05-06T07:08:09.123000Z"
    )


def test_plain_data_is_a_copy():
    """Whoever changes it changes no record."""
    plain = SESSION.to_dict()
    plain["extra"]["nested"][0]["name"] = plain["location"]["city"][0] = "other"
    assert SESSION.extra == {"nested": [{"name": "Jane"}]}
    assert SESSION.location == {"country": "CH", "city": ["Jane's"]}


def test_each_record_has_an_extra_of_its_own():
    """Two records without unknown fields do not share where they would be."""
    assert Workflow("a").extra is not Workflow("b").extra
    assert WorkflowSession("a").extra == {}


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (
            SessionStatus,
            ["PENDING", "SUBMITTED", "VERIFIED", "REJECTED", "VOIDED", "EXPIRED", "FAILED"],
        ),
        (
            SessionType,
            [
                "session",
                "verification",
                "credit-application",
                "credit-check-hard",
                "credit-check-soft",
                "silent-screening",
                "deep-doc",
            ],
        ),
        (SessionProgress, ["PENDING", "STARTED", "COMPLETED"]),
    ],
)
def test_published_values(enum, values):
    """The enums hold what is published, and their members are equal to the texts."""
    assert list(enum) == values
    assert all(enum(value) == value == f"{enum(value)}" for value in values)


def test_response_info_is_a_value():
    """How a page was had: four facts, frozen."""
    info = ResponseInfo(200, "r", 0.5, 2)
    assert pickle.loads(pickle.dumps(info)) == info
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        info.status = 500
