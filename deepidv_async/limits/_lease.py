"""The level of a process that shares its limit with others: it spends what it was leased.

As in `_level`, a request is open until the server has surely counted it. But the tokens belong to
all processes, and the books are kept where all can read them: here is only what this process was
leased and has not used, what it has under way, and what it has to report.

Pure arithmetic: no clock, no event loop, no network.
"""

from collections.abc import Callable
from typing import Final

import attrs

from deepidv_async.limits._level import GRANTED, RETURNED, WRITTEN, Flight, Level

__all__ = ["LeasedLevel", "Report"]

_NEARLY: Final = 1e-9  # tokens; sums of fractions drift


@attrs.frozen
class Report:
    """What a process tells of itself.

    Attributes:
        open: tokens that it holds: leased and not used, or with requests under way.
        settled: tokens of requests that the server has counted since the last report.
        settled_at: when it had counted the last of them.
        returned: tokens of leases that were not used, for the day's count; below 0 if more were
            used than leased.
        refusals: how many 429s came.
        refused_at: when the refused request that was granted last had got its permit.
        paused_until: until when a 429 asks everybody to be silent.
    """

    open: float = 0.0
    settled: float = 0.0
    settled_at: float = 0.0
    returned: float = 0.0
    refusals: int = 0
    refused_at: float = 0.0
    paused_until: float = 0.0


class LeasedLevel(Level):
    """What this process may send. Its `debt` is that of all processes, as of the last reply.

    Attributes:
        unused: tokens that were leased and are left.
        usable_at: when all of them may be used; the last ones then, the others one by one before.
        valid_until: after this the lease may have been given up for that of a dead process.
        on_lack: called when there are none for the head of the queue.
        on_news: called when there is something to report.
    """

    __slots__ = (
        "_refusals",
        "_refused_at",
        "_returned",
        "_settled",
        "_settled_at",
        "on_lack",
        "on_news",
        "unused",
        "usable_at",
        "valid_until",
    )

    def __init__(self, *, rate: float, burst: float, hold: float, now: float = 0.0) -> None:
        super().__init__(rate=rate, burst=burst, hold=hold, now=now)
        self.unused = 0.0
        self.usable_at = self.valid_until = now
        self.on_lack: Callable[[], object] = _nothing
        self.on_news: Callable[[], object] = _nothing
        self._settled = self._settled_at = self._returned = 0.0
        self._refusals = 0
        self._refused_at = float("-inf")

    # -- the lease -------------------------------------------------------------------------

    def lease(self, tokens: float, usable_at: float, valid_until: float) -> None:
        """Take a lease; one that is there still is valid for as long."""
        # What an older lease has left is not usable sooner for this one.
        self.usable_at = max(self.usable_at, usable_at) if self.unused > 0 else usable_at
        self.unused += tokens
        self.valid_until = valid_until

    def drop_lease(self) -> None:
        """Let others have what is left of the lease."""
        if self.unused > 0:
            self._returned += self.unused
            self.unused = 0.0
            self.on_news()

    def lease_alone(self, tokens: float, usable_at: float, valid_until: float) -> None:
        """Take a lease that nobody has given; it is reported for the day's count."""
        self.lease(tokens, usable_at, valid_until)
        self._returned -= tokens

    def advance(self, now: float) -> None:
        """Let time pass; a lease that is not valid any more is dropped."""
        super().advance(now)
        if now > self.valid_until:
            self.drop_lease()

    def covers(self, cost: float) -> bool:
        """Whether the lease has so many tokens, now or soon."""
        return self.unused + _NEARLY >= cost

    def _due(self, cost: float) -> float:
        return max(self.paused_until, self.usable_at - (self.unused - cost) / self.rate)

    def take(self, cost: float, now: float) -> bool:
        """Take `cost` tokens of the lease, if they may be used yet."""
        late = now > self.valid_until
        if late or not self.covers(cost) or now + _NEARLY < self._due(cost):
            return False
        self.unused = max(0.0, self.unused - cost)
        self.open += cost
        self.flights += 1
        return True

    def next_look(self, cost: float) -> float | None:
        """Tell when `cost` tokens may be used; `None`: not before another lease."""
        if self.covers(cost):
            self.starved = False
            return self._due(cost)
        self.starved = True
        self.on_lack()
        return None

    # -- what becomes of requests ----------------------------------------------------------

    def unsent(self, flight: Flight) -> None:
        """Put the tokens of a request that never went out back into the lease."""
        if flight.state == GRANTED:
            flight.state = RETURNED
            self._land(flight)
            self.unused += flight.cost
            self.on_news()

    def arrive(self, flight: Flight, now: float) -> None:
        """Note that the server has counted a request: its tokens come back from now on."""
        if flight.state > WRITTEN:
            return
        super().arrive(flight, now)
        self._settled += flight.cost
        self._settled_at = max(self._settled_at, now)
        self.on_news()

    def _land(self, flight: Flight) -> None:
        self.flights -= 1
        self.open = self.open - flight.cost if self.flights else 0.0

    def drain(self, now: float, resume_at: float) -> None:
        """Be silent until `resume_at`, and let everybody know."""
        super().drain(now, resume_at)
        self.drop_lease()
        self.on_news()

    def pause(self, until: float) -> None:
        """Be silent until then, because of a 429 that another process met."""
        self.paused_until = self.at = max(self.at, until)
        self.drop_lease()

    def note_refusal(self, granted_at: float) -> None:
        """Remember a 429 for the report."""
        self._refusals += 1
        self._refused_at = max(self._refused_at, granted_at)

    def cap(self, tokens: float) -> None:
        """Use no more than `tokens` of the lease."""
        if self.unused > tokens:
            self._returned += self.unused - tokens
            self.unused = tokens
            self.on_news()

    # -- the books -------------------------------------------------------------------------

    @property
    def unreported(self) -> bool:
        """Whether something became of a request since the last report."""
        return self._settled > 0 or self._returned != 0 or self._refusals > 0

    @property
    def refused(self) -> bool:
        """Whether a 429 came since the last report."""
        return self._refusals > 0

    @property
    def held(self) -> float:
        """Tokens that other processes cannot use because of this one."""
        return self.unused + self.open

    def report(self) -> Report:
        """Give what is to be told; it stays to be told until `told`."""
        return Report(
            open=self.held,
            settled=self._settled,
            settled_at=self._settled_at,
            returned=self._returned,
            refusals=self._refusals,
            refused_at=self._refused_at,
            paused_until=self.paused_until,
        )

    def told(self, report: Report) -> None:
        """Forget what was told."""
        self._settled = max(0.0, self._settled - report.settled)
        self._returned -= report.returned
        self._refusals -= report.refusals
        if not self._refusals:
            self._refused_at = float("-inf")

    def perhaps_told(self, report: Report) -> None:
        """Remember what must not be lost of a report that may have been heard or not.

        What is told twice is counted twice, so only that stays which then errs to the safe side.
        """
        self._returned -= max(0.0, report.returned)

    def learn(self, *, debt: float, rate: float, now: float) -> None:
        """Take over what the shared books say."""
        self.advance(now)
        self.rate = rate
        if now >= self.at:
            self.debt, self.at = min(self.burst, debt + self._settled), now

    def carry_over(self, before: float, now: float, *, empty: bool = False) -> "LeasedLevel":
        """Start anew on another clock: what is under way is the other identity's business."""
        level = LeasedLevel(rate=self.rate, burst=self.burst, hold=self.hold, now=now)
        if not empty:
            level.at = level.paused_until = now + max(0.0, self.paused_until - before)
            level._refusals = self._refusals
        level.stood_still = self.stood_still
        level.on_lack, level.on_news = self.on_lack, self.on_news
        return level


def _nothing() -> None:
    """Stand in until there is somebody to tell."""
