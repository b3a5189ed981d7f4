"""The client as the command line makes it, from its options and the environment."""

import functools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import attrs

from deepidv_async import (
    AsyncDeepIDV,
    AttemptStarted,
    ConfigurationError,
    Event,
    Observer,
    RateLimit,
    RateLimiter,
    Timeouts,
)
from deepidv_async.cli._keys import read_key
from deepidv_async.cli._options import Connection
from deepidv_async.cli._terminal import Terminal

__all__ = ["closing", "make_client", "make_limit", "open_client"]

# Numbers in events that are no seconds.
_COUNTS: Final = {"limit", "per_second", "published", "share", "used"}


def open_client(connection: Connection, terminal: Terminal, *observers: Observer) -> AsyncDeepIDV:
    """Make the client, with its key.

    Args:
        connection: the options.
        terminal: where events are told, with `--verbose`.
        observers: who else is told of them.

    Raises:
        ConfigurationError: there is no key, or an option is malformed or contradicts another.
    """
    return make_client(connection, terminal, read_key(connection.api_key_file), observers)


def make_client(
    connection: Connection,
    terminal: Terminal,
    api_key: str | None,
    observers: Sequence[Observer] = (),
    rate_limiter: RateLimiter | None = None,
) -> AsyncDeepIDV:
    """Make a client of a key.

    Args:
        connection: the options.
        terminal: where events are told, with `--verbose`.
        api_key: the key; `None` takes the environment's.
        observers: who else is told of them.
        rate_limiter: to share with another client; `None` makes a `TokenBucket`, which is shared
            with other processes if the options name a Redis server.

    Raises:
        ConfigurationError: an option is malformed or contradicts another.
        ImportError: the extra `redis` is not installed.
    """
    _check(connection, terminal)
    if connection.verbose:
        observers = (*observers, functools.partial(_tell, terminal))
    return AsyncDeepIDV(
        api_key,
        base_url=connection.base_url,
        api_version=connection.api_version,
        timeout=Timeouts() if connection.timeout is None else connection.timeout,
        deadline=connection.deadline,
        rate_limit=rate_limiter or _make_limiter(connection, terminal, api_key),
        observers=observers,
    )


def _check(connection: Connection, terminal: Terminal) -> None:
    if connection.verbose and terminal.quiet:
        raise ConfigurationError("--quiet and --verbose contradict each other.")


def make_limit(connection: Connection) -> RateLimit:
    """Make the limit to keep.

    Raises:
        ConfigurationError: a number is out of range.
    """
    # A program that is started again and again must not begin with a burst each time.
    limit = RateLimit(initial=1)
    if connection.rate is not None:
        limit = attrs.evolve(limit, per_second=connection.rate)
    if connection.per_day is not None:
        limit = attrs.evolve(limit, per_day=connection.per_day or None)
    return limit


def _make_limiter(
    connection: Connection, terminal: Terminal, api_key: str | None
) -> RateLimit | RateLimiter:
    limit = make_limit(connection)
    if not connection.redis:
        return limit
    from deepidv_async.cli._redis import RedisServer, name_of  # noqa: PLC0415 - on use

    name = name_of(connection.redis_name, api_key)
    return RedisServer.of(connection.redis).bucket(limit, name, terminal.note)


@asynccontextmanager
async def closing(client: AsyncDeepIDV) -> AsyncGenerator[None, None]:
    """Close a client at the end of the block, and its limit if that is shared."""
    try:
        async with client:
            yield
    finally:
        # A limit of this process alone has nothing to close.
        if (release := getattr(client.rate_limiter, "aclose", None)) is not None:
            await release()


def _tell(terminal: Terminal, event: Event) -> None:
    if not isinstance(event, AttemptStarted):
        told = " ".join(f"{name}={_figure(name, value)}" for name, value in _fields(event))
        terminal.log(f"{type(event).__name__} {told}")


def _fields(event: Event) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in attrs.asdict(event).items() if value is not None]


def _figure(name: str, value: Any) -> str:
    match value:
        case float():
            return f"{value:g}" if name in _COUNTS else f"{value:.3f}s"
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return ",".join(f"{part}:{_figure(part, each)}" for part, each in pairs)
        case _:
            return str(value)
