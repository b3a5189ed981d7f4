"""The books of a shared limit: one hash on a Redis or Valkey server, changed by one script.

Whatever client is passed, only two of its methods are used, so one of valkey-py or of a cluster
does as well. Each call carries a number, and its reply has to carry the same: a reply that was
left over by a call that was cut off is not taken for another one's.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, Final, Protocol, cast

import attrs

from deepidv_async.limits._lease import Report
from deepidv_async.limits._limit import RateLimit

__all__ = ["Reply", "ScriptRunner", "SharedBooks", "StrayReplyError"]

_LEASE: Final = 0.12  # seconds; how far a lease reaches
_PARTS: Final = 4  # of the burst; no lease takes more than one of them
TTL: Final = 2.0  # seconds; what a process that is not heard of holds is given up after these
_STARVED: Final = 0.06  # seconds; where news of requests under way is awaited
_SOONEST: Final = 0.005
_GRACE: Final = 0.05
_TOLERANCE: Final = 1.0  # seconds; a clock that is off by more was stepped
_KEEP: Final = 600  # seconds
_DAYS: Final = 2 * 86_400  # seconds; a day's count must outlive the day
_MILLION: Final = 1_000_000


class ScriptRunner(Protocol):
    """What is needed of a client: `redis.asyncio.Redis` has it, and so has valkey-py's.

    Both methods give something to await. Clients type that as they like: redis-py before 8 said
    `Awaitable[str] | str` for those that must be awaited and those that must not.
    """

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Run a script that the server has cached."""
        ...

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Run a script."""
        ...


class StrayReplyError(Exception):
    """The connection gave what another call was to get."""


@attrs.frozen
class Reply:
    """What the books say.

    Attributes:
        clock: the server's clock, in microseconds since 1970.
        granted: tokens of the new lease; 0 for none.
        usable_in: seconds until all of them may be used; negative if that was before.
        retry_in: seconds until it makes sense to ask again; `None` if the quota is spent.
        debt: tokens that are spent and coming back.
        rate: tokens per second that come back.
        pause: seconds of a pause that are left.
        day: the day in UTC, since 1970.
        used: requests counted in it.
        stop: seconds for which the server's word stands that the quota is spent.
        refused: 429s that were reported by all.
        processes: how many there are.
        starved: whether requests under way have to arrive before anything comes back.
    """

    clock: int
    granted: float
    usable_in: float
    retry_in: float | None
    debt: float
    rate: float
    pause: float
    day: int
    used: float
    stop: float
    refused: int
    processes: int
    starved: bool


def _script() -> str:
    return files("deepidv_async.limits").joinpath("_shared.lua").read_text("utf-8")


class SharedBooks:
    """The books of one limit, as one process sees them.

    Args:
        runner: the client.
        key: the hash. What stands in braces chooses the slot of a cluster.
        limit: the limit.
        identity: tells this process and loop from all others.
        read_clock: this process's monotonic clock, in seconds.

    Attributes:
        calls: how many there were.
        lease: seconds that a lease reaches; its first token lies at most half as far ahead.
    """

    def __init__(
        self,
        runner: ScriptRunner,
        key: str,
        limit: RateLimit,
        identity: str,
        read_clock: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._key = key
        self._limit = limit
        self._identity = identity
        self._script = _script()
        self._sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()
        self.calls: int = 0
        self.lease: float = min(_LEASE, limit.burst / limit.per_second / _PARTS)
        self._read_clock = read_clock
        self._last: Reply | None = None
        self._last_at = self._heard_at = 0.0

    async def call(self, report: Report, *, wanted: float, head: float, stop: float) -> Reply:
        """Report, and ask for a lease.

        Args:
            report: what became of requests.
            wanted: tokens that all who wait want; 0 to ask for none.
            head: tokens that the first of them needs.
            stop: seconds for which the server's word stands that the quota is spent.

        Raises:
            StrayReplyError: the reply is not that of this call.
            Exception: what the client raises if the server cannot be reached.
        """
        self.calls += 1
        number = self.calls
        now = self._read_clock()
        asked = self._asked(report, now) | {
            "call": str(number),
            "wanted": max(_enough(head), _enough(wanted)) if wanted else 0,
            "head": _enough(head),
            "stop": _millionths(stop),
        }
        plain = await self._run(json.dumps(asked))
        reply = _read(plain, number)
        self._last, self._last_at, self._heard_at = reply, now, self._read_clock()
        return reply

    def _asked(self, report: Report, now: float) -> dict[str, Any]:
        limit, last = self._limit, self._last
        initial = limit.burst if limit.initial is None else limit.initial
        refilled = limit.burst / limit.per_second
        keep = _DAYS if limit.per_day is not None else _KEEP + 2 * refilled
        # A state that may have expired by itself was not lost.
        known = last is not None and now - self._last_at < _KEEP / 2
        return {
            "id": self._identity,
            "rate": limit.per_second,
            "burst": _millionths(limit.burst),
            "initial": _millionths(initial),
            "per_day": -1 if limit.per_day is None else _millionths(limit.per_day),
            "longest": _millionths(refilled + 3600),
            "lease": _millionths(self.lease),
            "ahead": _millionths(self.lease / 2),
            "share": _millionths(max(1.0, limit.burst / _PARTS)),
            "ttl": _millionths(max(TTL, 2 * limit.hold)),
            "starved": _millionths(_STARVED),
            "soonest": _millionths(_SOONEST),
            "grace": _millionths(_GRACE),
            "tolerance": _millionths(_TOLERANCE),
            "keep": round(keep * 1000),
            "seen_at": last.clock if last is not None and known else 0,
            "passed": _millionths(now - self._last_at),
            "day": -1 if last is None else last.day,
            "used": 0 if last is None else _millionths(last.used),
            "open": _millionths(report.open),
            "settled": _millionths(report.settled),
            "settled_age": _millionths(max(0.0, now - report.settled_at)),
            "returned": _millionths(report.returned),
            "refusals": report.refusals,
            "refused_at": self._on_their_clock(report.refused_at),
            "pause": _millionths(max(0.0, report.paused_until - now)) if report.refusals else -1,
        }

    def _on_their_clock(self, instant: float) -> int:
        """Tell what the server's clock showed then, or a little less."""
        if self._last is None or instant == float("-inf"):
            return 0
        return self._last.clock + _millionths(instant - self._heard_at)

    async def _run(self, argument: str) -> Any:
        try:
            return await self._runner.evalsha(self._sha, 1, self._key, argument)
        except Exception as error:
            # Known by its name, so that no client's module has to be imported.
            if type(error).__name__ != "NoScriptError":
                raise
        return await self._runner.eval(self._script, 1, self._key, argument)


def _read(plain: Any, number: int) -> Reply:
    if not isinstance(plain, list | tuple):
        raise StrayReplyError
    call, *numbers = (int(each) for each in cast("Sequence[Any]", plain))
    if call != number:
        raise StrayReplyError
    clock, granted, usable, retry, debt, rate, pause, day, used, stop, *more = numbers
    refused, count, starved = more
    return Reply(
        clock=clock,
        granted=granted / _MILLION,
        usable_in=usable / _MILLION,
        retry_in=None if retry < 0 else retry / _MILLION,
        debt=debt / _MILLION,
        rate=rate / _MILLION,
        pause=pause / _MILLION,
        day=day,
        used=used / _MILLION,
        stop=stop / _MILLION,
        refused=refused,
        processes=count,
        starved=bool(starved),
    )


def _enough(tokens: float) -> int:
    """Round up, so that what is granted is never less than what was lacking."""
    return math.ceil(tokens * _MILLION - 1e-3)


def _millionths(number: float) -> int:
    return round(number * _MILLION)
