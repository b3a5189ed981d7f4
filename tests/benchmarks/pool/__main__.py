"""What a call costs over real HTTP, by how many are in flight or wait.

    python tests/benchmarks/pool [--rounds 5]

Each client runs in a fresh process against a server in another one. `deepidv_async` is the
default client (32 connections) but for its rate limiter, which would pace it; `wide` has a
connection for every caller, like its peers.
"""

import argparse
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import lab
from client import CLIENTS


@contextmanager
def serving(milliseconds):
    """Run the server; gives its port."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(milliseconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def one(name, port, callers, calls, figure):
    """Make a variant that runs one client and gives one of its figures."""

    def measure():
        arguments = (str(HERE / "client.py"), name, port, str(callers), str(calls))
        return lab.in_fresh_process(*arguments)[figure]

    return measure


def show_cost(rounds):
    """CPU per call by calls in flight."""
    with serving(0) as port:
        for callers, calls in ((1, 1000), (25, 2000), (100, 2000), (500, 2000), (1000, 4000)):
            variants = {
                name: one(name, port, callers, calls, "cpu_us")
                for name in CLIENTS
                # httpx with as many connections takes 62 ms a call at 500.
                if not (name == "httpx" and callers > 100)
            }
            figures = lab.take_turns(variants, rounds=rounds)
            lab.show(
                f"CPU µs per call, {callers} calls at a time",
                ("client", "µs", "x ours", "spread %"),
                [
                    (
                        name,
                        lab.median(figures[name]),
                        lab.ratio(figures, name, "deepidv_async"),
                        f"{lab.spread(figures[name]):.1f}",
                    )
                    for name in figures
                ],
            )


def show_queue(rounds):
    """CPU per call when many more wait than are in flight."""
    with serving(0) as port:
        variants = {
            f"{callers:,} calls at once": one("deepidv_async", port, callers, callers, "cpu_us")
            for callers in (100, 1_000, 10_000)
        }
        figures = lab.take_turns(variants, rounds=rounds)
    lab.show(
        "one default client, calls queued at once",
        ("queued", "µs CPU per call", "x 100 queued"),
        [
            (name, lab.median(figures[name]), lab.ratio(figures, name, "100 calls at once"))
            for name in figures
        ],
    )


def show_connections():
    """Connections opened for 1,000 calls, 100 at a time, and the wall time they took."""
    rows = []
    with serving(20) as port:
        for name in CLIENTS:
            arguments = (str(HERE / "client.py"), name, port, "100", "1000")
            figures = lab.in_fresh_process(*arguments)
            rows.append((name, figures["opened"], figures["cpu_us"], figures["wall_us"]))
    lab.show(
        "1,000 calls, 100 at a time, a server that takes 20 ms",
        ("client", "opened", "µs CPU", "µs wall"),
        rows,
    )


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    show_cost(rounds)
    show_queue(rounds)
    show_connections()


if __name__ == "__main__":
    main()
