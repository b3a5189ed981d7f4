"""The journal: what arrived when, and what became of it.

It is what tests assert on: arrival times, refusals, how many records went out. It knows whether
a key came and whether it was right, never the key.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import attrs

__all__ = ["Entry", "Generation", "Journal", "KeyState"]

Generation: TypeAlias = Literal["legacy", "v1"]
KeyState: TypeAlias = Literal["right", "wrong", "missing"]

# A simulator that runs for days must not grow for days.
_KEPT: Final = 100_000


@attrs.frozen
class Entry:
    """One request.

    Attributes:
        at: when it arrived, in seconds since the first one (since start or reset).
        generation: of the call; `None` for a path that is not served, and for `/health`.
        method: HTTP method.
        path: as it came, still percent-encoded.
        query: as it came, still percent-encoded.
        status: HTTP status of the answer.
        reason: `granted`, `throttled`, `quota`, `fault`, or the name of the error.
        key: whether the right key came.
        items: how many records the answer held.
        request_id: what the answer said in `x-amzn-RequestId`.
    """

    at: float
    generation: Generation | None
    method: str
    path: str
    query: str
    status: int
    reason: str
    key: KeyState
    items: int
    request_id: str

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data."""
        return attrs.asdict(self)


class Journal:
    """All requests since the start or the last reset, oldest first; the last 100,000 are kept.

    Iterate over it, take its `len`, or ask for a figure. Reading from another thread is safe.
    """

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        # A copy made in one step: requests may arrive while the reader reads.
        return iter(tuple(self._entries))

    def __repr__(self) -> str:
        return f"Journal({len(self)} requests, {self.refused} refused)"

    @property
    def refused(self) -> int:
        """How many requests were answered 429, for the rate, the quota or by a fault."""
        return self.statuses()[429]

    @property
    def items(self) -> int:
        """How many records went out in answers."""
        return sum(entry.items for entry in self)

    def arrivals(self) -> list[float]:
        """Give the arrival instants in seconds."""
        return [entry.at for entry in self]

    def statuses(self) -> Counter[int]:
        """Count the answers by status."""
        return Counter(entry.status for entry in self)

    def reasons(self) -> Counter[str]:
        """Count the requests by what became of them."""
        return Counter(entry.reason for entry in self)

    def add(self, entry: Entry) -> None:
        """Write one entry."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
