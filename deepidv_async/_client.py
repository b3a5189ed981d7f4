"""The client: what users make, call and close."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from deepidv_async._calls import Call, sessions_call, workflows_call
from deepidv_async._clock import Clock, SystemClock
from deepidv_async._config import APIVersion, Timeouts, resolve_config
from deepidv_async._fanout import WorkflowSessionsPage, fan_out
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._observers import Observer, Observers
from deepidv_async._options import KEEP, CallOptions, Keep, check_connections, make_limiter
from deepidv_async._paging import ItemIterator, Page, PageIterator
from deepidv_async._redaction import Secret
from deepidv_async._retry import RetryPolicy
from deepidv_async.limits import Priority, RateLimit, RateLimiter

if TYPE_CHECKING:
    from deepidv_async._transport import HTTPClient

__all__ = ["AsyncDeepIDV"]

T = TypeVar("T")


class AsyncDeepIDV:
    """A client of the DeepIDV API.

    It may be made anywhere, also outside a running loop: it does no I/O before the first
    request. It works on one running asyncio loop at a time, and one client is meant to serve a
    whole process: its pool and its rate limiter do their work across all calls.

    Args:
        api_key: the key; by default the environment's `DEEPIDV_API_KEY`.
        base_url: where the API lives; by default `DEEPIDV_BASE_URL`, else
            `https://api.deepidv.com`. It may end in `/`, carry a stage prefix (`/dev`), or end
            in `/v1`, which chooses that generation.
        api_version: `legacy` or `v1`; by default `DEEPIDV_API_VERSION`, else `legacy`.
        timeout: bounds of the phases of each attempt, in seconds; one number for all four.
        deadline: bound of a whole call, waits and retries included, in seconds. A call is one
            page: iterators apply it to each page.
        retry: how failed requests are repeated.
        rate_limit: the limit to keep (a limiter is made for it), a limiter to share with
            another client (`first.rate_limiter`) or of your own, or `None` for no limiting.
        max_connections: connections of the pool, and requests in flight at most.
        http_client: an `httpx.AsyncClient` or `httpx2.AsyncClient` to send with. It is never
            closed by this client, and its pool must have at least `max_connections` connections.
        observers: callables that are told of every event.
        clock: measures and waits, for tests.

    Raises:
        ConfigurationError: a setting is missing, malformed or contradicts another.

    Example:
        ```python
        async with AsyncDeepIDV() as client:
            page = await client.list_workflows()
            async for session in client.iter_workflow_sessions(page[0].id):
                print(session.id, session.status)
        ```
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: APIVersion | None = None,
        timeout: float | Timeouts = Timeouts(),  # noqa: B008 - frozen
        deadline: float | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        rate_limit: RateLimit | RateLimiter | None = RateLimit(),  # noqa: B008 - frozen
        max_connections: int = 32,
        http_client: "HTTPClient | None" = None,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> None:
        # Here, so that a program which only imports this class does not load the HTTP library and
        # cattrs, and not later, so that no request waits for them.
        from deepidv_async._pipeline import Pipeline  # noqa: PLC0415 - see above
        from deepidv_async._transport import Transport  # noqa: PLC0415 - see above

        # Hidden before anything can fail: a traceback with locals shows every argument.
        hidden = None if api_key is None else Secret(api_key)
        del api_key
        check_connections(max_connections)
        config = resolve_config(hidden, base_url, api_version)
        told = Observers(observers)
        clock = clock or SystemClock()
        transport = Transport(
            config, max_connections=max_connections, http_client=http_client, observers=told
        )
        self._options: CallOptions = CallOptions.checked(
            timeout=timeout, deadline=deadline, retry=retry
        )
        self._pipeline = Pipeline(
            config, transport, make_limiter(rate_limit, clock, self._options), told, clock
        )
        self._owner: bool = True

    @property
    def rate_limiter(self) -> RateLimiter | None:
        """The limiter in use, to share with another client on the same key or to look at."""
        return self._pipeline.limiter

    @property
    def base_url(self) -> str:
        """Where the API lives, without the generation's path."""
        return self._pipeline.config.base_url

    @property
    def api_version(self) -> APIVersion:
        """The generation of the API in use."""
        return self._pipeline.config.api_version

    def with_options(
        self,
        *,
        timeout: float | Timeouts | Keep = KEEP,
        deadline: float | Keep | None = KEEP,
        retry: RetryPolicy | Keep = KEEP,
        priority: Priority | Keep = KEEP,
    ) -> Self:
        """Give a view of this client with other options: a cheap object, fit for one call.

        It shares pool, limiter and observers with this client, which stays as it is. Closing
        the view closes nothing; closing the client closes all its views.

        Args:
            timeout: bounds of the phases of each attempt, in seconds.
            deadline: bound of a whole call in seconds; `None` for none.
            retry: how failed requests are repeated.
            priority: `bulk` for exports: calls of the `normal` lane go first in the limiter's
                queue, but for a small share that bulk keeps.

        Raises:
            ConfigurationError: an option is malformed.
        """
        view = object.__new__(type(self))
        view._options = self._options.changed(
            timeout=timeout, deadline=deadline, retry=retry, priority=priority
        )
        view._pipeline, view._owner = self._pipeline, False
        return view

    async def list_workflows(self) -> Page[Workflow]:
        """List the organization's workflows, newest first.

        Source: `GET /workflow` (legacy), `GET /v1/workflows` (v1); both answer at once.

        Raises:
            DeepIDVError: see the error tree; each says what to do.
        """
        return await self._page(workflows_call(self.api_version))

    def iter_workflows(self) -> ItemIterator[Workflow]:
        """Iterate over the organization's workflows, newest first.

        Source: `GET /workflow` (legacy), `GET /v1/workflows` (v1).
        """
        return self._iterate(workflows_call(self.api_version))

    async def list_workflow_sessions(
        self,
        workflow_id: str,
        *,
        page_size: int | None = None,
        next_token: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> Page[WorkflowSession]:
        """List sessions sent under a workflow: all of them (legacy), or one page (v1).

        Source: `GET /workflow/{workflow_id}` (legacy, newest first),
        `GET /v1/sessions?workflow_id=...` (v1, in the server's order).

        Args:
            workflow_id: the workflow.
            page_size: sessions per page, 1 to 500; the server's default is 50 (v1 only).
            next_token: `Page.next_token` of the page before (v1 only).
            start_date: only sessions made at or after this instant, aware (v1 only).
            end_date: only sessions made at or before this instant, aware (v1 only).

        Raises:
            InvalidArgumentError: an argument cannot be what it should be.
            UnsupportedByAPIVersionError: the generation has no such argument.
            DeepIDVError: see the error tree; each says what to do.
        """
        call = sessions_call(
            self.api_version,
            workflow_id,
            page_size=page_size,
            next_token=next_token,
            start_date=start_date,
            end_date=end_date,
        )
        return await self._page(call)

    def iter_workflow_sessions(
        self,
        workflow_id: str,
        *,
        page_size: int | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> ItemIterator[WorkflowSession]:
        """Iterate over all sessions sent under a workflow, page by page, in the server's order.

        A list that is newest first shifts when sessions are made while it is paged: a session
        can then come twice. Those who need each once compare ids.

        Args:
            workflow_id: the workflow.
            page_size: sessions per page, 1 to 500; the server's default is 50 (v1 only).
            start_date: only sessions made at or after this instant, aware (v1 only).
            end_date: only sessions made at or before this instant, aware (v1 only).

        Raises:
            InvalidArgumentError: an argument cannot be what it should be; at once.
            UnsupportedByAPIVersionError: the generation has no such argument; at once.
        """
        call = sessions_call(
            self.api_version,
            workflow_id,
            page_size=page_size,
            start_date=start_date,
            end_date=end_date,
        )
        return self._iterate(call)

    def map_workflow_sessions(
        self,
        workflow_ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 8,
        page_size: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowSessionsPage]]:
        """List the sessions of many workflows at once: pages as they come, inside a block.

        Source: as `list_workflow_sessions`, once for each page of each workflow.

        One workflow's error, that of a wrong id too, comes as its result and stops no other.
        Each workflow ends with a result that is `last`. What `workflow_ids` raises is raised.

        Args:
            workflow_ids: taken one by one, as places become free.
            concurrency: workflows under way at most, and pages kept for a slow consumer.
            page_size: sessions per page, 1 to 500; the server's default is 50 (v1 only).

        Raises:
            InvalidArgumentError: an argument cannot be what it should be; at once.
            UnsupportedByAPIVersionError: the generation has no page size; at once.
            ClientClosedError, ConfigurationError: while iterating: no workflow can go on.
        """
        # What no id could make right is refused now.
        sessions_call(self.api_version, "any", page_size=page_size)

        def pages_of(workflow_id: str) -> PageIterator[WorkflowSession]:
            return self.iter_workflow_sessions(workflow_id, page_size=page_size).pages()

        return fan_out(workflow_ids, pages_of, concurrency)

    async def _page(self, call: Call[T]) -> Page[T]:
        decoded, response = await self._pipeline.run(call, self._options)
        return Page(decoded.items, decoded.next_token, response)

    def _iterate(self, call: Call[T]) -> ItemIterator[T]:
        return ItemIterator(lambda next_token: self._page(call.at(next_token)))

    async def aclose(self) -> None:
        """Close the pool; later calls raise `ClientClosedError`. Closing twice is fine.

        An `http_client` that was passed in stays open, and a view closes nothing.
        """
        if self._owner:
            await self._pipeline.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled or copied: make one, or take with_options()")

    def __repr__(self) -> str:
        if not hasattr(self, "_pipeline"):  # a traceback with locals of a refused constructor
            return f"{type(self).__name__}(...)"
        return f"{type(self).__name__}({self.base_url!r}, api_version={self.api_version!r})"
