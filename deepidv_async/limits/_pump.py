"""The pump of a shared limit: one task of a process that reports, asks and hands out.

It lives while somebody waits or something is under way, and has one call to the server open at a
time, whatever the number of callers. If the server is away, or slow, it leases from a small share
of the limit by itself, and goes on asking.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from deepidv_async.limits._lease import LeasedLevel, Report
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._queue import Queue
from deepidv_async.limits._store import TTL, Reply, SharedBooks

__all__ = ["Pump"]

_SOON: Final = 3.5  # leases; what became of requests is reported within these
_TOGETHER: Final = 0.005  # seconds; news that come together are told together
_SAME_PAUSE: Final = 0.1  # seconds; what ends that much later is another pause
_ALONE: Final = 0.5  # seconds; how far a lease reaches that nobody else knows of
# Seconds between two tries to reach a server that is away.
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
_LONGEST_WAIT_FAILING: Final = 0.5  # where callers wait for it to fail


class Pump:
    """Keeps one process's part of a shared limit.

    Args:
        ledger: of this process; its level is a `LeasedLevel`.
        queue: who waits.
        books: the shared books.
        patience: seconds that a call to the server may take.
        share: of the limit, that this process keeps to while the server is away; 0 for none.
        on_lost: told what happened when the server cannot be reached.
        on_failure: told so each time, where this process keeps to no share; fails who waits.
        on_found: told how many seconds it was away.
        on_pause: told how many seconds a 429 of another process pauses everybody.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue: Queue,
        books: SharedBooks,
        *,
        patience: float,
        share: float,
        on_lost: Callable[[Exception], object],
        on_failure: Callable[[Exception], object],
        on_found: Callable[[float], object],
        on_pause: Callable[[float], object],
    ) -> None:
        self.last: Reply | None = None
        self._ledger = ledger
        self._queue = queue
        self._books = books
        self._patience = patience
        self._share = share
        self._on_lost = on_lost
        self._on_failure = on_failure
        self._on_found = on_found
        self._on_pause = on_pause
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._turns = asyncio.Lock()
        self._called_at = float("-inf")
        self._ask_at = float("-inf")
        self._news_at = float("inf")
        self._away_since: float | None = None
        self._urgent = False
        self._wait = _FIRST_WAIT

    @property
    def _level(self) -> LeasedLevel:
        return cast("LeasedLevel", self._ledger.level)

    @property
    def calls(self) -> int:
        """How many scripts were run."""
        return self._books.calls

    @property
    def _known(self) -> bool:
        """Whether the others count with something of ours that is true no more."""
        return self.last is not None and (self._level.unreported or self._level.held > 0)

    def lack(self) -> None:
        """Somebody wants what the lease has not."""
        self._wake()

    def news(self) -> None:
        """Something is to be reported."""
        if self._news_at == float("inf"):
            self._news_at = self._ledger.read_clock()
        self._wake()

    def tell_now(self) -> None:
        """Something is to be reported that cannot wait."""
        self._urgent = True
        self.news()

    def left(self) -> None:
        """A caller has gone without a permit: what was leased for him may be somebody else's."""
        self._woken.set()

    def _wake(self) -> None:
        self._woken.set()
        # A permit may be told of its request when the loop has ended.
        idle = self._task is None or self._task.done()
        if idle and not self._loop.is_closed():
            self._task = self._loop.create_task(self._run())
            # Whoever cancels all tasks that he finds must not leave callers waiting for ever.
            self._task.add_done_callback(self._revive)

    async def aclose(self) -> None:
        """Report the last news, give back the lease, and end."""
        self._level.drop_lease()  # which may wake the task: so first
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._known:
            await self._turn(self._ledger.read_clock())

    # -- the task --------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while (at := self._next()) is not None:
                now = self._ledger.read_clock()
                if at > now:
                    await self._sleep(at - now)
                elif self._away_since is not None and now < self._ask_at:
                    self._lease_alone(now)
                else:
                    await self._turn(now)
        finally:
            self._task = None

    def _revive(self, _: object) -> None:
        if self._queue.lanes.count:
            self._wake()

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        timer = self._loop.call_later(seconds, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
        self._level.advance(self._ledger.read_clock())

    def _next(self) -> float | None:
        """Tell when the next call is due; `None`: there is nothing more to do."""
        level, waiting = self._level, self._queue.lanes.count > 0
        if not waiting and level.unused > 0:
            level.drop_lease()
        lacking = self._wanted()[1] > 0
        due = float("inf")
        if lacking:
            due = self._ask_at
            if self._starved and level.unreported:  # it may bring the next lease
                due = min(due, self._news_at + _TOGETHER)
        if level.refused or self._urgent:
            due = min(due, self._news_at)
        elif level.unreported:
            due = min(due, self._news_at + _SOON * self._books.lease)
        if level.held > 0:
            due = min(due, self._called_at + TTL / 4)
        if due == float("inf"):
            return None if not waiting else self._called_at + TTL / 4
        if self._away_since is not None:
            alone = lacking and self._share > 0
            return self._ledger.read_clock() if alone else self._ask_at
        return max(due, self._called_at)

    @property
    def _starved(self) -> bool:
        return self.last is None or self.last.starved

    async def _turn(self, now: float) -> None:
        async with self._turns:  # closing takes one of its own
            await self._talk(now)

    async def _talk(self, now: float) -> None:
        level = self._level
        level.advance(now)
        report = level.report()
        self._called_at, news_at, self._news_at = now, self._news_at, float("inf")
        urgent, self._urgent = self._urgent, False
        stop = self._ledger.quota.stopped_for if urgent else 0.0
        head, wanted = self._wanted()
        try:
            async with asyncio.timeout(self._patience):
                reply = await self._books.call(report, wanted=wanted, head=head, stop=stop)
        except BaseException as error:
            self._news_at, self._urgent = min(self._news_at, news_at), self._urgent or urgent
            level.perhaps_told(report)
            if not isinstance(error, Exception):
                raise
            self._lose(error)
        else:
            self._take(report, reply)
        self._ledger.on_refusal()

    def _wanted(self) -> tuple[float, float]:
        """Give what the head of the queue lacks, and all who wait together."""
        lanes, unused = self._queue.lanes, self._level.unused
        first = lanes.first()
        if first is None:
            return 0.0, 0.0
        if self._level.covers(first.cost):
            return first.cost, 0.0
        head = first.cost - unused
        return head, max(head, lanes.normal.cost + lanes.bulk.cost - unused)

    def _take(self, report: Report, reply: Reply) -> None:
        """Take over what the books say."""
        level, ledger, now = self._level, self._ledger, self._ledger.read_clock()
        level.told(report)
        level.learn(debt=reply.debt, rate=reply.rate, now=now)
        ledger.congestion.rate = reply.rate
        if self._away_since is not None:
            self._find(now)
        if reply.granted:
            level.lease(reply.granted, now + reply.usable_in, self._called_at + TTL)
        else:
            level.valid_until = self._called_at + TTL
        # The books count a token when it is leased, and we count it when it is used.
        ledger.look_at_wall(now)
        ledger.quota.shared(reply.day, reply.used - level.unused, reply.stop)
        self._ask_at = now + (TTL / 4 if reply.retry_in is None else reply.retry_in)
        news = now + reply.pause > level.paused_until + _SAME_PAUSE
        if reply.pause and news and not level.refused:
            level.pause(now + reply.pause)
            self._on_pause(reply.pause)
        self.last = reply

    def _find(self, now: float) -> None:
        away, self._away_since = now - (self._away_since or now), None
        self._wait = _FIRST_WAIT
        self._level.drop_lease()
        self._on_found(away)

    def _lose(self, error: Exception) -> None:
        """Go on alone, with a share of the limit or with none."""
        now = self._ledger.read_clock()
        if self._away_since is None:
            self._away_since = now
            self._on_lost(error)
        again, self._wait = self._wait, min(_LONGEST_WAIT, 2 * self._wait)
        if self._share:
            self._ask_at = now + again
            self._lease_alone(now)
        else:
            self._ask_at = now + min(again, _LONGEST_WAIT_FAILING)
            self._on_failure(error)

    def _lease_alone(self, now: float) -> None:
        """Give those who wait a lease at the rate of our share; nothing is saved up for later."""
        level = self._level
        level.advance(now)
        # Whoever gets a 429, or mends the rate, sets it as if he were the only one.
        level.set_rate(self._ledger.congestion.rate * self._share)
        head, wanted = self._wanted()
        if wanted:
            tokens = min(wanted, max(head, level.rate * _ALONE))
            ends = max(now, level.usable_at, level.paused_until) + tokens / level.rate
            level.lease_alone(tokens, ends, ends + TTL)
            self._ledger.on_refusal()
