"""What importing and making a client costs, each in a new process.

    python tests/benchmarks/imports [--rounds 15]

Milliseconds of wall time inside the process, so without the interpreter's own start. Where rich
and click are installed, httpx imports its command line with them; the rows marked `bare` hide
these two, as in an environment without them. Modules must have their bytecode cached, as pip
installs them: the first round is thrown away.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

import lab

BARE = "import sys; sys.modules.update(rich=None, click=None, pygments=None)\n"
TIMED = """
import json, time
began = time.perf_counter()
{code}
print(json.dumps((time.perf_counter() - began) * 1e3))
"""
CLIENT = "from deepidv_async import AsyncDeepIDV; AsyncDeepIDV('k' * 32)"
# Name, whether rich and click are hidden, code; the first is the floor of all.
IMPORTS = [
    ("httpx, bare", True, "import httpx"),
    ("httpx", False, "import httpx"),
    ("httpx2", False, "import httpx2"),
    ("asyncio, httpx, httpcore, bare", True, "import asyncio, httpx, httpcore"),
    ("openai", False, "import openai"),
    ("anthropic", False, "import anthropic"),
    ("deepidv_async", False, "import deepidv_async"),
    ("deepidv_async, bare", True, "import deepidv_async"),
    ("its client class", False, "from deepidv_async import AsyncDeepIDV"),
    ("its first client", False, CLIENT),
    ("its first client, bare", True, CLIENT),
]
STACK = "asyncio, httpx, httpcore, bare"

MADE = """
import gc, json, time
{prepare}
first = {make}
gc.collect()
began = time.perf_counter()
made = [{make} for _ in range(20)]
print(json.dumps((time.perf_counter() - began) / 20 * 1e3))
"""
CLIENTS = {
    "httpx.AsyncClient()": ("import httpx", "httpx.AsyncClient()"),
    "AsyncDeepIDV()": ("from deepidv_async import AsyncDeepIDV", "AsyncDeepIDV('k' * 32)"),
}


def variant(code):
    """Make a variant: runs `code` in a new process, which prints a figure."""
    lab.in_fresh_process("-c", code)
    return lambda: lab.in_fresh_process("-c", code)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    variants = {}
    for name, bare, code in IMPORTS:
        try:
            variants[name] = variant((BARE if bare else "") + TIMED.format(code=code))
        except RuntimeError:
            print(f"left out: {name} (not installed)")
    figures = lab.take_turns(variants, rounds=rounds)
    lab.show(
        "imports",
        ("what", "ms", "x httpx, bare", "x stack, bare", "spread %"),
        [
            (
                name,
                lab.median(figures[name]),
                lab.ratio(figures, name, IMPORTS[0][0]),
                lab.ratio(figures, name, STACK),
                f"{lab.spread(figures[name]):.1f}",
            )
            for name in figures
        ],
    )
    made = lab.take_turns(
        {
            name: variant(MADE.format(prepare=prepare, make=make))
            for name, (prepare, make) in CLIENTS.items()
        },
        rounds=rounds,
    )
    lab.show(
        "making a client, the second and later ones",
        ("what", "ms"),
        [(name, lab.median(made[name])) for name in made],
    )


if __name__ == "__main__":
    main()
