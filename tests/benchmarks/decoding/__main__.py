"""From the bytes of a page to records: this library beside others, in one run.

    python tests/benchmarks/decoding                       everything (some two minutes)
    python tests/benchmarks/decoding --rounds 15 --kind heavy

Needs what requirements.txt in this folder lists. Nothing leaves this machine.
"""

import argparse
import gc
import importlib.metadata
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[2])]

import bodies
import decoders
import lab

FIRST_PAGES = """
import json, sys, time
sys.path[:0] = sys.argv[1:4]
import bodies, asyncio
body = bodies.page("light")
start = time.process_time()
from deepidv_async._structure import PageShape, decode_page
from deepidv_async._models import WorkflowSession
shape, times = PageShape(WorkflowSession, ("sessions",), paged=True), [time.process_time() - start]
for _ in range(10):
    start = time.process_time()
    decode_page(body, shape)
    times.append(time.process_time() - start)
print(json.dumps(times))
"""


def show_versions():
    """Name what was measured."""
    names = ("attrs", "cattrs", "msgspec", "orjson", "pydantic")
    found = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {found}")


def show_page(kind, rounds):
    """One page of 500 sessions, every way."""
    body = bodies.page(kind)
    ways = decoders.decoders(camel="camelCase" in kind)
    figures = lab.take_turns(
        {name: lab.cpu_per_run(lambda way=way: way(body)) for name, way in ways.items()},
        rounds=rounds,
    )
    rows = [
        [
            name,
            1e3 * lab.median(times),
            f"{500 / lab.median(times):,.0f}",
            lab.ratio(figures, name, decoders.FLOOR),
            lab.ratio(figures, name, decoders.PLAIN_FLOOR),
            lab.ratio(figures, name, decoders.PYDANTIC),
            lab.spread(times),
        ]
        for name, times in figures.items()
    ]
    columns = ("way", "ms", "sessions/s", "x orjson", "x json", "x pydantic", "± %")
    lab.show(f"500 sessions, {kind}: {len(body):,} bytes; CPU time", columns, rows)


def show_legacy(rounds):
    """A long legacy list: nothing else runs on the loop in the meantime.

    CPU time again, which on an idle core is as long as the loop is blocked.
    """
    body, count = bodies.legacy(10_000_000)

    def blocked(decode):
        gc.collect()
        start = time.process_time()
        page = decode(body, decoders.LEGACY)
        return time.process_time() - start if len(page.items) == count else float("nan")

    ways = {decoders.OURS: decoders.ours, decoders.ALONE: decoders.ours_alone}
    figures = lab.take_turns(
        {name: lambda way=way: blocked(way) for name, way in ways.items()}, rounds=rounds
    )
    rows = [[name, 1e3 * lab.median(times), lab.spread(times)] for name, times in figures.items()]
    title = (
        f"a legacy list of {count:,} sessions, {len(body):,} bytes: the loop is blocked, CPU time"
    )
    lab.show(title, ("way", "ms", "± %"), rows)


def show_first(rounds):
    """What a new process pays: loading, then the functions that the first page needs."""
    paths = [str(HERE), str(HERE.parent), str(HERE.parents[2])]
    runs = [lab.in_fresh_process("-c", FIRST_PAGES, *paths) for _ in range(rounds)]
    loading, first, *others = (1e3 * lab.median(times) for times in zip(*runs, strict=True))
    rows = [["loading", loading], ["first page", first], ["tenth page", others[-1]]]
    lab.show("a new process, light pages, extra `speed`; CPU time", ("what", "ms"), rows)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kind", choices=[*bodies.KINDS, "legacy", "first"], default=None)
    asked = parser.parse_args()
    show_versions()
    bodies.settle_heap()
    for kind in bodies.KINDS:
        if asked.kind in (None, kind):
            show_page(kind, asked.rounds)
    if asked.kind in (None, "legacy"):
        show_legacy(asked.rounds)
    if asked.kind in (None, "first"):
        show_first(asked.rounds)


if __name__ == "__main__":
    main()
