"""What a limiter tells of itself: its numbers, and a snapshot to go on from."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from deepidv_async._errors import InvalidArgumentError
from deepidv_async.limits._ledger import Ledger
from deepidv_async.limits._protocol import LimiterStats
from deepidv_async.limits._queue import Queue

__all__ = ["restore_into", "snapshot_of", "stats_of"]


def _look(ledger: Ledger) -> tuple[float, float]:
    """Give the instant and the tokens; a limiter that is not at work yet stays so."""
    if not ledger.began:
        return ledger.level.at, ledger.level.tokens
    now = ledger.read_clock()
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
        per_second=ledger.congestion.rate,
        published=ledger.limit.per_second,
        stalled=queue.stalled,
        quota_used=quota.used,
        quota_left=quota.left if counted else None,
        quota_resets_at=quota.resets_at if counted else None,
        wait_p50=waits[len(waits) // 2],
        wait_p99=waits[len(waits) * 99 // 100],
    )


def snapshot_of(ledger: Ledger) -> dict[str, Any]:
    """Give level and daily count as plain data."""
    now, tokens = _look(ledger)
    wall = ledger.look_at_wall(now)
    # What is on its way may arrive later than this, and during a pause nothing comes back.
    hold = ledger.limit.hold if ledger.level.open > 0 else 0.0
    return {
        "version": 1,
        "at": wall.isoformat(),
        "tokens": tokens,
        "refills_after": max(hold, ledger.paused_for(now)),
        "quota": ledger.quota.snapshot(),
    }


def restore_into(ledger: Ledger, snapshot: Mapping[str, Any]) -> None:
    """Go on from a snapshot: the count always, the level if nothing was granted yet.

    Raises:
        InvalidArgumentError: it is no snapshot, or counts another kind of window.
    """
    wall = ledger.look_at_wall(_look(ledger)[0])
    try:
        taken_at = datetime.fromisoformat(snapshot["at"])
        passed = (wall - taken_at).total_seconds() - float(snapshot["refills_after"])
        tokens = float(snapshot["tokens"]) + max(0.0, passed) * ledger.limit.per_second
        ledger.quota.restore(snapshot["quota"])
    except InvalidArgumentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgumentError(
            "This is not a snapshot of a TokenBucket: pass what snapshot() gave."
        ) from error
    if not ledger.began:
        burst = ledger.limit.burst
        ledger.level.debt = burst - min(burst, max(0.0, tokens))
