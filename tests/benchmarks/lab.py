"""What every benchmark here shares: taking turns, medians and spread, one kind of table.

Variants are measured in rounds, in an order that is shuffled anew for each, so that whatever else
the machine does meets all of them alike. A ratio is the median of the ratios within each round.
CPU time (user and system) counts, unless a topic is about waiting.
"""

import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = [
    "Figures",
    "cpu_per_run",
    "in_fresh_process",
    "median",
    "ratio",
    "show",
    "spread",
    "take_turns",
]

Figures = Mapping[str, Sequence[float]]


def take_turns(
    variants: Mapping[str, Callable[[], float]], *, rounds: int = 9, seed: int = 7
) -> dict[str, list[float]]:
    """Let each variant measure itself once per round; gives its figures, round by round."""
    order = list(variants)
    shuffle = random.Random(seed).shuffle
    figures: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            figures[name].append(variants[name]())
    return figures


def cpu_per_run(work: Callable[[], object], *, at_least: float = 0.1) -> Callable[[], float]:
    """Make a variant of `work`: the CPU seconds of one run, from a batch of `at_least` seconds."""
    work()
    began = time.process_time()
    work()
    times = max(1, int(at_least / max(time.process_time() - began, 1e-7)))

    def measure() -> float:
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - start) / times

    return measure


def median(figures: Sequence[float]) -> float:
    """Give the median."""
    return statistics.median(figures)


def spread(figures: Sequence[float]) -> float:
    """Give the median distance from the median, in per cent of it: the noise."""
    middle = statistics.median(figures)
    if not middle:
        return 0.0
    return 100 * statistics.median(abs(figure - middle) for figure in figures) / middle


def ratio(figures: Figures, name: str, floor: str) -> float:
    """Give the median, over the rounds, of `name` in multiples of `floor`."""
    return statistics.median(
        own / other for own, other in zip(figures[name], figures[floor], strict=True)
    )


def in_fresh_process(*arguments: str, timeout: float = 300, **environment: str) -> Any:
    """Run Python on `arguments` in a new process; its last line of output is JSON."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table: the first column to the left, numbers to the right."""
    cells = [
        [f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    print(f"\n{title}")
    for row in (columns, *cells):
        first, *others = (
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip(), flush=True)
