"""What the API tells of workflows and sessions: frozen, slotted records.

Only `id` is certain to be there; a field that the answer lacks, or holds in a form that is not
documented, is `None`. `extra` keeps, as it came, every field that has no name here and every
value that could not be read. `repr` shows id, status and creation time only: records hold
personal data. Two records are equal when all their fields are; they hash by id.
"""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import attrs

__all__ = [
    "ResponseInfo",
    "SessionProgress",
    "SessionStatus",
    "SessionType",
    "Workflow",
    "WorkflowSession",
]


class SessionStatus(StrEnum):
    """The published session statuses. A value not listed here stays a plain `str`."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class SessionType(StrEnum):
    """The published kinds of session. A value not listed here stays a plain `str`."""

    SESSION = "session"
    VERIFICATION = "verification"
    CREDIT_APPLICATION = "credit-application"
    CREDIT_CHECK_HARD = "credit-check-hard"
    CREDIT_CHECK_SOFT = "credit-check-soft"
    SILENT_SCREENING = "silent-screening"
    DEEP_DOC = "deep-doc"


class SessionProgress(StrEnum):
    """How far the applicant has come. A value not listed here stays a plain `str`."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"


def _to_dict(record: Any) -> dict[str, Any]:
    names = [field.name for field in attrs.fields(record.__class__)]
    return {name: _plain(getattr(record, name)) for name in names}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case StrEnum():
            return value.value
        case tuple():
            return list(cast("tuple[str, ...]", value))
        case _:
            return copy.deepcopy(value)


def _repr(record: Any) -> str:
    created = record.created_at.isoformat() if record.created_at else None
    name = type(record).__name__
    return f"{name}(id={record.id!r}, status={record.status!r}, created_at={created!r})"


@attrs.frozen
class Workflow:
    """One workflow of the organization (`GET /workflow`, `GET /v1/workflows`).

    Attributes:
        id: the workflow's id.
        name: its name in the Admin Console.
        created_at: when it was made (aware).
        status: `active` or `inactive`; any other value as the server sent it.
        steps: ids of its steps, in order.
        extra: every other field of the record.
    """

    id: str
    name: str | None = None
    created_at: datetime | None = None
    status: str | None = None
    steps: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def __repr__(self) -> str:
        return _repr(self)

    def __hash__(self) -> int:
        return hash(self.id)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data: times in ISO 8601 with `Z`, a copy of everything."""
        return _to_dict(self)


@attrs.frozen
class WorkflowSession:
    """One session sent under a workflow (`GET /workflow/{id}`, `GET /v1/sessions`).

    Attributes:
        id: the session's id.
        name: only in the legacy body as its documentation prints it.
        created_at: when it was sent (aware).
        updated_at: when it last changed (aware).
        submitted_at: when the applicant handed it in (aware).
        expires_at: until when the applicant may (aware).
        status: a `SessionStatus`, or a plain `str` for a value that is not published.
        type: a `SessionType`, or a plain `str`.
        session_progress: a `SessionProgress`, or a plain `str`.
        workflow_id: the workflow it was sent under.
        external_id: the integrator's own reference.
        organization_id: the organization it belongs to.
        user_id: the user it belongs to.
        sender_user_id: the user who sent it.
        workflow_steps: ids of the steps, in order.
        location: a text or an object, as the server sent it.
        meta_data: an object; its keys come in either casing.
        uploads: which upload slots are filled.
        analysis_data: the findings, free in form: the parsed JSON object as it came, whose inside
            nobody has looked at. It is most of a session's bytes, so what you do not read costs
            nothing but its parsing; times in it are texts, for instance.
        extra: every other field of the record.
    """

    id: str
    name: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    expires_at: datetime | None = None
    status: SessionStatus | str | None = None
    type: SessionType | str | None = None
    session_progress: SessionProgress | str | None = None
    workflow_id: str | None = None
    external_id: str | None = None
    organization_id: str | None = None
    user_id: str | None = None
    sender_user_id: str | None = None
    workflow_steps: tuple[str, ...] | None = None
    location: str | Mapping[str, Any] | None = None
    meta_data: Mapping[str, Any] | None = None
    uploads: Mapping[str, bool] | None = None
    analysis_data: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def __repr__(self) -> str:
        return _repr(self)

    def __hash__(self) -> int:
        return hash(self.id)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data: times in ISO 8601 with `Z`, a copy of everything."""
        return _to_dict(self)


@attrs.frozen
class ResponseInfo:
    """How a page was had.

    Attributes:
        status: HTTP status.
        request_id: the server's id of the request.
        elapsed: seconds of the whole call, waits and retries included.
        attempts: how many tries it took.
    """

    status: int
    request_id: str | None
    elapsed: float
    attempts: int
