"""The way to the network, and the only module that knows the HTTP library.

httpx 0.28 with httpcore 1.0.9 loses a slot of its pool for good when a request is cancelled by
asyncio itself (`asyncio.timeout`, `Task.cancel`, `wait_for`): its clean-up is shielded from anyio
scopes only. Two things together were measured to prevent that, 0 dead slots of 10 against 6-10:
every attempt runs in a child task, which a cancelled caller ends through an anyio scope; and a
gate in front of the pool never lets in more requests than the pool has connections.
"""

import ssl
import threading
import warnings
from typing import Final, Literal, TypeAlias

import anyio
import anyio.to_thread
import attrs
import httpx

from deepidv_async._config import Config, Timeouts
from deepidv_async._delivery import Delivery
from deepidv_async._errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    ConfigurationError,
)
from deepidv_async._inflate import MAX_INFLATED, MAX_RAW, Inflater
from deepidv_async._observers import Observers
from deepidv_async._redaction import clean_text
from deepidv_async._session import CLOSED, Session, Sessions
from deepidv_async._wire import WireRequest, WireResponse
from deepidv_async.limits import Permit

__all__ = ["HTTPClient", "HTTPSession", "Transport"]

HTTPClient: TypeAlias = httpx.AsyncClient
HTTPSession: TypeAlias = Session[httpx.AsyncClient]
_MAX_ERROR_BODY: Final = 64 * 1024
_INJECTED_CLOSED: Final = "The http_client given to this client is closed."
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_Phase: TypeAlias = Literal["connect", "read", "write", "pool"]
_TIMEOUTS: Final[tuple[tuple[type[Exception], _Phase, str], ...]] = (
    (httpx.ConnectTimeout, "connect", "no connection was made"),
    (httpx.WriteTimeout, "write", "the request was not taken"),
    (httpx.ReadTimeout, "read", "no answer came"),
    # The gate keeps our own pool from this; an injected client's may be too small, or shared.
    (httpx.PoolTimeout, "pool", "no connection of the HTTP client's pool was free"),
)

_tls_lock = threading.Lock()
_tls_context: ssl.SSLContext | None = None


def _shared_tls_context() -> ssl.SSLContext:
    """Give the process's TLS context; the first call takes about 20 ms, so not on a loop."""
    global _tls_context  # noqa: PLW0603 - one per process is the point
    with _tls_lock:
        if _tls_context is None:
            _tls_context = httpx.create_ssl_context()
        return _tls_context


@attrs.define
class _Box:
    """Carries an outcome out of a child task: raised there, it would arrive as a group."""

    response: WireResponse | None = None
    error: APIConnectionError | None = None


class Transport:
    """Sends requests; owns the pool unless it was given a client.

    Args:
        config: host and key.
        max_connections: places of the gate, and connections of the pool.
        http_client: a client of the user's, which is used and never closed.
        observers: told of a fork.
    """

    def __init__(
        self,
        config: Config,
        *,
        max_connections: int,
        http_client: httpx.AsyncClient | None,
        observers: Observers,
    ) -> None:
        _check_injected(http_client)
        self._config = config
        self._max_connections = max_connections
        self._injected = http_client
        self._sessions: Sessions[httpx.AsyncClient] = Sessions(
            max_connections, http_client, observers
        )

    def session(self) -> Session[httpx.AsyncClient]:
        """Give the session of the running loop.

        Raises:
            ClientClosedError: the client was closed.
            ConfigurationError: the client is in use on another loop.
        """
        return self._sessions.current()

    async def attempt(
        self, session: HTTPSession, request: WireRequest, permit: Permit, timeouts: Timeouts
    ) -> WireResponse:
        """Send one request and read the answer; the caller holds a place of the gate.

        The permit is told what became of the request, however this ends.

        Raises:
            APIConnectionError: no answer came.
            ClientClosedError: the client, or the one it was given, was closed.
        """
        # An injected client may have any transport under it: trust its reports once they come.
        delivery = Delivery(permit, traced=self._injected is None)
        box = _Box()
        try:
            client = await self._client(session)
            async with anyio.create_task_group() as group:
                group.start_soon(self._exchange, client, request, delivery, timeouts, box)
        except BaseException:
            delivery.ended()
            raise
        if box.error is not None:
            raise box.error
        if box.response is None:  # something cancelled the child task alone
            delivery.ended()
            raise APIConnectionError("The request was cancelled from outside.", retryable=False)
        return box.response

    async def _client(self, session: HTTPSession) -> httpx.AsyncClient:
        client = session.client
        if client is None:
            context = await anyio.to_thread.run_sync(_shared_tls_context)
            if self._sessions.closed:  # in the meantime: nobody would close what is opened now
                raise ClientClosedError(CLOSED)
            client = self._open(session, context)
        if client.is_closed:
            raise ClientClosedError(CLOSED if self._injected is None else _INJECTED_CLOSED)
        return client

    def _open(self, session: HTTPSession, context: ssl.SSLContext) -> httpx.AsyncClient:
        if session.client is None:  # else another call was quicker
            session.client = httpx.AsyncClient(
                verify=context,
                # With fewer idle connections allowed than open ones, httpcore closes them as
                # soon as they are idle: 530 opened for 550 requests were measured.
                limits=httpx.Limits(
                    max_connections=self._max_connections,
                    max_keepalive_connections=self._max_connections,
                ),
                # A proxy of the environment is for the network, not for this machine.
                trust_env=not self._config.loopback,
                headers={"user-agent": "deepidv-async"},
            )
        return session.client

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        request: WireRequest,
        delivery: Delivery,
        timeouts: Timeouts,
        box: _Box,
    ) -> None:
        """Do one exchange inside a child task and put its outcome into `box`."""
        try:
            box.response = await self._send(client, request, delivery, timeouts)
        except Exception as error:  # noqa: BLE001 - httpx's errors hold the request
            delivery.ended(connected=not isinstance(error, _NEVER_SENT))
            box.error = _mapped(error, timeouts, self._config)

    async def _send(
        self,
        client: httpx.AsyncClient,
        request: WireRequest,
        delivery: Delivery,
        timeouts: Timeouts,
    ) -> WireResponse:
        outgoing = client.build_request(
            request.method,
            request.url,
            headers=list(request.headers),
            timeout=httpx.Timeout(**attrs.asdict(timeouts)),
            extensions={"trace": delivery.trace},
        )
        outgoing.headers["x-api-key"] = self._config.api_key.reveal()
        delivery.handed_over()
        # No redirects, whatever an injected client says: httpx would take x-api-key along to
        # another host.
        response = await client.send(outgoing, stream=True, follow_redirects=False)
        delivery.answered()
        try:
            return await self._read(response)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _read(self, response: httpx.Response) -> WireResponse:
        scrub = self._config.api_key.scrub
        headers = {name.lower(): scrub(value) for name, value in response.headers.items()}
        good = response.is_success
        inflater = Inflater(
            headers.get("content-encoding", ""),
            max_raw=MAX_RAW if good else _MAX_ERROR_BODY,
            max_inflated=MAX_INFLATED if good else _MAX_ERROR_BODY,
        )
        if response.is_stream_consumed:
            # A hook or a transport of an injected client has read it, and httpx inflated it.
            return _already_read(response.status_code, headers, response.content)
        cut = None
        try:
            async for piece in response.aiter_raw():
                if not inflater.feed(piece):
                    break
        except httpx.TransportError as error:
            if good:
                raise
            # The status has told enough: a 401 whose body breaks off is still a 401.
            cut = type(error).__name__
        body = inflater.finish()
        return WireResponse(response.status_code, headers, body, flaw=inflater.flaw or cut)

    async def aclose(self) -> None:
        """Close the pool if it is ours; calling it again does nothing.

        Raises:
            ConfigurationError: the client is in use on another loop, which has to close it.
        """
        if (client := self._sessions.close()) is not None:
            with anyio.CancelScope(shield=True):
                await client.aclose()

    def __del__(self) -> None:
        sessions: Sessions[httpx.AsyncClient] | None = getattr(self, "_sessions", None)
        if sessions is not None and sessions.unclosed:
            told = "an AsyncDeepIDV was dropped without aclose(): use 'async with'"
            warnings.warn(told, ResourceWarning, source=self, stacklevel=2)


def _already_read(status: int, headers: dict[str, str], body: bytes) -> WireResponse:
    flaw = f"it is larger than {MAX_INFLATED} bytes" if len(body) > MAX_INFLATED else None
    return WireResponse(status, headers, body, flaw)


def _check_injected(client: object) -> None:
    if not isinstance(client, httpx.AsyncClient | None):
        found = type(client).__name__
        raise ConfigurationError(f"http_client must be an httpx.AsyncClient, not {found}.")


def _mapped(error: Exception, timeouts: Timeouts, config: Config) -> APIConnectionError:
    """Give our error for one of the HTTP library's, which holds the request and its key."""
    text = clean_text(config.api_key.scrub(str(error)))
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    for kind, phase, what in _TIMEOUTS:
        if isinstance(error, kind):
            limit = getattr(timeouts, phase)
            said = f"{config.base_url}: {what} within {limit:g} s (timeout.{phase})."
            return APITimeoutError(said, phase=phase, cause=cause)
    retryable = True
    match error:
        case httpx.ConnectError() | httpx.ProxyError():
            said = f"Cannot connect to {config.base_url}. Check base_url, DNS, proxy and TLS."
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol():
            said, retryable = "The request could not be sent.", False
        case RuntimeError() if "loop" in text:
            # The pool of an injected client keeps connections of the loop that made them.
            said = "The http_client belongs to another event loop: make one for each loop."
            retryable = False
        case httpx.TransportError():
            said = f"The connection to {config.base_url} broke before the answer was whole."
        case _:
            said, retryable = "The HTTP client failed, and not because of the network.", False
    return APIConnectionError(f"{said} ({cause})", cause=cause, retryable=retryable)
