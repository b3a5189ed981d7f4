"""Draw the server's bucket under a plain client bucket and under ours.

    PYTHONPATH=.:tests python docs/plots/no_429s.py

needs matplotlib and writes docs/explanation/no-429s.svg. Both runs are on the virtual clock of
the tests, with the same network and the same seed.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from deepidv_async.limits import RateLimit, TokenBucket
from traffic_model import NETS, Caller, Server
from virtual_loop import VirtualLoop

ROOT = Path(__file__).parents[2]
RATE, BURST, REQUESTS, SHOWN = 25.0, 35.0, 150, 4.0
NET, SEED = "80±60 ms, handshakes", 4


class JournalServer(Server):
    """A server that also writes down its level before and after each arrival."""

    def __init__(self) -> None:
        super().__init__(RATE, BURST)
        self.journal = [(0.0, BURST)]

    def arrive(self, now: float, cost: float = 1.0) -> bool:
        """Count a request; tell whether it is admitted."""
        level = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.journal.append((now, level))
        admitted = super().arrive(now, cost)
        self.journal.append((now, self.tokens))
        return admitted


class PlainBucket:
    """A bucket with the server's numbers whose tokens refill from the sending on."""

    def __init__(self) -> None:
        self._next = -(BURST - 1) / RATE

    async def acquire(self) -> None:
        """Wait for a token."""
        now = asyncio.get_running_loop().time()
        due = self._next
        self._next = max(now - (BURST - 1) / RATE, due) + 1 / RATE
        await asyncio.sleep(max(0.0, due - now))


def run(make_limiter: Callable[[], Any]) -> JournalServer:
    """Let a crowd of callers work through one limiter; give the server."""

    async def main() -> JournalServer:
        limiter, server = make_limiter(), JournalServer()
        heed = getattr(limiter, "throttled", lambda _retry_after: None)
        caller = Caller(limiter.acquire, heed, server, NETS[NET](SEED))
        await caller.work_off(REQUESTS, REQUESTS, lambda refusals: 0.5 * 2**refusals)
        return server

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def draw(axes: Axes, server: JournalServer, title: str) -> None:
    """Draw the level over time, every arrival as a tick, every refusal as a cross."""
    axes.plot(*zip(*server.journal, strict=True), color="#3b6ea5", linewidth=1)
    axes.plot(server.accepted, [-1.6] * len(server.accepted), "|", color="#666666", markersize=6)
    axes.plot(server.refused, [0.5] * len(server.refused), "x", color="#c0392b", markersize=9)
    axes.axhline(0, color="#c0392b", linewidth=0.6)
    axes.set(xlim=(0, SHOWN), ylim=(-3, BURST + 1), xlabel="seconds")
    axes.set_title(f"{title}: {len(server.refused)} refused")


def main() -> None:
    """Draw both panels and write the file."""
    plain, ours = run(PlainBucket), run(lambda: TokenBucket(RateLimit(RATE, BURST)))
    # The same input gives the same file, byte by byte.
    mpl.rcParams["svg.hashsalt"] = "no-429s"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    draw(left, plain, "plain bucket")
    draw(right, ours, "response-anchored bucket")
    left.set_ylabel("tokens in the server's bucket")
    target = ROOT / "docs" / "explanation" / "no-429s.svg"
    figure.savefig(target, metadata={"Date": None})
    print(f"{target.name}: {len(plain.refused)} refusals behind the plain bucket")
    print(f"{len(ours.refused)} behind ours")


if __name__ == "__main__":
    main()
