"""429s, time, waits and order of every limiter, against the model of server and network."""

import asyncio
import random
import statistics

import attrs
from follow_time import run

from contestants import CONTESTANTS
from traffic_model import NETS, Caller, Server, inversions, quantile

__all__ = ["Result", "hidden_consumer", "measure"]


@attrs.frozen
class Result:
    """One run.

    Attributes:
        refused: 429s that came back to us.
        used: the least possible time over the time that it took, between arrivals.
        over: seconds above (N - burst) / rate, from the first permit asked to the last answer.
        waits: seconds for each permit.
        wrong: share of pairs served in the wrong order.
    """

    refused: int
    used: float
    over: float
    waits: list[float]
    wrong: float


def _backoff(seed):
    rng = random.Random(seed)
    # The usual retry of API clients: 0.5 s, doubling up to 8 s, up to a quarter less.
    return lambda refusals: min(8.0, 0.5 * 2**refusals) * (1 - rng.random() / 4)


def measure(  # one run is described by all of these
    name, net, seed, *, requests, tasks, rate=25.0, burst=35.0, granted=1.0, on_off=False
) -> Result:
    """Run one limiter once; `granted` is the share of the rate that the server admits."""

    async def main():
        contestant = CONTESTANTS[name](rate, burst)
        server = Server(rate * granted, burst)
        server.at = asyncio.get_running_loop().time()
        caller = Caller(contestant.acquire, contestant.throttled, server, NETS[net](seed))
        began = asyncio.get_running_loop().time()
        if on_off:
            await caller.bursts(requests // 60, 60, 3.0, seed)
        else:
            await caller.work_off(requests, tasks, _backoff(seed))
        return caller, asyncio.get_running_loop().time() - began

    caller, took = run(main, phase=seed * 0.37 % 1.0)
    least = (len(caller.server.accepted) - burst) / (rate * granted)
    return Result(
        refused=caller.refused,
        used=caller.server.utilisation(),
        over=took - least,
        waits=caller.waits,
        wrong=inversions(caller.order),
    )


def hidden_consumer(name, net, seed, *, requests=1000, tasks=100, other=10.0) -> tuple[int, float]:
    """Run beside a program that takes `other` requests/s of the same key and never retries.

    Returns:
        Our refusals, and the rate that we got over the rate that was left for us.
    """

    async def main():
        loop = asyncio.get_running_loop()
        contestant = CONTESTANTS[name](25.0, 35.0)
        server = Server(25.0, 35.0)
        caller = Caller(contestant.acquire, contestant.throttled, server, NETS[net](seed))
        granted = 0

        async def hidden():
            nonlocal granted
            while True:
                granted += server.arrive(loop.time())
                await asyncio.sleep(1 / other)

        task = asyncio.create_task(hidden())
        await caller.work_off(requests, tasks, _backoff(seed))
        task.cancel()
        left = 25.0 - granted / loop.time()
        return caller.refused, (requests - 35) / loop.time() / left

    return run(main)


def line(label: str, results: list[Result]) -> str:
    """Put runs of several seeds on one line of the table: medians, and the range of 429s."""
    refused = sorted(result.refused for result in results)
    waits = [wait for result in results for wait in result.waits]
    shown = f"{statistics.median(refused):g} ({refused[0]}..{refused[-1]})"
    return (
        f"{label:44}{shown:>20}"
        f"{100 * statistics.median(result.used for result in results):>9.2f}"
        f"{statistics.median(result.over for result in results):>9.3f}"
        f"{quantile(waits, 0.5):>8.2f}{quantile(waits, 0.99):>8.2f}{max(waits):>8.2f}"
        f"{statistics.median(result.wrong for result in results):>8.3f}"
    )


HEAD = (
    f"{'limiter, network':44}{'429s (range)':>20}{'used %':>9}{'over s':>9}"
    f"{'p50 s':>8}{'p99 s':>8}{'max s':>8}{'wrong':>8}"
)
