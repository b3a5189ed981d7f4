"""The documented calls as functions: from a request's parameters to an answer.

Nothing here knows of keys, limits or faults: whoever gets here may see the organization's data.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

import attrs

from deepidv_async.simulator._journal import Generation
from deepidv_async.simulator._listing import InvalidQueryError, Page, Query, read_page, read_query
from deepidv_async.simulator._organization import Organization
from deepidv_async.simulator._records import Record, camel_case
from deepidv_async.simulator._replies import Reply, documented, invalid_query, json_reply

__all__ = ["CALLS", "HEALTH", "Asked", "Call", "LegacyBody", "find_call"]

LegacyBody: TypeAlias = Literal["documented", "sessions"]

_MAX_ID: Final = 256


@attrs.frozen
class Asked:
    """What an endpoint may look at.

    Attributes:
        params: of the path and the query, decoded.
        organization: the one that the key belongs to.
        others: ids of workflows that belong to another organization.
        legacy_body: how the legacy generation lists sessions.
        page_plan: sizes of the pages, in turns.
    """

    params: Mapping[str, str]
    organization: Organization
    others: frozenset[str]
    legacy_body: LegacyBody
    page_plan: Sequence[int | None]


@attrs.frozen
class Call:
    """A documented call.

    Attributes:
        path: as Starlette writes routes.
        generation: which of the two, `None` for what belongs to neither.
        endpoint: what answers it.
        needs_key: whether it asks for a key, and counts against its limits.
    """

    path: str
    generation: Generation | None
    endpoint: Callable[[Asked], Reply]
    needs_key: bool = True


def _health(asked: Asked) -> Reply:
    del asked
    return json_reply(200, {"status": "ok"}, reason="health")


def _list(name: str, records: Sequence[Record], **more: object) -> Reply:
    return json_reply(200, {name: records, **more}, items=len(records))


def _legacy_workflows(asked: Asked) -> Reply:
    return _list("workflows", [_short(record) for record in asked.organization.workflows])


def _short(record: Record) -> Record:
    """Give the three fields that the legacy documentation prints."""
    return {"id": record["id"], "name": record["name"], "createdAt": record["created_at"]}


def _legacy_sessions(asked: Asked) -> Reply:
    workflow_id = asked.params["workflow_id"]
    refused = _refuse_workflow("legacy", asked, workflow_id)
    if refused is not None:
        return refused
    sessions = asked.organization.sessions(workflow_id)
    if asked.legacy_body == "sessions":
        return _list("sessions", [camel_case(session) for session in sessions])
    # The documentation prints the workflow list's body here, and no name for a session.
    named = [session | {"name": f"Session {session['id'][:8]}"} for session in sessions]
    return _list("workflows", [_short(session) for session in named])


def _refuse_workflow(generation: Generation, asked: Asked, workflow_id: str) -> Reply | None:
    if not workflow_id.isprintable() or not workflow_id.strip() or len(workflow_id) > _MAX_ID:
        return invalid_query(generation, "workflow_id", "Must be an id")
    if asked.organization.has(workflow_id):
        return None
    known = workflow_id in asked.others
    return documented(generation, "other-organization" if known else "not-found")


def _workflows(asked: Asked) -> Reply:
    return _list("workflows", asked.organization.workflows)


def _sessions(asked: Asked) -> Reply:
    try:
        query = read_query(asked.params)
        mode, value = query.mode
        if mode == "workflow_id":
            refused = _refuse_workflow("v1", asked, value)
            if refused is not None:
                return refused
        page = _page(asked, query)
    except InvalidQueryError as refusal:
        return invalid_query("v1", refusal.name, refusal.message)
    return _list("sessions", page.records, next_token=page.next_token)


def _page(asked: Asked, query: Query) -> Page:
    organization = asked.organization
    match query.mode:
        case ("workflow_id", workflow_id):
            records = organization.sessions(workflow_id)
        case ("external_id", external_id):
            every = organization.all_sessions()
            records = [record for record in every if record.get("external_id") == external_id]
        case ("sender", _):
            every = organization.all_sessions()
            sender = organization.users[0]
            records = [record for record in every if record["sender_user_id"] == sender]
        case _:
            records = organization.all_sessions()
    return read_page(records, query, asked.page_plan)


CALLS: Final = (
    Call("/workflow", "legacy", _legacy_workflows),
    Call("/workflow/{workflow_id}", "legacy", _legacy_sessions),
    Call("/v1/workflows", "v1", _workflows),
    Call("/v1/sessions", "v1", _sessions),
)
"""Every call that is served, both generations."""

HEALTH: Final = Call("/health", None, _health, needs_key=False)
"""Served whatever the generation, without a key."""

_PATTERNS: Final = [
    (call, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", call.path))) for call in (*CALLS, HEALTH)
]


def find_call(path: str) -> tuple[Call | None, dict[str, str]]:
    """Find the call that a path means and the ids in it, `None` for a path that is not served.

    Args:
        path: percent-encoded, without the stage.
    """
    for call, pattern in _PATTERNS:
        if match := pattern.fullmatch(path):
            return call, {name: unquote(text) for name, text in match.groupdict().items()}
    return None, {}
