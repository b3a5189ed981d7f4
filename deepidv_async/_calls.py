"""The endpoints: one frozen `CallSpec` for each call and generation, and a call made of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Generic, TypeVar

import attrs

from deepidv_async._arguments import check_page_size, check_period, check_token, check_workflow_id
from deepidv_async._config import APIVersion
from deepidv_async._errors import UnsupportedByAPIVersionError
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._shape import PageShape
from deepidv_async._wire import WireRequest, join_url

__all__ = ["Call", "CallSpec", "sessions_call", "workflows_call"]

T = TypeVar("T")


@attrs.frozen(eq=False, repr=False)
class CallSpec(Generic[T]):
    """What one endpoint of one generation documents.

    Attributes:
        operation: the client's name of the call.
        api_version: the generation.
        path: path template under the base URL.
        shape: what the body looks like.
    """

    operation: str
    api_version: APIVersion
    path: str
    shape: PageShape[T]


@attrs.frozen(eq=False, repr=False)
class Call(Generic[T]):
    """A spec with its arguments: everything about a request but host and key."""

    spec: CallSpec[T]
    workflow_id: str | None = None
    query: tuple[tuple[str, str], ...] = ()

    def at(self, next_token: str | None) -> "Call[T]":
        """Give the same call for the page that `next_token` names."""
        if next_token is None:
            return self
        return attrs.evolve(self, query=(*self.query, ("next_token", next_token)))

    def request(self, base_url: str) -> WireRequest:
        """Render the request; the key is added when it is sent."""
        return WireRequest("GET", join_url(base_url, self.spec.path, self.workflow_id, self.query))


_WORKFLOWS: Final[Mapping[APIVersion, CallSpec[Workflow]]] = {
    "legacy": CallSpec(
        "list_workflows", "legacy", "/workflow", PageShape(Workflow, ("workflows",))
    ),
    # No paging is documented, but sandbox answers carry a (null) next_token: if one is ever
    # set, it is followed rather than dropped.
    "v1": CallSpec(
        "list_workflows",
        "v1",
        "/v1/workflows",
        PageShape(Workflow, ("workflows",), paged=True, token_optional=True),
    ),
}

_SESSIONS: Final[Mapping[APIVersion, CallSpec[WorkflowSession]]] = {
    # The page that documents this endpoint prints the body of the workflow list, most likely
    # by mistake; the true name of the list is not published.
    "legacy": CallSpec(
        "list_workflow_sessions",
        "legacy",
        "/workflow/{workflow_id}",
        PageShape(
            WorkflowSession,
            ("sessions", "workflows", "idvs", "verifications", "data"),
            bare_array=True,
        ),
    ),
    "v1": CallSpec(
        "list_workflow_sessions",
        "v1",
        "/v1/sessions",
        PageShape(WorkflowSession, ("sessions",), paged=True),
    ),
}


def workflows_call(api_version: APIVersion) -> Call[Workflow]:
    """Make the call that lists the organization's workflows."""
    return Call(_WORKFLOWS[api_version])


def sessions_call(
    api_version: APIVersion,
    workflow_id: str,
    *,
    page_size: int | None = None,
    next_token: str | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
) -> Call[WorkflowSession]:
    """Make the call that lists the sessions sent under a workflow.

    Raises:
        InvalidArgumentError: an argument cannot be what it should be.
        UnsupportedByAPIVersionError: the generation has no such argument.
    """
    spec = _SESSIONS[api_version]
    workflow_id = check_workflow_id(workflow_id)
    size = None if page_size is None else check_page_size(page_size)
    start, end = check_period(start_date, end_date)
    token = None if next_token is None else check_token(next_token)
    if api_version == "legacy":
        _refuse(page_size=size, next_token=token, start_date=start, end_date=end)
        return Call(spec, workflow_id)
    query = {
        "workflow_id": workflow_id,
        "limit": None if size is None else str(size),
        "start_date": start,
        "end_date": end,
    }
    given = tuple((name, value) for name, value in query.items() if value is not None)
    return Call(spec, workflow_id, given).at(token)


def _refuse(**arguments: object) -> None:
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise UnsupportedByAPIVersionError(
            f"The legacy API answers with all sessions at once and cannot honour "
            f"{', '.join(given)}. Leave that out, or speak the current API: "
            'AsyncDeepIDV(api_version="v1").'
        )
