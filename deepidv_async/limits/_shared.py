"""The state of a shared limit, for whoever looks at it from outside."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import attrs

__all__ = ["HashReader", "SharedLimit", "SharedProcess", "key_of", "read_shared_limit"]

_PREFIX: Final = "deepidv-limit"
_MILLION: Final = 1_000_000


class HashReader(Protocol):
    """What is needed of a client to look: `redis.asyncio.Redis` has it.

    Both methods give something to await, whatever the client's types call it.
    """

    def hgetall(self, name: str) -> Any:
        """Give a hash."""
        ...

    def time(self) -> Any:
        """Give the server's clock, as seconds and microseconds."""
        ...


def key_of(name: str) -> str:
    """Give the key of a limit; what stands in braces chooses the slot of a cluster."""
    return f"{{{_PREFIX}:{name}}}"


@attrs.frozen
class SharedProcess:
    """One process (or one event loop of it) that takes part.

    Attributes:
        id: made up of its process id and a random text.
        open: tokens that it holds, leased or with requests under way.
        waiting_for: seconds for which it has been waiting for a lease, `None` if it is not.
        expires_in: seconds after which it counts as gone if it is not heard of.
    """

    id: str
    open: float
    waiting_for: float | None
    expires_in: float


@attrs.frozen
class SharedLimit:
    """Where a shared limit stands.

    Attributes:
        published: requests/s, as the processes were told.
        per_second: requests/s that are kept now; below `published` after 429s.
        burst: tokens in a full bucket.
        tokens: what could be granted at once now.
        open: tokens held by processes.
        paused_for: seconds of a pause that are left after a 429.
        refused: 429s since the state was made.
        quota: requests per day, `None` for no quota.
        quota_used: requests counted today (UTC).
        quota_refused_for: seconds for which the API's word stands that the quota is spent.
        processes: who takes part.
        since: when the state was made, or was last found to be wrong (aware, UTC).
    """

    published: float
    per_second: float
    burst: float
    tokens: float
    open: float
    paused_for: float
    refused: int
    quota: float | None
    quota_used: float
    quota_refused_for: float
    processes: tuple[SharedProcess, ...]
    since: datetime


async def read_shared_limit(redis: HashReader, name: str) -> SharedLimit | None:
    """Look at a shared limit without taking part in it.

    Args:
        redis: a `redis.asyncio.Redis`, or anything with its `hgetall` and `time`.
        name: of the limit.

    Returns:
        `None` if there is none of that name: nobody has used it for a while.

    Raises:
        Exception: what the client raises if the server cannot be reached.
    """
    plain = await redis.hgetall(key_of(name))
    seconds, micros = await redis.time()
    fields = {_text(field): _text(value) for field, value in dict(plain).items()}
    return _parse(fields, int(seconds) * _MILLION + int(micros)) if fields else None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _parse(fields: Mapping[str, str], now: int) -> SharedLimit:
    number = {field: int(text) for field, text in fields.items() if not field.startswith("p:")}
    processes = tuple(
        _process(field[2:], text, now)
        for field, text in sorted(fields.items())
        if field.startswith("p:")
    )
    published = number["published"] / _MILLION
    rate = published * number["factor"] / _MILLION
    back = max(0, now - number["at"]) * rate
    debt = max(0.0, number["debt"] - back) / _MILLION
    held = sum(process.open for process in processes)
    burst, quota = number["burst"] / _MILLION, number["per_day"]
    today = number["day"] == now // (86_400 * _MILLION)
    paused_for = max(0, number["pause"] - now) / _MILLION
    return SharedLimit(
        published=published,
        per_second=rate,
        burst=burst,
        tokens=0.0 if paused_for else max(0.0, burst - debt - held),
        open=held,
        paused_for=paused_for,
        refused=number["refused"],
        quota=None if quota < 0 else quota / _MILLION,
        quota_used=number["used"] / _MILLION if today else 0.0,
        quota_refused_for=max(0, number["stop"] - now) / _MILLION,
        processes=processes,
        since=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=number["reset"]),
    )


def _process(name: str, text: str, now: int) -> SharedProcess:
    held, expires, waits, *_ = (int(each) for each in text.split())
    return SharedProcess(
        id=name,
        open=held / _MILLION,
        waiting_for=(now - waits) / _MILLION if waits else None,
        expires_in=(expires - now) / _MILLION,
    )
