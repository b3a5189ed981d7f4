"""An organization: its workflows and the sessions sent under them, newest first.

Sessions are made when a workflow is first asked for them, so that thousands cost nothing until
they are read.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import attrs

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._records import (
    NEWEST,
    Record,
    draw,
    draw_session,
    draw_uuid,
    draw_workflow,
    iso,
)

__all__ = ["Organization", "make_organization", "sandbox_organization"]

_USERS: Final = 3
_TEST_STATUSES: Final = ("VERIFIED", "REJECTED", "SUBMITTED", "PENDING", "VOIDED")


@attrs.define
class Organization:
    """One customer's data.

    Attributes:
        organization_id: its id.
        users: ids of those who send sessions; the API keys belong to the first.
        workflows: records as the current API gives them, newest first.
    """

    organization_id: str
    users: Sequence[str]
    workflows: list[Record] = attrs.field(repr=False)
    _seed: int
    _sizes: dict[str, int] = attrs.field(repr=False)
    _sessions: dict[str, list[Record]] = attrs.field(factory=dict[str, list[Record]], repr=False)
    _added: int = attrs.field(default=0, init=False)

    def has(self, workflow_id: str) -> bool:
        """Tell whether it owns a workflow of that id."""
        return workflow_id in self._sizes

    def sessions(self, workflow_id: str) -> list[Record]:
        """Give the sessions of one of its workflows, newest first.

        Raises:
            KeyError: it has no such workflow.
        """
        made = self._sessions.get(workflow_id)
        if made is None:
            ordinals = range(self._sizes[workflow_id])
            made = [self._draw(workflow_id, ordinal) for ordinal in ordinals]
            self._sessions[workflow_id] = made
        return made

    def add_workflow(self, fields: Record) -> Record:
        """Make one more workflow, without sessions: it becomes the first of the list.

        Raises:
            ConfigurationError: there is a workflow with that id.
        """
        self._added += 1
        # Ordinals below zero lie after the newest, so that times keep falling along the list.
        record = draw_workflow(self.organization_id, self._seed, -self._added)
        record |= {"name": f"Workflow {len(self.workflows) + 1}", **fields}
        if self.has(str(record["id"])):
            raise ConfigurationError(f"There is a workflow {record['id']!r} already.")
        self.workflows.insert(0, record)
        self._sizes[str(record["id"])] = 0
        return record

    def all_sessions(self) -> list[Record]:
        """Give the sessions of all its workflows, newest first."""
        everything = [record for key in self._sizes for record in self.sessions(key)]
        return sorted(everything, key=lambda record: str(record["created_at"]), reverse=True)

    def add_session(self, workflow_id: str, fields: Record) -> Record:
        """Send one more session: it becomes the first of the list.

        Raises:
            KeyError: it has no such workflow.
        """
        sessions = self.sessions(workflow_id)
        # Ordinals below zero lie after the newest, so that times keep falling along the list.
        ordinal = self._sizes[workflow_id] - len(sessions) - 1
        record = self._draw(workflow_id, ordinal, fields.get("status")) | fields
        sessions.insert(0, record)
        return record

    def _draw(self, workflow_id: str, ordinal: int, status: str | None = None) -> Record:
        workflow = next(record for record in self.workflows if record["id"] == workflow_id)
        owner = {"organization_id": self.organization_id, "users": self.users}
        return draw_session(owner, workflow, self._seed, ordinal, status=status)


def make_organization(name: str, seed: int, sizes: Sequence[int]) -> Organization:
    """Make up an organization.

    Args:
        name: part of every random draw, so that two of them share nothing.
        seed: of the data.
        sizes: how many sessions each workflow has, newest workflow first.
    """
    random = draw(seed, name, "users")
    users = tuple(draw_uuid(random) for _ in range(_USERS))
    workflows = [draw_workflow(name, seed, ordinal) for ordinal in range(len(sizes))]
    by_id = {str(record["id"]): size for record, size in zip(workflows, sizes, strict=True)}
    return Organization(f"org_{name}", users, workflows, seed, by_id)


def sandbox_organization() -> Organization:
    """Make what a sandbox key sees: two workflows in short form, the five test sessions."""
    names = {"test_workflow": "Test workflow", "test_workflow_2": "Second test workflow"}
    workflows: list[Record] = [
        {"id": key, "name": name, "created_at": iso(NEWEST - timedelta(days=days))}
        for days, (key, name) in enumerate(names.items())
    ]
    sessions = {
        key: [_test_session(key, days, status) for days, status in enumerate(_TEST_STATUSES)]
        for key in names
    }
    sizes = {key: len(records) for key, records in sessions.items()}
    return Organization("org_sandbox", ("test_user",), workflows, 0, sizes, sessions)


def _test_session(workflow_id: str, days: int, status: str) -> Record:
    created = NEWEST - timedelta(days=days)
    return {
        "id": f"test_{status.lower()}",
        "organization_id": "org_sandbox",
        "user_id": "test_user",
        "sender_user_id": "test_user",
        "status": status,
        "type": "session",
        "session_progress": "PENDING" if status in ("PENDING", "VOIDED") else "COMPLETED",
        "workflow_id": workflow_id,
        "location": "Canada",
        "meta_data": {"applicant_submission_ip": "203.0.113.7"},
        "created_at": iso(created),
        "updated_at": iso(created + timedelta(minutes=20)),
    }
