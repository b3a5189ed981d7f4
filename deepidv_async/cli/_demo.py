"""The demo: the real client reads a simulated organization, and is checked against its journal.

It needs neither key nor network. A simulator listens on a loopback socket, in a thread of its
own; the client reads all sessions of all workflows over real HTTP, in both generations, under
the published limit. What it read is then compared with what the simulator knows and has sent.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from deepidv_async import AsyncDeepIDV
from deepidv_async.cli import _demo_view as view
from deepidv_async.cli._demo_count import Meter, Reading, Stream, audit
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._terminal import Terminal
from deepidv_async.simulator import RunningSimulator, Simulator, running_simulator

__all__ = ["DEMO_SESSIONS", "run_demo"]

# With these sizes both generations take 97 requests: more than the burst of 35 lets through at
# once, so the limiter is seen at work, and few enough for the rest to take three seconds.
DEMO_SESSIONS: Final = (1240, 880, 610, 420, 240, 110)
_PAGE_SIZE: Final = 40
_LATENCY: Final = 0.02


def run_demo(terminal: Terminal, sessions: Sequence[int] = DEMO_SESSIONS) -> ExitCode:
    """Run the demo.

    Args:
        terminal: where it is shown.
        sessions: how many sessions each workflow has.

    Returns:
        `OK` if client and simulator agree and no request was answered 429, else `FAILED`.

    Raises:
        DeepIDVError: the client could not read all of it.
        ImportError: the extra `simulator` is not installed.
    """
    simulator = Simulator(
        workflows=len(sessions),
        sessions=sessions,
        latency=_LATENCY,
        jitter=_LATENCY,
        legacy_body="sessions",
    )
    for name in simulator.workflow_ids:
        # Made now: the first request for them would have to wait otherwise.
        simulator.session_ids(name)
    with running_simulator(simulator) as api:
        return asyncio.run(_run(terminal, api))


async def _run(terminal: Terminal, api: RunningSimulator) -> ExitCode:
    view.show_intro(terminal, api)
    meter = Meter()
    async with (
        AsyncDeepIDV(
            api.api_key, base_url=api.base_url, api_version="legacy", observers=[meter]
        ) as legacy,
        AsyncDeepIDV(
            api.api_key,
            base_url=api.base_url,
            api_version="v1",
            observers=[meter],
            # One key has one limit, however many clients use it.
            rate_limit=legacy.rate_limiter,
        ) as current,
    ):
        readings = [await _read(terminal, client, api, meter) for client in (legacy, current)]
    return _report(terminal, readings, meter, api.simulator)


async def _read(
    terminal: Terminal, client: AsyncDeepIDV, api: RunningSimulator, meter: Meter
) -> Reading:
    reading = Reading(client.api_version)
    started = time.monotonic()
    with view.progress(terminal, reading, meter):
        reading.streams = [
            Stream(workflow, len(api.simulator.session_ids(workflow.id)))
            async for workflow in client.iter_workflows()
        ]
        fills = [_fill(client, stream) for stream in reading.streams]
        for failure in await asyncio.gather(*fills, return_exceptions=True):
            if failure is not None:
                raise failure
        reading.seconds = time.monotonic() - started
    return reading


async def _fill(client: AsyncDeepIDV, stream: Stream) -> None:
    size = _PAGE_SIZE if client.api_version == "v1" else None
    async for session in client.iter_workflow_sessions(stream.workflow.id, page_size=size):
        stream.take(session.id, session.status)


def _report(
    terminal: Terminal, readings: Sequence[Reading], meter: Meter, simulator: Simulator
) -> ExitCode:
    legacy, current = readings
    audits = [audit(reading, simulator) for reading in readings]
    same = legacy.statuses() == current.statuses()
    counted = meter.requests == len(simulator.journal)
    agreed = all(one.agreed for one in audits) and same and counted
    refused = max(meter.refused, simulator.journal.refused)
    view.show_statuses(terminal, current)
    view.show_limiter(terminal, meter, simulator)
    view.show_audits(terminal, audits, meter, simulator, same=same)
    view.show_verdict(terminal, agreed=agreed, refused=refused)
    view.show_way_on(terminal)
    return ExitCode.OK if agreed and not refused else ExitCode.FAILED
