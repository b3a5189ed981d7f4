"""The control endpoints under `/_sim/`: what a test in another process plans and reads.

They ask for no key, count against no limit and are not in the journal.

- `POST /_sim/reset`: as `Simulator.reset()`.
- `POST /_sim/seed` with `{"seed": 7}`: the same with new data.
- `POST /_sim/faults` with `{"faults": [{"answer": 503, "times": 2}]}`: as `Simulator.plan`, with
  the arguments of `Fault`; `DELETE` drops what is planned.
- `POST /_sim/pages` with `{"page_plan": [null, 3, 0]}`: the sizes of pages from now on.
- `GET /_sim/journal`: the entries, and how many were answered 429.
- `GET /_sim/state`: figures.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._engine import Engine
from deepidv_async.simulator._faults import Fault

__all__ = ["control_routes"]


def control_routes(engine: Engine) -> list[BaseRoute]:
    """Make the routes that steer `engine`."""

    def reset(_: Any) -> Any:
        engine.reset()
        return _state(engine)

    def seed(body: Any) -> Any:
        engine.seed = body["seed"]
        engine.reset()
        return _state(engine)

    def faults(body: Any) -> Any:
        engine.plan(*[Fault(**item) for item in body["faults"]])
        return _state(engine)

    def clear_faults(_: Any) -> Any:
        engine.clear_faults()
        return _state(engine)

    def pages(body: Any) -> Any:
        engine.page_plan = body["page_plan"]
        return _state(engine)

    return [
        Route("/reset", _view(reset), methods=["POST"]),
        Route("/seed", _view(seed), methods=["POST"]),
        Route("/faults", _view(faults), methods=["POST"]),
        Route("/faults", _view(clear_faults), methods=["DELETE"]),
        Route("/pages", _view(pages), methods=["POST"]),
        Route("/journal", _view(lambda _: _journal(engine)), methods=["GET"]),
        Route("/state", _view(lambda _: _state(engine)), methods=["GET"]),
    ]


def _view(act: Callable[[Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    """Read a JSON body, act on it, answer with JSON; what cannot be read is a 400."""

    async def view(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"null")
            return JSONResponse(act(body))
        except (ValueError, TypeError, KeyError, ConfigurationError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)

    return view


def _journal(engine: Engine) -> dict[str, Any]:
    journal = engine.journal
    entries = [entry.to_dict() for entry in journal]
    return {"entries": entries, "refused": journal.refused, "items": journal.items}


def _state(engine: Engine) -> dict[str, Any]:
    return {
        "seed": engine.seed,
        "serves": engine.serves,
        "legacy_body": engine.legacy_body,
        "page_plan": engine.page_plan,
        "workflows": {key: len(engine.session_ids(key)) for key in engine.workflow_ids},
        "requests": len(engine.journal),
        "refused": engine.journal.refused,
        "items": engine.journal.items,
        "faults": engine.faults_planned,
    }
