"""What type checkers must say of the simulator. Read by mypy and pyright, never run.

Each `assert_type` is a promise to callers: their editors complete it, their checkers rely on it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, assert_type

import httpx

from deepidv_async import AsyncDeepIDV, Clock
from deepidv_async.simulator import (
    Entry,
    Fault,
    Journal,
    RunningSimulator,
    Simulator,
    running_simulator,
    serve,
)


def served(simulator: Simulator) -> None:
    """Over a socket, in a block or in the foreground."""
    with running_simulator(seed=7, workflows=2, sessions=[3, 0]) as api:
        assert_type(api, RunningSimulator)
        assert_type(api.base_url, str)
        assert_type(api.api_key, str)
        assert_type(api.simulator, Simulator)
        AsyncDeepIDV(api.api_key, base_url=api.base_url)
    with running_simulator(simulator, port=0, host="127.0.0.1") as api:
        assert_type(api.simulator.journal, Journal)
    assert_type(serve(simulator, port=0, on_ready=print), None)


def options(clock: Clock) -> None:
    """All options by name; what is not one, or has another type, is refused."""
    Simulator(seed=7, workflows=2, sessions=[3, 0], rate=None, burst=10, per_day=None, clock=clock)
    Simulator(api_key="key", latency=0.1, jitter=0.05, legacy_body="sessions", stage="/dev")
    Simulator(api_key=["one", "two"], serves="v1", errors="gateway", page_plan=(None, 3, 0))
    Simulator(api_key={"one": "sandbox", "two": "unpaid"})
    Simulator(serves="v2")  # type: ignore[arg-type]  # not there  # pyright: ignore[reportArgumentType] - not there
    Simulator(7)  # type: ignore[call-arg]  # by name only  # pyright: ignore[reportCallIssue] - by name only


def asgi(simulator: Simulator) -> None:
    """It is an ASGI application, as the HTTP library wants one."""
    httpx.ASGITransport(app=simulator)


def changed(simulator: Simulator) -> None:
    """Its data and faults can be changed while it runs."""
    assert_type(simulator.api_key, str)
    kinds: Mapping[str, Literal["live", "sandbox", "other-organization", "unpaid"]] = simulator.keys
    del kinds
    assert_type(simulator.workflow_ids, tuple[str, ...])
    assert_type(simulator.other_workflow_ids, tuple[str, ...])
    assert_type(simulator.session_ids("wf_1"), tuple[str, ...])
    assert_type(simulator.add_workflow(name="Tenants"), str)
    assert_type(simulator.add_session("wf_1", status="PENDING"), str)
    assert_type(simulator.plan(Fault(503, times=2), Fault("limit-exceeded")), None)
    assert_type(simulator.faults_planned, int)
    assert_type(simulator.clear_faults(), None)
    assert_type(simulator.reset(seed=8), None)
    simulator.rate, simulator.per_day = None, 5


def faults(fault: Fault) -> None:
    """What was planned can be read."""
    assert_type(fault.answer, int | str)
    assert_type(fault.body, Any)
    assert_type(fault.headers, Mapping[str, str])
    assert_type(fault.delay, float)
    assert_type(fault.times, int | None)
    assert_type(fault.every, int)
    assert_type(fault.path, str | None)
    Fault(None)  # type: ignore[arg-type]  # no answer  # pyright: ignore[reportArgumentType] - no answer


def remembered(journal: Journal, entry: Entry) -> None:
    """What the journal keeps of each request."""
    assert_type([each.status for each in journal], list[int])
    assert_type((len(journal), journal.refused, journal.items), tuple[int, int, int])
    assert_type(journal.arrivals(), list[float])
    assert_type(journal.statuses(), Counter[int])
    assert_type(journal.reasons(), Counter[str])
    assert_type(journal.clear(), None)
    assert_type(journal.add(entry), None)
    assert_type(entry.at, float)
    assert_type(entry.generation, Literal["legacy", "v1"] | None)
    assert_type((entry.method, entry.path, entry.query), tuple[str, str, str])
    assert_type((entry.status, entry.items), tuple[int, int])
    assert_type((entry.reason, entry.request_id), tuple[str, str])
    assert_type(entry.key, Literal["right", "wrong", "missing"])
    assert_type(entry.to_dict(), dict[str, Any])
