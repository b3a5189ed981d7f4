"""The limiter beside others, in one run.

    python tests/benchmarks/limiter                 everything (some minutes)
    python tests/benchmarks/limiter --only traffic --limiters deepidv_async,aiolimiter

Needs what requirements.txt in this folder lists. Nothing leaves this machine.
"""

import argparse
import statistics
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2])]

import follow_time  # noqa: F401 - it must come before any limiter

import cost
import real_http
import traffic
from contestants import CONTESTANTS
from traffic_model import NETS

WORST = "80±60 ms, handshakes"


def show_traffic(names, seeds):
    """429s, utilisation, waits, order: every limiter on every network."""
    for title, options in (
        ("300 requests by 300 callers", {"requests": 300, "tasks": 300}),
        ("1,000 requests by 500 callers", {"requests": 1000, "tasks": 500}),
        ("20 groups of 60 requests, 3 s apart", {"requests": 1200, "tasks": 60, "on_off": True}),
    ):
        print(f"\n{title}; 25/s, burst 35; {seeds} seeds\n{traffic.HEAD}")
        for net in NETS if "on_off" in options or options["requests"] == 300 else [WORST]:
            for name in names:
                if name.startswith("none") and "on_off" in options:
                    continue
                runs = [traffic.measure(name, net, seed, **options) for seed in range(seeds)]
                print(traffic.line(f"{name}, {net}", runs), flush=True)


def show_bursts(seeds):
    """Small bursts and other rates, our limiter only: nobody else promises anything here."""
    for title, options in (
        ("300 requests by 300 callers", {"requests": 300, "tasks": 300}),
        ("20 groups of 60 requests, 3 s apart", {"requests": 1200, "tasks": 60, "on_off": True}),
    ):
        print(f"\nother limits, {title}; {seeds} seeds\n{traffic.HEAD}")
        for rate, burst in ((25, 5), (25, 1), (100, 10)):
            for net in NETS:
                limit = {"rate": rate, "burst": burst}
                runs = [
                    traffic.measure("deepidv_async", net, seed, **options, **limit)
                    for seed in range(seeds)
                ]
                print(traffic.line(f"{rate}/s, burst {burst}, {net}", runs), flush=True)


def show_shared(names, seeds):
    """A server that admits less than it says, and a key that somebody else uses too."""
    print(f"\nserver grants 80 %, 1,000 requests by 100 callers; {seeds} seeds\n{traffic.HEAD}")
    for name in names:
        for net in ("20±5 ms, handshakes", WORST):
            runs = [
                traffic.measure(name, net, seed, requests=1000, tasks=100, granted=0.8)
                for seed in range(seeds)
            ]
            print(traffic.line(f"{name}, {net}", runs), flush=True)
    print(f"\na hidden consumer of 10/s, 1,000 requests by 100 callers; {seeds} seeds")
    print(f"{'limiter, network':44}{'our 429s (range)':>20}{'of what is left %':>20}")
    for name in names:
        for net in ("20±5 ms, handshakes", WORST):
            runs = [traffic.hidden_consumer(name, net, seed) for seed in range(seeds)]
            refused = sorted(refused for refused, _ in runs)
            used = 100 * statistics.median(share for _, share in runs)
            shown = f"{statistics.median(refused):g} ({refused[0]}..{refused[-1]})"
            print(f"{f'{name}, {net}':44}{shown:>20}{used:>20.1f}", flush=True)


def show_cost(names):
    """CPU and memory of the limiter alone."""
    print(
        "\nCPU in µs: acquire and release at rest; per token with so many waiting; bytes a waiter"
    )
    print(f"{'limiter':24}{'at rest':>10}{'1,000':>10}{'10,000':>12}{'bytes':>10}")
    for name in names:
        if name in ("none, retries", "aiolimiter, burst 25"):
            continue
        few, many = cost.per_token(name, 1_000), cost.per_token(name, 10_000)
        print(f"{name:24}{cost.idle(name):>10.2f}{few:>10.2f}{many:>12.2f}", end="")
        print(f"{cost.bytes_per_waiter(name):>10.0f}", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("traffic", "bursts", "shared", "cost", "http")
    parser.add_argument("--only", default=",".join(parts), help=f"some of {', '.join(parts)}")
    parser.add_argument("--limiters", default="", help=f"some of {', '.join(CONTESTANTS)}")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    names = [name for name in CONTESTANTS if not given.limiters or name in given.limiters]
    asked = given.only.split(",")
    warnings.simplefilter("ignore")
    if "traffic" in asked:
        show_traffic(names, given.seeds)
    if "bursts" in asked:
        show_bursts(given.seeds)
    if "shared" in asked:
        show_shared(names, given.seeds)
    if "cost" in asked:
        show_cost(names)
    if "http" in asked:
        real_http.show(names)


if __name__ == "__main__":
    main()
