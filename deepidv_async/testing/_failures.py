"""Failures of the connection: what a server that answers every request cannot show."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import attrs
import httpx

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator import Fault

__all__ = ["Failure", "FailureKind", "as_fault", "error_of"]

FailureKind: TypeAlias = Literal[
    "refused",
    "connect-timeout",
    "pool-timeout",
    "write-timeout",
    "read-timeout",
    "disconnected",
    "cut-off",
]

_KINDS: Final[tuple[str, ...]] = get_args(FailureKind)
# What httpx says of each; a timeout's phase is the first word of its kind.
_ERRORS: Final[Mapping[str, tuple[type[httpx.TransportError], str]]] = MappingProxyType(
    {
        "refused": (httpx.ConnectError, "All connection attempts failed"),
        "connect-timeout": (httpx.ConnectTimeout, ""),
        "pool-timeout": (httpx.PoolTimeout, ""),
        "write-timeout": (httpx.WriteTimeout, ""),
        "read-timeout": (httpx.ReadTimeout, ""),
        "disconnected": (
            httpx.RemoteProtocolError,
            "Server disconnected without sending a response.",
        ),
        "cut-off": (
            httpx.RemoteProtocolError,
            "peer closed connection without sending complete message body",
        ),
    }
)


def _check_kind(_: object, __: object, kind: object) -> None:
    error = isinstance(kind, Exception) or (isinstance(kind, type) and issubclass(kind, Exception))
    if not error and kind not in _KINDS:
        raise ConfigurationError(
            f"Failure({kind!r}): must be an exception or one of {', '.join(_KINDS)}."
        )


@attrs.frozen
class Failure(Fault):
    """A request of `FakeDeepIDV` that gets no whole answer.

    Args:
        kind: `"refused"`, `"connect-timeout"`, `"pool-timeout"` and `"write-timeout"`: the
            server never gets the request, so it is not in its journal and costs nothing of the
            limit. `"read-timeout"`, `"disconnected"` and `"cut-off"` (in the middle of the
            body): the server has answered, and nobody hears it. A timeout comes after the
            client's own timeout of that phase. Or an exception, raised instead of sending.
        delay: seconds to wait first.
        times: how often it strikes; `None` until it is cleared.
        every: strike every n-th matching request only.
        path: a pattern as in `Fault`; `None` matches all.

    Raises:
        ConfigurationError: a field makes no sense.
    """

    answer: int | str = attrs.field(default="usual", init=False)
    body: Any = attrs.field(default=None, init=False, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], init=False)
    kind: FailureKind | Exception | type[Exception] = attrs.field(validator=_check_kind)

    @property
    def lost(self) -> bool:
        """Whether the server never gets the request."""
        return self.kind not in ("read-timeout", "disconnected", "cut-off")

    @property
    def phase(self) -> str | None:
        """The phase whose timeout has to pass first."""
        if isinstance(self.kind, str) and self.kind.endswith("-timeout"):
            return self.kind.removesuffix("-timeout")
        return None


def error_of(failure: Failure, request: httpx.Request) -> Exception:
    """Make the exception that the HTTP library would raise."""
    if isinstance(failure.kind, str):
        kind, text = _ERRORS[failure.kind]
        return kind(text, request=request)
    if isinstance(failure.kind, Exception):
        return failure.kind
    return failure.kind("planned by a test")


def as_fault(planned: object) -> Fault:
    """Read what was passed to `FakeDeepIDV.plan`.

    Raises:
        ConfigurationError: it is nothing that can be planned.
    """
    match planned:
        case Fault():
            return planned
        case str() if planned in _KINDS:
            return Failure(cast("FailureKind", planned))
        case int() | str():
            return Fault(planned)
        case bytes() | dict() | list():
            return Fault(200, body=cast("Any", planned))
        case Exception() | type():
            return Failure(cast("Exception", planned))
        case _:
            raise ConfigurationError(
                f"plan() takes statuses, names, bodies, exceptions, Fault(...) and Failure(...), "
                f"not {type(planned).__name__}."
            )
