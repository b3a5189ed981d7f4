"""The way to the network: which client sends, on which loop, and what a cancellation may do.

httpx 0.28 with httpcore 1.0.9 loses a slot of its pool for good when a request is cancelled by
asyncio itself (`asyncio.timeout`, `Task.cancel`, `wait_for`): its clean-up is shielded from anyio
scopes only. Our own pool has no slots to lose. An injected client is guarded by two things, which
together were measured to leave 0 dead slots of 10 against 6-10: `guarded` keeps cancellations out
of that clean-up, and a gate in front of the pool never lets in more requests than the pool has
connections.
"""

import ssl
import urllib.request
import warnings
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import import_module
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx

from deepidv_async._config import Config, Timeouts
from deepidv_async._delivery import Delivery
from deepidv_async._errors import APIConnectionError, ClientClosedError, ConfigurationError
from deepidv_async._guard import guarded
from deepidv_async._observers import Observers
from deepidv_async._pool import Pool
from deepidv_async._sender import HTTPClient, Sender, library_of
from deepidv_async._session import CLOSED, Session, Sessions
from deepidv_async._wire import WireRequest, WireResponse
from deepidv_async.limits import Permit

__all__ = ["HTTPClient", "HTTPSession", "Transport", "shared_tls_context"]

HTTPSession: TypeAlias = Session[Sender]
_INJECTED_CLOSED: Final = "The http_client given to this client is closed."

# anyio would load what speaks asyncio with the first request: 15 ms on a service's loop.
with suppress(ImportError):
    import_module("anyio._backends._asyncio")

_tls_context: ssl.SSLContext | None = None


def shared_tls_context() -> ssl.SSLContext:
    """Make the process's TLS context, unless another thread has; 20 ms, so not on a loop.

    Raises:
        ConfigurationError: the certificates that the environment names cannot be loaded.
    """
    global _tls_context  # noqa: PLW0603 - one per process is the point
    try:
        made = httpx.create_ssl_context()
    except OSError as error:
        raise ConfigurationError(
            "The certificates to check servers with cannot be loaded "
            f"({type(error).__name__}: {error.strerror or error}). Correct or unset "
            "SSL_CERT_FILE and SSL_CERT_DIR."
        ) from error
    # Without a lock: two threads may each make one, and a fork would copy a lock as it is.
    _tls_context = _tls_context or made
    return _tls_context


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
        http_client: "HTTPClient | None",
        observers: Observers,
    ) -> None:
        self._config = config
        self._max_connections = max_connections
        self._injected = _injected(http_client, config)
        self._sessions: Sessions[Sender] = Sessions(max_connections, self._injected, observers)

    def session(self) -> HTTPSession:
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
            ConfigurationError: the certificates that the environment names cannot be loaded.
        """
        # An injected client may have any transport under it: trust its reports once they come.
        delivery = Delivery(permit, traced=self._injected is None)
        try:
            sender = await self._sender(session)
        except BaseException:
            delivery.ended()
            raise
        try:
            sending = sender.send(request, delivery, timeouts)
            return await (guarded(sending) if sender.guarded else sending)
        except BaseException as error:  # noqa: BLE001 - every one is raised again
            delivery.ended()
            broken = isinstance(error, APIConnectionError) and self._sessions.closed
            ended = ClientClosedError(CLOSED) if broken else error
        # The frames below hold the request and its key, and tracebacks can show their locals.
        ended.__context__ = None
        raise ended.with_traceback(None)

    async def _sender(self, session: HTTPSession) -> Sender:
        sender = session.client or await self._open(session)
        if sender.is_closed:
            raise ClientClosedError(CLOSED if self._injected is None else _INJECTED_CLOSED)
        return sender

    async def _open(self, session: HTTPSession) -> Sender:
        async with session.opening:
            if session.client is None:  # else another call was quicker
                context = _tls_context
                if context is None:
                    context = await anyio.to_thread.run_sync(shared_tls_context)
                if self._sessions.closed:  # meanwhile: nobody would close what is opened now
                    raise ClientClosedError(CLOSED)
                session.client = self._make(context)
            return session.client

    def _make(self, context: ssl.SSLContext) -> Sender:
        config = self._config
        # A cookie is state that nobody asked for.
        options: dict[str, Any] = {
            "headers": {"user-agent": "deepidv-async"},
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
        }
        if not self._proxied():
            client = httpx.AsyncClient(transport=Pool(config.base_url, context), **options)
            return Sender(client, httpx, config, guarded=False)
        # A tunnel through a proxy is left to httpx's own pool.
        limits = httpx.Limits(
            max_connections=self._max_connections,
            # With fewer idle connections allowed than open ones, httpcore closes them as soon as
            # they are idle: 530 opened for 550 requests were measured.
            max_keepalive_connections=self._max_connections,
        )
        try:
            client = httpx.AsyncClient(verify=context, limits=limits, **options)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConfigurationError(
                "A proxy that the environment names (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot "
                f"be used ({type(error).__name__}). It must be an http:// or https:// URL; for "
                "another kind pass http_client=."
            ) from None
        return Sender(client, httpx, config, guarded=True)

    def _proxied(self) -> bool:
        """Tell whether the environment names a proxy for the host, or may do so."""
        # A proxy of the environment is for the network, not for this machine.
        if self._config.loopback:
            return False
        url = urlsplit(self._config.base_url)
        if {url.scheme, "all"}.isdisjoint(urllib.request.getproxies()):
            return False
        return not urllib.request.proxy_bypass(url.netloc)

    async def aclose(self) -> None:
        """Close the pool if it is ours; calling it again does nothing.

        Raises:
            ConfigurationError: the client is in use on another loop, which has to close it.
        """
        if (sender := self._sessions.close()) is not None:
            with anyio.CancelScope(shield=True):
                await sender.aclose()

    def __del__(self) -> None:
        sessions: Sessions[Sender] | None = getattr(self, "_sessions", None)
        if sessions is not None and sessions.unclosed:
            told = "an AsyncDeepIDV was dropped without aclose(): use 'async with'"
            warnings.warn(told, ResourceWarning, source=self, stacklevel=2)


def _injected(client: Any, config: Config) -> Sender | None:
    if client is None:
        return None
    library = library_of(client)
    if library is None:
        found = type(client).__name__
        raise ConfigurationError(f"http_client must be an httpx.AsyncClient, not {found}.")
    # httpx2 2.16 loses nothing when a request of its is cancelled.
    return Sender(client, library, config, guarded=library is httpx)
