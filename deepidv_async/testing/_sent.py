"""What the fake remembers of each request that was sent to it."""

from collections.abc import Mapping
from typing import Final

import attrs
import httpx

from deepidv_async.simulator._exchange import Arrival
from deepidv_async.simulator._journal import Generation

__all__ = ["SentRequest", "remember"]

_SECRET: Final = frozenset({"x-api-key", "authorization", "proxy-authorization", "cookie"})


@attrs.frozen
class SentRequest:
    """A request that was sent to `FakeDeepIDV`, whether or not the server got it.

    Attributes:
        at: when, in seconds of the fake's clock.
        generation: of the call; `None` for a path that is not served.
        method: HTTP method.
        path: as it was sent, still percent-encoded.
        params: of the query, decoded, and the ids in the path by the names that the
            documentation gives them.
        headers: as they were sent, in lower case, without the key and other credentials.
        status: of the answer; `None` if the server never got the request.
        failure: name of the exception that came instead of a whole answer; `None` if none did.
    """

    at: float
    generation: Generation | None
    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str] = attrs.field(repr=False)
    status: int | None
    failure: str | None


def remember(
    request: httpx.Request,
    arrival: Arrival,
    *,
    at: float,
    status: int | None,
    failure: Exception | None,
) -> SentRequest:
    """Note a request and what becomes of it; the key is left out."""
    return SentRequest(
        at=at,
        generation=arrival.call.generation if arrival.call else None,
        method=arrival.method,
        path=arrival.path,
        params=dict(arrival.params),
        headers={name: value for name, value in request.headers.items() if name not in _SECRET},
        status=status,
        failure=None if failure is None else type(failure).__name__,
    )
