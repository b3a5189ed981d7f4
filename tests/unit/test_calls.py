"""The endpoints: what each call of each generation sends, and what it refuses."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async import (
    InvalidArgumentError,
    UnsupportedByAPIVersionError,
    Workflow,
    WorkflowSession,
)
from deepidv_async._calls import sessions_call, workflows_call

BASE = "https://api.example/dev"
START = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2026, 5, 2, 0, 0, 0, 1, tzinfo=UTC)
PERIOD = "start_date=2026-05-01T00%3A00%3A00.000Z&end_date=2026-05-02T00%3A00%3A00.001Z"


def url_of(call):
    request = call.request(BASE)
    assert request.method == "GET"
    assert not any(name == "x-api-key" for name, _ in request.headers)
    return request.url


@pytest.mark.parametrize(
    ("call", "url"),
    [
        (workflows_call("legacy"), "/workflow"),
        (workflows_call("v1"), "/v1/workflows"),
        (workflows_call("v1").at("t+/="), "/v1/workflows?next_token=t%2B%2F%3D"),
        (sessions_call("legacy", "wf_1"), "/workflow/wf_1"),
        (sessions_call("legacy", "a b"), "/workflow/a%20b"),
        (sessions_call("v1", "wf_1"), "/v1/sessions?workflow_id=wf_1"),
        (sessions_call("v1", "a b&limit=1"), "/v1/sessions?workflow_id=a%20b%26limit%3D1"),
        (
            sessions_call("v1", "wf_1", page_size=500),
            "/v1/sessions?workflow_id=wf_1&limit=500",
        ),
        (
            sessions_call(
                "v1", "wf_1", page_size=1, next_token="t=", start_date=START, end_date=END
            ),
            f"/v1/sessions?workflow_id=wf_1&limit=1&{PERIOD}&next_token=t%3D",
        ),
    ],
    ids=range(9),
)
def test_urls(call, url):
    """Each call goes to the documented path with the documented names, and without a key."""
    assert url_of(call) == BASE + url


def test_shapes():
    """Each call knows its model, the names of its list and whether it has pages."""
    legacy, v1 = workflows_call("legacy").spec.shape, workflows_call("v1").spec.shape
    assert (legacy.model, v1.model) == (Workflow, Workflow)
    assert legacy.envelopes == v1.envelopes == ("workflows",)
    assert (legacy.paged, legacy.bare_array, v1.bare_array) == (False, False, False)
    # Documented without next_token, sent with a null one by the sandbox: neither is drift.
    assert (v1.paged, v1.token_optional) == (True, True)
    legacy, v1 = sessions_call("legacy", "w").spec.shape, sessions_call("v1", "w").spec.shape
    assert (legacy.model, v1.model) == (WorkflowSession, WorkflowSession)
    assert legacy.envelopes == ("sessions", "workflows", "idvs", "verifications", "data")
    assert v1.envelopes == ("sessions",)
    assert (legacy.bare_array, v1.bare_array) == (True, False)
    assert (legacy.paged, v1.paged, v1.token_optional) == (False, True, False)


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_names(version):
    """A call is named in errors as the client's method is, and knows if it names a workflow."""
    workflows, sessions = workflows_call(version), sessions_call(version, "wf_1")
    assert (workflows.spec.operation, workflows.workflow_id) == ("list_workflows", None)
    assert (sessions.spec.operation, sessions.workflow_id) == ("list_workflow_sessions", "wf_1")
    assert {workflows.spec.api_version, sessions.spec.api_version} == {version}


def test_calls_are_frozen():
    """A call is made once for all its pages."""
    for value in (workflows_call("v1"), workflows_call("v1").spec):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(type(value))[0].name, None)


def test_the_next_page_is_the_same_call():
    """A cursor is added and nothing else changes; without one it is the first page's call."""
    first = sessions_call("v1", "wf_1", page_size=2, start_date=START)
    assert first.at(None) is first
    second = first.at("abc")
    assert url_of(second) == f"{url_of(first)}&next_token=abc"
    assert url_of(first.at("def")) == f"{url_of(first)}&next_token=def"
    assert second.spec is first.spec


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=50)
def test_any_cursor_of_the_server_reaches_it_unchanged(token):
    """A cursor is opaque: whatever the server gave, it gets back."""
    query = urlsplit(url_of(sessions_call("v1", "wf_1").at(token))).query
    assert parse_qsl(query) == [("workflow_id", "wf_1"), ("next_token", token)]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"page_size": 50}, "page_size"),
        ({"next_token": "t"}, "next_token"),
        ({"start_date": START}, "start_date"),
        ({"end_date": END}, "end_date"),
        (
            {"page_size": 1, "next_token": "t", "start_date": START, "end_date": END},
            "page_size, next_token, start_date, end_date",
        ),
    ],
    ids=range(5),
)
def test_legacy_refuses_what_it_cannot_honour(arguments, names):
    """Paging and dates under `legacy` are never dropped: the error names them and the way out."""
    with pytest.raises(UnsupportedByAPIVersionError) as caught:
        sessions_call("legacy", "wf_1", **arguments)
    assert f"cannot honour {names}." in str(caught.value)
    assert 'AsyncDeepIDV(api_version="v1")' in str(caught.value)


@pytest.mark.parametrize("version", ["legacy", "v1"])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"workflow_id": ""}, "workflow_id"),
        ({"workflow_id": ".."}, "workflow_id"),
        ({"workflow_id": None}, "workflow_id"),
        ({"workflow_id": "w", "page_size": 0}, "page_size"),
        ({"workflow_id": "w", "page_size": 501}, "page_size"),
        ({"workflow_id": "w", "page_size": False}, "page_size"),
        ({"workflow_id": "w", "next_token": ""}, "next_token"),
        ({"workflow_id": "w", "start_date": "2026-05-01"}, "start_date"),
        ({"workflow_id": "w", "end_date": END.replace(tzinfo=None)}, "end_date"),
        ({"workflow_id": "w", "start_date": END, "end_date": START}, "start_date"),
    ],
    ids=range(10),
)
def test_wrong_arguments_are_refused_in_both_generations(version, arguments, name):
    """What can be no argument at all is refused as that, whatever the generation."""
    with pytest.raises(InvalidArgumentError, match=name):
        sessions_call(version, **arguments)
