"""A connection pool for one host whose cost does not depend on how much is in flight.

httpcore 1.0.9 looks at every connection, with a system call for each idle one, twice per request:
0.45 ms of CPU for a call alone, 3.1 ms with 50 in flight and 8.5 ms with 100. And a request that
asyncio itself cancels can cost a slot of its pool for good. Here the idle connections are a stack:
a request takes the one that was used last, asks only that one whether it still lives, or makes a
new one. How many may be open is the business of the gate in front.

What speaks HTTP/1.1 is httpcore's own connection, a public part of it; it has TLS, timeouts and
reports. It connects to one origin, whatever it is asked for, so no header can leave for elsewhere.
"""

import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import httpcore
import httpx

__all__ = ["Pool"]

_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}


class Pool(httpx.AsyncBaseTransport):
    """Sends the requests of an `httpx.AsyncClient` to one host.

    Args:
        base_url: where that host is.
        tls: the TLS context to connect with.
        keep_idle: seconds after which an idle connection is not used any more, since a firewall
            may have forgotten it, and is closed at the next occasion.
    """

    def __init__(self, base_url: str, tls: ssl.SSLContext, *, keep_idle: float = 30.0) -> None:
        url = httpx.URL(base_url)
        scheme, host = url.raw_scheme, url.raw_host
        self._origin = httpcore.Origin(scheme, host, url.port or _DEFAULT_PORTS[scheme])
        self._tls = tls
        self._keep_idle = keep_idle
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        self._idle: deque[tuple[float, httpcore.AsyncHTTPConnection]] = deque()
        self._open: dict[httpcore.AsyncHTTPConnection, _Backend] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; its connection comes back when the response is closed."""
        origin = self._origin
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=origin.scheme,
                host=origin.host,
                port=origin.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        connection = await self._take()
        try:
            with _as_httpx_errors():
                response = await connection.handle_async_request(outgoing)
        except BaseException:
            await self._discard(connection)
            raise
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(self, connection, response),
        )

    async def _take(self) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            _, connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await self._discard(connection)
        backend = _Backend(self._network)
        connection = httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=self._tls,
            keepalive_expiry=self._keep_idle,
            network_backend=backend,
        )
        self._open[connection] = backend
        return connection

    async def give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Take back a connection whose response is closed."""
        if self._closed or not connection.is_idle():
            await self._discard(connection)
            return
        now = time.monotonic()
        self._idle.append((now, connection))
        while now - self._idle[0][0] > self._keep_idle:
            await self._discard(self._idle.popleft()[1])

    async def _discard(self, connection: httpcore.AsyncHTTPConnection) -> None:
        backend = self._open.pop(connection, None)
        if backend is None:  # the pool was closed under it
            return
        # The first step of either closes the socket: a cancellation on the way leaves none open.
        try:
            with suppress(Exception):
                await connection.aclose()
        finally:
            await backend.aclose()

    async def aclose(self) -> None:
        """Close every connection, also those in use: their requests fail."""
        self._closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            await self._discard(connection)


class _Backend(httpcore.AsyncNetworkBackend):
    """Makes the socket of one connection and remembers it.

    httpcore forgets a socket whose TLS handshake is cancelled: nobody else could close it.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        self._network = network
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._closed = False

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return await self._remember(await self._network.connect_tcp(*args, **options))

    async def _remember(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        self._stream = stream
        if self._closed:  # while it connected: nothing may be sent any more
            await self.aclose()
            raise httpcore.ConnectError("the pool was closed")
        return stream

    async def aclose(self) -> None:
        self._closed = True
        if self._stream is not None:
            with suppress(Exception):
                await self._stream.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of one response; closing it gives the connection back."""

    def __init__(
        self, pool: Pool, connection: httpcore.AsyncHTTPConnection, response: httpcore.Response
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            await self._pool.give_back(self._connection)


@contextmanager
def _as_httpx_errors() -> Generator[None, None, None]:
    """Raise for an error of httpcore the one of httpx, which has the same name."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error
