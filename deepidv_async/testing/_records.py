"""Made-up records: workflows and sessions as the client gives them, and bodies that hold them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import attrs

from deepidv_async._config import APIVersion
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._structure import PageShape, decode_page
from deepidv_async.simulator._endpoints import LegacyBody
from deepidv_async.simulator._records import camel_case, draw_session, draw_workflow

__all__ = ["make_session", "make_workflow", "sessions_body", "workflows_body"]

_Model = TypeVar("_Model", Workflow, WorkflowSession)

# What the legacy documentation prints of a record in a list.
_DOCUMENTED: Final = ("id", "name", "created_at")


def make_workflow(*, seed: int = 0, **fields: Any) -> Workflow:
    """Make up a workflow, as a client would give it.

    Args:
        seed: which one, from 0; the same seed gives the same workflow, on any day.
        fields: what to set, by the names of `Workflow`; `None` for what the server left out.

    Raises:
        TypeError: there is no such field, or it cannot hold that.
    """
    return _made(Workflow, draw_workflow("testing", 0, _checked(seed)), fields)


def make_session(*, seed: int = 0, **fields: Any) -> WorkflowSession:
    """Make up a session, as a client would give it.

    The other fields go with the `status`: only a session that was handed in has `submitted_at`
    and `analysis_data`.

    Args:
        seed: which one, from 0; the same seed gives the same session, on any day.
        fields: what to set, by the names of `WorkflowSession`; `None` for what the server left
            out.

    Raises:
        TypeError: there is no such field, or it cannot hold that.
    """
    workflow = draw_workflow("testing", 0, 0)
    owner = {"organization_id": "org_testing", "users": ("usr_1", "usr_2")}
    status = fields.get("status")
    record = draw_session(owner, workflow, 0, _checked(seed), status=status)
    return _made(WorkflowSession, record, fields)


def workflows_body(
    workflows: Iterable[Workflow], *, api_version: APIVersion = "legacy"
) -> dict[str, Any]:
    """Make the body in which a server of that generation lists workflows.

    The legacy generation tells id, name and time of creation only.
    """
    records = [_wire(workflow) for workflow in workflows]
    if api_version == "legacy":
        records = [_documented(record) for record in records]
    return {"workflows": records}


def sessions_body(
    sessions: Iterable[WorkflowSession],
    *,
    api_version: APIVersion = "legacy",
    next_token: str | None = None,
    legacy_body: LegacyBody = "documented",
) -> dict[str, Any]:
    """Make the body in which a server of that generation lists sessions.

    Args:
        sessions: the page.
        api_version: the generation.
        next_token: cursor of the next page; the legacy generation has none.
        legacy_body: for the legacy generation, the list as it is documented (id, name, time of
            creation), or full records with `"sessions"`.
    """
    records = [_wire(session) for session in sessions]
    if api_version == "v1":
        return {"sessions": records, "next_token": next_token}
    if legacy_body == "sessions":
        return {"sessions": [camel_case(record) for record in records]}
    return {"workflows": [_documented(record) for record in records]}


def _checked(seed: object) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise TypeError(f"seed must be a whole number of 0 or more; got {seed!r}.")
    return seed


def _made(model: type[_Model], record: dict[str, Any], fields: Mapping[str, Any]) -> _Model:
    for name, value in fields.items():
        _check_field(model, name, value)
    drawn = _read(model, record)
    # There and back over the wire, so that a value is what the client would make of it.
    made = _read(model, _wire(attrs.evolve(drawn, **fields)))
    for name, value in fields.items():
        if value is not None and getattr(made, name) is None:
            raise TypeError(f"{model.__name__}.{name} cannot hold {value!r}.")
    return made


def _check_field(model: type, name: str, value: object) -> None:
    names = [field.name for field in attrs.fields(model)]
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else " See its `extra`."
        raise TypeError(f"{model.__name__} has no field {name!r}.{hint}")
    if name == "id" and not (isinstance(value, str) and value):
        raise TypeError(f"{model.__name__}.id must be a str and not empty; got {value!r}.")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise TypeError(f"{model.__name__}.{name} must be an aware datetime; got {value!r}.")


def _read(model: type[_Model], record: dict[str, Any]) -> _Model:
    body = json.dumps({"records": [record]}).encode()
    return decode_page(body, PageShape(model, ("records",))).items[0]


def _wire(record: Workflow | WorkflowSession) -> dict[str, Any]:
    """Give a record as the current API writes it."""
    named = record.to_dict()
    extra = named.pop("extra")
    return {**extra, **{name: value for name, value in named.items() if value is not None}}


def _documented(record: dict[str, Any]) -> dict[str, Any]:
    return camel_case({name: record[name] for name in _DOCUMENTED if name in record})
