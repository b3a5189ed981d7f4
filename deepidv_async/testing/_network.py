"""The fake's network: an httpx transport that hands requests to the simulator's engine.

There is no socket, no thread, and no wait but on the engine's clock. What a connection does is
done here: timeouts by the client's own numbers, failures, bodies that break off, and the reports
from which the rate limiter learns what was written.
"""

import math
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Final, NoReturn
from urllib.parse import parse_qsl

import httpx

from deepidv_async.simulator._endpoints import find_call
from deepidv_async.simulator._engine import Engine
from deepidv_async.simulator._exchange import Answer, Arrival
from deepidv_async.testing._failures import Failure, error_of
from deepidv_async.testing._sent import SentRequest, remember

__all__ = ["FakeHTTPClient", "InProcess"]

_PIECE: Final = 64 * 1024


class FakeHTTPClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` that is known to send to a fake."""


class InProcess(httpx.AsyncBaseTransport):
    """Sends the requests of an `httpx.AsyncClient` to an engine in this process.

    Args:
        engine: judges and answers.
        record: told of each request.
    """

    def __init__(self, engine: Engine, record: Callable[[SentRequest], object]) -> None:
        self._engine = engine
        self._record = record

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or fail as it was planned."""
        arrival = _arrival(request, self._engine.stage)
        lost = self._engine.lose(arrival.path)
        if isinstance(lost, Failure):
            await self._lose(request, arrival, lost)
        await _report_written(request)
        answer = self._engine.answer(arrival)
        failure = answer.fault if isinstance(answer.fault, Failure) else None
        wait, patience = answer.delay, _patience(request, "read")
        if wait > patience or (failure and failure.phase == "read"):
            failure, wait = Failure("read-timeout"), patience if patience < math.inf else wait
        error = error_of(failure, request) if failure else None
        self._note(request, arrival, answer.reply.status, error)
        await self._engine.clock.sleep(wait)
        if error and failure and failure.kind != "cut-off":
            raise error
        return _response(request, answer, cut_off=error)

    async def _lose(self, request: httpx.Request, arrival: Arrival, failure: Failure) -> NoReturn:
        error = error_of(failure, request)
        self._note(request, arrival, None, error)
        patience = _patience(request, failure.phase) if failure.phase else 0.0
        await self._engine.clock.sleep(failure.delay + (patience if patience < math.inf else 0.0))
        raise error

    def _note(
        self,
        request: httpx.Request,
        arrival: Arrival,
        status: int | None,
        failure: Exception | None,
    ) -> None:
        at = self._engine.clock.now()
        self._record(remember(request, arrival, at=at, status=status, failure=failure))


def _arrival(request: httpx.Request, stage: str) -> Arrival:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    inside = path.startswith(f"{stage}/")
    call, ids = find_call(path.removeprefix(stage)) if inside else (None, {})
    length = request.headers.get("content-length", "")
    return Arrival(
        call=call,
        method=request.method,
        path=path,
        query=query,
        params={**dict(parse_qsl(query, keep_blank_values=True)), **ids},
        key=request.headers.get("x-api-key", ""),
        length=int(length) if length.isdecimal() else 0,
    )


def _patience(request: httpx.Request, phase: str) -> float:
    """Give the client's own timeout of a phase in seconds; infinite if it has none."""
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    seconds = timeouts.get(phase)
    return math.inf if seconds is None else seconds


async def _report_written(request: httpx.Request) -> None:
    """Tell whoever traces the request, as httpcore does, that it is on its way."""
    trace = request.extensions.get("trace")
    if trace is not None:
        sent = SimpleNamespace(method=request.method.encode("ascii"))
        for step in ("started", "complete"):
            await trace(f"http11.send_request_headers.{step}", {"request": sent})


def _response(
    request: httpx.Request, answer: Answer, *, cut_off: Exception | None
) -> httpx.Response:
    body = b"" if request.method == "HEAD" else answer.reply.body
    return httpx.Response(
        answer.reply.status, headers=answer.headers(), stream=_Body(body, cut_off)
    )


class _Body(httpx.AsyncByteStream):
    """A body in pieces, as a connection gives it; half of it if it is to break off."""

    def __init__(self, body: bytes, cut_off: Exception | None) -> None:
        self._body = body if cut_off is None else body[: len(body) // 2]
        self._cut_off = cut_off

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), _PIECE):
            yield self._body[start : start + _PIECE]
        if self._cut_off is not None:
            raise self._cut_off
