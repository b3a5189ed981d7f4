"""Draw the server's bucket under a plain client bucket and under ours.

    PYTHONPATH=.:tests python docs/plots/no_429s.py

writes docs/explanation/no-429s.svg. Both runs are on the virtual clock of the tests, with the same
network and the same seed.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drawing import GREY, MUTED, PALE, RED, Drawing

from deepidv_async.limits import RateLimit, TokenBucket
from traffic_model import NETS, Caller, Server
from virtual_loop import VirtualLoop

TARGET = Path(__file__).parents[1] / "explanation" / "no-429s.svg"
WIDTH, HEIGHT, FLOOR = 400.0, 210.0, 270.0  # of a panel, in pixels
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


def draw(drawing: Drawing, left: float, server: JournalServer, title: str) -> None:
    """Draw the level over time, every arrival as a tick, every refusal as a cross."""

    def place(now: float, level: float) -> tuple[float, float]:
        return left + WIDTH * now / SHOWN, FLOOR - HEIGHT * level / BURST

    refused = f"{title}: {len(server.refused)} refused"
    drawing.text(left + WIDTH / 2, 26, refused, anchor="middle", bold=True)
    for level in (0, 10, 20, 30):
        y = place(0, level)[1]
        drawing.line((left, y), (left + WIDTH, y), colour=PALE if level else RED, width=1)
        drawing.text(left - 8, y + 4, str(level), size=11, anchor="end", colour=MUTED)
    drawing.steps([place(*point) for point in server.journal if point[0] <= SHOWN])
    for now in server.accepted:
        x, y = place(now, 0)
        if now <= SHOWN:
            drawing.line((x, y + 6), (x, y + 12), colour=GREY, width=1)
    for now in server.refused:
        drawing.cross(*place(now, 0))
    for second in range(int(SHOWN) + 1):
        x, y = place(second, 0)
        drawing.text(x, y + 28, str(second), size=11, anchor="middle", colour=MUTED)
    drawing.text(left + WIDTH / 2, FLOOR + 44, "seconds", size=11, anchor="middle", colour=MUTED)


def main() -> None:
    """Draw both panels and write the file."""
    plain, ours = run(PlainBucket), run(lambda: TokenBucket(RateLimit(RATE, BURST)))
    drawing = Drawing(920, 330, "Tokens in the server's bucket behind a plain bucket and ours")
    drawing.text(14, 50, "tokens in the server's bucket", size=11, colour=MUTED)
    draw(drawing, 44, plain, "plain bucket")
    draw(drawing, 500, ours, "response-anchored bucket")
    drawing.save(TARGET)


if __name__ == "__main__":
    main()
