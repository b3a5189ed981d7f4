"""What a limiter tells of itself: its numbers, and a snapshot to go on from."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from deepidv_async._errors import InvalidArgumentError
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._protocol import LimiterStats
from deepidv_async.limits._queue import Queue

__all__ = ["restore_into", "snapshot_of", "stats_of"]

_VERSIONS: Final = (1, 2)  # of snapshots


def _look(ledger: Ledger) -> tuple[float, float]:
    """Give the instant and the tokens; a limiter that is not at work yet stays so, at 0."""
    now = ledger.read_clock() if ledger.began else 0.0
    ledger.level.advance(now)
    return now, 0.0 if ledger.paused_for(now) else ledger.level.tokens


def stats_of(ledger: Ledger, queue: Queue) -> LimiterStats:
    """Put the numbers together."""
    now, tokens = _look(ledger)
    wall = ledger.look_at_wall(now)
    level, quota = ledger.level, ledger.quota
    counted = ledger.limit.per_day is not None
    paused_for = ledger.paused_for(now)
    waits = sorted(ledger.waits) or [0.0]
    return LimiterStats(
        granted=ledger.granted,
        sent=ledger.sent,
        waiting=queue.lanes.count,
        waiting_bulk=queue.lanes.bulk.count,
        in_flight=level.flights,
        open=level.open,
        tokens=tokens,
        throttled=ledger.throttled,
        paused_for=paused_for,
        paused_until=wall + timedelta(seconds=paused_for) if paused_for else None,
        per_second=ledger.congestion.grow(now),
        published=ledger.limit.per_second,
        stalled=queue.stalled,
        quota_used=quota.used,
        quota_left=quota.left if counted else None,
        quota_resets_at=quota.resets_at if counted else None,
        wait_p50=waits[len(waits) // 2],
        wait_p99=waits[len(waits) * 99 // 100],
    )


def snapshot_of(ledger: Ledger) -> dict[str, Any]:
    """Give level, learned rate and daily count as plain data."""
    now, tokens = _look(ledger)
    wall = ledger.look_at_wall(now)
    paused_for = ledger.paused_for(now)
    # What is on its way may arrive later than this, and during a pause nothing comes back.
    hold = ledger.limit.hold if ledger.level.open > 0 else 0.0
    return {
        "version": 2,
        "at": wall.isoformat(),
        "tokens": tokens,
        "refills_after": max(hold, paused_for),
        "paused_for": paused_for,
        "per_second": ledger.congestion.grow(now),
        "quota": ledger.quota.snapshot(),
    }


def restore_into(ledger: Ledger, snapshot: Mapping[str, Any]) -> None:
    """Go on from a snapshot: the count always, level and rate if nothing was granted yet.

    Raises:
        InvalidArgumentError: it is no snapshot, or counts another kind of window.
    """
    wall = ledger.look_at_wall(_look(ledger)[0])
    try:
        _VERSIONS.index(snapshot["version"])  # or a ValueError
        passed = max(0.0, (wall - datetime.fromisoformat(snapshot["at"])).total_seconds())
        tokens, refills_after = _number(snapshot["tokens"]), _number(snapshot["refills_after"])
        # The first version had neither of these two.
        paused_for = _number(snapshot.get("paused_for", 0.0))
        per_second = _number(snapshot.get("per_second", ledger.limit.per_second))
        ledger.quota.restore(snapshot["quota"])
    except InvalidArgumentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidArgumentError(
            "This is not a snapshot of a TokenBucket: pass what snapshot() gave."
        ) from error
    if not ledger.began:
        level, limit = ledger.level, ledger.limit
        level.at = level.paused_until = max(0.0, paused_for - passed)
        tokens += max(0.0, passed - refills_after) * min(per_second, limit.per_second)
        level.debt = limit.burst - min(limit.burst, tokens)
        ledger.congestion.restore(per_second, max(0.0, passed - paused_for))
        level.set_rate(ledger.congestion.rate)


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError("not a number of zero or more")
    return number
