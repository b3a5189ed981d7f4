"""A FastAPI service with one DeepIDV client for the whole process.

    pip install 'deepidv-async' fastapi uvicorn
    export DEEPIDV_API_KEY=...
    uvicorn fastapi_service:app

Try `curl localhost:8000/workflows`. In your tests replace the client:
`app.dependency_overrides[get_idv] = lambda: fake.client()` (`deepidv_async.testing`).
"""

import logging
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from deepidv_async import APIStatusError, AsyncDeepIDV, DeepIDVError

log = logging.getLogger("my.service")


class State(TypedDict):
    """What lives as long as the service; FastAPI shows it to each request."""

    idv: AsyncDeepIDV


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[State, None]:
    """Open the client with the service and close it after the last request."""
    # Nobody waits longer than this for a page, whatever the API does.
    async with AsyncDeepIDV(deadline=10) as idv:
        yield {"idv": idv}


def get_idv(request: Request) -> AsyncDeepIDV:
    """Give the service's client to an endpoint."""
    idv: AsyncDeepIDV = request.state.idv
    return idv


IDV = Annotated[AsyncDeepIDV, Depends(get_idv)]

app = FastAPI(title="Verifications", lifespan=lifespan)


@app.exception_handler(DeepIDVError)
async def problem(_: Request, error: DeepIDVError) -> JSONResponse:
    """Answer with a problem (RFC 9457) that tells nothing of our key and our limit."""
    log.warning("DeepIDV: %s", error)  # for us: what happened and what to do
    status = HTTPStatus(error.user_status)
    content = {"title": status.phrase, "status": status, "detail": error.user_message}
    headers: dict[str, str] = {}
    if isinstance(error, APIStatusError) and error.retry_at is not None:
        seconds = (error.retry_at - datetime.now(UTC)).total_seconds()
        headers["Retry-After"] = str(max(0, math.ceil(seconds)))
    return JSONResponse(content, status, headers, media_type="application/problem+json")


class Workflow(BaseModel):
    """What our callers see of a workflow."""

    id: str
    name: str | None


class Session(BaseModel):
    """What our callers see of a session: no personal data."""

    id: str
    status: str | None
    created_at: datetime | None


@app.get("/workflows")
async def workflows(idv: IDV) -> list[Workflow]:
    """List the workflows."""
    return [Workflow(id=each.id, name=each.name) for each in await idv.list_workflows()]


@app.get("/workflows/{workflow_id}/sessions")
async def sessions(
    idv: IDV, workflow_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[Session]:
    """List the first sessions of a workflow, over as many pages as that takes."""
    found = await idv.iter_workflow_sessions(workflow_id).collect(max_items=limit)
    return [
        Session(id=each.id, status=each.status, created_at=each.created_at)
        for each in found
    ]
