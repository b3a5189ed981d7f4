"""Made-up records: what they hold, what may be set, and the bodies that hold them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from deepidv_async import SessionStatus, SessionType, Workflow, WorkflowSession
from deepidv_async.testing import (
    FakeDeepIDV,
    make_session,
    make_workflow,
    sessions_body,
    workflows_body,
)

SEEDS = st.integers(0, 10_000)
WHEN = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_they_are_repeatable():
    """A seed means one record for ever; others mean others. These ids are a promise."""
    assert make_workflow() == make_workflow(seed=0)
    assert make_session(seed=3) == make_session(seed=3)
    assert make_workflow().id == "cbbf4266-103d-424f-adb5-8282b3f177ad"
    assert make_session().id == "0ae13917-57e2-40e7-bec0-bc29ce65f0da"
    assert len({make_session(seed=seed).id for seed in range(200)}) == 200
    assert len({make_workflow(seed=seed).id for seed in range(200)}) == 200


@given(SEEDS)
def test_they_are_realistic(seed):
    """Everything that the API always tells is there, in the types that the client gives."""
    workflow, session = make_workflow(seed=seed), make_session(seed=seed)
    assert all(getattr(workflow, name) for name in ("name", "created_at", "status", "steps"))
    assert isinstance(session.status, SessionStatus)
    assert isinstance(session.type, SessionType)
    assert session.created_at.tzinfo is not None
    assert session.created_at < session.updated_at
    assert session.workflow_id == make_workflow().id


@given(SEEDS, st.sampled_from(list(SessionStatus)))
def test_the_fields_go_with_the_status(seed, status):
    """Only who has handed in has results: a pending session with a face match would be none."""
    session = make_session(seed=seed, status=status)
    handed_in = status in {"VERIFIED", "REJECTED", "SUBMITTED", "FAILED"}
    assert session.status is status
    assert (session.submitted_at is not None) == (session.analysis_data is not None) == handed_in
    assert (session.session_progress == "COMPLETED") == handed_in


def test_fields_can_be_set():
    """What is passed is what the record holds, in the form that the client would give it."""
    session = make_session(
        id="ses_1",
        status="VERIFIED",
        type="something-new",
        created_at=WHEN.astimezone(timezone(timedelta(hours=5))),
        workflow_steps=["A", "B"],
        external_id=None,
        location="Canada",
        analysis_data={"score": 1},
        extra={"new_field": [1]},
    )
    assert (session.id, session.status, session.type) == ("ses_1", "VERIFIED", "something-new")
    assert session.status is SessionStatus.VERIFIED
    assert session.created_at == WHEN
    assert session.workflow_steps == ("A", "B")
    assert (session.external_id, session.location) == (None, "Canada")
    assert session.analysis_data == {"score": 1}
    assert session.extra == {"new_field": [1]}
    assert make_workflow(name="Tenants", steps=()).name == "Tenants"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"stat_us": "PENDING"}, "no field 'stat_us'. Did you mean 'status'"),
        ({"zzzzzz": 1}, "no field 'zzzzzz'. See its `extra`"),
        ({"id": ""}, "id must be a str and not empty; got ''"),
        ({"id": None}, "id must be a str"),
        ({"id": 5}, "id must be a str"),
        ({"created_at": datetime(2026, 1, 1)}, "must be an aware datetime"),  # noqa: DTZ001 - it
        ({"created_at": "yesterday"}, "created_at cannot hold 'yesterday'"),
        ({"status": 5}, "status cannot hold 5"),
        ({"workflow_steps": ("a", 1)}, "workflow_steps cannot hold"),
        ({"external_id": 1.5}, "external_id cannot hold 1.5"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": "1"}, "seed must be a whole number"),
    ],
    ids=str,
)
def test_mistakes_are_refused(fields, told):
    """A name that does not exist, or a value that the API could not send, is an error at once."""
    with pytest.raises(TypeError) as caught:
        make_session(**fields)
    assert told in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("api_version", ["legacy", "v1"])
async def test_bodies_are_read_back(api_version):
    """A client that gets the bodies gives the records again, in both generations."""
    workflows = [make_workflow(seed=seed) for seed in range(5)]
    sessions = [attrs.evolve(make_session(seed=seed), extra={}) for seed in range(50)]
    async with FakeDeepIDV() as fake:
        fake.plan(
            workflows_body(workflows, api_version=api_version),
            sessions_body(sessions, api_version=api_version, legacy_body="sessions"),
        )
        client = fake.client(api_version=api_version)
        listed = (await client.list_workflows()).items
        assert (await client.list_workflow_sessions("wf_1")).items == tuple(sessions)
    if api_version == "legacy":  # which tells no more of a workflow
        workflows = [attrs.evolve(each, status=None, steps=None) for each in workflows]
    assert listed == tuple(workflows)


def test_extra_fields_are_in_the_bodies():
    """Fields that have no name here go out under the names that they came with."""
    session = make_session(extra={"new_field": 1})
    assert sessions_body([session], api_version="v1")["sessions"][0]["new_field"] == 1


def test_the_shapes_of_the_bodies():
    """Envelopes, casing and cursor are those of each generation."""
    workflow = Workflow("wf_1", name="Tenants", created_at=WHEN, status="active")
    session = WorkflowSession("ses_1", created_at=WHEN, status="PENDING", session_progress="X")
    when = "2026-05-06T07:08:09Z"
    assert workflows_body([workflow]) == {
        "workflows": [{"id": "wf_1", "name": "Tenants", "createdAt": when}]
    }
    assert workflows_body([workflow], api_version="v1") == {
        "workflows": [{"id": "wf_1", "name": "Tenants", "created_at": when, "status": "active"}]
    }
    assert sessions_body([session]) == {"workflows": [{"id": "ses_1", "createdAt": when}]}
    full = {"id": "ses_1", "status": "PENDING"}
    assert sessions_body([session], legacy_body="sessions") == {
        "sessions": [full | {"createdAt": when, "sessionProgress": "X"}]
    }
    assert sessions_body([session], api_version="v1", next_token="t") == {
        "sessions": [full | {"created_at": when, "session_progress": "X"}],
        "next_token": "t",
    }
    assert sessions_body([], api_version="v1") == {"sessions": [], "next_token": None}
    assert workflows_body([]) == {"workflows": []}


@given(st.lists(SEEDS, max_size=3), st.sampled_from(["legacy", "v1"]))
def test_bodies_are_json(seeds, api_version):
    """A body can be written as it is."""
    sessions = [make_session(seed=seed) for seed in seeds]
    body = sessions_body(sessions, api_version=api_version)
    assert json.loads(json.dumps(body)) == body
