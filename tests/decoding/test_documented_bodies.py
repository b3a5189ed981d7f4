"""The bodies that the API's documentation prints, name by name."""

import json
from datetime import UTC, datetime

import pytest

from deepidv_async._models import (
    SessionProgress,
    SessionStatus,
    SessionType,
    Workflow,
    WorkflowSession,
)
from deepidv_async._structure import PageShape, decode_page

WORKFLOWS = PageShape(Workflow, ("workflows",))
WORKFLOWS_V1 = PageShape(Workflow, ("workflows",), paged=True, token_optional=True)
SESSIONS = PageShape(WorkflowSession, ("sessions",), paged=True)
LEGACY_SESSIONS = PageShape(
    WorkflowSession, ("sessions", "workflows", "idvs", "verifications", "data"), bare_array=True
)

V1_WORKFLOWS = b"""{"workflows":[{"id":"0b7f3c1e-1111-4222-8333-944455566677",
  "name":"Tenant onboarding","status":"active",
  "steps":["ID_VERIFICATION","FACE_LIVENESS"],"created_at":"2026-04-02T09:15:00.000Z"}]}"""
V1_SESSIONS = b"""{"sessions":[{"id":"7d0a2b44-aaaa-4bbb-8ccc-1234567890ab",
  "organization_id":"org_1","user_id":"usr_9","sender_user_id":"usr_2",
  "status":"SUBMITTED","type":"session","session_progress":"COMPLETED",
  "workflow_id":"0b7f3c1e-1111-4222-8333-944455566677",
  "external_id":"lease-204","created_at":"2026-05-06T07:08:09.000Z",
  "updated_at":"2026-05-06T07:20:00.000Z"}],"next_token":null}"""


def encode(value):
    return json.dumps(value).encode()


def test_the_v1_workflow_list():
    """The printed v1 workflow list is read whole, without drift: it has no `next_token`."""
    page = decode_page(V1_WORKFLOWS, WORKFLOWS_V1)
    assert page.items == (
        Workflow(
            "0b7f3c1e-1111-4222-8333-944455566677",
            "Tenant onboarding",
            datetime(2026, 4, 2, 9, 15, tzinfo=UTC),
            "active",
            ("ID_VERIFICATION", "FACE_LIVENESS"),
        ),
    )
    assert (page.next_token, page.drift) == (None, {})


def test_the_v1_session_list():
    """The printed v1 session list is read whole, published values become enum members."""
    page = decode_page(V1_SESSIONS, SESSIONS)
    (session,) = page.items
    assert session == WorkflowSession(
        id="7d0a2b44-aaaa-4bbb-8ccc-1234567890ab",
        organization_id="org_1",
        user_id="usr_9",
        sender_user_id="usr_2",
        status=SessionStatus.SUBMITTED,
        type=SessionType.SESSION,
        session_progress=SessionProgress.COMPLETED,
        workflow_id="0b7f3c1e-1111-4222-8333-944455566677",
        external_id="lease-204",
        created_at=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
        updated_at=datetime(2026, 5, 6, 7, 20, tzinfo=UTC),
    )
    assert isinstance(session.status, SessionStatus)
    assert isinstance(session.type, SessionType)
    assert isinstance(session.session_progress, SessionProgress)
    assert (page.next_token, page.drift) == (None, {})


def test_the_sandbox_lists():
    """The sandbox's lists: summaries of id, name and created_at, ids that are no UUIDs."""
    summaries = [
        {"id": "test_workflow", "name": "Full", "created_at": "2026-01-01T00:00:00.000Z"},
        {"id": "wf_2", "name": "Short", "created_at": "2026-01-02T00:00:00.000Z"},
    ]
    for shape in (WORKFLOWS, WORKFLOWS_V1):
        page = decode_page(encode({"workflows": summaries, "next_token": None}), shape)
        assert [workflow.id for workflow in page.items] == ["test_workflow", "wf_2"]
        assert [workflow.status for workflow in page.items] == [None, None]
        assert page.drift == {}
    kinds = ("verified", "rejected", "submitted", "pending", "voided")
    sessions = [{"id": f"test_{kind}", "status": kind.upper()} for kind in kinds]
    page = decode_page(encode({"sessions": sessions, "next_token": None}), SESSIONS)
    assert [session.id for session in page.items] == [f"test_{kind}" for kind in kinds]
    assert all(isinstance(session.status, SessionStatus) for session in page.items)
    assert page.drift == {}


@pytest.mark.parametrize(
    "record",
    [
        {"id": "wf_1", "name": "Tenants", "createdAt": "2026-04-02T09:15:00.000Z"},
        {"workflow_id": "wf_1", "workflow_name": "Tenants", "created_at": "2026-04-02T09:15:00Z"},
        {"workflowId": "wf_1", "workflowName": "Tenants", "createdAt": "2026-04-02T09:15:00Z"},
    ],
)
def test_the_legacy_workflow_list(record):
    """The legacy example and the table under it spell the same three values differently."""
    page = decode_page(encode({"workflows": [record]}), WORKFLOWS)
    expected = Workflow("wf_1", "Tenants", datetime(2026, 4, 2, 9, 15, tzinfo=UTC))
    assert page.items == (expected,)
    assert page.drift == {}


def test_both_legacy_session_bodies_give_the_same_result():
    """The body that the legacy page prints and every plausible one are read alike."""
    records = [
        {"id": "s_2", "name": "Second", "createdAt": "2026-04-03T09:15:00.000Z"},
        {"id": "s_1", "name": "First", "createdAt": "2026-04-02T09:15:00.000Z"},
    ]
    printed = decode_page(encode({"workflows": records}), LEGACY_SESSIONS)
    assert [session.id for session in printed.items] == ["s_2", "s_1"]
    assert printed.drift == {}
    for name in LEGACY_SESSIONS.envelopes:
        assert decode_page(encode({name: records}), LEGACY_SESSIONS) == printed
    assert decode_page(encode(records), LEGACY_SESSIONS) == printed


def test_both_casings_of_a_full_session_give_the_same_result():
    """A session in camelCase and one in snake_case, every field filled, are equal."""
    snake = {
        "id": "s_1",
        "name": "n",
        "created_at": "2026-05-06T07:08:09.123Z",
        "updated_at": "2026-05-06T07:08:09+02:00",
        "submitted_at": "2026-05-06T07:08:09Z",
        "expires_at": "2026-05-06T07:08:09Z",
        "status": "VERIFIED",
        "type": "deep-doc",
        "session_progress": "STARTED",
        "workflow_id": "wf",
        "external_id": "e",
        "organization_id": "o",
        "user_id": "u",
        "sender_user_id": "su",
        "workflow_steps": ["ID_VERIFICATION"],
        "location": {"country": "CA"},
        "meta_data": {"applicantSubmissionIp": "192.0.2.1"},
        "uploads": {"id_front": True},
        "analysis_data": {"faceliveness_score": 99.5},
    }
    camel = {
        "id": "s_1",
        "name": "n",
        "createdAt": "2026-05-06T07:08:09.123Z",
        "updatedAt": "2026-05-06T07:08:09+02:00",
        "submittedAt": "2026-05-06T07:08:09Z",
        "expiresAt": "2026-05-06T07:08:09Z",
        "status": "VERIFIED",
        "type": "deep-doc",
        "sessionProgress": "STARTED",
        "workflowId": "wf",
        "externalId": "e",
        "organizationId": "o",
        "userId": "u",
        "senderUserId": "su",
        "workflowSteps": ["ID_VERIFICATION"],
        "location": {"country": "CA"},
        "metaData": {"applicantSubmissionIp": "192.0.2.1"},
        "uploads": {"id_front": True},
        "analysisData": {"faceliveness_score": 99.5},
    }
    one = decode_page(encode({"sessions": [snake]}), LEGACY_SESSIONS)
    other = decode_page(encode({"sessions": [camel]}), LEGACY_SESSIONS)
    assert one == other
    assert one.drift == {}
    (session,) = one.items
    assert session.extra == {}
    assert None not in [getattr(session, name) for name in snake]
    assert session.updated_at.isoformat() == "2026-05-06T07:08:09+02:00"


@pytest.mark.parametrize("location", ["Canada", {"country": "CA"}, None])
def test_every_documented_form_of_a_location(location):
    """A location comes as a text, as an object or as null."""
    page = decode_page(encode({"sessions": [{"id": "s", "location": location}]}), LEGACY_SESSIONS)
    assert page.items[0].location == location
    assert page.drift == {}


@pytest.mark.parametrize("enum", [SessionStatus, SessionType, SessionProgress])
def test_every_published_value_is_a_member(enum):
    """Each published status, type and progress is recognized, in its own casing only."""
    name = {SessionStatus: "status", SessionType: "type", SessionProgress: "session_progress"}[enum]
    for member in enum:
        body = encode({"sessions": [{"id": "s", name: member.value}]})
        page = decode_page(body, LEGACY_SESSIONS)
        assert getattr(page.items[0], name) is member
        assert page.drift == {}
        body = encode({"sessions": [{"id": "s", name: member.value.swapcase()}]})
        page = decode_page(body, LEGACY_SESSIONS)
        assert type(getattr(page.items[0], name)) is str
        assert page.drift == {f"unknown_value:{name}": 1}


def test_the_order_of_the_server_is_kept():
    """Records are neither sorted nor de-duplicated."""
    ids = ["s_3", "s_1", "s_2", "s_1"]
    page = decode_page(encode([{"id": id_} for id_ in ids]), LEGACY_SESSIONS)
    assert [session.id for session in page.items] == ids


@pytest.mark.parametrize("body", [{"sessions": []}, {"data": []}, []])
def test_an_empty_list_is_an_empty_page(body):
    """The only way to an empty page is an empty list in its documented place."""
    page = decode_page(encode(body), LEGACY_SESSIONS)
    assert (page.items, page.next_token, page.drift) == ((), None, {})
