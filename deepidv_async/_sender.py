"""Sends single requests with one client of the HTTP library, and names what went wrong.

A request is built of parts that are prepared once: a plain `client.get(url, headers=...)` merges
and parses anew each time what is always the same.

An injected client may be of httpx or of httpx2, its successor, which has the same names. Which one
it is its own class tells, and only that library is asked for the parts of a request.
"""

import sys
from collections.abc import Callable, Collection
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import anyio

from deepidv_async._config import Config, Timeouts
from deepidv_async._delivery import Delivery
from deepidv_async._errors import APIConnectionError, APITimeoutError
from deepidv_async._inflate import MAX_INFLATED, MAX_RAW, Inflater
from deepidv_async._redaction import clean_text
from deepidv_async._wire import WireRequest, WireResponse

__all__ = ["HTTPClient", "Sender"]

if TYPE_CHECKING:
    import httpx
    import httpx2

HTTPClient: TypeAlias = "httpx.AsyncClient | httpx2.AsyncClient"
_LIBRARIES: Final = ("httpx", "httpx2")
_MAX_ERROR_BODY: Final = 64 * 1024
_MAX_URLS: Final = 128
# Errors are known by the names of their classes, which both libraries share.
_NEVER_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})

_Phase: TypeAlias = Literal["connect", "read", "write", "pool"]
_TIMEOUTS: Final[tuple[tuple[str, _Phase, str], ...]] = (
    ("ConnectTimeout", "connect", "no connection was made"),
    ("WriteTimeout", "write", "the request was not taken"),
    ("ReadTimeout", "read", "no answer came"),
    # Our own pool keeps nobody waiting; an injected client's may be too small, or shared.
    ("PoolTimeout", "pool", "no connection of the HTTP client's pool was free"),
)


def library_of(client: object) -> ModuleType | None:
    """Give the HTTP library that `client` is an asynchronous client of."""
    for kind in type(client).__mro__:
        home = kind.__module__.partition(".")[0]
        if kind.__name__ == "AsyncClient" and home in _LIBRARIES:
            return sys.modules[home]
    return None


class Sender:
    """What sends on one event loop.

    Args:
        client: the HTTP library's client.
        library: that library.
        config: host and key.
        guarded: whether `client` has to be protected from the cancellation of its requests.
    """

    def __init__(
        self, client: "HTTPClient", library: ModuleType, config: Config, *, guarded: bool
    ) -> None:
        self.guarded: bool = guarded
        self._client: Any = client
        self._library = library
        self._config = config
        self._nothing = library.ByteStream(b"")
        self._url: Callable[[str], Any] = lru_cache(_MAX_URLS)(library.URL)
        self._merged = library.Headers()
        self._merged_from: tuple[object, object] = (None, None)

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed, by us or by its owner."""
        return bool(self._client.is_closed)

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def send(
        self, request: WireRequest, delivery: Delivery, timeouts: Timeouts
    ) -> WireResponse:
        """Send one request and read the answer.

        Raises:
            APIConnectionError: no answer came.
        """
        try:
            return await self._exchange(request, delivery, timeouts)
        except Exception as error:  # noqa: BLE001 - httpx's errors hold the request
            delivery.ended(connected=_NEVER_SENT.isdisjoint(_kinds(error)))
            failure = _mapped(error, timeouts, self._config)
        # Not within `except`, where it would keep the library's error as its context.
        raise failure

    async def _exchange(
        self, request: WireRequest, delivery: Delivery, timeouts: Timeouts
    ) -> WireResponse:
        outgoing = self._build(request, delivery, timeouts)
        delivery.handed_over()
        # No redirects, whatever an injected client says: httpx would take x-api-key along to
        # another host.
        response = await self._client.send(outgoing, stream=True, follow_redirects=False)
        delivery.answered()
        try:
            answer = await self._read(response)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await response.aclose()
            raise
        await response.aclose()
        # A response and its stream hold each other (encode/httpx#3733): cut, they are gone before
        # the page is decoded, not when the garbage collector comes round.
        response.stream = self._nothing
        return answer

    def _build(self, request: WireRequest, delivery: Delivery, timeouts: Timeouts) -> Any:
        client = self._client
        extensions: dict[str, Any] = {"timeout": timeouts.as_dict(), "trace": delivery.trace}
        if client.cookies or client.params:  # an injected client's, which it merges itself
            outgoing = client.build_request(
                request.method, request.url, headers=request.headers, extensions=extensions
            )
        else:
            outgoing = self._library.Request(
                request.method,
                self._url(request.url),
                headers=self._headers(request),
                stream=self._nothing,  # else it works out anew which headers go with no body
                extensions=extensions,
            )
            outgoing.read()  # a request hook may look at the content
        outgoing.headers["x-api-key"] = self._config.api_key.reveal()
        return outgoing

    def _headers(self, request: WireRequest) -> Any:
        """Merge the client's headers with ours; once, unless its owner changes his."""
        theirs = self._client.headers.raw
        if self._merged_from != (theirs, request.headers):
            merged = self._library.Headers(theirs)
            merged.update(request.headers)
            merged["host"] = self._url(self._config.base_url).netloc.decode("ascii")
            self._merged, self._merged_from = merged, (theirs, request.headers)
        return self._merged

    async def _read(self, response: Any) -> WireResponse:
        headers = self._read_headers(response)
        good = response.is_success
        if response.is_stream_consumed:
            # A hook or a transport of an injected client has read it, and httpx inflated it.
            return _already_read(response.status_code, headers, response.content)
        inflater = Inflater(
            headers.get("content-encoding", ""),
            max_raw=MAX_RAW if good else _MAX_ERROR_BODY,
            max_inflated=MAX_INFLATED if good else _MAX_ERROR_BODY,
        )
        cut = None
        try:
            # `aiter_raw` does the same, and would count and copy the pieces once more.
            pieces = aiter(response.stream)
            async for piece in pieces:
                if not inflater.feed(piece):
                    # Else a task of the loop's would do it, some time later.
                    await pieces.aclose()
                    break
        except Exception as error:
            if good or "TransportError" not in _kinds(error):
                raise
            # The status has told enough: a 401 whose body breaks off is still a 401.
            cut = type(error).__name__
        body = inflater.finish()
        return WireResponse(response.status_code, headers, body, flaw=inflater.flaw or cut)

    def _read_headers(self, response: Any) -> dict[str, str]:
        scrub = self._config.api_key.scrub
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers.raw:
            name = raw_name.decode("latin-1").lower()
            value = scrub(raw_value.decode("latin-1"))
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers


def _already_read(status: int, headers: dict[str, str], body: bytes) -> WireResponse:
    flaw = f"it is larger than {MAX_INFLATED} bytes" if len(body) > MAX_INFLATED else None
    return WireResponse(status, headers, body, flaw)


def _kinds(error: Exception) -> Collection[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _mapped(error: Exception, timeouts: Timeouts, config: Config) -> APIConnectionError:
    """Give our error for one of the HTTP library's, which holds the request and its key."""
    text = clean_text(config.api_key.scrub(str(error)))
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    kinds = _kinds(error)
    for kind, phase, what in _TIMEOUTS:
        if kind in kinds:
            limit = getattr(timeouts, phase)
            said = f"{config.base_url}: {what} within {limit:g} s (timeout.{phase})."
            return APITimeoutError(said, phase=phase, cause=cause)
    said, retryable = _what_failed(kinds, text, config.base_url)
    return APIConnectionError(f"{said} ({cause})", cause=cause, retryable=retryable)


def _what_failed(kinds: Collection[str], text: str, base_url: str) -> tuple[str, bool]:
    """Put a failure into words; tells also whether another try may go better."""
    if "ConnectError" in kinds or "ProxyError" in kinds:
        return f"Cannot connect to {base_url}. Check base_url, DNS, proxy and TLS.", True
    if "LocalProtocolError" in kinds or "UnsupportedProtocol" in kinds:
        return "The request could not be sent.", False
    if "RuntimeError" in kinds and "loop" in text:
        # The pool of an injected client keeps connections of the loop that made them.
        return "The http_client belongs to another event loop: make one for each loop.", False
    if "TransportError" in kinds:
        return f"The connection to {base_url} broke before the answer was whole.", True
    return "The HTTP client failed, and not because of the network.", False
