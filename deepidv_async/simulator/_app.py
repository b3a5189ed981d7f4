"""The simulator as its users see it: the engine as an ASGI application."""

from typing import Any

import attrs

from deepidv_async.simulator._engine import Engine
from deepidv_async.simulator._extra import needs_extra

__all__ = ["Simulator"]


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Simulator(Engine):
    """A stateful fake of the DeepIDV API, as an ASGI application.

    It can be called in process (`httpx.ASGITransport(app=Simulator())`) or served over a socket
    (`running_simulator`). The same seed gives the same data, ids, times and latencies, on any
    day. It needs the extra `simulator`. All options can also be set while it runs; `seed`,
    `workflows` and `sessions` take effect with the next `reset`.

    Args:
        seed: of the data, the request ids and the jitter.
        workflows: how many workflows there are.
        sessions: how many sessions each workflow has: one number for all, or one for each.
        api_key: the key or keys that are accepted; or a mapping from keys to what they are:
            `"live"`, `"sandbox"` (canned data, read only), `"other-organization"` (sees that
            one's data) or `"unpaid"` (each call is answered 402).
        rate: requests/s that a key may send, `None` for no limit.
        burst: requests that a key may send at once.
        per_day: requests that a key may send in a day (UTC), `None` for no quota.
        latency: seconds from the arrival of a request to its answer.
        jitter: the most seconds of a random addition to `latency`.
        legacy_body: the body of the legacy list of sessions: `"documented"`, which is the
            workflow list's (`workflows` with id, name, createdAt), or `"sessions"`, full
            records in camelCase under `sessions`.
        serves: which generation is there; the other's paths are answered as unknown.
        errors: who refuses keys, methods and rates: the application with the `"documented"`
            bodies, or the `"gateway"` in front of it with its own.
        page_plan: the most sessions of the first page, the second and so on, in turns, for the
            current generation: `(None, 3, 0)` makes each second page short and each third one
            empty, with a token. Nothing for full pages.
        stage: a path prefix such as `"/dev"`.
        clock: what tells the time and waits.

    Attributes:
        journal: every request since the start or the last `reset`.

    Raises:
        ConfigurationError: an option makes no sense.
        ImportError: the extra is not installed.

    Example:
        ```python
        simulator = Simulator(seed=7, workflows=2, sessions=1000)
        simulator.plan(Fault(503, times=2))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator)) as http:
            ...
        assert simulator.journal.refused == 0
        ```
    """

    _asgi: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        with needs_extra():
            from deepidv_async.simulator import _asgi  # noqa: PLC0415 - the extra, on use
        super().__attrs_post_init__()
        self._asgi = _asgi.build_app(self)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request; this is what makes it an ASGI application."""
        await self._asgi(scope, receive, send)
