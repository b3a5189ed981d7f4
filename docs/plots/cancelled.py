"""Draw what becomes of a call that is cancelled, and of the one that waited behind it.

    python docs/plots/cancelled.py

writes docs/explanation/cancelled.svg, from a run on the virtual clock of `deepidv_async.testing`.
"""

import asyncio
from collections import defaultdict
from pathlib import Path

from drawing import BLUE, GREEN, GREY, MUTED, PALE, RED, Drawing

from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    Event,
    RateLimit,
    TokenBucket,
)
from deepidv_async.testing import FakeDeepIDV, VirtualClock

TARGET = Path(__file__).parents[1] / "explanation" / "cancelled.svg"
LATENCY, CANCELLED, END = 0.4, 0.25, 1.6
LIMIT = RateLimit(per_second=2, burst=2, hold=0.5)
LEFT, SECOND = 150, 440  # pixels: where time begins, and the length of a second

Story = dict[str, dict[str, float]]
Levels = list[tuple[float, float]]


class Run:
    """One connection, two calls; the first is cancelled while its request is under way.

    Attributes:
        story: for each call, what happened and when.
        levels: tokens that the limiter has, over time.
    """

    def __init__(self) -> None:
        self.story: Story = defaultdict(dict)
        self.levels: Levels = []

    async def go(self) -> None:
        """Run it."""
        async with FakeDeepIDV(latency=LATENCY, rate=None) as fake:
            clock = fake.clock
            began = clock.now()

            def observe(event: Event) -> None:
                if isinstance(event, CallStarted | AttemptStarted | AttemptFinished | CallFinished):
                    self.story[event.call][type(event).__name__] = clock.now() - began

            bucket = TokenBucket(LIMIT, clock=clock)
            client = fake.client(rate_limit=bucket, max_connections=1, observers=[observe])
            async with asyncio.TaskGroup() as group:
                first = group.create_task(client.list_workflows())
                await asyncio.sleep(0)
                group.create_task(client.list_workflows())
                watch = group.create_task(self._watch(bucket, clock))
                await clock.sleep(CANCELLED)
                first.cancel()
                await watch

    async def _watch(self, bucket: TokenBucket, clock: VirtualClock) -> None:
        began = clock.now()
        while (now := clock.now() - began) < END:
            self.levels.append((now, bucket.stats().tokens))
            await clock.sleep(0.01)


def draw_call(drawing: Drawing, y: float, name: str, times: dict[str, float], end: str) -> None:
    """Draw one call: grey while it waits, blue while its request is under way, and its end."""
    started, sent, over = (
        LEFT + SECOND * times[kind] for kind in ("CallStarted", "AttemptStarted", "CallFinished")
    )
    drawing.text(LEFT - 14, y + 5, name, anchor="end", bold=True)
    if sent > started:
        drawing.bar(started, y, sent - started, colour=PALE)
        drawing.text(started + 6, y + 4, "waits", size=11, halo=False)
    drawing.bar(sent, y, over - sent, colour=BLUE)
    drawing.text(sent + 6, y + 4, "request", size=11, colour="white", halo=False)
    colour = RED if end == "cancelled" else GREEN
    drawing.line((over, y - 14), (over, y + 14), colour=colour, width=2.5)
    drawing.text(over + 6, y + 4, end, size=12, colour=colour)


def main() -> None:
    """Run it, draw it and write the file."""
    run = Run()
    asyncio.run(run.go())
    first, second = run.story.values()
    drawing = Drawing(900, 270, "A cancelled call, the one behind it, and the limiter's tokens")
    draw_call(drawing, 36, "first call", first, "cancelled")
    draw_call(drawing, 84, "second call", second, "answered")
    bottom, unit = 220.0, 40.0
    drawing.text(LEFT - 14, 185, "tokens of", anchor="end", bold=True)
    drawing.text(LEFT - 14, 202, "the limiter", anchor="end", bold=True)
    for level in (0, 1, 2):
        y = bottom - unit * level
        drawing.line((LEFT, y), (LEFT + SECOND * END, y), colour=PALE, width=1)
        drawing.text(LEFT + SECOND * END + 8, y + 4, str(level), size=11, colour=MUTED)
    drawing.steps([(LEFT + SECOND * now, bottom - unit * left) for now, left in run.levels])
    marks = {"cancelled": CANCELLED, "hold is over: tokens come back": LIMIT.hold}
    for number, (words, at) in enumerate(marks.items()):
        x = LEFT + SECOND * at
        drawing.line((x, 16), (x, bottom), colour=GREY, width=1, dashed=True)
        if number:
            drawing.text(x + 6, 128, words, size=12, colour=MUTED)
    for tenth in range(0, int(END * 10) + 1, 2):
        x = LEFT + SECOND * tenth / 10
        drawing.line((x, bottom), (x, bottom + 5), colour=GREY, width=1)
        drawing.text(x, bottom + 20, f"{tenth / 10:g}", size=11, anchor="middle", colour=MUTED)
    drawing.text(LEFT + SECOND * END / 2, bottom + 38, "seconds", size=11, anchor="middle")
    drawing.save(TARGET)


if __name__ == "__main__":
    main()
