"""Paging: fetching ahead, many workflows at once, and a million sessions in flat memory.

    python tests/benchmarks/paging                     everything (about three minutes)
    python tests/benchmarks/paging --only ahead,many --rounds 3

Needs what requirements.txt in this folder lists. Nothing leaves this machine.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import ahead
import many
import stream


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="ahead,many,stream", help="some of ahead, many, stream")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="streamed, in pages of 500")
    given = parser.parse_args()
    asked = given.only.split(",")
    if "ahead" in asked:
        ahead.show(given.rounds)
    if "many" in asked:
        many.show(given.rounds)
    if "stream" in asked:
        stream.show(given.rounds, given.sessions)


if __name__ == "__main__":
    main()
