"""An aiohttp service with one DeepIDV client for the whole process.

    pip install 'deepidv-async' aiohttp
    export DEEPIDV_API_KEY=...
    python aiohttp_service.py

Try `curl localhost:8080/workflows`.
"""

import logging
import math
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from deepidv_async import APIStatusError, AsyncDeepIDV, DeepIDVError

log = logging.getLogger("my.service")

IDV = web.AppKey("IDV", AsyncDeepIDV)
routes = web.RouteTableDef()


async def open_client(app: web.Application) -> AsyncIterator[None]:
    """Open the client with the service and close it after the last request."""
    # Nobody waits longer than this for a page, whatever the API does.
    async with AsyncDeepIDV(deadline=10) as idv:
        app[IDV] = idv
        yield


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with problems (RFC 9457) that tell nothing of our key and our limit."""
    try:
        return await handler(request)
    except DeepIDVError as error:
        log.warning("DeepIDV: %s", error)  # for us: what happened and what to do
        return problem(error)


def problem(error: DeepIDVError) -> web.Response:
    """Make the answer to an error."""
    status = HTTPStatus(error.user_status)
    content = {"title": status.phrase, "status": status, "detail": error.user_message}
    headers: dict[str, str] = {}
    if isinstance(error, APIStatusError) and error.retry_at is not None:
        seconds = (error.retry_at - datetime.now(UTC)).total_seconds()
        headers["Retry-After"] = str(max(0, math.ceil(seconds)))
    return web.json_response(
        content, status=status, headers=headers, content_type="application/problem+json"
    )


@routes.get("/workflows")
async def workflows(request: web.Request) -> web.Response:
    """List the workflows."""
    found = await request.app[IDV].list_workflows()
    return web.json_response([{"id": each.id, "name": each.name} for each in found])


@routes.get("/workflows/{workflow_id}/sessions")
async def sessions(request: web.Request) -> web.Response:
    """List the first hundred sessions of a workflow, without personal data."""
    workflow_id = request.match_info["workflow_id"]
    iterator = request.app[IDV].iter_workflow_sessions(workflow_id)
    found = await iterator.collect(max_items=100)
    return web.json_response([{"id": each.id, "status": each.status} for each in found])


def make_app() -> web.Application:
    """Put the service together."""
    app = web.Application(middlewares=[problems])
    app.cleanup_ctx.append(open_client)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    logging.basicConfig()
    # Calls may be cancelled at any time, so one whose caller has hung up is.
    web.run_app(
        make_app(), port=int(os.environ.get("PORT", "8080")), handler_cancellation=True
    )
