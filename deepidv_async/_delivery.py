"""What became of one request, told to the limiter's permit as soon as it is known."""

from collections.abc import Mapping
from typing import Any, Final

from deepidv_async.limits import Permit

__all__ = ["NO_PERMIT", "Delivery"]


class _NoPermit:
    """The permit of a client without a limiter."""

    def written(self) -> None: ...
    def seen(self) -> None: ...
    def unsent(self) -> None: ...


NO_PERMIT: Final[Permit] = _NoPermit()


class Delivery:
    """Tells the permit what became of its request, from what the HTTP library reports.

    Args:
        permit: the limiter's permit.
        traced: whether the library is known to report what it writes. Where it is not, a
            request that was handed over counts as written, which can only be too careful,
            until a first report shows that it does report.
    """

    def __init__(self, permit: Permit, *, traced: bool) -> None:
        self._permit = permit
        self._traced = traced
        self._tunnel = False
        self._begun = False
        self._over = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take a report of httpcore: a request's head goes out, or is out."""
        if not self._traced:
            self._traced, self._begun = True, False
        if event.endswith(".send_request_headers.started"):
            self._tunnel = info["request"].method == b"CONNECT"
            self._begun = not self._tunnel
        elif event.endswith(".send_request_headers.complete") and not self._tunnel:
            self._permit.written()

    def handed_over(self) -> None:
        """The library has the request."""
        self._begun = not self._traced

    def answered(self) -> None:
        """The head of the answer is here."""
        self._permit.seen()

    def ended(self, *, connected: bool = True) -> None:
        """No answer will come: a failure, or a caller that has gone. Only the first call counts.

        Args:
            connected: false if it is known that no connection was made.
        """
        if self._over:
            return
        self._over = True
        if self._begun and connected:
            self._permit.written()
        else:
            self._permit.unsent()
