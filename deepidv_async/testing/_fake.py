"""The API in process: the simulator's engine behind a client, with scripted answers."""

import functools
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeAlias, TypedDict, Unpack
from unittest import mock

import attrs
import httpx

from deepidv_async._client import AsyncDeepIDV
from deepidv_async._clock import Clock
from deepidv_async._config import DEFAULT_BASE_URL, APIVersion, Timeouts
from deepidv_async._observers import Observer
from deepidv_async._retry import RetryPolicy
from deepidv_async.limits import RateLimit, RateLimiter
from deepidv_async.simulator import Fault
from deepidv_async.simulator._engine import Engine
from deepidv_async.testing._clock import VirtualClock
from deepidv_async.testing._failures import Failure, as_fault
from deepidv_async.testing._network import FakeHTTPClient, InProcess
from deepidv_async.testing._sent import SentRequest

__all__ = ["ClientOptions", "FakeDeepIDV"]

Planned: TypeAlias = (
    int | str | bytes | dict[str, Any] | list[Any] | Exception | type[Exception] | Fault
)


class ClientOptions(TypedDict, total=False):
    """The options of `AsyncDeepIDV` that `FakeDeepIDV.client` hands on."""

    api_version: APIVersion
    timeout: float | Timeouts
    deadline: float | None
    retry: RetryPolicy
    rate_limit: RateLimit | RateLimiter | None
    max_connections: int
    observers: Sequence[Observer]


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class FakeDeepIDV(Engine):
    """The DeepIDV API in this process, for tests: no key, no socket, no waiting.

    What is not planned is answered by the simulator, with made-up data, its rate limit and the
    documented errors. Its time is a `VirtualClock`, so back-off, `Retry-After`, rate limiting,
    latency and timeouts cost no real time. It needs no extra.

    As a context manager, with or without `async`, it checks at the end of a block that ends well
    that every planned answer was asked for.

    Args:
        clock: what tells the time and waits, here and in the clients that it makes.
        assert_all_used: whether the end of its block checks for planned answers that are left.
        options: all of `Simulator`: `seed`, `workflows`, `sessions`, `rate`, `latency`, ...

    Attributes:
        requests: every request that was sent to it, also those that failed on their way.
        journal: every request that arrived, as the simulator's.
        http_client: an `httpx.AsyncClient` that sends to it, for code without this library.

    Raises:
        ConfigurationError: an option makes no sense.

    Example:
        ```python
        async with FakeDeepIDV(workflows=2) as fake:
            fake.plan(503, "read-timeout")  # two bad moments, then the usual answer
            page = await fake.client().list_workflows()
        assert len(page) == 2
        assert [request.status for request in fake.requests] == [503, 200, 200]
        ```
    """

    clock: Clock = attrs.field(factory=VirtualClock)
    assert_all_used: bool = True
    requests: list[SentRequest] = attrs.field(init=False, factory=list[SentRequest])
    http_client: httpx.AsyncClient = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        network = InProcess(self, self.requests.append)
        self.http_client = FakeHTTPClient(transport=network)

    @property
    def base_url(self) -> str:
        """Where its clients believe the API to be."""
        return f"{DEFAULT_BASE_URL}{self.stage}"

    def client(self, api_key: str | None = None, **options: Unpack[ClientOptions]) -> AsyncDeepIDV:
        """Make a client that talks to this fake. A test need not close it: it holds nothing open.

        Args:
            api_key: the key to send; by default the first that the fake accepts.
            options: those of `AsyncDeepIDV`. The generation is the one that is served, `legacy`
                by default.

        Raises:
            ConfigurationError: an option is malformed.
        """
        options.setdefault("api_version", "v1" if self.serves == "v1" else "legacy")
        return AsyncDeepIDV(
            self.api_key if api_key is None else api_key,
            base_url=self.base_url,
            http_client=self.http_client,
            clock=self.clock,
            **options,
        )

    @contextmanager
    def patched(self) -> Generator[Self, None, None]:
        """Let every `AsyncDeepIDV` that is made in the block talk to this fake.

        For code that makes its own client. The client sends through the fake's `http_client`
        whatever it was given, and waits on the fake's clock unless it was given one. All else
        stays as it is, also a key that the fake does not accept; the environment's
        `DEEPIDV_API_KEY` is one that it does. Clients that were made before are left alone.
        """
        usual = AsyncDeepIDV.__init__

        @functools.wraps(usual)
        def init(client: AsyncDeepIDV, *args: Any, **options: Any) -> None:
            if not isinstance(options.get("http_client"), FakeHTTPClient):
                options["http_client"] = self.http_client
            options["clock"] = options.get("clock") or self.clock
            # Out of this frame before anything can fail: the key may be a real one, and pytest
            # can show the locals.
            given, named = [args], [options]
            del args, options
            usual(client, *given.pop(), **named.pop())

        accepted = {"DEEPIDV_API_KEY": self.api_key}
        with (
            mock.patch.object(AsyncDeepIDV, "__init__", init),
            mock.patch.dict(os.environ, accepted),
        ):
            yield self

    def plan(self, *answers: Planned) -> None:
        """Plan what coming requests get; what is planned first comes first.

        Args:
            answers: each for the next request: a status, with the body that is documented for
                it; the name of an error (`"limit-exceeded"`) or of a failure
                (`"read-timeout"`); a `dict` or `list` to be sent as JSON, or `bytes`; an
                exception; or a `Fault` or `Failure` for anything else, such as headers, a
                delay, how often, or which path.

        Raises:
            ConfigurationError: one of them makes no sense.
        """
        faults = [as_fault(answer) for answer in answers]
        with self._lock:
            for fault in faults:
                self._faults.add(fault)

    def reset(self, *, seed: int | None = None) -> None:
        """Start afresh: data as made from the seed, nothing planned, nothing remembered.

        The clock goes on.

        Args:
            seed: a new one; `None` keeps the one in use.
        """
        super().reset(seed=seed)
        self.requests.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        unused = self._faults.unused() if kind is None and self.assert_all_used else []
        if unused:
            told = ", ".join(f"{_named(fault)} ({left} left)" for fault, left in unused)
            raise AssertionError(
                f"Planned answers were not asked for: {told}. The code under test sent "
                f"{len(self.requests)} requests; FakeDeepIDV(assert_all_used=False) allows this."
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def _named(fault: Fault) -> str:
    what = fault.kind if isinstance(fault, Failure) else fault.answer
    where = f" on {fault.path}" if fault.path is not None else ""
    return f"{what!r}{where}"
