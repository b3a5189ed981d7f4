"""The simulator's Starlette side: routes, requests, responses. Imported on use only."""

from urllib.parse import unquote

import anyio
import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from deepidv_async._clock import Clock
from deepidv_async.simulator._control import control_routes
from deepidv_async.simulator._endpoints import CALLS, HEALTH, Call
from deepidv_async.simulator._engine import Engine
from deepidv_async.simulator._exchange import Answer, Arrival

__all__ = ["build_app"]


def build_app(engine: Engine) -> ASGIApp:
    """Make the ASGI application: the API under its stage, the control endpoints at the root."""
    routes = [Route(call.path, _Door(engine, call)) for call in (*CALLS, HEALTH)]
    unknown = _Door(engine, None)
    api = Router(routes, redirect_slashes=False, default=unknown)
    control = Mount("/_sim", routes=control_routes(engine))
    root = Router([control, Mount(engine.stage, api)], redirect_slashes=False, default=unknown)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if "raw_path" in scope:
            # Routed as it was sent: an encoded slash in an id must not become a path segment.
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await root(scope, receive, send)

    return app


@attrs.frozen
class _Door:
    """Where requests for one documented call come in; for `None`, all others."""

    engine: Engine
    call: Call | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        answer = self.engine.answer(_arrival(Request(scope), self.call))
        if await _wait(self.engine.clock, answer.delay, receive):
            response = _response(answer, head=scope["method"] == "HEAD")
            await response(scope, receive, send)


def _arrival(request: Request, call: Call | None) -> Arrival:
    segments = {name: unquote(text) for name, text in request.path_params.items()}
    length = request.headers.get("content-length", "")
    return Arrival(
        call=call,
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        params={**request.query_params, **segments},
        key=request.headers.get("x-api-key", ""),
        length=int(length) if length.isdecimal() else 0,
    )


def _response(answer: Answer, *, head: bool) -> Response:
    body = b"" if head else answer.reply.body
    return Response(body, answer.reply.status, answer.headers())


async def _wait(clock: Clock, seconds: float, receive: Receive) -> bool:
    """Let the latency pass; tell whether the client is still there.

    Without the look at the connection, the answers that nobody waits for any more would hold up
    the end of the server.
    """
    if seconds <= 0:
        return True
    waiting = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        with waiting:
            group.start_soon(_until_gone, receive, waiting)
            await clock.sleep(seconds)
        group.cancel_scope.cancel()
    return not waiting.cancelled_caught


async def _until_gone(receive: Receive, waiting: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    waiting.cancel()
