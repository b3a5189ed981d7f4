"""A shared limit on the command line: its Redis server, its name, and what may be said of both.

The URL may hold a password. It is shown nowhere, and neither is a message of the server that
repeats it.
"""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol, cast
from urllib.parse import quote, urlsplit

import attrs

from deepidv_async import ConfigurationError, Event, RateLimit, SharedLimitFound, SharedLimitLost
from deepidv_async._redaction import Secret, clean_text
from deepidv_async.cli._exit import ExitCode
from deepidv_async.limits._shared import HashReader
from deepidv_async.limits._store import ScriptRunner
from deepidv_async.limits.redis import RedisTokenBucket, limit_name

__all__ = ["CommandBucket", "RedisClient", "RedisServer", "name_of"]

_SECRETS: Final = ("password", "ssl_password")
_HIDDEN: Final = "[password]"


class RedisClient(ScriptRunner, HashReader, Protocol):
    """What the commands use of `redis.asyncio.Redis`, whose own annotations have gaps."""

    connection_pool: Any

    def info(self, section: str) -> Awaitable[Mapping[str, Any]]:
        """Give what the server says of itself."""
        ...

    def delete(self, *names: str) -> Awaitable[Any]:
        """Delete keys."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def name_of(redis_name: str | None, api_key: str | None) -> str:
    """Give the name of a limit: that of the option, else the one that goes with the key.

    Args:
        redis_name: the option.
        api_key: the key; `None` takes the environment's.
    """
    return redis_name or limit_name(api_key or os.environ.get("DEEPIDV_API_KEY", ""))


class CommandBucket(RedisTokenBucket):
    """A shared limit with a connection of its own, which is closed with it."""

    def __init__(self, redis: RedisClient, limit: RateLimit, *, name: str) -> None:
        super().__init__(redis, limit, name=name)
        self._connection = redis

    async def aclose(self) -> None:
        """Give back what is leased, and close the connection."""
        try:
            await super().aclose()
        finally:
            await self._connection.aclose()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Do nothing: the server knows the day's count, and a checkpoint an older one."""
        del snapshot


@attrs.frozen
class RedisServer:
    """Where a shared limit is kept.

    Attributes:
        url: with the password, if there is one.
        where: host and port, or the path of a socket.
        secrets: what must not be shown, in all its spellings.
    """

    url: Secret
    where: str
    secrets: tuple[str, ...] = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str) -> "RedisServer":
        """Read a URL; nothing is connected yet.

        Raises:
            ConfigurationError: it is none.
            ImportError: the extra `redis` is not installed.
        """
        hidden = Secret(url)
        options = _options(hidden)
        if options is None:
            raise ConfigurationError(
                "--redis or DEEPIDV_REDIS_URL is no URL of a Redis server, such as "
                "redis://localhost:6379/0 or rediss://:PASSWORD@host:6379. In a password, percent-"
                "encode what has a meaning in URLs."
            )
        place = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        secrets = [str(options[name]) for name in _SECRETS if options.get(name)]
        spellings = {spelt for each in secrets for spelt in (each, quote(each), quote(each, ""))}
        return cls(
            url=hidden,
            where=options.get("path") or place,
            secrets=tuple(sorted(spellings, key=len, reverse=True)),
        )

    def client(self) -> RedisClient:
        """Make a client; it connects on its first call."""
        return _library()[0](self.url.reveal())

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[RedisClient, None]:
        """Give a client for the block."""
        redis = self.client()
        try:
            yield redis
        finally:
            await redis.aclose()

    def bucket(self, limit: RateLimit, name: str, tell: Callable[[str], None]) -> CommandBucket:
        """Make the limiter of a command.

        Args:
            limit: what is kept, the same in all processes.
            name: of the limit.
            tell: is told, in a line each, when the server goes away and comes back.

        Raises:
            ConfigurationError: the name is malformed.
        """
        bucket = CommandBucket(self.client(), limit, name=name)

        def hear(event: Event) -> None:
            match event:
                case SharedLimitLost(cause=cause, share=share):
                    tell(
                        f"The shared limit's server, {self.where}, cannot be reached ({cause}): "
                        f"going on alone, at {share:.0%} of the rate."
                    )
                case SharedLimitFound(away=away):
                    tell(f"The shared limit's server answers again, after {away:.1f} s.")
                case _:
                    pass

        bucket.subscribe(hear)
        return bucket

    def failure(self, error: Exception) -> tuple[str, ExitCode] | None:
        """Say what kept the server from doing what it should.

        Returns:
            A sentence, and the exit code; `None` if it is a mistake of ours.
        """
        from redis import exceptions  # noqa: PLC0415 - the extra, on use

        said = self._scrubbed(str(error))
        match error:
            case TimeoutError() | exceptions.TimeoutError():
                return f"The Redis server, {self.where}, does not answer.", ExitCode.UNREACHABLE
            case exceptions.AuthenticationError() | exceptions.NoPermissionError():
                told = f"The Redis server, {self.where}, refuses user or password: {said}"
                return told, ExitCode.FORBIDDEN
            case exceptions.ResponseError():
                return f"The Redis server, {self.where}, answers: {said}", ExitCode.FAILED
            case exceptions.RedisError() | OSError() | UnicodeError():
                told = f"The Redis server, {self.where}, cannot be reached: {said}"
                return told, ExitCode.UNREACHABLE
            case _:
                return None

    def _scrubbed(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return clean_text(text)


def _library() -> tuple[Callable[[str], RedisClient], type[Exception]]:
    """Give what makes a client of a URL, and the base class of the client's errors.

    Raises:
        ImportError: the extra `redis` is not installed.
    """
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - the extra, on use
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - the extra, on use
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the extra, on use
        from redis.exceptions import RedisError  # noqa: PLC0415 - the extra, on use
    except ImportError as missing:
        raise ImportError(
            f"--redis needs {missing.name}: pip install 'deepidv-async[redis]'", name=missing.name
        ) from missing
    # The limiter tries again by itself, and whoever only looks is told at once.
    return partial(cast("Any", Redis).from_url, retry=Retry(NoBackoff(), 0)), RedisError


def _options(url: Secret) -> Mapping[str, Any] | None:
    """Give what a URL says; `None` if it makes no sense.

    Raises:
        ImportError: the extra `redis` is not installed.
    """
    make, library_error = _library()
    try:
        # A password with one of / ? # in it ends the host too early: the rest of it would be taken
        # for a port or a path, and shown as that.
        if "@" in url.reveal() and "@" not in urlsplit(url.reveal()).netloc:
            return None
        pool = make(url.reveal()).connection_pool
        # Some options are looked at only here; nothing is opened.
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, library_error):
        return None
    return cast("Mapping[str, Any]", pool.connection_kwargs)
