"""What observers add to a call, and how long a line of the error log keeps the event loop.

    python tests/benchmarks/observers [--rounds 9] [--calls 300] [--lines 5000]

Answers come from memory. One call succeeds, the other fails with a 401; the floor of each is the
same call without observers. The lines are written to a temporary folder of this machine's disk,
once without and once with a rotation every 13 lines.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

import httpx
import lab
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deepidv_async import AsyncDeepIDV, CallFinished, DeepIDVError, RateLimit
from deepidv_async.observe import ErrorLog, EventLog, OpenTelemetry

BASE = "https://api.example.test"
GOOD = httpx.Response(200, json={"workflows": [{"id": "wf_1", "name": "Tenants"}]}).content


def answer(request):
    """Answer from memory: the legacy path well, the other one with a 401."""
    if request.url.path == "/workflow":
        return httpx.Response(200, content=GOOD)
    return httpx.Response(401, json={"error": "Invalid API key."})


def quiet_logger(level):
    """Make a logger that formats its records and writes them nowhere."""
    logger = logging.getLogger(f"bench.{level}")
    logger.propagate = False
    logger.setLevel(level)
    logger.addHandler(logging.FileHandler(os.devnull))
    return logger


def with_sdk():
    """Make an observer whose spans and metrics are kept."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    observer = OpenTelemetry(tracer_provider=tracers, meter_provider=meters)

    def observe(event):
        observer(event)
        if isinstance(event, CallFinished):
            exporter.clear()

    return observe


def observers(folder):
    """Give what is compared."""
    return {
        "none": [],
        "a function that does nothing": [lambda event: None],
        "EventLog, all levels off": [EventLog(quiet_logger("CRITICAL"))],
        "EventLog, INFO": [EventLog(quiet_logger("INFO"))],
        "EventLog, DEBUG": [EventLog(quiet_logger("DEBUG"))],
        "ErrorLog": [ErrorLog(folder / "calls.jsonl")],
        "OpenTelemetry without an SDK": [OpenTelemetry()],
        "OpenTelemetry with an SDK": [with_sdk()],
    }


def measured(loop, watching, version, calls):
    """Make a variant: CPU µs per call, one after the other."""
    client = AsyncDeepIDV(
        "k" * 32,
        base_url=BASE,
        api_version=version,
        rate_limit=RateLimit(per_second=1e6, burst=1e6, per_day=10_000_000),
        http_client=httpx.AsyncClient(transport=httpx.MockTransport(answer)),
        observers=watching,
    )

    async def many():
        began = time.process_time()
        for _ in range(calls):
            with contextlib.suppress(DeepIDVError):
                await client.list_workflows()
        return (time.process_time() - began) / calls * 1e6

    def measure():
        gc.collect()
        return loop.run_until_complete(many())

    measure()
    return measure


def show_calls(folder, rounds, calls):
    """Measure what each observer adds."""
    loop = asyncio.new_event_loop()
    rows = {}
    for outcome, version in (("success", "legacy"), ("failure", "v1")):
        variants = {
            name: measured(loop, watching, version, calls)
            for name, watching in observers(folder).items()
        }
        figures = lab.take_turns(variants, rounds=rounds)
        for name, own in figures.items():
            added = [one - bare for one, bare in zip(own, figures["none"], strict=True)]
            rows.setdefault(name, []).extend((lab.median(own), f"{lab.median(added):+.0f}"))
            rows[name].append(f"{lab.spread(own):.1f}")
        print(f"measured: {outcome}", file=sys.stderr)
    head = ("µs", "added", "spread %")
    lab.show(
        "CPU per call that succeeds, and per call that fails",
        ("observer", *head, *head),
        [(name, *row) for name, row in rows.items()],
    )


def failed_call(loop):
    """Make the last event of a call that failed."""
    events = []
    measured(loop, [events.append], "v1", 1)
    return events[-1]


def show_lines(folder, lines):
    """Measure how long the loop stands still for a line."""
    event = failed_call(asyncio.new_event_loop())
    rotated = ErrorLog(folder / "rotated.jsonl", max_bytes=10_000)
    variants = {
        # What the machine's other work does to anything of that length.
        "no line: its JSON made eight times": lambda told: [
            json.dumps(told.error) for _ in range(8)
        ],
        "lines": ErrorLog(folder / "lines.jsonl"),
        "lines, rotated every 13 of them": rotated,
    }
    rows = []
    for name, log in variants.items():
        wall, cpu = [], time.process_time()
        for _ in range(lines):
            began = time.perf_counter()
            log(event)
            wall.append((time.perf_counter() - began) * 1e6)
        used = (time.process_time() - cpu) / lines * 1e6
        wall.sort()
        p99 = wall[len(wall) * 99 // 100]
        rows.append((name, used, lab.median(wall), p99, wall[-1]))
    assert rotated.lost == 0
    lab.show(
        f"a line of the error log, µs; {lines} of them",
        ("", "CPU", "median", "p99", "longest"),
        rows,
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--lines", type=int, default=5_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show_calls(folder, given.rounds, given.calls)
        show_lines(folder, given.lines)


if __name__ == "__main__":
    main()
