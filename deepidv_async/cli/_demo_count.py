"""What the demo counts, on the client's side and on the simulator's, and how the two compare."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from deepidv_async import APIVersion, AttemptFinished, Event, LimiterWaited, Workflow
from deepidv_async.simulator import Simulator

__all__ = ["Audit", "Meter", "Reading", "Stream", "audit", "busiest_second"]

# The lists of workflows; every other path of the journal is one of sessions.
_WORKFLOW_LISTS: Final = ("/workflow", "/v1/workflows")
# Going through the limiter takes some microseconds, which is no wait.
_FELT: Final = 0.001


@attrs.define
class Meter:
    """Counts what the client does and what the limiter makes it wait; an observer.

    Attributes:
        requests: attempts that were answered or failed.
        refused: those of them that were answered 429.
        waits: how many the limiter held back.
        waited: seconds they waited, all together.
        longest: seconds of the longest wait.
    """

    requests: int = 0
    refused: int = 0
    waits: int = 0
    waited: float = 0.0
    longest: float = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case AttemptFinished(status=status):
                self.requests += 1
                self.refused += status == 429  # noqa: PLR2004 - HTTP
            case LimiterWaited(waited=waited) if waited >= _FELT:
                self.waits += 1
                self.waited += waited
                self.longest = max(self.longest, waited)
            case _:
                pass


@attrs.define
class Stream:
    """The sessions of one workflow, as far as they have come.

    Attributes:
        workflow: whose they are.
        expected: how many the simulator has.
        count: how many have come.
        statuses: the status of each, by id.
    """

    workflow: Workflow
    expected: int
    count: int = 0
    statuses: dict[str, str] = attrs.field(factory=dict[str, str])

    def take(self, session_id: str, status: str | None) -> None:
        """Count one session."""
        self.count += 1
        self.statuses[session_id] = status or "-"

    def tally(self) -> list[tuple[str, int]]:
        """Count the sessions by status, the most frequent first."""
        return Counter(self.statuses.values()).most_common()


@attrs.define
class Reading:
    """What the client read of one generation.

    Attributes:
        api_version: the generation.
        streams: one for each workflow, in the server's order.
        seconds: how long it took.
    """

    api_version: APIVersion
    streams: Sequence[Stream] = ()
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """How many sessions came."""
        return sum(stream.count for stream in self.streams)

    def statuses(self) -> dict[str, str]:
        """Give the status of each session by id, over all workflows."""
        return {key: told for stream in self.streams for key, told in stream.statuses.items()}


@attrs.frozen
class Audit:
    """The client's count of one generation beside the simulator's.

    Attributes:
        api_version: the generation.
        read: sessions that the client yielded.
        sent: sessions that the simulator's answers held.
        lost: sessions that the simulator has and the client did not yield.
        twice: sessions that the client yielded once more.
    """

    api_version: APIVersion
    read: int
    sent: int
    lost: int
    twice: int

    @property
    def agreed(self) -> bool:
        """Whether nothing is lost and nothing came twice."""
        return self.read == self.sent and not self.lost and not self.twice


def audit(reading: Reading, simulator: Simulator) -> Audit:
    """Compare what was read with what the simulator has and with what its journal says."""
    owned = {key for name in simulator.workflow_ids for key in simulator.session_ids(name)}
    found = reading.statuses().keys()
    sent = sum(
        entry.items
        for entry in simulator.journal
        if entry.generation == reading.api_version and entry.path not in _WORKFLOW_LISTS
    )
    return Audit(
        api_version=reading.api_version,
        read=reading.count,
        sent=sent,
        lost=len(owned - found),
        twice=reading.count - len(found),
    )


def busiest_second(arrivals: Iterable[float]) -> int:
    """Tell the most requests that arrived within one second; instants in seconds, in order."""
    window: deque[float] = deque()
    most = 0
    for instant in arrivals:
        window.append(instant)
        while instant - window[0] >= 1:
            window.popleft()
        most = max(most, len(window))
    return most
