"""Which sessions are wanted, and who picks them: the server where it can, this side otherwise.

A filter is never dropped: what the generation in use cannot be asked for is sifted here, and the
command says so.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypedDict

import attrs

from deepidv_async import APIVersion, InvalidArgumentError, SessionStatus, WorkflowSession
from deepidv_async.cli._options import Filters

__all__ = ["Period", "Selection", "Sieve"]

_PUBLISHED: Final = frozenset(status.value.casefold() for status in SessionStatus)


class Period(TypedDict, total=False):
    """The arguments of a call that the server filters by."""

    start_date: datetime | None
    end_date: datetime | None


@attrs.frozen
class Selection:
    """Which sessions are wanted.

    Attributes:
        since: made at or after this instant (aware).
        until: made at or before this instant (aware).
        statuses: with one of these, whatever their case; empty for any.
    """

    since: datetime | None = None
    until: datetime | None = None
    statuses: tuple[str, ...] = ()

    @classmethod
    def of(cls, filters: Filters) -> "Selection":
        """Take the options of the command line.

        Raises:
            InvalidArgumentError: the period ends before it starts.
        """
        since, until = filters.since, filters.until
        if since is not None and until is not None and since > until:
            raise InvalidArgumentError("--since lies after --until: no session can be between.")
        return cls(since, until, tuple(sorted(set(map(str.upper, filters.statuses)))))

    def asked(self, api_version: APIVersion) -> Period:
        """Give what the server can be asked to pick by."""
        if api_version == "legacy":
            return {}
        return {"start_date": self.since, "end_date": self.until}

    def unpublished(self) -> list[str]:
        """Give the statuses that the documentation does not name: a slip, or something new."""
        return [status for status in self.statuses if status.casefold() not in _PUBLISHED]


class Sieve:
    """Picks on this side what the server cannot pick, and counts.

    Args:
        selection: which sessions are wanted.
        api_version: the generation in use.

    Attributes:
        read: sessions that came.
        kept: those of them that are wanted.
        undated: those of the kept ones whose creation time is not known, though a period was
            asked for.
    """

    def __init__(self, selection: Selection, api_version: APIVersion) -> None:
        self._api_version = api_version
        legacy = api_version == "legacy"
        self._since = selection.since if legacy else None
        self._until = selection.until if legacy else None
        self._statuses = frozenset(status.casefold() for status in selection.statuses)
        self.read: int = 0
        self.kept: int = 0
        self.undated: int = 0

    @property
    def idle(self) -> bool:
        """Whether everything is kept."""
        return not self._options()

    def sift(self, sessions: Iterable[WorkflowSession]) -> list[WorkflowSession]:
        """Give those that are wanted."""
        kept: list[WorkflowSession] = []
        for session in sessions:
            self.read += 1
            if self._wants(session):
                kept.append(session)
        self.kept += len(kept)
        return kept

    def _wants(self, session: WorkflowSession) -> bool:
        if self._statuses and (session.status or "").casefold() not in self._statuses:
            return False
        if self._since is None and self._until is None:
            return True
        made = session.created_at
        if made is None:
            # It may lie in the period, and nothing is to be lost.
            self.undated += 1
            return True
        return (self._since is None or made >= self._since) and (
            self._until is None or made <= self._until
        )

    def _options(self) -> list[str]:
        given = {"--since": self._since, "--until": self._until, "--status": self._statuses}
        return [option for option, value in given.items() if value]

    def told(self) -> str | None:
        """Say what was sifted here; `None` if nothing was."""
        if self.idle:
            return None
        undated = f", {self.undated:,} of them without a creation time" if self.undated else ""
        return (
            f"The {self._api_version} API has no filter for {', '.join(self._options())}: "
            f"{self.read:,} sessions were read, and {self.kept:,} kept{undated}."
        )
