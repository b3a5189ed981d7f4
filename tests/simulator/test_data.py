"""The made-up data: the same from the same seed, newest first, every documented field."""

import time
from collections import Counter
from datetime import datetime
from itertools import pairwise

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.simulator import Simulator
from deepidv_async.simulator._organization import make_organization
from deepidv_async.simulator._records import camel_case

# Those of the published record that a list may hold.
REQUIRED = {
    "id", "organization_id", "user_id", "sender_user_id", "created_at", "updated_at", "status",
    "type", "session_progress",
}  # fmt: skip
OPTIONAL = {
    "submitted_at", "expires_at", "external_id", "permalink_id", "workflow_id",
    "bank_statement_request_id", "deep_sign_id", "face_liveness_session_id", "redirect_url",
    "workflow_steps", "location", "meta_data", "uploads", "analysis_data",
}  # fmt: skip
STATUSES = {"PENDING", "SUBMITTED", "VERIFIED", "REJECTED", "VOIDED", "EXPIRED", "FAILED"}


@pytest.fixture(scope="module")
def organization():
    return make_organization("own", 7, (100,) * 10)


def test_the_same_seed_gives_the_same_data(organization):
    """Ids, names, statuses and times come from the seed, not from the day or the process."""
    twin = make_organization("own", 7, (100,) * 10)
    assert twin.workflows == organization.workflows
    assert twin.all_sessions() == organization.all_sessions()
    workflow = organization.workflows[0]
    assert workflow["id"] == "5fbd72c5-17a3-4da1-a415-e497759c4fcc"
    assert organization.sessions(workflow["id"])[0]["id"].startswith("7d9beb4c-")


def test_another_seed_gives_other_data(organization):
    """Two seeds share no id, and so do two organizations of one seed."""
    for other in (make_organization("own", 8, (5,)), make_organization("other", 7, (5,))):
        mine = {record["id"] for record in organization.workflows}
        assert mine.isdisjoint(record["id"] for record in other.workflows)


def test_a_record_does_not_depend_on_the_rest():
    """More workflows and more sessions leave the first ones as they were."""
    small, large = make_organization("own", 1, (3,)), make_organization("own", 1, (9, 2))
    key = small.workflows[0]["id"]
    assert large.workflows[0] == small.workflows[0]
    assert large.sessions(key)[:3] == small.sessions(key)


def test_lists_are_newest_first(organization):
    """Times fall strictly along each list, so that the order is one order."""
    lists = [organization.workflows, *map(organization.sessions, organization._sizes)]
    for records in lists:
        times = [datetime.fromisoformat(record["created_at"]) for record in records]
        assert all(newer > older for newer, older in pairwise(times))


def test_times_are_written_as_documented(organization):
    """ISO 8601 with milliseconds and Z, and in a possible order."""
    for record in organization.all_sessions():
        times = [record[name] for name in ("created_at", "updated_at", "expires_at", "submitted_at")
                 if name in record]  # fmt: skip
        assert all(len(text) == len("2026-05-06T07:08:09.000Z") for text in times)
        assert all(text.endswith("Z") and text >= record["created_at"] for text in times)


def test_every_documented_field_turns_up(organization):
    """A list of some hundred sessions has each documented field and status, and no other."""
    sessions = organization.all_sessions()
    fields = Counter(name for record in sessions for name in record)
    assert set(fields) == REQUIRED | OPTIONAL
    assert {name for name, count in fields.items() if count == len(sessions)} >= REQUIRED
    assert {record["status"] for record in sessions} == STATUSES
    assert {type(record.get("location")) for record in sessions} == {dict, str, type(None)}


def test_statuses_come_in_realistic_proportion(organization):
    """About half is verified, and what is not handed in holds no findings."""
    sessions = organization.all_sessions()
    counts = Counter(record["status"] for record in sessions)
    assert 0.4 < counts["VERIFIED"] / len(sessions) < 0.6
    handed_in = {"VERIFIED", "REJECTED", "SUBMITTED", "FAILED"}
    assert all(("analysis_data" in each) == (each["status"] in handed_in) for each in sessions)
    assert {each["workflow_id"] for each in sessions} == set(organization._sizes)


def test_meta_data_comes_in_both_casings(organization):
    """Keys of `meta_data` are published in camelCase and in snake_case."""
    keys = {key for record in organization.all_sessions() for key in record.get("meta_data", ())}
    assert {"applicantSubmissionIp", "applicant_submission_ip"} <= keys


def test_camel_case_renames_the_fields_only():
    """The legacy spelling is that of a record's own fields; what is inside stays."""
    assert camel_case({"sender_user_id": 1, "id": 2, "meta_data": {"a_b": 3}}) == {
        "senderUserId": 1,
        "id": 2,
        "metaData": {"a_b": 3},
    }


def test_thousands_are_cheap():
    """Two hundred thousand sessions cost nothing until they are read."""
    started = time.process_time()
    simulator = Simulator(workflows=100, sessions=2_000)
    assert len(simulator.session_ids(simulator.workflow_ids[0])) == 2_000
    assert time.process_time() - started < 1


def test_sessions_can_arrive():
    """A session that is added is the newest of its workflow, with the fields it was given."""
    simulator = Simulator(sessions=(2, 0), workflows=2)
    first, second = simulator.workflow_ids
    before = simulator.session_ids(first)
    added = [simulator.add_session(first, status="PENDING"), simulator.add_session(first)]
    assert simulator.session_ids(first) == (added[1], added[0], *before)
    simulator.add_session(second, id="wanted")
    assert simulator.session_ids(second) == ("wanted",)
    with pytest.raises(KeyError):
        simulator.add_session("nope")
    simulator.reset()
    assert simulator.session_ids(first) == before


def test_workflows_can_be_added():
    """A workflow that is added is the newest, has no sessions yet, and takes some."""
    simulator = Simulator(workflows=1, sessions=1)
    (before,) = simulator.workflow_ids
    added = [simulator.add_workflow(id="wanted", name="Tenants"), simulator.add_workflow()]
    assert simulator.workflow_ids == (added[1], "wanted", before)
    assert simulator.session_ids("wanted") == ()
    assert (simulator.add_session("wanted"),) == simulator.session_ids("wanted")
    with pytest.raises(ConfigurationError, match="'wanted'"):
        simulator.add_workflow(id="wanted")
    simulator.reset()
    assert simulator.workflow_ids == (before,)


def test_added_workflows_keep_the_order():
    """Times fall along the list, and each has a name and an id of its own."""
    organization = make_organization("own", 3, (3, 2))
    for _ in range(3):
        organization.add_workflow({})
    for field in ("created_at", "id", "name"):
        assert len({record[field] for record in organization.workflows}) == 5
    times = [record["created_at"] for record in organization.workflows]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_session_of_a_status(status):
    """A session that is added with a status has the fields that go with it, and no others."""
    organization = make_organization("own", 3, (0,))
    key = organization.workflows[0]["id"]
    handed_in = status in {"VERIFIED", "REJECTED", "SUBMITTED", "FAILED"}
    for _ in range(20):
        record = organization.add_session(key, {"status": status})
        assert record["status"] == status
        assert ("analysis_data" in record) == ("submitted_at" in record) == handed_in


def test_arrived_sessions_keep_the_order():
    """Times still fall along the list after sessions were added."""
    organization = make_organization("own", 3, (3,))
    key = organization.workflows[0]["id"]
    for _ in range(3):
        organization.add_session(key, {})
    times = [record["created_at"] for record in organization.sessions(key)]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 6
